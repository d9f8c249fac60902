"""One loop for everything that is fitted: step, report, checkpoint, and look whether to stop."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor

from workers.training.pace import PaceKeeper, Stopwatch

REPORT_SECONDS = 1.0  # least time between two reports from within an epoch


class Fit(Protocol):
    """Something that is fitted step by step, epoch by epoch. Its state between any two steps can be saved."""

    epoch: int  # finished epochs
    step: int  # finished steps of the current epoch

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        ...

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        ...

    def advance(self) -> None:
        """One step; the last of an epoch raises `epoch` and sets `step` to 0."""
        ...

    def metrics(self) -> Mapping[str, float]:
        """Of the current epoch so far, or of the finished one right after its last step."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Everything that `restore` needs to go on as if nothing had happened."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], record: Mapping[str, object]) -> None:
        """The inverse of `state`."""
        ...


class Watcher(Protocol):
    """Who is told how it goes and may ask to stop; `workers.progress.Progress` is one."""

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
        """Tells how far a phase is; `epoch` counts finished ones, and without `step` one has just ended."""
        ...

    def checkpoint(self, phase: str, epoch: int, write: Callable[[Path], None]) -> None:
        """Keeps what `write` puts into the file it is given, all of it or nothing."""
        ...

    def should_stop(self) -> Literal["cancel", "drain"] | None:
        """Whether to stop after this step, and why."""
        ...


def drive(
    fit: Fit,
    phase: str,
    watcher: Watcher,
    write: Callable[[Path], None],
    ended: Callable[[], Mapping[str, float]] = dict,
) -> Literal["cancel", "drain"] | None:
    """Advances to the last epoch, or until asked to stop; returns why it stopped.

    After each epoch: `ended()`, which may add metrics, the report, the checkpoint, in this order, so that a death in
    between repeats a report and loses nothing. Asked to drain, it checkpoints between two steps. A watcher that keeps
    paces is told at the end what the steps took.
    """
    reported, watch = time.monotonic(), Stopwatch(fit)
    while fit.epoch < fit.epochs:
        watch.advance()
        if fit.step == 0:
            watcher.report(phase, fit.epoch, fit.epochs, {**fit.metrics(), **ended()})
            watcher.checkpoint(phase, fit.epoch, write)
        elif time.monotonic() - reported >= REPORT_SECONDS:
            watcher.report(phase, fit.epoch, fit.epochs, fit.metrics(), step=fit.step, steps=fit.steps)
            reported = time.monotonic()
        if reason := watcher.should_stop():
            if reason == "drain" and fit.step:
                watcher.checkpoint(phase, fit.epoch, write)
            return reason
    if isinstance(watcher, PaceKeeper) and (pace := watch.measured()) is not None:
        watcher.pace(phase, pace)
    return None
