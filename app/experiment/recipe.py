"""Recipes: everything that decides a training or a search besides the architecture, the data and the seed.

A recipe is data and is stored with every result; two results compare only where their recipe digests are equal.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16"]
PressedCost = Literal["params", "macs", "latency_ms"]
Weighting = Literal[
    "darts", "darts_second_order", "snas", "gdas", "drnas", "pc_darts", "enas", "single_path", "sandwich"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """SGD with a cosine schedule, constant within an epoch; by default as DARTS trains its discrete networks
    (quark0/darts `cnn/train.py`)."""

    name: str
    epochs: int = 600
    batch_size: int = 96
    learning_rate: float = 0.025
    min_learning_rate: float = 0.0
    warmup_epochs: int = 0
    momentum: float = 0.9
    nesterov: bool = False  # needs momentum above 0
    weight_decay: float = 3e-4
    gradient_clip: float = 5.0  # largest gradient norm; 0 leaves gradients alone
    label_smoothing: float = 0.0
    auxiliary_weight: float = 0.4  # weight of the auxiliary head's loss, where the skeleton has one
    drop_path: float = 0.2  # final probability; grows linearly over the epochs
    cutout: int = 16  # side of the square that is blanked, in pixels; 0 for none
    crop_padding: int = 4  # pixels of padding before a random crop; 0 for none
    flip: bool = True  # random horizontal flips
    precision: Precision = "float32"  # bfloat16 falls back to float32, and says so, where the device has none
    deterministic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What a search pays for expensive options: strength times its expected cost is added to the architecture loss.

    The cost is that of everything the decisions decide, over the same at the weights that the search begins with.
    """

    cost: PressedCost
    strength: float  # nats for what undecided options cost
    device: str | None = None  # whose table the latencies are of


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecipe:
    """DARTS' bilevel search (quark0/darts `cnn/train_search.py`): SGD on weights, Adam on architecture parameters."""

    name: str
    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 0.025
    min_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    gradient_clip: float = 5.0
    alpha_learning_rate: float = 3e-4
    alpha_weight_decay: float = 1e-3
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_warmup_epochs: int = 0  # epochs in which only the weights learn
    crop_padding: int = 4
    flip: bool = True
    cutout: int = 0
    precision: Precision = "float32"
    deterministic: bool = False
    pressure: Pressure | None = None
    curvature_every: int = 0  # epochs between two measurements of the loss's curvature in α; 0 for none
    curvature_stop: float = 0.0  # ends where the curvature has grown to this many times what it was; 0 never
    strategy: Weighting = "darts"  # what weighs decisions while the weights learn; the kind of search says it


Recipe = TrainingRecipe | SearchRecipe

UNUSED = {"pressure": None, "nesterov": False, "strategy": "darts", "curvature_every": 0, "curvature_stop": 0.0}
"""Fields that came later, each with the value at which a recipe is the procedure that it was before."""


IMPLIED = frozenset({"strategy"})
"""Fields that nobody gives: what a recipe is used for decides them."""


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 over every field but the name and what is not used: recipes with equal digests are the same procedure."""
    fields = {k: v for k, v in asdict(recipe).items() if k != "name" and (k not in UNUSED or v != UNUSED[k])}
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


TRAINING_RECIPES: dict[str, TrainingRecipe] = {
    r.name: r
    for r in (
        TrainingRecipe(name="darts-cifar"),
        # D-X-Y/AutoDL-Projects `configs/nas-benchmark/hyper-opts/200E.config`, and crops and flips of the paper
        TrainingRecipe(
            name="nasbench201-cifar",
            epochs=200,
            batch_size=256,
            learning_rate=0.1,
            nesterov=True,
            weight_decay=5e-4,
            gradient_clip=0.0,
            auxiliary_weight=0.0,
            drop_path=0.0,
            cutout=0,
        ),
        TrainingRecipe(
            name="digits-quick",
            epochs=15,
            batch_size=64,
            learning_rate=0.1,
            warmup_epochs=1,
            drop_path=0.0,
            cutout=0,
            crop_padding=1,
            flip=False,
            label_smoothing=0.05,
        ),
        *(
            TrainingRecipe(
                name=name,
                epochs=30,
                batch_size=32,
                learning_rate=0.1,
                warmup_epochs=1,
                drop_path=0.0,
                cutout=0,
                crop_padding=2,
                flip=False,  # a mirrored digit is none
            )
            for name in ("digit_scenes-quick", "digit_boxes-quick")
        ),
    )
}

SEARCH_RECIPES: dict[str, SearchRecipe] = {
    r.name: r
    for r in (
        SearchRecipe(name="darts-cifar"),
        # yuhuixu1993/PC-DARTS `train_search.py`
        SearchRecipe(
            name="pc-darts-cifar",
            batch_size=256,
            learning_rate=0.1,
            min_learning_rate=0.0,
            alpha_learning_rate=6e-4,
            alpha_warmup_epochs=15,
        ),
        # D-X-Y/AutoDL-Projects: `configs/search-opts/GDAS-NASNet-CIFAR.config`, and `configs/nas-benchmark/algos/` with
        # `scripts-search/NAS-Bench-201-algos/`. Their momentum is Nesterov's; ENAS' cosine has a period of ten epochs.
        SearchRecipe(name="gdas-cifar", epochs=250, batch_size=256, weight_decay=5e-4),
        SearchRecipe(name="gdas-nasbench201", epochs=250, weight_decay=5e-4),
        SearchRecipe(name="darts-nasbench201", weight_decay=5e-4),
        SearchRecipe(name="random-nasbench201", epochs=250, weight_decay=5e-4),
        SearchRecipe(
            name="enas-nasbench201",
            epochs=250,
            batch_size=128,
            learning_rate=0.05,
            min_learning_rate=5e-4,
            weight_decay=2.5e-4,
            alpha_learning_rate=1e-3,
            alpha_weight_decay=0.0,
            alpha_betas=(0.0, 0.999),
        ),
        # xiangning-chen/DrNAS `201-space/train_search.py` with `--reg_type kl`, whose divergence is the strategy's
        SearchRecipe(name="drnas-nasbench201", epochs=100, alpha_weight_decay=0.0),
        SearchRecipe(
            name="digits-quick",
            epochs=5,
            learning_rate=0.1,
            alpha_learning_rate=1e-1,  # 40 steps: DARTS' own 3e-4 would leave every softmax uniform
            alpha_warmup_epochs=1,
            crop_padding=1,
            flip=False,
        ),
    )
}
