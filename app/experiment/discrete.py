"""Discrete searches: a strategy proposes members of a space, an evaluator measures them, until the budget is spent.

    catalogue   results that the catalogue has, such as a published table's; nothing is trained
    training    every member from scratch, by jobs of their own
    inherited   members with the weights of one supernet, trained first on uniformly drawn paths
    proxies     numbers of untrained networks on one batch

Whatever measures, a member also has `params`, `macs` and, where latencies are known, `latency_ms`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from app.experiment.bounds import Bounds
from app.experiment.dataset import Dataset, Split
from app.experiment.job import Device, EvaluationKind, SpaceVersion
from app.experiment.recipe import SearchRecipe, TrainingRecipe, Weighting
from app.experiment.sharing import SharingCheck, SharingReport
from app.experiment.strategies import DiscreteStrategyName
from app.space.skeleton import ImageInput, Skeleton

Goal = Literal["maximise", "minimise"]

COSTS = ("params", "macs", "latency_ms")
"""What is known of every member without measuring it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoughtMetric:
    """A number that is measured of each member, and which way is better."""

    metric: str
    goal: Goal = "maximise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """A device's lookup table, as far as the space needs it: a latency is `factor` times the sum of the entries."""

    device: str
    entries: Mapping[str, float]  # milliseconds by key
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeAt:
    """The recipe whose results stand for a fidelity."""

    fidelity: int
    recipe_name: str
    recipe_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEvaluator:
    """Results that the catalogue has: of one data set, split, kind and recipe, and of the request's skeleton.

    Of an architecture with several results a value is their mean. A member without any fails, and counts.
    """

    dataset: str
    split: Split
    recipe_name: str
    recipe_digest: str
    viewer: str  # who sees the results
    as_of: str  # ISO 8601: results that came later are not seen
    evaluation: EvaluationKind = "trained"
    fidelities: tuple[RecipeAt, ...] = ()  # ascending; empty where there is one recipe
    kind: Literal["catalogue"] = "catalogue"

    @property
    def oracle(self) -> bool:
        """Whether the search sees the split that is to be read once, at the end."""
        return self.split == "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEvaluator:
    """A training from scratch for every member and seed, a job each; measured on `selection`.

    A fidelity is a number of epochs, in place of the recipe's.
    """

    dataset: str
    recipe: TrainingRecipe
    data: Dataset | None = None
    seeds: tuple[int, ...] = (0,)  # a value is the mean over them
    kind: Literal["training"] = "training"


Paths = Literal["uniform", "sandwich"]
"""What a supernet learns from: one uniformly drawn member a step; or the largest, the smallest and some drawn between
them, which learn from what the largest answers."""

DRAWN_BY: Mapping[Paths, Weighting] = {"uniform": "single_path", "sandwich": "sandwich"}
"""What a recipe says of weights that learnt so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritedEvaluator:
    """Weights of one supernet, trained on members drawn step by step; measured on `selection`.

    A fidelity is a number of images that a member is judged on.
    """

    dataset: str
    recipe: SearchRecipe
    skeleton: Skeleton  # of the supernet
    data: Dataset | None = None
    paths: Paths = "uniform"
    children: int = 0  # jobs that each batch of members is divided over; 0: the search judges them itself
    check: SharingCheck | None = None  # of what the weights are worth
    kind: Literal["inherited"] = "inherited"

    @property
    def learnt(self) -> SearchRecipe:
        """The recipe as results have it: weights that learnt on paths do not compare with those of another search."""
        return replace(self.recipe, strategy=DRAWN_BY[self.paths])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyEvaluator:
    """Zero-cost proxies of untrained networks; those that are sought. A fidelity is a number of images in the batch."""

    dataset: str
    data: Dataset | None = None
    images: int = 64
    kind: Literal["proxies"] = "proxies"


Evaluator = CatalogueEvaluator | TrainingEvaluator | InheritedEvaluator | ProxyEvaluator


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Members that are measured first: of some drawn uniformly, those of which a proxy is largest."""

    proxy: str
    evaluator: ProxyEvaluator
    candidates: int  # that are drawn
    kept: int  # that are measured, as part of the budget


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteSearchRequest:
    """A discrete search, complete in itself."""

    space: SpaceVersion
    document: Mapping[str, object]
    strategy: DiscreteStrategyName
    parameters: Mapping[str, int]  # of the strategy, every one
    objectives: tuple[SoughtMetric, ...]
    evaluator: Evaluator
    budget: int  # evaluations, failed ones too
    skeleton: Skeleton  # of the architectures: their costs, what is trained, what is looked up
    image: ImageInput
    bounds: Bounds = field(default_factory=Bounds)
    latencies: Latencies | None = None  # where a latency is bounded or sought
    warm_start: WarmStart | None = None
    batch: int = 1  # members that are proposed and measured at a time
    repeats: bool = False  # whether a member may be measured again at the same fidelity
    replays: str | None = None  # UUID of the search whose record this repeats
    seed: int = 0
    device: Device = "auto"

    @property
    def oracle(self) -> bool:
        """Whether decisions are made by the test split: an experiment on strategies, not a search to be used."""
        return isinstance(self.evaluator, CatalogueEvaluator) and self.evaluator.oracle


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One evaluation of a search, in the order in which they were made: an entry of the trajectory."""

    n: int  # from 1
    index: str  # rank of the genotype, decimal
    fidelity: int | None
    values: Mapping[str, float] | None  # by metric, costs among them; None where it failed
    by: Literal["strategy", "warm start"] = "strategy"
    several: int = 1  # results that the values are the mean of
    deviations: Mapping[str, float] | None = None  # between these, by metric: sample standard deviations
    job: str | None = None  # UUID of the job that measured it, where it was one of its own
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A member that a search found."""

    index: str
    genotype: object
    values: Mapping[str, float]
    n: int  # the evaluation that measured it


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypervolume:
    """How much the front of a search dominates, in the product of the objectives' units."""

    value: float
    reference: Mapping[str, float]  # by metric: the worst that was measured
    curve: tuple[float, ...]  # after each evaluation, with the same reference


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteReport:
    """What a discrete search found, and how far to trust it."""

    strategy: DiscreteStrategyName
    parameters: Mapping[str, int]
    objectives: tuple[SoughtMetric, ...]
    bounds: Bounds
    evaluator: str  # its kind
    judged_by: Mapping[str, object]  # data set, split, recipe and its digest, digest of the results that were seen
    oracle: bool
    label: str | None  # of an oracle experiment, to be shown with every number of it
    evaluations: int
    failed: int
    budget: int
    exhausted: bool  # whether the space had nothing left to propose before the budget was spent
    fidelity: int | None  # the highest, which alone counts for what was found; None without fidelities
    best: Found | None  # by the one objective; None of several
    curve: tuple[float | None, ...]  # the best value of the one objective after each evaluation; empty of several
    front: tuple[Found, ...]  # of several objectives, by the first; else empty
    hypervolume: Hypervolume | None  # of several objectives
    sharing: SharingReport | None  # of inherited weights, where it was asked for
    notes: tuple[str, ...]
    strategy_seconds: float  # processor time of proposing and learning
    seconds: float
    gpu_hours: float


ORACLE = "oracle experiment: the search was guided by results on the test split"
"""The label of such a search, everywhere it is shown."""
