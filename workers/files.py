"""Files of a job below the data root. A file is complete when it has its name, and visible when a row names it.

jobs/<job>/checkpoints/<fence>-<number>.safetensors
jobs/<job>/artefacts/<fence>/<name>
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from app.jobs import StoredFile

BLOCK = 1 << 20  # bytes read at a time


class JobFiles:
    """Where one job's files lie, and how they are written."""

    def __init__(self, data_root: Path, job_id: UUID) -> None:
        self.root = data_root
        self._checkpoints = data_root / "jobs" / str(job_id) / "checkpoints"
        self._artefacts = data_root / "jobs" / str(job_id) / "artefacts"

    def write_checkpoint(self, fence: int, number: int, write: Callable[[Path], None]) -> StoredFile:
        """Let `write` make the attempt's checkpoint of this number."""
        return self._write(self._checkpoints / f"{fence}-{number}.safetensors", write)

    def write_artefact(self, fence: int, name: str, write: Callable[[Path], None]) -> StoredFile:
        """Let `write` make the attempt's file of this name."""
        return self._write(self._artefacts / str(fence) / name, write)

    def open(self, path: str, *, bytes: int, sha256: str) -> Path | None:
        """The file at this path if it is there and as it was written."""
        file = self.root / path
        try:
            if file.stat().st_size != bytes or _sha256(file) != sha256:
                return None
        except OSError:
            return None
        return file

    def keep_only_checkpoint(self, path: str, fence: int) -> None:
        """Remove what this attempt and those before it left, except the file at this path."""
        for file in _listed(self._checkpoints):
            owner = file.name.split("-")[0]
            if file != self.root / path and owner.isdigit() and int(owner) <= fence:
                file.unlink(missing_ok=True)

    def drop_checkpoints(self) -> None:
        """Remove every checkpoint: the job is final."""
        shutil.rmtree(self._checkpoints, ignore_errors=True)
        _remove_if_empty(self._checkpoints.parent)

    def _write(self, target: Path, write: Callable[[Path], None]) -> StoredFile:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays: writers choose their format by it.
        partial = target.with_name(f"{target.stem}.partial{target.suffix}")
        try:
            write(partial)
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            digest, size = _sha256(partial), partial.stat().st_size
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return StoredFile(path=str(target.relative_to(self.root)), bytes=size, sha256=digest)


def jobs_with_checkpoints(data_root: Path) -> tuple[UUID, ...]:
    """The jobs that have checkpoints here."""
    found: list[UUID] = []
    for directory in _listed(data_root / "jobs"):
        with contextlib.suppress(ValueError):
            if (directory / "checkpoints").is_dir():
                found.append(UUID(directory.name))
    return tuple(found)


def _listed(directory: Path) -> Iterable[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return ()


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
