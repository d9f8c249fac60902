"""The other processes of a training that several share: they do what the first one does, and report nothing.

The first is the job's own process. It alone reports, checkpoints and is asked to stop; the others are killed when it is
done, for whatever reason, and end with it where it is killed. One that dies ends the training with an error.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from app.experiment import TrainingRequest
from workers.progress import Progress
from workers.session import RequestError, Session, session
from workers.training import checkpoint
from workers.training.discrete import Candidate, candidate
from workers.training.micro_batches import out_of_memory
from workers.training.parallel import Team, joined

SHORT = 12  # exit status of a process that memory ran out for
WAIT_SECONDS = 10.0  # for the others' exit statuses, once something went wrong
LOOK_SECONDS = 0.05  # between two looks whether they are there
PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


class TeamError(RuntimeError):
    """Another process of the training has died."""

    def __init__(self, deaths: dict[int, int]) -> None:
        told = ", ".join(f"process {rank} ended with exit status {status}" for rank, status in deaths.items())
        super().__init__(f"the training lost a process: {told}")
        self.short = SHORT in deaths.values()  # of memory


def check_seats(request: TrainingRequest, device: torch.device) -> None:
    """Raises RequestError where there are too few devices, cores or images for so many processes."""
    asked = request.processes
    there = torch.cuda.device_count() if device.type == "cuda" else len(os.sched_getaffinity(0))
    if asked > there:
        of = "CUDA devices" if device.type == "cuda" else "CPU cores"
        raise RequestError(f"{asked} processes were asked for, but this worker sees {there} {of}")
    if asked > request.recipe.batch_size:
        raise RequestError(f"{asked} processes cannot share a batch of {request.recipe.batch_size} images")


@contextmanager
def led(request: TrainingRequest, s: Session, saved: Path | None, parts: int) -> Iterator[Team]:
    """Within, the other processes train along from the same checkpoint, batches in at least so many parts.

    Raises TeamError where one of them dies.
    """
    context = multiprocessing.get_context("spawn")
    team = Team(0, request.processes)
    with tempfile.TemporaryDirectory(prefix="cellar-team-") as folder:
        meeting = Path(folder) / "meeting"
        others = {
            rank: context.Process(
                target=follow,
                args=(request, rank, meeting, saved, parts, os.getpid()),
                name=f"training process {rank}",
                daemon=True,
            )
            for rank in range(1, request.processes)
        }
        try:
            for other in others.values():
                other.start()
            while not all(_there(meeting, rank).exists() for rank in others):
                if any(other.exitcode is not None for other in others.values()):
                    raise RuntimeError("a process ended before it took part")
                time.sleep(LOOK_SECONDS)
            with _seated(s, team), joined(team, meeting, s.device):
                yield team
        except RuntimeError as error:
            for other in others.values():
                other.join(0.0 if out_of_memory(error) else WAIT_SECONDS / len(others))
            if deaths := {rank: other.exitcode for rank, other in others.items() if other.exitcode}:
                raise TeamError(deaths) from error
            raise
        finally:
            for other in others.values():
                other.kill()
                other.join()


def follow(request: TrainingRequest, rank: int, meeting: Path, saved: Path | None, parts: int, parent: int) -> None:
    """The life of another process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    team = Team(rank, request.processes)
    try:
        with (
            session(
                request.document,
                (request.skeleton,),
                request.dataset,
                request.data,
                seed=request.seed,
                device=request.device,
                deterministically=request.recipe.deterministic,
                progress=cast("Progress", None),  # nothing here reports
            ) as s,
            _seated(s, team),
        ):
            _there(meeting, rank).touch()
            with joined(team, meeting, s.device):
                trainer = trained_by(request, s, team).trainer
                if saved is not None:
                    tensors, record = checkpoint.load(saved)
                    trainer.restore(tensors, cast("dict[str, Any]", record["fit"]))
                trainer.micro_batches.parts = max(parts, trainer.micro_batches.parts)
                while trainer.epoch < trainer.epochs:
                    trainer.advance()
    except (RuntimeError, MemoryError) as error:
        if out_of_memory(error):
            os._exit(SHORT)
        raise


def trained_by(request: TrainingRequest, s: Session, team: Team | None, note: Any = lambda text: None) -> Candidate:
    """What a request trains; the same in each process."""
    return candidate(
        s.space,
        s.space.plan.normalise(request.genotype),  # pyright: ignore[reportArgumentType]  (checked before)
        request.skeleton,
        request.recipe,
        s.images,
        seed=request.seed,
        device=s.device,
        note=note,
        recompute=request.recompute,
        team=team,
    )


def _there(meeting: Path, rank: int) -> Path:
    """What a process leaves when it is about to join."""
    return meeting.with_name(f"there-{rank}")


@contextmanager
def _seated(s: Session, team: Team) -> Iterator[None]:
    """Within, a session computes on its process's own device, or on its share of the CPU's threads."""
    device, threads = s.device, torch.get_num_threads()
    if device.type == "cuda":
        s.device = torch.device("cuda", team.rank)
    else:
        torch.set_num_threads(max(1, threads // team.processes))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
