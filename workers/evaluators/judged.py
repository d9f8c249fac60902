"""What a member is worth with inherited weights, as it was measured: by the search itself, or by a job for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from app.experiment import InheritedEvaluator, MeasuredEvaluation, Split
from workers.evaluators.protocol import Reading
from workers.session import Session

SPLIT: Split = "selection"
METRICS = ("accuracy", "loss")  # percent, nats; a data set's task may measure more


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One member, on some of the images of `selection`."""

    rank: int
    fidelity: int | None
    values: Mapping[str, float] | None  # by metric; None where they are no finite numbers
    failure: str | None
    whole: bool  # whether it was on all of them: a result of the split
    seconds: float

    def reading(self, job: str | None = None) -> Reading:
        """As an evaluator answers it; `job` is the UUID of the one that measured."""
        return Reading(values=self.values, failure=self.failure, job=job)

    def evaluation(self, s: Session, evaluator: InheritedEvaluator) -> MeasuredEvaluation:
        """As the catalogue has it, of one that has values on the whole split."""
        assert self.values is not None, "what failed is no result"
        images = float(s.images.dataset.splits[SPLIT])
        return s.evaluation(
            s.space.plan.unrank(self.rank),
            evaluator.skeleton,
            "inherited",
            SPLIT,
            {**self.values, "images": images},
            evaluator.learnt,
            seconds=self.seconds,
        )

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "index": str(self.rank),
            "fidelity": self.fidelity,
            "values": self.values,
            "failure": self.failure,
            "whole": self.whole,
            "seconds": self.seconds,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any] | Sequence[Any]) -> Self:
        """The inverse of `document`; earlier versions wrote rank, accuracy, loss and seconds of whole ones."""
        if isinstance(document, Sequence):
            rank, accuracy, loss, seconds = document
            values = {"accuracy": accuracy, "loss": loss}
            return cls(rank=int(rank), fidelity=None, values=values, failure=None, whole=True, seconds=seconds)
        rest = {name: value for name, value in document.items() if name != "index"}
        return cls(rank=int(document["index"]), **rest)
