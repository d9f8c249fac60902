"""The discretisation report: what a differentiable search found, and what turning it into an architecture cost.

Accuracies are percentages on the named split. `selection` accuracies compare supernet and discretised network on
images that neither weights nor architecture parameters were fitted to; `test` is read once, at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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
class DiscretisationReport:
    """Supernet, discretised and retrained accuracy side by side with a random genotype's."""

    genotype: object
    supernet: Accuracy
    inherited: Accuracy  # discretised, with the supernet's weights, batch statistics recalibrated
    retrained: Mapping[str, Accuracy]  # by split: selection and test
    baseline_genotype: object | None
    baseline: Mapping[str, Accuracy] | None
    gap_inherited: float  # supernet minus inherited, percentage points
    retrained_on: str  # data set of `retrained` and `baseline`; the others are on the one that was searched on
    gap_retrained: float | None  # supernet minus retrained, percentage points; None on another data set
    decisions: tuple[DecisionSummary, ...]
    mean_entropy: float
    skip_share: float  # of the chosen operations
    collapse_threshold: float  # the share that at most one uniform genotype in a thousand exceeds
    collapse_samples: int  # uniform genotypes the threshold was estimated from
    collapsed: bool  # the alarm: skip_share is above the threshold
    pressure: Mapping[str, object] | None  # the recipe's, with the expected costs before and after; None without one
    notes: tuple[str, ...]
    seconds: float
    gpu_hours: float
