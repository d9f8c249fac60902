"""Files of a job. Artefacts are named by their content; a checkpoint lies under its job's own name.

objects/ab/cdef...                                      artefacts, visible by the row that names them
jobs/<job>/checkpoints/<fence>-<number>.safetensors     checkpoints, of which one at most is named by a row
"""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path, PurePosixPath
from uuid import UUID

import structlog

from app.store import DamagedObject, MissingObject, Store, StoredFile, StoreError

log = structlog.get_logger(__name__)

JOBS = "jobs"


class JobFiles:
    """Where one job's files lie, and how they are written."""

    def __init__(self, store: Store, job_id: UUID) -> None:
        self.store = store
        self._checkpoints = f"{JOBS}/{job_id}/checkpoints"

    def write_checkpoint(self, fence: int, number: int, write: Callable[[Path], None]) -> StoredFile:
        """Let `write` make the attempt's checkpoint of this number. Raises StoreError, OSError."""
        return self.store.write_as(f"{self._checkpoints}/{fence}-{number}.safetensors", write)

    def write_artefact(self, name: str, write: Callable[[Path], None]) -> StoredFile:
        """Let `write` make a file that is to become an artefact of this name. Raises StoreError, OSError."""
        # The suffix stays: writers choose their format by it.
        return self.store.write(write, suffix=PurePosixPath(name).suffix)

    def open(self, path: str, *, bytes: int, sha256: str) -> Path | None:
        """The file at this path if it is there and as it was written. Raises StoreDown, StoreUnusable."""
        try:
            return self.store.open(StoredFile(path=path, bytes=bytes, sha256=sha256))
        except (MissingObject, DamagedObject):
            return None

    def keep_only_checkpoint(self, path: str, fence: int) -> None:
        """Remove what this attempt and those before it left, except the file at this path; what cannot go now stays."""
        with _unhurried():
            for entry in self.store.entries(self._checkpoints):
                owner = PurePosixPath(entry.path).name.split("-")[0]
                if entry.path != path and owner.isdigit() and int(owner) <= fence:
                    self.store.remove(entry.path)

    def drop_checkpoints(self) -> None:
        """Remove every checkpoint: the job is final. What cannot go now goes with a later worker's start."""
        with _unhurried():
            for entry in self.store.entries(self._checkpoints):
                self.store.remove(entry.path)


def jobs_with_checkpoints(store: Store) -> tuple[UUID, ...]:
    """The jobs that have checkpoints. Raises StoreDown, StoreUnusable."""
    found: set[UUID] = set()
    for entry in store.entries(JOBS):
        parts = PurePosixPath(entry.path).parts
        if len(parts) == 4 and parts[2] == "checkpoints":
            with contextlib.suppress(ValueError):
                found.add(UUID(parts[1]))
    return tuple(sorted(found))


@contextlib.contextmanager
def _unhurried() -> Generator[None]:
    """Tidying up that may wait: a store that is away fails no job."""
    try:
        yield
    except (StoreError, OSError) as error:
        log.warning("could not remove checkpoints", error=str(error))
