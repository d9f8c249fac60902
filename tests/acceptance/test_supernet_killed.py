"""Searches over supernets whose processes are killed, through a real API, queue and workers: each finds what it would
have found undisturbed, with the same numbers."""

from typing import Any, get_args
from uuid import UUID

import httpx
import pytest

from app.experiment import Strategy
from tests.acceptance.test_discrete_killed import committed, got, kill_jobs, posted, timeless

Workplace = Any  # the class of tests/acceptance/conftest.py


def asked(strategy: str) -> dict[str, Any]:
    recipe = {"epochs": 6, "batch_size": 64, "learning_rate": 0.05, "flip": False, "deterministic": True}
    skeleton = {"family": "edge_cells", "channels": 4, "num_cells": 1, "num_classes": 10}
    return {
        "space": "nasbench201",
        "strategy": strategy,
        "dataset": "digits",
        "recipe": recipe | {"alpha_learning_rate": 0.1},
        "skeleton": skeleton | {"affine": False},
        "retrain_skeleton": skeleton,
        "retrain_recipe": recipe | {"epochs": 1, "drop_path": 0.0, "cutout": 0},
        "device": "cpu",
        "seed": 4,
    }


def outcome(http: httpx.Client, id: UUID) -> Any:
    report, trajectory = got(http, f"/v1/searches/{id}/report"), got(http, f"/v1/searches/{id}/trajectory")
    return timeless(report["report"]), trajectory["items"]


@pytest.mark.parametrize(
    "strategy", [pytest.param(name, marks=[pytest.mark.slow] * (name != "gdas")) for name in get_args(Strategy)]
)
def test_a_search_that_is_killed_finds_what_it_would_have_found(
    workplace: Workplace, http: httpx.Client, strategy: str
) -> None:
    worker = workplace.worker("--queues", "cpu")
    whole, killed = (posted(http, "/v1/searches", asked(strategy)) for _ in range(2))
    undisturbed = workplace.until_final(whole, seconds=120)
    assert (undisturbed.state, undisturbed.attempt) == ("succeeded", 1)
    workplace.until(lambda: committed(workplace, killed) >= 1, seconds=90)
    assert kill_jobs(workplace.data_root) >= 1
    first = committed(workplace, killed)
    workplace.until(lambda: committed(workplace, killed) > first, seconds=90)
    worker.kill()
    worker.wait()
    workplace.worker("--queues", "cpu")
    job = workplace.until_final(killed, seconds=120)
    assert (job.state, job.error, job.attempt) == ("succeeded", None, 3)
    assert outcome(http, killed) == outcome(http, whole)
