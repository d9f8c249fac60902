"""Short trainings against longer ones: `python tests/benchmarks/bench_fidelity.py --results fidelity.jsonl`.

Uniform architectures of NAS-Bench-201. Each is trained from scratch under one recipe with different numbers of epochs,
whose schedule shrinks with them, and from different seeds. What a search would see, accuracy and loss on `selection`
after a short training, is held against the accuracy on `test` after the longest: of the same seed, and of another one.
Beside it: the longest training's own `selection`, and the number of parameters and MACs, which need no training.

The images are the packaged digits, or Fashion-MNIST (`--dataset fashion_mnist`) where Debian's dataset-fashion-mnist is
installed or `--folder` names a folder of its four files; `--images` trains on so many of them, `--judged` judges on so
many of `selection` and of `test`.

What is trained is appended to the file of results; what is in it already is not trained again. The same arguments give
the same figures on the same processor and version of torch.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from app.architecture import cost
from app.experiment import TRAINING_RECIPES
from app.experiment.ranks import Measure, RankCorrelation, Values, correlation, kendall, spearman, top_overlap
from app.space.zoo import ZOO
from workers.data import Images, load
from workers.training.determinism import deterministic, limit_threads
from workers.training.discrete import FITTED, candidate

SPACE = "nasbench201"
Pair = tuple[float, float]  # of the two seeds
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, slots=True)
class Trained:
    """One architecture, trained once."""

    rank: int
    epochs: int
    seed: int
    selection: float  # accuracy in percent
    selection_loss: float  # nats
    test: float
    params: int
    macs: int
    seconds: float


def trainings(asked: argparse.Namespace) -> Iterator[tuple[int, int, int]]:
    """(rank, epochs, seed), architecture by architecture."""
    ranks = random.Random(asked.seed).sample(range(ZOO[SPACE].plan.size), asked.architectures)
    yield from ((rank, epochs, seed) for rank in ranks for epochs in sorted(asked.epochs) for seed in asked.seeds)


def images_of(dataset: str, folder: Path, most: int | None, judged: int | None) -> Images:
    """The images, of which so many may be trained on, and so many judged on. Exits where they are absent."""
    if dataset == "digits":
        return fewer(load(dataset), most, judged)
    if not folder.is_dir():
        sys.exit(f"{folder} is absent: install dataset-fashion-mnist, or name the folder of its four files")
    with tempfile.TemporaryDirectory() as root:
        place = Path(root) / "datasets" / dataset
        place.parent.mkdir()
        place.symlink_to(folder.resolve())
        return fewer(load(dataset, Path(root)), most, judged)


def fewer(images: Images, most: int | None, judged: int | None) -> Images:
    """The first images of each split: half of those that are trained on from either split that may be fitted to."""
    share = {split: None if most is None else most // len(FITTED) for split in FITTED}
    kept = {split: chosen[: share.get(split, judged)] for split, chosen in images.indices.items()}
    return replace(images, indices=kept)


def train(rank: int, epochs: int, seed: int, skeleton: str, recipe: str, images: Images) -> Trained:
    """Train from scratch, and judge once."""
    started, space = time.perf_counter(), ZOO[SPACE]
    procedure = replace(TRAINING_RECIPES[recipe], epochs=epochs, deterministic=True)
    trained = candidate(
        space,
        space.plan.unrank(rank),
        space.skeletons[skeleton],
        procedure,
        images,
        seed=seed,
        device=torch.device("cpu"),
    )
    with deterministic(True):
        while trained.trainer.epoch < epochs:
            trained.trainer.advance()
        judged, price = trained.judged(images), cost(trained.graph)
    return Trained(
        rank=rank,
        epochs=epochs,
        seed=seed,
        selection=judged["selection"]["accuracy"],
        selection_loss=judged["selection"]["loss"],
        test=judged["test"]["accuracy"],
        params=price.params,
        macs=price.macs,
        seconds=time.perf_counter() - started,
    )


def remembered(file: Path, conditions: dict[str, Any]) -> dict[tuple[int, int, int], Trained]:
    """What earlier runs trained. Exits where they trained under other conditions."""
    found: dict[tuple[int, int, int], Trained] = {}
    if not file.exists():
        file.write_text(json.dumps(conditions) + "\n")
    first, *lines = file.read_text().splitlines()
    if json.loads(first) != conditions:
        sys.exit(f"{file} was made under {first}, this is {json.dumps(conditions)}: name another file")
    for line in lines:
        one = Trained(**json.loads(line))
        found[one.rank, one.epochs, one.seed] = one
    return found


def main() -> None:
    """Trains what is missing, then prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="file of what was trained, a line each")
    parser.add_argument("--architectures", type=int, default=60)
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 5, 15], help="the most are held to be the truth")
    parser.add_argument("--seeds", type=int, nargs=2, default=[0, 1])
    parser.add_argument("--seed", type=int, default=0, help="of the drawing of architectures")
    parser.add_argument("--skeleton", default="small", help="of the space's skeletons")
    parser.add_argument("--recipe", default="digits-quick", choices=list(TRAINING_RECIPES))
    parser.add_argument("--dataset", default="digits", choices=["digits", "fashion_mnist"])
    parser.add_argument("--folder", type=Path, default=DEBIAN, help="of Fashion-MNIST's files")
    parser.add_argument("--images", type=int, help="that are trained on; by default all")
    parser.add_argument("--judged", type=int, help="images of `selection`, and of `test`; by default all")
    parser.add_argument("--top", type=int, default=10, help="how many are held to be the best")
    asked = parser.parse_args()
    limit_threads()
    conditions = {name: getattr(asked, name) for name in ("dataset", "images", "judged", "skeleton", "recipe")}
    conditions["torch"] = torch.__version__
    images = images_of(asked.dataset, asked.folder, asked.images, asked.judged)
    found = remembered(asked.results, conditions)
    wanted = list(trainings(asked))
    with asked.results.open("a") as file:
        for number, (rank, epochs, seed) in enumerate(wanted, start=1):
            if (rank, epochs, seed) not in found:
                one = found[rank, epochs, seed] = train(rank, epochs, seed, asked.skeleton, asked.recipe, images)
                fields = {name: getattr(one, name) for name in Trained.__slots__}
                print(json.dumps(fields), file=file, flush=True)
                print(f"{number} of {len(wanted)}: {one}", file=sys.stderr, flush=True)
    report([found[key] for key in wanted], asked.top)


def report(trained: list[Trained], top: int) -> None:
    """The tables, as Markdown."""
    ranks = list(dict.fromkeys(one.rank for one in trained))
    seeds = sorted({one.seed for one in trained})
    *short, longest = sorted({one.epochs for one in trained})
    by = {(one.rank, one.epochs, one.seed): one for one in trained}

    def pairs(field: str, epochs: int) -> list[Pair]:
        sign = -1.0 if field == "selection_loss" else 1.0
        a, b = ([sign * getattr(by[rank, epochs, seed], field) for rank in ranks] for seed in seeds)
        return list(zip(a, b, strict=True))

    print(f"{len(ranks)} architectures; what counts is `test` after {longest} epochs\n")
    print("| epochs | seconds each | accuracy on `test`: lowest | median | highest |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for epochs in (*short, longest):
        of_these = [one for one in trained if one.epochs == epochs]
        tests, each = sorted(one.test for one in of_these), sum(one.seconds for one in of_these) / len(of_these)
        print(f"| {epochs} | {each:.1f} | {tests[0]:.1f} | {tests[len(tests) // 2]:.1f} | {tests[-1]:.1f} |")

    print(f"\n| known | seed | Spearman | Kendall | best {top} overlap |\n| --- | --- | --- | --- | --- |")
    truth = pairs("test", longest)
    for epochs in (*short, longest):
        for field, name in (("selection", "accuracy"), ("selection_loss", "loss")):
            for which, crossed in (("the same", False), ("another", True)):
                line = compared(pairs(field, epochs), truth, top, crossed=crossed)
                print(f"| {name} on `selection`, {epochs} epochs | {which} | {' | '.join(line)} |")
    line = compared(truth, truth, top, crossed=True)
    print(f"| accuracy on `test`, {longest} epochs | another | {' | '.join(line)} |")
    for field in ("params", "macs"):
        line = compared(pairs(field, longest), truth, top, crossed=False)
        print(f"| {field} | | {' | '.join(line)} |")


def compared(x: list[Pair], y: list[Pair], top: int, *, crossed: bool) -> list[str]:
    """Rank correlations and the overlap of the best, each the mean over two pairs of seeds, with the bootstrap's 95 %
    interval over architectures. `crossed`: what is known is of one seed, what counts of the other."""

    def overlap(x: Values, y: Values) -> float:
        return top_overlap(x, y, top)

    measures: tuple[Measure, ...] = (spearman, kendall, overlap)
    return [
        written(correlation(of_both(measure, crossed), cast("Values", x), cast("Values", y), 0)) for measure in measures
    ]


def of_both(measure: Measure, crossed: bool) -> Measure:
    """The mean of a measure over two pairs of seeds, of values that are pairs themselves."""

    def mean(x: Any, y: Any) -> float | None:
        found = [measure([a[i] for a in x], [b[1 - i if crossed else i] for b in y]) for i in (0, 1)]
        return None if None in found else sum(value for value in found if value is not None) / 2

    return mean


def written(found: RankCorrelation) -> str:
    """0.812 [0.701, 0.880]"""
    if found.coefficient is None:
        return "none"
    return f"{found.coefficient:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    main()
