"""Discrete searches through a real API, queue and workers whose processes are killed: each ends as if nothing had
happened, which replays of it confirm."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.architecture import price_of
from app.catalogue import artefacts, jobs
from tests.acceptance.faults.processes import of_installation
from tests.integration import recorded
from tests.integration.recorded import SPACE, table

Workplace = Any  # the class of tests/acceptance/conftest.py
ON_A_TABLE = {
    "space": "nasbench201",
    "strategy": "bananas",
    "parameters": {"chosen": 1},  # it learns anew before every evaluation: some seconds in all
    "evaluator": {"kind": "catalogue"},
    "budget": 250,
    "seed": 4,
}
BY_TRAINING = {
    "space": "nasbench201",
    "strategy": "evolution",
    "parameters": {"population": 2, "tournament": 2},
    "evaluator": {
        "kind": "training",
        "dataset": "digits",
        "recipe": {"epochs": 2, "batch_size": 128, "deterministic": True},
    },
    "batch": 1,
    "skeleton": {"family": "edge_cells", "channels": 4, "num_cells": 1, "num_classes": 10},
    "device": "cpu",
    "seed": 4,
}


BY_INHERITING: dict[str, Any] = {
    "space": "nasbench201",
    "strategy": "random",
    "evaluator": {
        "kind": "inherited",
        "dataset": "digits",
        "recipe": {"epochs": 6, "batch_size": 64, "flip": False, "deterministic": True},
        "skeleton": {"family": "edge_cells", "channels": 4, "num_cells": 1, "num_classes": 10},
    },
    "budget": 40,
    "batch": 1,
    "device": "cpu",
    "seed": 4,
}


@pytest.fixture
def tabulated(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> int:
    """A result of every genotype of NAS-Bench-201. Their ids are not worked out, which would take a minute."""
    monkeypatch.setattr(recorded, "architecture_id", lambda *of: f"{SPACE.plan.rank(of[3]):032x}")
    skeleton = SPACE.skeletons["cifar"]

    def accuracy(rank: int) -> float:
        return 20 + 60 * price_of(SPACE, skeleton, SPACE.input, rank).params / 1_600_000 + rank * 7919 % 997 / 100

    table(workplace.database, {rank: {"accuracy": accuracy(rank)} for rank in range(SPACE.plan.size)})
    return SPACE.plan.size


def posted(http: httpx.Client, path: str, body: Any = None) -> UUID:
    answer = http.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["id"])


def got(http: httpx.Client, path: str) -> Any:
    answer = http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def everything(http: httpx.Client, id: UUID) -> list[dict[str, Any]]:
    """The whole trajectory, page by page."""
    found: list[dict[str, Any]] = []
    page = got(http, f"/v1/searches/{id}/trajectory?limit=100")
    while page["next"] is not None:
        found += page["items"]
        page = got(http, f"/v1/searches/{id}/trajectory?limit=100&cursor={page['next']}")
    return found + page["items"]


def timeless(value: Any) -> Any:
    """A report without what depends on the clock."""
    if isinstance(value, dict):
        return {name: timeless(v) for name, v in value.items() if "seconds" not in name and "hours" not in name}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def kill_jobs(data_root: Path) -> int:
    """SIGKILL to every process that runs jobs; how many there were."""
    found = [process.pid for process in of_installation(data_root) if "workers.run" in process.words]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


def committed(workplace: Workplace, id: UUID) -> int:
    """Evaluations in the last checkpoint of a search."""
    with workplace.database.transaction() as session:
        found = artefacts.checkpoint(session, id)
    assert not workplace.job(id).final, "it is over already"
    return 0 if found is None else found.epoch


def replayed(workplace: Workplace, http: httpx.Client, id: UUID) -> Any:
    """What the service itself says of a second run of the same record."""
    again = posted(http, f"/v1/searches/{id}/replay")
    assert workplace.until_final(again, seconds=180).error is None
    return got(http, f"/v1/searches/{again}/replay")


def test_a_search_on_a_table_whose_processes_are_killed_is_the_same_search(
    workplace: Workplace, http: httpx.Client, tabulated: int
) -> None:
    worker = workplace.worker("--queues", "cpu")
    id = posted(http, "/v1/searches", ON_A_TABLE)
    workplace.until(lambda: committed(workplace, id) > 0, seconds=90)
    first = committed(workplace, id)
    assert kill_jobs(workplace.data_root) >= 1
    workplace.until(lambda: committed(workplace, id) > first, seconds=90)
    second = committed(workplace, id)
    worker.kill()
    worker.wait()
    workplace.worker("--queues", "cpu")
    job = workplace.until_final(id, seconds=180)
    assert (job.state, job.error, job.attempt) == ("succeeded", None, 3)
    assert workplace.states(id) == [
        ("queued", 0),
        *(("running", 1), ("queued", 1), ("running", 2), ("queued", 2)),
        *(("running", 3), ("succeeded", 3)),
    ]
    told = [e.data["epoch"] for e in workplace.events(id) if e.kind == "progress"]
    assert told.count(1) == 1, "no attempt began anew"
    assert 0 < first < second < 250

    trajectory = everything(http, id)
    assert [one["n"] for one in trajectory] == list(range(1, 251))
    assert len({one["index"] for one in trajectory}) == 250, "nobody was measured twice"
    report = got(http, f"/v1/searches/{id}/report")["report"]
    assert (report["notes"], report["failed"], report["judged_by"]["results"]) == ([], 0, tabulated)
    assert report["best"]["values"]["accuracy"] == max(one["values"]["accuracy"] for one in trajectory)

    compared = replayed(workplace, http, id)
    assert compared["identical"] is True, compared
    assert everything(http, UUID(compared["replay"])) == trajectory


@pytest.mark.slow
def test_a_search_by_training_whose_processes_are_killed_trains_nobody_twice(
    workplace: Workplace, http: httpx.Client
) -> None:
    """Killed are a training, the search itself, and then the worker with whatever it runs."""
    budget = 4
    worker = workplace.worker("--queues", "cpu", "--no-spare")
    id = posted(http, "/v1/searches", BY_TRAINING | {"budget": budget})

    def children() -> Any:
        with workplace.database.transaction() as session:
            return jobs.children(session, id)

    def runs(chosen: Callable[[], Any]) -> bool:
        assert not workplace.job(id).final, "it is over already"
        return any(one.state == "running" for one in chosen())

    workplace.until(lambda: runs(children), seconds=90)
    assert kill_jobs(workplace.data_root) >= 1
    workplace.until(lambda: committed(workplace, id) >= 1, seconds=90)
    # From here on the search has a record, and runs for a moment whenever a training has ended.
    workplace.until(lambda: committed(workplace, id) >= 2 or runs(lambda: [workplace.job(id)]), seconds=90)
    assert kill_jobs(workplace.data_root) >= 1
    workplace.until(lambda: committed(workplace, id) >= 2, seconds=90)
    workplace.until(lambda: runs(children), seconds=90)
    worker.kill()
    worker.wait()
    workplace.worker("--queues", "cpu")
    job = workplace.until_final(id, seconds=240)
    assert (job.state, job.error) == ("succeeded", None)

    trained = children()
    assert len(trained) == budget
    assert {one.state for one in trained} == {"succeeded"}
    assert sum(one.attempt for one in trained) + job.attempt > budget + 1, "something was killed"
    trajectory = everything(http, id)
    assert [one["job"] for one in trajectory] == [str(one.id) for one in sorted(trained, key=lambda one: one.name)]
    accuracies = {str(one.id): one.result["metrics"]["selection"]["accuracy"] for one in trained}
    assert [one["values"]["accuracy"] for one in trajectory] == [accuracies[one["job"]] for one in trajectory]

    compared = replayed(workplace, http, id)
    assert compared["identical"] is True, compared
    again = everything(http, UUID(compared["replay"]))
    assert [one | {"job": None} for one in again] == [one | {"job": None} for one in trajectory]
    assert not {one["job"] for one in again} & {one["job"] for one in trajectory}, "it trained its own"


@pytest.mark.slow
def test_a_search_by_inherited_weights_trains_its_supernet_once(workplace: Workplace, http: httpx.Client) -> None:
    """Killed are the training of the supernet, and then the measuring of members."""
    workplace.worker("--queues", "cpu", "--no-spare")
    id = posted(http, "/v1/searches", BY_INHERITING)

    def phase() -> str | None:
        with workplace.database.transaction() as session:
            found = artefacts.checkpoint(session, id)
        assert not workplace.job(id).final, "it is over already"
        return None if found is None else found.phase

    workplace.until(lambda: phase() == "supernet", seconds=120)
    assert kill_jobs(workplace.data_root) >= 1
    workplace.until(lambda: phase() == "search", seconds=240)
    assert kill_jobs(workplace.data_root) >= 1
    job = workplace.until_final(id, seconds=240)
    assert (job.state, job.error, job.attempt) == ("succeeded", None, 3)
    told = [(e.data["phase"], e.data["epoch"]) for e in workplace.events(id) if e.kind == "progress"]
    assert told.count(("supernet", 1)) == 1, "it was trained once"
    trajectory = everything(http, id)
    assert [one["n"] for one in trajectory] == list(range(1, 1 + BY_INHERITING["budget"]))
    assert all(one["failure"] is None for one in trajectory)

    compared = replayed(workplace, http, id)
    assert compared["identical"] is True, compared


@pytest.mark.slow
def test_a_search_whose_members_are_judged_by_children_asks_for_none_of_them_twice(
    workplace: Workplace, http: httpx.Client
) -> None:
    """Killed are children while they judge, the search between two batches, and a worker while members are trained."""
    check = {"members": 4, "recipe": {"epochs": 2, "batch_size": 128, "deterministic": True}, "seeds": [0, 1]}
    divided = BY_INHERITING | {"budget": 120, "batch": 40}
    divided["evaluator"] = BY_INHERITING["evaluator"] | {"children": 2, "check": check}
    workers = [workplace.worker("--queues", "cpu", "--no-spare") for _ in range(2)]
    id = posted(http, "/v1/searches", divided)

    def children(kind: str) -> Any:
        with workplace.database.transaction() as session:
            return [one for one in jobs.children(session, id) if one.kind == kind]

    def runs(kind: str) -> bool:
        assert not workplace.job(id).final, "it is over already"
        return any(one.state == "running" for one in children(kind))

    workplace.until(lambda: runs("judging"), seconds=120)
    assert kill_jobs(workplace.data_root) >= 1
    workplace.until(lambda: committed(workplace, id) == 40, seconds=120)
    workplace.until(lambda: workplace.job(id).state == "running", seconds=120)  # with the second batch
    assert kill_jobs(workplace.data_root) >= 1
    workplace.until(lambda: runs("training"), seconds=240)
    for worker in workers:
        worker.kill()
        worker.wait()
    for _ in range(2):
        workplace.worker("--queues", "cpu", "--no-spare")
    job = workplace.until_final(id, seconds=240)
    assert (job.state, job.error) == ("succeeded", None)

    judgings = {one.name.rsplit("-", 1)[0]: one for one in children("judging")}
    assert sorted(judgings) == [
        *(f"judging-{first}-{i}" for first in (1, 41, 81) for i in (0, 1)),
        *("sharing-0", "sharing-1"),
    ]
    assert len(children("judging")) == len(judgings), "each was asked for once"
    assert {one.state for one in (*judgings.values(), *children("training"))} == {"succeeded"}
    assert len(children("training")) == 8
    assert sum(one.attempt - 1 for one in (job, *judgings.values(), *children("training"))) >= 3, "as was killed"
    told = [(e.data["phase"], e.data["epoch"]) for e in workplace.events(id) if e.kind == "progress"]
    assert told.count(("supernet", 1)) == 1, "it was trained once"
    trajectory = everything(http, id)
    assert [one["n"] for one in trajectory] == list(range(1, 121))
    assert all(one["failure"] is None for one in trajectory)

    alone = posted(http, "/v1/searches", divided | {"evaluator": BY_INHERITING["evaluator"]})
    assert workplace.until_final(alone, seconds=240).error is None
    theirs = everything(http, alone)
    assert [one | {"job": None} for one in trajectory] == theirs, "what children measure is what it measures itself"

    sharing = got(http, f"/v1/searches/{id}/report")["report"]["sharing"]
    assert (sharing["kendall"]["n"], len(sharing["pairs"]), sharing["seeds"]) == (4, 4, [0, 1])
    trained = {str(one.id): one.result["metrics"]["selection"]["accuracy"] for one in children("training")}
    for pair in sharing["pairs"]:
        assert pair["standalone"] == sum(trained[one] for one in pair["jobs"]) / 2
    compared = replayed(workplace, http, id)
    assert compared["identical"] is True, compared


@pytest.mark.slow
def test_a_comparison_whose_processes_are_killed_comes_to_the_same_report(
    workplace: Workplace, http: httpx.Client, tabulated: int
) -> None:
    strategies = [{"strategy": "random"}, {"strategy": "bananas", "parameters": {"chosen": 1}}]
    body = {name: ON_A_TABLE[name] for name in ("space", "evaluator")} | {"budget": 60, "seeds": 6}
    workplace.worker("--queues", "cpu")
    id = posted(http, "/v1/comparisons", body | {"strategies": strategies})
    for _ in range(2):
        before = committed(workplace, id)
        workplace.until(lambda before=before: committed(workplace, id) > before, seconds=90)
        assert kill_jobs(workplace.data_root) >= 1
    job = workplace.until_final(id, seconds=180)
    assert (job.state, job.error, job.attempt) == ("succeeded", None, 3)
    calm = posted(http, "/v1/comparisons", body | {"strategies": strategies})
    undisturbed = workplace.until_final(calm, seconds=180)
    assert (undisturbed.state, undisturbed.error, undisturbed.attempt) == ("succeeded", None, 1)
    reports = [timeless(one.result["report"]) for one in (job, undisturbed)]
    assert reports[0] == reports[1]
    assert {one["n"] for one in reports[0]["strategies"]} == {6}
