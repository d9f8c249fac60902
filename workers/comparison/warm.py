"""The warm start of one seed: what it keeps has the seed in its name, and no checkpoint of its own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from app.experiment.discrete import DiscreteSearchRequest
from app.space import SearchSpace
from workers.progress import ChildRequest, Ended, Progress, Resume, StopReason

T = TypeVar("T")


def warm_start(request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> tuple[int, ...]:
    """The members that a search measures first; nothing where it has no warm start."""
    if request.warm_start is None:
        return ()
    from workers.discrete.warm_start import warm_ranks

    return warm_ranks(request, space, OfSeed(progress, request.seed))[: request.warm_start.kept]


class OfSeed:
    """The progress of a comparison as one of its runs sees it: a `Progress`, without the checkpoint."""

    def __init__(self, progress: Progress, seed: int) -> None:
        self._progress, self._seed = progress, seed

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
        """Nothing: how far a comparison is, it tells itself."""

    def note(self, text: str) -> None:
        """See `Progress`."""
        self._progress.note(f"seed {self._seed}: {text}")

    def checkpoint(self, phase: str, epoch: int, write: Callable[[Path], None]) -> None:
        """Nothing: what is not kept is worked out again."""

    def resume(self) -> Resume | None:
        """None."""
        return None

    def keep(self, name: str, write: Callable[[Path], None]) -> str:
        """See `Progress`."""
        return self._progress.keep(f"{self._seed}-{name}", write)

    def artefact(self, name: str) -> Path | None:
        """See `Progress`."""
        return self._progress.artefact(f"{self._seed}-{name}")

    def parents_artefact(self, name: str) -> Path | None:
        """See `Progress`."""
        return self._progress.parents_artefact(name)

    def children(self, asked: Mapping[str, ChildRequest]) -> Mapping[str, Ended]:
        """See `Progress`."""
        return self._progress.children({f"{self._seed}-{name}": child for name, child in asked.items()})

    def ended_children(self) -> Mapping[str, Ended]:
        """See `Progress`."""
        return self._progress.ended_children()

    def read(self, work: Callable[[Session], T]) -> T:
        """See `Progress`."""
        return self._progress.read(work)

    def should_stop(self) -> StopReason | None:
        """See `Progress`."""
        return self._progress.should_stop()
