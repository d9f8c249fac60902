"""Trainings that two processes share, through a real API, queue and workers: none of them outlives its job."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.acceptance.test_discrete_killed import committed, posted

Workplace = Any  # the class of tests/acceptance/conftest.py

EDGES = [{"input": 0, "op": "skip_connect"}, {"input": 1, "op": "sep_conv_3x3"}]
CELL = {f"node{node}": EDGES for node in (2, 3, 4, 5)}
ASKED = {
    "space": "darts",
    "genotype": {"normal": CELL, "reduce": CELL},
    "dataset": "digits",
    "skeleton": {"family": "cells", "channels": 4, "num_cells": 3, "num_classes": 10},
    "recipe": {"epochs": 8, "batch_size": 64, "drop_path": 0.0, "cutout": 0, "flip": False},
    "processes": 2,
    "device": "cpu",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two processes want two cores"),
]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def under_way(workplace: Workplace, id: UUID, epochs: int) -> tuple[int, int]:
    """The two processes of a job, once so many epochs are committed: its own, and the one that trains along."""
    workplace.until(lambda: committed(workplace, id) >= epochs, seconds=120)
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if directory.name.isdigit() and b"spawn_main" in (directory / "cmdline").read_bytes():
                child = parent_of(int(directory.name))
                if parent_of(child) in workplace.alive():
                    return child, int(directory.name)
    raise AssertionError(f"nothing trains along with job {id}")


def test_a_killed_training_goes_on_with_two_again(
    workplace: Workplace, http: httpx.Client, is_gone: Callable[[int], bool]
) -> None:
    workplace.worker("--queues", "cpu")
    id = posted(http, "/v1/trainings", ASKED)
    child, other = under_way(workplace, id, 1)
    os.kill(child, signal.SIGKILL)
    workplace.until(lambda: is_gone(other), seconds=20)
    child, other = under_way(workplace, id, committed(workplace, id) + 1)
    os.kill(other, signal.SIGKILL)
    job = workplace.until_final(id, seconds=120)
    assert is_gone(child)
    assert (job.state, job.error, job.attempt) == ("succeeded", None, 2)
    assert job.result is not None
    assert "process 1 ended with exit status -9" in job.result["notes"][-1]


@pytest.mark.parametrize("how", ["cancel", "drain"])
def test_a_training_that_is_stopped_ends_both(
    workplace: Workplace, http: httpx.Client, is_gone: Callable[[int], bool], how: str
) -> None:
    worker = workplace.worker("--queues", "cpu")
    id = posted(http, "/v1/trainings", ASKED)
    child, other = under_way(workplace, id, 1)
    if how == "cancel":
        http.post(f"/v1/jobs/{id}/cancel").raise_for_status()
        assert workplace.until_final(id).state == "cancelled"
    else:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    workplace.until(lambda: is_gone(child) and is_gone(other), seconds=20)
    if how == "drain":
        assert workplace.job(id).state == "queued"
        workplace.worker("--queues", "cpu")
        assert workplace.until_final(id, seconds=120).state == "succeeded"
