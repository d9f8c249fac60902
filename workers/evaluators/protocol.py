"""What every evaluator is: it says what members of a space are worth, some proposals at a time.

Costs are no part of it: they are known without measuring (`costs.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.experiment import MeasuredEvaluation
from workers.strategies.discrete import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured of one proposal."""

    values: Mapping[str, float] | None  # by metric; None where it failed
    failure: str | None = None  # why
    several: int = 1  # results that the values are the mean of
    deviations: Mapping[str, float] | None = None  # between these, by metric: sample standard deviations
    job: str | None = None  # UUID of the job that measured it, where it was one of its own


class Evaluator(Protocol):
    """How members are measured. Nothing else: which ones is the strategy's, and costs are the search's."""

    metrics: tuple[str, ...]  # what it measures
    expensive: bool  # whether a state is committed before and after every batch

    def judged_by(self) -> Mapping[str, object]:
        """What the values mean, as JSON: data set, split, recipe, digests of all that decides them.

        The same from the first moment on: it says nothing of what was measured since.
        """
        ...

    def provenance(self) -> Mapping[str, object]:
        """Where it was measured: `device` in words, `torch_version` or None where torch had no part in it."""
        ...

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        """One reading a proposal, in their order; `first` is the number of the first of them in the search, from 1.

        May raise Waiting (for children) or Stopped. Called again with the same `first` it answers for the same batch.
        """
        ...

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        """Rows for the catalogue, once the search is over; may be empty."""
        ...

    def gpu_hours(self) -> float:
        """What measuring has taken of GPUs so far, children's time included."""
        ...

    def state(self) -> Mapping[str, object]:
        """Everything that `restore` needs, as JSON; it travels in every checkpoint and is small."""
        ...

    def restore(self, document: Mapping[str, object]) -> None:
        """The inverse of `state`."""
        ...
