"""Transfer: the same architectures trained in two places, and whether the first tells their order in the second.

A place is a data set, a skeleton and a recipe. Architectures are chosen by their accuracy on the source's `selection`,
so that is what predicts; what it predicts is accuracy on the target's `test`, which is read once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from app.experiment.dataset import Dataset
from app.experiment.job import Device, SpaceVersion
from app.experiment.ranks import RankCorrelation, correlation, kendall, ranks, regret, spearman, top_overlap
from app.experiment.recipe import TrainingRecipe
from app.experiment.report import Accuracy
from app.space.skeleton import Skeleton

Origin = Literal["given", "search", "sampled"]
Side = Literal["source", "target"]

PREDICTS = "selection"  # split of the source by which an architecture is chosen
JUDGES = "test"  # split of the target on which the choice is judged
TOPS = (1, 3, 5, 10)
FEW = 10  # architectures below which a coefficient says little: |rho| under 0.65 is within chance (p = 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where architectures are trained."""

    dataset: str
    skeleton: Skeleton  # its `num_classes` is the data set's
    recipe: TrainingRecipe
    data: Dataset | None = None  # what `dataset` stands for, where it is a registered one


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """Train a set of architectures on two places."""

    space: SpaceVersion
    document: Mapping[str, object]
    genotypes: tuple[object, ...]
    origins: tuple[Origin, ...]  # of each
    source: Place
    target: Place
    search: str | None = None  # UUID of the search that found one of them
    keep_weights: bool = False
    fan_out: bool = False  # have every training done by a child job, on whichever worker is free
    seed: int = 0
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedThere:
    """One architecture on one place."""

    accuracy: Mapping[str, Accuracy]  # by split: selection and test
    params: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """One architecture on both places."""

    index: str  # rank of the genotype, decimal
    origin: Origin
    genotype: object
    source: TrainedThere
    target: TrainedThere
    source_rank: float  # 1 is the best; equals share the mean of their ranks
    target_rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How well a number known before the target's trainings orders the target's accuracies."""

    predictor: str
    kendall: RankCorrelation  # tau-b
    spearman: RankCorrelation


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOverlap:
    """Of the k best on the source, the share that is among the k best on the target."""

    k: int
    share: float
    by_chance: float  # what a random order has on average


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """Whether accuracies on the source say which architecture is better on the target."""

    rows: tuple[TransferRow, ...]
    predicted_by: str
    judged_by: str
    accuracy: Agreement
    baselines: tuple[Agreement, ...]  # what needs no training at all: params and MACs on the target
    beats_baselines: bool | None  # whether accuracy's tau is above the |tau| of each; None where it has none
    tops: tuple[TopOverlap, ...]
    regret: float  # percentage points: the target's best, less the target accuracy of the source's best
    regret_by_chance: float  # the same of an architecture picked at random
    source_error: float  # percentage points: standard error of one accuracy by its number of images, the mean over all
    target_error: float
    limits: tuple[str, ...]  # what the numbers do not say
    notes: tuple[str, ...]
    seconds: float
    gpu_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What was measured of one architecture, before it is compared."""

    index: str
    origin: Origin
    genotype: object
    source: TrainedThere
    target: TrainedThere


def transfer_report(
    trained: Sequence[Trained], *, seed: int, notes: Sequence[str], seconds: float, gpu_hours: float
) -> TransferReport | None:
    """The comparison of all that was trained on both places; None of less than two architectures."""
    if len(trained) < 2:
        return None
    source = [t.source.accuracy[PREDICTS].percent for t in trained]
    target = [t.target.accuracy[JUDGES].percent for t in trained]
    places = zip(ranks([-a for a in source]), ranks([-a for a in target]), trained, strict=True)
    accuracy = agreement("source accuracy", source, target, seed)
    baselines = (
        agreement("target params", [t.target.params for t in trained], target, seed),
        agreement("target macs", [t.target.macs for t in trained], target, seed),
    )
    source_error = standard_error([t.source.accuracy[PREDICTS] for t in trained])
    target_error = standard_error([t.target.accuracy[JUDGES] for t in trained])
    n = len(trained)
    return TransferReport(
        rows=tuple(
            TransferRow(
                index=t.index,
                origin=t.origin,
                genotype=t.genotype,
                source=t.source,
                target=t.target,
                source_rank=source_rank,
                target_rank=target_rank,
            )
            for source_rank, target_rank, t in places
        ),
        predicted_by=f"accuracy on the source's `{PREDICTS}` split",
        judged_by=f"accuracy on the target's `{JUDGES}` split",
        accuracy=accuracy,
        baselines=baselines,
        beats_baselines=beats(accuracy, baselines),
        tops=tuple(TopOverlap(k=k, share=top_overlap(source, target, k), by_chance=k / n) for k in TOPS if k < n),
        regret=regret(source, target),
        regret_by_chance=max(target) - sum(target) / n,
        source_error=source_error,
        target_error=target_error,
        limits=limits(accuracy, n, source_error, target_error),
        notes=tuple(notes),
        seconds=seconds,
        gpu_hours=gpu_hours,
    )


def agreement(predictor: str, x: Sequence[float], y: Sequence[float], seed: int) -> Agreement:
    """Both coefficients of a predictor."""
    return Agreement(
        predictor=predictor,
        kendall=correlation(kendall, x, y, seed),
        spearman=correlation(spearman, x, y, seed),
    )


def beats(accuracy: Agreement, baselines: Sequence[Agreement]) -> bool | None:
    """Whether accuracy orders better than what costs nothing to know; a predictor without an order has 0."""
    tau = accuracy.kendall.coefficient
    return None if tau is None else all(tau > abs(b.kendall.coefficient or 0.0) for b in baselines)


def standard_error(accuracies: Sequence[Accuracy]) -> float:
    """Of one accuracy by its number of images alone, sqrt(p (1 - p) / n) in percentage points; the mean over all."""
    return sum(sqrt(a.percent * (100 - a.percent) / a.images) for a in accuracies) / len(accuracies)


def limits(accuracy: Agreement, n: int, source_error: float, target_error: float) -> tuple[str, ...]:
    """What these numbers do not say."""
    said = [
        "every architecture was trained once on each place: how far an accuracy moves with the seed is not known, and "
        "the interval and the p-value are about which architectures were taken, not about seeds",
        f"by their numbers of images alone, accuracies of one network are uncertain by {source_error:.2f} (source) and "
        f"{target_error:.2f} (target) percentage points, one standard error; smaller differences order nothing",
        "the correlation is over all of these architectures, and says nothing of the order among the best alone",
    ]
    if n < FEW:
        said.append(f"{n} architectures are few: with less than {FEW}, large coefficients come about by chance")
    if accuracy.kendall.coefficient is None:
        said.append("all accuracies of one place are equal, which is no order: there is no coefficient")
    return tuple(said)
