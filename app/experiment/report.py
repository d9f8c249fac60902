"""The discretisation report: what a differentiable search found, and what turning it into an architecture cost.

Accuracies are percentages on the named split. `selection` accuracies compare supernet and discretised network on
images that neither weights nor architecture parameters were fitted to; `test` is read once, at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.experiment.significance import Difference, RankTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A percentage with what it means."""

    percent: float
    split: str
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSummary:
    """How sure the search was of one decision."""

    path: str
    options: tuple[object, ...]
    weights: tuple[float, ...]  # final, after softmax
    chosen: tuple[object, ...]
    entropy: float  # nats
    margin: float  # between the best and the second best weight


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstChance:
    """What was found beside uniformly drawn genotypes, trained alike, seed by seed, on one split."""

    seeds: tuple[int, ...]
    found: tuple[float, ...]  # percent, by seed
    random: tuple[float, ...]  # percent, by seed; another genotype each
    genotypes: tuple[object, ...]  # the random ones, by seed
    difference: Difference  # of the means, percentage points
    test: RankTest  # whether the found one tends to be better


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscretisationReport:
    """Supernet, discretised and retrained accuracy side by side with a random genotype's."""

    genotype: object
    supernet: Accuracy
    inherited: Accuracy  # discretised, with the supernet's weights, batch statistics recalibrated
    retrained: Mapping[str, Accuracy]  # by split: selection and test
    baseline_genotype: object | None
    baseline: Mapping[str, Accuracy] | None
    against_chance: Mapping[str, AgainstChance] | None  # by split; None without random genotypes
    gap_inherited: float  # supernet minus inherited, percentage points
    retrained_on: str  # data set of `retrained` and `baseline`; the others are on the one that was searched on
    gap_retrained: float | None  # supernet minus retrained, percentage points; None on another data set
    decisions: tuple[DecisionSummary, ...]
    mean_entropy: float
    skip_share: float  # of the chosen operations
    collapse_threshold: float  # the share that at most one uniform genotype in a thousand exceeds
    collapse_samples: int  # uniform genotypes the threshold was estimated from
    collapsed: bool  # the alarm: skip_share is above the threshold, or the curvature made the search end early
    curvature: Mapping[str, object] | None  # of the loss in α, by epoch, where the recipe measures it
    budget: Mapping[str, object] | None  # how the genotype keeps to bounds; None without any
    pressure: Mapping[str, object] | None  # the recipe's, with the expected costs before and after; None without one
    notes: tuple[str, ...]
    seconds: float
    gpu_hours: float
