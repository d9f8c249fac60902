"""How a handler reports: every write is fenced, and telling the same thing twice changes nothing.

def run(request, progress):
    start = progress.resume()
    for epoch in range(start.epoch + 1 if start else 1, epochs + 1):
        ...                                                   # after each step: progress.should_stop()
        progress.report("search", epoch, epochs, metrics)
        progress.checkpoint("search", epoch, lambda file: save_file(tensors, file))

A handler may have other jobs done, and is run again from the start when all of them have ended:

    ended = progress.children({"one": ChildRequest("training", request), ...})   # the first time raises Waiting
    ended["one"].evaluations
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app.catalogue import Evaluation
from app.experiment import JobResult, JobState

StopReason = Literal["cancel", "drain"]
T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """A job that another one has done for it."""

    kind: str
    request: Any  # the dataclass that the kind's handler takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended, whichever way: one that failed or was cancelled is told, not raised."""

    job_id: UUID
    state: JobState
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None  # type, title, detail
    evaluations: tuple[Evaluation, ...]
    gpu_seconds: float


class Waiting(Exception):
    """Children are not final yet. Let it pass: the lease is given back, and the handler runs again when they are."""


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

    def artefact(self, name: str) -> Path | None:
        """The file that this attempt or an earlier one kept under a name, if it is there as it was written."""
        ...

    def parents_artefact(self, name: str) -> Path | None:
        """The same of a file that the job which asked for this one kept; None also where nobody did."""
        ...

    def children(self, asked: Mapping[str, ChildRequest]) -> Mapping[str, Ended]:
        """How these jobs ended, by the names that they have within this one, which match `[a-z0-9][a-z0-9._-]{0,63}`.

        Each is submitted once, however often this is asked, and inherits owner, visibility, priority, queue and device.
        Raises Waiting until all are final, and Stopped where this job is to be cancelled, its children with it.
        Commit a checkpoint before what must not be worked out again.
        """
        ...

    def ended_children(self) -> Mapping[str, Ended]:
        """How those of the children ended which have, by name: of a job that is cancelled, what is kept."""
        ...

    def read(self, work: Callable[[Session], T]) -> T:
        """Read from the catalogue, in a transaction of its own that is made again while the database is away."""
        ...

    def should_stop(self) -> StopReason | None:
        """Ask after every step. If not None: checkpoint, and raise Stopped."""
        ...
