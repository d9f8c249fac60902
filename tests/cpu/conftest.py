"""What tests on the CPU share: a `Progress` that remembers everything, without a database, and exact numbers."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from sqlalchemy.orm import Session

from workers.progress import Resume, StopReason

T = TypeVar("T")


class Killed(BaseException):
    """What a SIGKILL does to a handler: nothing after it runs."""


class MemoryProgress:
    """Keeps reports by (phase, epoch) as the catalogue does; may ask to stop, or kill, after so many questions."""

    killed = Killed

    def __init__(
        self,
        folder: Path,
        *,
        stop_after: int | None = None,
        reason: StopReason = "cancel",
        kill_after: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.stop_after, self.reason, self.kill_after = stop_after, reason, kill_after
        self.questions = 0
        self.epochs: dict[tuple[str, int], dict[str, float]] = {}
        self.order: list[tuple[str, int]] = []
        self.notes: list[str] = []
        self.kept: dict[str, Path] = {}
        self.parents: dict[str, Path] = {}  # what the job above has kept
        self.last: Resume | None = None

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
        assert 0 <= epoch <= epochs
        assert all(value == value for value in metrics.values()), metrics  # no NaN
        if step is None:
            self.epochs[phase, epoch] = dict(metrics)
            self.order.append((phase, epoch))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def checkpoint(self, phase: str, epoch: int, write: Callable[[Path], None]) -> None:
        file = self.folder / "checkpoint.new"
        write(file)
        file.replace(self.folder / "checkpoint")
        self.last = Resume(phase=phase, epoch=epoch, file=self.folder / "checkpoint")

    def resume(self) -> Resume | None:
        return self.last

    def keep(self, name: str, write: Callable[[Path], None]) -> str:
        file = self.folder / f"{name}.safetensors"
        write(file)
        self.kept[name] = file
        return name

    def artefact(self, name: str) -> Path | None:
        return self.kept.get(name)

    def parents_artefact(self, name: str) -> Path | None:
        return self.parents.get(name)

    def read(self, work: Callable[[Session], T]) -> T:
        raise AssertionError("there is no catalogue to read from")

    def should_stop(self) -> StopReason | None:
        self.questions += 1
        if self.kill_after is not None and self.questions >= self.kill_after:
            raise Killed
        return self.reason if self.stop_after is not None and self.questions >= self.stop_after else None

    def next_attempt(self, folder: Path, **how: int) -> "MemoryProgress":
        """What the next attempt at the same job is given: the last checkpoint and what was reported, nothing else."""
        after = MemoryProgress(folder, **how)  # pyright: ignore[reportArgumentType]
        after.epochs, after.order, after.kept = dict(self.epochs), list(self.order), dict(self.kept)
        after.parents = self.parents
        if self.last is not None:
            file = folder / "inherited"
            shutil.copy(self.last.file, file)
            after.last = Resume(phase=self.last.phase, epoch=self.last.epoch, file=file)
        return after


@pytest.fixture(scope="session")
def memory_progress() -> type[MemoryProgress]:
    """The class itself: test modules cannot import each other."""
    return MemoryProgress


@pytest.fixture
def exactly() -> Iterator[None]:
    """Float64 on one thread, from one seed."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)
