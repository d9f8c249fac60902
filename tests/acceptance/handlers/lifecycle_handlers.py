"""A handler for the tests of the life of jobs: it counts, slowly, and needs no torch."""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.experiment import TRAINING_RECIPES, JobResult, MeasuredEvaluation
from app.space import ChainSkeleton, space_from_json
from workers.progress import Progress, Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRequest:
    """Count `epochs` times `steps`; what else to do is said by name."""

    epochs: int = 4
    steps: int = 3
    seconds: float = 0.05  # a step
    crash_at: int | None = None  # epoch in which the process kills itself, whatever the attempt
    fail_at: int | None = None  # epoch in which an exception is raised
    deaf: bool = False  # never ask whether to stop
    document: Mapping[str, object] | None = None  # a chain space: its first two members are "measured" in the end
    journal: str | None = None  # a file that every step is written to, with the process that did it


def count(request: CountRequest, progress: Progress) -> JobResult:
    start = progress.resume()
    total = 0
    first = 0
    if start is not None:
        state = json.loads(start.file.read_text())
        total, first = state["total"], start.epoch + 1
        progress.note(f"resumed after epoch {start.epoch}")

    def checkpoint(epoch: int) -> None:
        progress.checkpoint("train", epoch, lambda file: save(file, total))

    for epoch in range(first, request.epochs):
        before = total
        for step in range(request.steps):
            if epoch == request.crash_at and step == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if epoch == request.fail_at and step == 1:
                raise ValueError(f"cannot count beyond {total}")
            time.sleep(request.seconds)
            total += 1
            if request.journal is not None:
                with Path(request.journal).open("a") as journal:
                    journal.write(f"{os.getpid()} {epoch} {step}\n")
            progress.report("train", epoch, request.epochs, {"total": total}, step=step, steps=request.steps)
            reason = None if request.deaf else progress.should_stop()
            if reason is not None:
                total = before  # a checkpoint is the state after a whole epoch
                if epoch > first:
                    checkpoint(epoch - 1)
                raise Stopped(reason, JobResult(result={"total": total, "epochs": epoch}))
        progress.report("train", epoch, request.epochs, {"total": total})
        checkpoint(epoch)
    name = progress.keep("count.json", lambda file: save(file, total))
    return JobResult(
        result={"total": total, "artefact": name, "torch": "torch" in sys.modules},
        evaluations=() if request.document is None else measured(request.document, name, total),
    )


def measured(document: Mapping[str, object], weights: str, total: int) -> tuple[MeasuredEvaluation, ...]:
    space = space_from_json(document)
    return tuple(
        MeasuredEvaluation(
            genotype=space.plan.unrank(index),
            skeleton=ChainSkeleton(),
            kind="trained",
            dataset="digits",
            split=split,
            recipe=TRAINING_RECIPES["digits-quick"],
            seed=0,
            metrics={"accuracy": float(total), "loss": float("inf")},
            params=1,
            macs=1,
            device="cpu",
            torch_version="none",
            code_version="test",
            seconds=0.0,
            weights=weights,
        )
        for index in (0, 1)
        for split in ("selection", "test")
    )


def save(file: Path, total: int) -> None:
    file.write_text(json.dumps({"total": total}))
