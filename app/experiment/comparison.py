"""Comparisons: the same search by several strategies and seeds, and what can be said of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.experiment.bounds import Bounds
from app.experiment.curves import Curve
from app.experiment.discrete import DiscreteSearchRequest, Goal, SoughtMetric
from app.experiment.job import Device
from app.experiment.strategies import DiscreteStrategyName


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedStrategy:
    """A strategy under the name that it has in the comparison."""

    label: str
    strategy: DiscreteStrategyName
    parameters: Mapping[str, int]  # every one


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRequest:
    """Run a search once for every strategy and seed.

    Searches that train or share weights are jobs of their own; all others are run by the comparison itself.
    """

    search: DiscreteSearchRequest  # whose strategy, parameters and seed are those of no run
    strategies: tuple[ComparedStrategy, ...]
    seeds: tuple[int, ...]
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """What one run ended with."""

    seed: int
    value: float | None  # of what is compared; None where nothing was measured that counts
    index: str | None  # rank of the member with it, decimal; None with several objectives
    n: int | None  # the evaluation that brought it
    evaluations: int
    failed: int
    exhausted: bool
    search: str | None  # UUID of its job, where it is one of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyOutcome:
    """A strategy over its seeds. What is compared: the best value, or with several objectives the hypervolume."""

    label: str
    strategy: DiscreteStrategyName
    parameters: Mapping[str, int]
    n: int  # runs that have a final value: every statistic is over these
    missing: int  # runs that have none
    mean: float | None
    deviation: float | None  # sample standard deviation; None of fewer than two
    median: float | None
    least: float | None
    most: float | None
    area: float | None  # mean over the runs of the mean of their value over all evaluations
    reached: int  # runs that were as good as the target at some time
    evaluations_to_target: int | None  # after which half of all runs had reached it; None where fewer ever did
    regret: float | None  # by how much the mean misses the best of the table
    of_front: float | None  # mean hypervolume as a share of the true front's
    evaluations: int  # of all runs
    failed: int
    strategy_seconds: float  # processor time of proposing and learning, of all runs
    seconds: float
    gpu_hours: float
    curve: Curve
    runs: tuple[RunEnd, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two strategies beside each other. Differences are the first's value less the second's."""

    first: str
    second: str
    difference: float  # of the means
    low: float | None  # of the 95 % bootstrap interval
    high: float | None
    a12: float  # Vargha-Delaney: how often a run of the first has the larger value, ties by half
    effect: str  # negligible, small, medium or large
    u: float
    p_value: float  # Mann-Whitney, two-sided
    p_holm: float  # the same, corrected for all pairs
    least_p: float  # that so many runs could have given at all, uncorrected
    method: str
    better: str | None  # the label of the one that is better at the report's level; None where neither is
    says: str  # the same in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTable:
    """What is known of all members that a search may propose."""

    members: int
    best: Mapping[str, float]  # by objective, each for itself
    worst: Mapping[str, float]
    front_hypervolume: float | None  # of several objectives
    at: tuple[int, ...]  # evaluations
    random: tuple[float, ...]  # exact expectation of uniform random search after so many; empty where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """Strategies beside each other, on the same footing."""

    objectives: tuple[SoughtMetric, ...]
    compared: str  # the metric, or "hypervolume"
    goal: Goal  # of what is compared
    reference: Mapping[str, float] | None  # of the hypervolume: the worst of the table, or of all runs
    bounds: Bounds
    evaluator: str  # its kind
    judged_by: Mapping[str, object]
    oracle: bool
    label: str | None  # of an oracle experiment, to be shown with every number of it
    budget: int
    batch: int
    seeds: tuple[int, ...]
    fidelity: int | None  # at which values count
    level: float  # of significance, family-wise
    target: float | None  # the worst of the strategies' medians
    strategies: tuple[StrategyOutcome, ...]
    pairs: tuple[Pair, ...]
    table: KnownTable | None
    notes: tuple[str, ...]
    environment: Mapping[str, object]  # device, versions of code and torch
    seconds: float
    gpu_hours: float
