"""How a handler reports: every write is fenced, and telling the same thing twice changes nothing.

def run(request, progress):
    start = progress.resume()
    for epoch in range(start.epoch + 1 if start else 1, epochs + 1):
        ...                                                   # after each step: progress.should_stop()
        progress.report("search", epoch, epochs, metrics)
        progress.checkpoint("search", epoch, lambda file: save_file(tensors, file))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from app.experiment import JobResult

StopReason = Literal["cancel", "drain"]


@dataclass(frozen=True, slots=True)
class Resume:
    """The last committed checkpoint of a job."""

    phase: str
    epoch: int
    file: Path


class Stopped(Exception):
    """A handler's answer to `should_stop`, after its checkpoint; `best` is what a cancelled job keeps."""

    def __init__(self, reason: StopReason, best: JobResult | None = None) -> None:
        super().__init__(f"stopped to {reason}")
        self.reason: StopReason = reason
        self.best = best


class Progress(Protocol):
    """What a handler is given. Any of it raises LeaseLost when the job belongs to somebody else by now."""

    def report(
        self,
        phase: str,
        epoch: int,
        epochs: int,
        metrics: Mapping[str, float],
        *,
        step: int | None = None,
        steps: int | None = None,
    ) -> None:
        """Tell how far the job is: `epoch` counts the finished ones.

        Without `step` an epoch ended, and its metrics are kept for good.
        """
        ...

    def note(self, text: str) -> None:
        """Tell something worth knowing in a sentence."""
        ...

    def checkpoint(self, phase: str, epoch: int, write: Callable[[Path], None]) -> None:
        """Commit a state to resume from: `write` makes the safetensors file at the path it is given."""
        ...

    def resume(self) -> Resume | None:
        """The last committed checkpoint, if any."""
        ...

    def keep(self, name: str, write: Callable[[Path], None]) -> str:
        """Commit a file that outlives the job, and return its name."""
        ...

    def should_stop(self) -> StopReason | None:
        """Ask after every step. If not None: checkpoint, and raise Stopped."""
        ...
