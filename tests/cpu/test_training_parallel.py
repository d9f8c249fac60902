"""Processes that share the batches of one training do what one process does."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.experiment import SpaceVersion, TrainingRecipe, TrainingRequest
from app.space import CellSkeleton, space_to_json
from app.space.zoo import darts
from workers import followers, train
from workers.followers import TeamError
from workers.progress import Stopped
from workers.session import RequestError
from workers.training import checkpoint

Memory = Any  # the class of tests/cpu/conftest.py

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="a torch without torch.distributed")

IN_FLOAT64 = """
import sys, torch
from contextlib import nullcontext
from pathlib import Path
from app.architecture import lower
from app.experiment import DATASETS, TrainingRecipe
from app.space import CellSkeleton
from app.space.zoo import darts
from workers.data import load
from workers.network import Network
from workers.training import Trainer, checkpoint
from workers.training.determinism import seeded
from workers.training.parallel import Team, joined

rank, processes, meeting, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
space = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect", "max_pool_3x3"))
edges = [{"input": 0, "op": "sep_conv_3x3"}, {"input": 1, "op": "skip_connect"}]
decided = space.plan.read({"normal": {"node2": edges}, "reduce": {"node2": edges}})
with seeded(0, "network"):
    network = Network(lower(space.grammar, CellSkeleton(channels=2, num_cells=3), DATASETS["digits"].input, decided))
recipe = TrainingRecipe(
    name="t", epochs=2, batch_size=601, learning_rate=0.1, drop_path=0.5, cutout=2, crop_padding=1,
    label_smoothing=0.1, gradient_clip=1.0,
)
team = Team(rank, processes) if processes > 1 else None
cpu = torch.device("cpu")
with joined(team, meeting, cpu) if team else nullcontext():
    trainer = Trainer(network, recipe, load("digits"), seed=0, device=cpu, team=team)
    trainer.micro_batches.parts = 2
    while trainer.epoch < trainer.epochs:
        trainer.advance()
    tensors, record = trainer.state()
checkpoint.save(out, tensors, record)
"""


def test_two_processes_are_one_in_float64(tmp_path: Path) -> None:
    """With batch statistics, drop path, clipping, an uneven batch and micro-batches; on both processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def begun(rank: int, processes: int) -> tuple[subprocess.Popen[str], Path]:
        out = tmp_path / f"{processes}-{rank}"
        arguments = [str(rank), str(processes), str(tmp_path / "meeting"), str(out)]
        command = [sys.executable, "-c", IN_FLOAT64, *arguments]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True), out

    files: list[Path] = []
    for process, out in [begun(0, 1), begun(0, 2), begun(1, 2)]:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        files.append(out)
    (one, record), *others = [checkpoint.load(file) for file in files]
    for tensors, same in others:
        assert tensors.keys() == one.keys()
        for name, tensor in one.items():
            torch.testing.assert_close(tensors[name], tensor, rtol=1e-10, atol=1e-12, msg=name)
        assert {**same, "tally": 0} == {**record, "tally": 0}
        assert same["tally"] == pytest.approx(record["tally"], rel=1e-12)
    moved = [tensor for name, tensor in one.items() if "running_mean" in name]
    assert all(tensor.abs().max() > 1e-3 for tensor in moved)


SPACE = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect", "max_pool_3x3"))
EDGES = [{"input": 1, "op": "skip_connect"}, {"input": 0, "op": "sep_conv_3x3"}]
REQUEST = TrainingRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotype={"normal": {"node2": EDGES}, "reduce": {"node2": EDGES}},
    skeleton=CellSkeleton(channels=4, num_cells=3),
    dataset="digits",
    recipe=TrainingRecipe(
        name="test", epochs=2, batch_size=280, learning_rate=0.05, cutout=2, crop_padding=1, deterministic=True
    ),
    device="cpu",
)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize(
    ("first", "second"), [pytest.param(2, 1), pytest.param(1, 2, marks=pytest.mark.slow)]
)  # killed within the first epoch's checkpoint and the second's
def test_a_checkpoint_is_anybodys(memory_progress: Memory, tmp_path: Path, first: int, second: int) -> None:
    whole = memory_progress(tmp_path / "whole")
    expected = train.run(REQUEST, whole)
    begun = memory_progress(tmp_path / "begun", kill_after=6)
    with pytest.raises(memory_progress.killed):
        train.run(replace(REQUEST, processes=first), begun)
    assert not torch.distributed.is_initialized()
    after = begun.next_attempt(tmp_path / "after")
    outcome = train.run(replace(REQUEST, processes=second), after)
    for found, told in zip(outcome.evaluations, expected.evaluations, strict=True):
        assert found.metrics == pytest.approx(told.metrics, rel=0.05)
    (ours, _), (theirs, _) = (checkpoint.load(p.kept["trained"]) for p in (after, whole))
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=0.02, atol=2e-3, msg=name)
    notes = [*begun.notes, *after.notes]
    assert notes == ["2 processes share each batch; batch statistics are of all its images"]


def test_more_than_there_is_room_for_is_refused(memory_progress: Memory, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="3 processes were asked for, but this worker sees 2 CPU cores"):
        train.run(replace(REQUEST, processes=3), memory_progress(tmp_path))
    small = replace(REQUEST, processes=2, recipe=replace(REQUEST.recipe, batch_size=1))
    with pytest.raises(RequestError, match="2 processes cannot share a batch of 1 images"):
        train.run(small, memory_progress(tmp_path))


class Watching:
    """A `Progress` that does something to the other process after some of the steps."""

    def __init__(self, inner: Any, at: list[int], what: Any) -> None:
        self.inner, self.steps, self.at, self.what = inner, 0, at, what

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def should_stop(self) -> Any:
        self.steps += 1
        if self.steps in self.at:
            self.what()
        return self.inner.should_stop()


@pytest.mark.slow
def test_a_dead_process_is_replaced_but_not_for_ever(memory_progress: Memory, tmp_path: Path) -> None:
    import multiprocessing

    pids: list[int] = []

    def kill() -> None:
        for other in multiprocessing.active_children():
            assert other.pid is not None
            pids.append(other.pid)
            other.kill()

    progress = memory_progress(tmp_path)
    train.run(replace(REQUEST, processes=2), Watching(progress, [5], kill))
    lost = "the training lost a process: process 1 ended with exit status -9"
    assert progress.notes[1:] == [f"{lost}: going on from the last checkpoint"]
    assert progress.order == [("train", 1), ("train", 2)]
    with pytest.raises(TeamError, match=lost):
        train.run(replace(REQUEST, processes=2), Watching(memory_progress(tmp_path / "poison"), [1, 2, 3], kill))
    assert len(pids) == 4
    assert gone(pids)


@pytest.mark.slow
def test_a_stop_ends_all_of_them(memory_progress: Memory, tmp_path: Path) -> None:
    import multiprocessing

    pids: list[int] = []
    progress = memory_progress(tmp_path, stop_after=3, reason="drain")

    def look() -> None:
        pids.extend(other.pid or 0 for other in multiprocessing.active_children())

    with pytest.raises(Stopped):
        train.run(replace(REQUEST, processes=2), Watching(progress, [2], look))
    assert len(pids) == 1
    assert gone(pids)
    assert progress.last is not None


@pytest.mark.slow
def test_where_memory_is_short_all_go_on_in_more_parts(
    memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process's memory holds 70 images: at 140 all begin again, with two parts."""
    original = followers.trained_by

    def short(*given: Any, **named: Any) -> Any:
        made = original(*given, **named)
        forward = made.trainer.network.forward

        def limited(x: Any, *more: Any) -> Any:
            if made.trainer.network.training and len(x) > 70:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(x, *more)

        made.trainer.network.forward = limited
        return made

    monkeypatch.setattr(train, "trained_by", short)
    progress = memory_progress(tmp_path)
    outcome = train.run(replace(REQUEST, processes=2), progress)
    assert "with each batch of 280 images in 2 parts" in progress.notes[-1]
    assert progress.order == [("train", 1), ("train", 2)]
    assert outcome.result["notes"] == progress.notes
