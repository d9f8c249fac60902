"""Dry runs: nothing measured says so; what was trained here tells what the next job takes, and where it fits."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database, jobs, paces, workers
from app.jobs import claim
from app.settings import Settings
from workers import run as child
from workers.fenced import Stop
from workers.hardware import device_name

GIB = 1 << 30
SCORED = [{"metric": "synflow"}]
GENOTYPE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SMALL = {"family": "edge_cells", "channels": 4, "num_cells": 3}
TRAINING: dict[str, Any] = {
    "space": "nasbench201",
    "genotype": GENOTYPE,
    "format": "nasbench201",
    "dataset": "digits",
    "skeleton": SMALL,
    "recipe": {"epochs": 2, "batch_size": 64},
    "device": "cpu",
}
SEARCH = {"space": "nasbench201", "dataset": "digits", "skeleton": SMALL, "device": "cpu"}
RECIPES = {"recipe": {"epochs": 1, "batch_size": 64}, "retrain_recipe": {"epochs": 1}, "retrain_skeleton": SMALL}


def planned(api: TestClient, body: dict[str, Any], kind: str = "trainings") -> dict[str, Any]:
    answer = api.post(f"/v1/{kind}", params={"dry_run": True}, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["estimate"]


@contextmanager
def worker(
    database: Database, *, available: int | None = 8 * GIB, total: int | None = 16 * GIB, **known: Any
) -> Iterator[UUID]:
    """A live worker on this machine's CPU."""
    identity = uuid4()
    told: dict[str, Any] = {"queues": ["cpu"], "devices": ["cpu"], "gpu": None, "device_name": device_name(None)}
    with database.transaction() as session:
        workers.beat(
            session,
            id=identity,
            host="here",
            pid=1,
            state="idle",
            memory_available=available,
            memory_total=total,
            **{**told, **known},
        )
    try:
        yield identity
    finally:
        with database.transaction() as session:
            workers.leave(session, identity)


@pytest.fixture
def done(api: TestClient, api_database: Database, api_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts a job, runs it to its end as a worker's child does, and answers its id."""
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(api_settings.data_root))

    def run(kind: str, body: dict[str, Any]) -> UUID:
        started = api.post(f"/v1/{kind}", json=body)
        assert started.status_code == 202, started.text
        with api_database.transaction() as session:
            held = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=300)
        assert held is not None
        assert str(held.job.id) == started.json()["id"]
        assert child.run(api_settings, api_database, held.lease, Stop()) == 0
        return held.job.id

    return run


def test_nothing_measured_says_so_and_invents_no_time(api: TestClient) -> None:
    found = planned(api, TRAINING)
    assert (found["seconds"], found["device"], found["workers"]) == (None, None, [])
    assert found["note"].startswith("No live worker could take it, and nothing was measured")
    (phase,) = found["phases"]
    assert (phase["phase"], phase["times"], phase["steps"]) == ("architecture", 1, 2 * (1120 // 64))
    assert phase["peak_memory_bytes"]["level"] is None
    assert phase["memory_calibrated"] is None


def test_a_worker_that_cannot_hold_it_is_told_with_a_batch_that_it_could(
    api: TestClient, api_database: Database
) -> None:
    peak = planned(api, TRAINING)["peak_memory_bytes"]
    with worker(api_database) as roomy, worker(api_database, available=1000, total=2000) as tight:
        found = planned(api, TRAINING)
        fits = {w["name"]: (w["fits"], w["batch_size"]) for w in found["workers"]}
        assert fits == {str(roomy): ("yes", None), str(tight): ("no", None)}
        assert found["note"].startswith(f"Nothing was measured on {device_name(None)} yet")
    with worker(api_database, available=int(peak["high"] * 0.4), total=64 * GIB):
        (told,) = planned(api, TRAINING)["workers"]
        assert (told["fits"], told["batch_size"]) == ("unknown", 25)
    with worker(api_database, device_name=None, available=None, total=None):  # of an earlier version
        (told,) = planned(api, TRAINING)["workers"]
        assert (told["fits"], told["device"]) == ("unknown", None)
    with worker(api_database, queues=["gpu"], devices=["cuda"], gpu="GPU-1", device_name="NVIDIA"):
        assert planned(api, TRAINING)["workers"] == [], "it serves another queue"


def test_a_supernet_search_is_not_guessed(api: TestClient, api_database: Database) -> None:
    with worker(api_database):
        found = planned(api, SEARCH | RECIPES, "searches")
    assert [(p["phase"], p["times"]) for p in found["phases"]] == [("supernet", 1), ("retrained", 2)]
    assert found["seconds"] is None
    assert found["peak_memory_bytes"] is None
    assert found["phases"][0]["peak_memory_bytes"] is None
    assert found["phases"][1]["peak_memory_bytes"] is not None
    assert (
        planned(api, SEARCH | RECIPES | {"baseline": False, "seeds": [1, 2, 3]}, "searches")["phases"][1]["times"] == 3
    )


def test_what_was_trained_tells_what_the_next_takes(api: TestClient, api_database: Database, done: Any) -> None:
    wide = TRAINING | {"skeleton": SMALL | {"channels": 8}}
    first = [done("trainings", TRAINING), done("trainings", TRAINING | {"skeleton": SMALL | {"channels": 16}})]
    device = _device(api_database)
    with worker(api_database, device_name=device):
        found = planned(api, wide)
    (phase,) = found["phases"]
    assert (found["device"], phase["calibrated"]["points"], phase["calibrated"]["alike"]) == (device, 2, True)
    assert found["seconds"]["low"] < found["seconds"]["expected"] < found["seconds"]["high"]
    assert found["seconds"]["expected"] == pytest.approx(phase["seconds_per_step"]["expected"] * phase["steps"])
    last = done("trainings", wide)
    with api_database.transaction() as session:
        newest, *_ = paces.newest(session, [device])
        row = jobs.get(session, last)
    assert newest.steps == phase["steps"] - 1, "the first step is not timed"
    assert row is not None
    assert row.result is not None
    assert newest.seconds < row.result["seconds"]
    assert 0.05 < found["seconds"]["expected"] / (newest.seconds_per_step * phase["steps"]) < 20
    assert first[0] != first[1]


def test_a_search_leaves_the_pace_of_its_supernet_and_of_what_it_trained(
    api: TestClient, api_database: Database, done: Any
) -> None:
    id = done("searches", SEARCH | RECIPES | {"baseline": False, "strategy": "gdas"})
    assert id
    device = _device(api_database)
    with api_database.transaction() as session:
        trained, supernet, *_ = paces.newest(session, [device])
    assert (supernet.load.subject, supernet.load.strategy) == ("supernet", "gdas")
    assert (trained.load.subject, trained.load.strategy) == ("network", None)
    question = {"dry_run": True}
    plan = api.post("/v1/searches", params=question, json=SEARCH | RECIPES | {"strategy": "gdas"}).json()
    (of_supernet,) = [network for network in plan["networks"] if network["role"] == "supernet"]
    assert (supernet.load.macs, supernet.params) == (of_supernet["macs"], of_supernet["params"])
    with worker(api_database, device_name=device):
        found = planned(api, SEARCH | RECIPES | {"strategy": "gdas"}, "searches")
        other = planned(api, SEARCH | RECIPES | {"strategy": "darts_second_order"}, "searches")
    assert found["phases"][0]["calibrated"]["alike"] is True
    assert found["phases"][0]["seconds_per_step"]["expected"] == pytest.approx(supernet.seconds_per_step)
    assert other["phases"][0]["calibrated"]["alike"] is False
    assert other["phases"][0]["seconds_per_step"]["level"] is None


def test_a_discrete_search_is_as_many_epochs_as_it_trains(api: TestClient) -> None:
    body = {
        "space": "nasbench201",
        "strategy": "random",
        "budget": 4,
        "evaluator": {"kind": "training", "dataset": "digits", "recipe": {"epochs": 3, "batch_size": 64}},
        "skeleton": SMALL,
    }
    (phase,) = planned(api, body, "searches")["phases"]
    assert (phase["times"], phase["steps"]) == (12, 1120 // 64)
    found = planned(
        api, body | {"evaluator": {"kind": "proxies", "dataset": "digits"}, "objectives": SCORED}, "searches"
    )
    assert (found["phases"], found["seconds"]) == ([], None)
    assert found["note"].startswith("Nothing is trained")


def test_processes_that_share_a_batch_are_not_predicted(api: TestClient, api_database: Database) -> None:
    with worker(api_database):
        found = planned(api, TRAINING | {"processes": 2})
    assert found["seconds"] is None
    assert found["note"].startswith("Nothing was measured of several processes")


def _device(database: Database) -> str:
    """What this process computes on, as it says itself."""
    with database.transaction() as session:
        (device,) = paces.measured_devices(session)
    assert device == device_name(None) or "OMP_NUM_THREADS" not in os.environ
    return device
