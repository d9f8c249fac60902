"""A handler that counts, and on its first attempt may end its process at a place where only it can.

checkpoint      while the file of a checkpoint is half written
kept            after its artefact was kept, before it returns
uncommitted     after its result was written, before that was committed
committed       after its result was committed, before its worker heard of it
memory          by asking for more memory than its address space may have
poison          in the middle of the first epoch, at every attempt
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.experiment import TRAINING_RECIPES, JobResult, MeasuredEvaluation
from app.space import ChainSkeleton, space_from_json
from workers.progress import ChildRequest, Progress, Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyRequest:
    """Count `epochs` times `steps`, or have as many jobs do that as there are parts, and add up."""

    epochs: int
    steps: int
    seconds: float  # a step
    document: Mapping[str, object]  # a chain: its first two members are "measured" in the end
    parts: int = 0
    dies: str | None = None
    whole_worker: bool = False  # the worker dies too, a moment before
    marker: str | None = None  # a file that says that this was done already


def tally(request: TallyRequest, progress: Progress) -> JobResult:
    if request.parts:
        part = ChildRequest("tally", replace(request, parts=0))
        ended = progress.children({f"part-{n}": part for n in range(request.parts)})
        return JobResult(result={"total": sum(child.result["total"] for child in ended.values() if child.result)})
    start = progress.resume()
    total, first = 0, 0
    if start is not None:
        total, first = json.loads(start.file.read_text())["total"], start.epoch + 1

    def die() -> None:
        if request.marker is not None:
            with Path(request.marker).open("x"):
                pass
        if request.whole_worker:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def due(place: str) -> bool:
        return request.dies == place and (request.marker is None or not Path(request.marker).exists())

    def save(file: Path) -> None:
        text = json.dumps({"total": total})
        if epoch >= 1 and due("checkpoint"):
            with file.open("w") as half:
                half.write(text[: len(text) // 2])
                half.flush()
                die()
        file.write_text(text)

    epoch = first
    for epoch in range(first, request.epochs):
        before = total
        for step in range(request.steps):
            time.sleep(request.seconds)
            total += 1
            if epoch == 0 and step == 1 and due("poison"):
                die()
            progress.report("train", epoch, request.epochs, {"total": total}, step=step, steps=request.steps)
            reason = progress.should_stop()
            if reason is not None:
                total = before  # a checkpoint is the state after a whole epoch
                epoch -= 1
                if epoch >= first:
                    progress.checkpoint("train", epoch, save)
                raise Stopped(reason, JobResult(result={"total": total, "epochs": epoch + 1}))
        progress.report("train", epoch, request.epochs, {"total": total})
        progress.checkpoint("train", epoch, save)
    if due("memory"):
        greed(request)
    name = progress.keep("tally.json", lambda file: file.write_text(json.dumps({"total": total})) and None)
    if due("kept"):
        die()
    job: Any = sys.modules["__main__"]  # workers.run
    if due("uncommitted"):
        finish = job._finish

        def write_and_die(*given: Any) -> None:
            finish(*given)
            die()

        job._finish = write_and_die
    if due("committed"):
        log = job.log

        class Deadly:
            def info(self, event: str, **said: Any) -> None:
                log.info(event, **said)
                if event == "succeeded":
                    die()

            def __getattr__(self, name: str) -> Any:
                return getattr(log, name)

        job.log = Deadly()
    return JobResult(result={"total": total, "artefact": name}, evaluations=measured(request.document, name, total))


def greed(request: TallyRequest) -> None:
    """Ask for a lot under a limit that the process had not before, and leave it without one."""
    assert request.marker is not None
    Path(request.marker).touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 2**20, hard))
    try:
        bytearray(2**30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


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
            metrics={"accuracy": float(total)},
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
