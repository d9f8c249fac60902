"""Handlers that have other jobs done: the same children in every attempt, one worker is enough, the end as data."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.catalogue import Database, Job, jobs
from app.embedded import wait_until
from app.experiment import JobResult
from app.jobs import BackgroundServices, attend, claim, finish, reconcile, request_cancel, submit
from app.settings import Settings
from workers.fenced import Stop
from workers.progress import ChildRequest, Progress, Stopped
from workers.run import run


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRequest:
    """Have every number squared by a child, and add the squares."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareRequest:
    """Square a number; negative ones fail."""

    number: int


def add(request: SumRequest, progress: Progress) -> JobResult:
    asked = {f"n-{n}": ChildRequest("square", SquareRequest(number=n)) for n in request.numbers}
    ended = progress.children(asked)
    squares = [child.result["square"] for child in ended.values() if child.result is not None]
    told = {name: child.error["detail"] for name, child in ended.items() if child.error is not None}
    states = {name: child.state for name, child in ended.items()}
    return JobResult(result={"sum": sum(squares), "told": told, "states": states})


def square(request: SquareRequest, progress: Progress) -> JobResult:
    if request.number < 0:
        raise ValueError(f"{request.number} is negative")
    return JobResult(result={"square": request.number**2})


Work = Callable[[], Job | None]


@pytest.fixture
def work(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """One worker's next job, from the claim to its end; None when there is none."""
    module = ModuleType("squaring_handlers")
    vars(module).update(add=add, square=square, remember=remember)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    url = database.url.render_as_string(hide_password=False)
    kinds = {
        "sum": "squaring_handlers:add",
        "square": "squaring_handlers:square",
        "remember": "squaring_handlers:remember",
    }
    settings = Settings(database_url=url, data_root=tmp_path, extra_kinds=kinds)
    worker = uuid4()

    def next_job() -> Job | None:
        with database.transaction() as session:
            taken = claim(session, worker_id=worker, queues=["cpu"], devices=["cpu"], lease_seconds=60)
        if taken is None:
            return None
        assert run(settings, database, taken.lease, Stop()) == 0
        with database.transaction() as session:
            attend(session)
        return get(database, taken.job.id)

    return next_job


def start(database: Database, *numbers: int, kind: str = "sum") -> UUID:
    with database.transaction() as session:
        return submit(session, kind=kind, request={"numbers": numbers}, owner="ada", queue="cpu").job.id


def get(database: Database, id: UUID) -> Job:
    with database.transaction() as session:
        job = jobs.get(session, id)
    assert job is not None
    return job


def states(database: Database, parent: UUID) -> dict[str | None, str]:
    with database.transaction() as session:
        return {child.name: child.state for child in jobs.children(session, parent)}


def test_one_worker_alone_joins_what_it_fanned_out(database: Database, work: Work) -> None:
    parents = [start(database, 1, 2), start(database, 3, 4, 5)]
    seen: list[tuple[str, str]] = []
    while (job := work()) is not None:
        seen.append((job.kind, job.state))
    assert sorted(seen) == [("square", "succeeded")] * 5 + [("sum", "succeeded")] * 2 + [("sum", "waiting")] * 2
    results: list[Any] = [get(database, parent).result for parent in parents]
    assert [result["sum"] for result in results] == [5, 50]
    assert [get(database, parent).attempt for parent in parents] == [1, 1], "waiting is no attempt"


def test_what_waits_says_how_many_children_have_ended(database: Database, work: Work) -> None:
    parent = start(database, 1, 2, 3)
    told: list[tuple[int, int]] = []
    for _ in range(3):
        work()
        progress = get(database, parent).progress
        assert progress is not None
        assert progress["phase"] == "children"
        told.append((progress["epoch"], progress["epochs"]))
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_children_that_fail_or_are_cancelled_reach_their_parent_as_data(database: Database, work: Work) -> None:
    parent = start(database, 2, -3, 4)
    work()
    with database.transaction() as session:
        child = next(child for child in jobs.children(session, parent) if child.name == "n-4")
        request_cancel(session, child.id)
    while work() is not None:
        pass
    job = get(database, parent)
    assert job.state == "succeeded"
    assert job.result == {
        "sum": 4,
        "told": {"n--3": "ValueError: -3 is negative"},
        "states": {"n-2": "succeeded", "n--3": "failed", "n-4": "cancelled"},
    }


def test_a_parent_that_dies_between_two_steps_meets_the_same_children(database: Database, work: Work) -> None:
    parent = start(database, 6, 7)
    work()
    made = states(database, parent)
    with database.transaction() as session:  # as if it had died after it made them and before it gave its lease back
        session.execute(
            text("UPDATE jobs SET state = 'running', lease_until = now() - interval '1 s', attempt = 1 WHERE id = :id"),
            {"id": parent},
        )
    reconcile(database, max_attempts=3, alive_seconds=60, grace_seconds=60)
    assert get(database, parent).state == "queued"
    while work() is not None:
        pass
    assert states(database, parent) == dict.fromkeys(made, "succeeded")
    assert (get(database, parent).result or {})["sum"] == 36 + 49


def test_a_cancelled_parent_takes_its_children_with_it(database: Database, work: Work) -> None:
    waiting = start(database, 1, 2)
    work()
    with database.transaction() as session:
        request_cancel(session, waiting)
    assert get(database, waiting).state == "cancelled"
    assert set(states(database, waiting).values()) == {"cancelled"}
    assert work() is None, "nothing is left to do"


def writer(number: int) -> Callable[[Path], object]:
    return lambda file: file.write_text(str(number))


def remember(request: SumRequest, progress: Progress) -> JobResult:
    """Has the numbers squared one after the other, with a checkpoint after each; stopped, it has the sum so far."""
    saved = progress.resume()
    total = 0 if saved is None else int(saved.file.read_text())
    done = 0 if saved is None else saved.epoch
    try:
        for n in range(done, len(request.numbers)):
            square = SquareRequest(number=request.numbers[n])
            (ended,) = progress.children({f"n-{n}": ChildRequest("square", square)}).values()
            total += (ended.result or {})["square"]
            progress.checkpoint("sum", n + 1, writer(total))
    except Stopped as stopped:
        raise Stopped(stopped.reason, JobResult(result={"sum": total})) from stopped
    return JobResult(result={"sum": total})


def test_a_cancelled_parent_that_has_found_something_comes_back_to_tell_it(database: Database, work: Work) -> None:
    sums = [start(database, 3, 4, 5, kind="remember") for _ in range(3)]
    while any(states(database, id).get("n-1") is None for id in sums):
        assert work() is not None
    first, second, third = sums
    with database.transaction() as session:
        request_cancel(session, first)
        request_cancel(session, second)
        request_cancel(session, second)
    for id in (first, second):
        job = get(database, id)
        assert (job.state, job.cancel_requested, states(database, id)["n-1"]) == ("waiting", True, "cancelled")
    with database.transaction() as session:
        assert attend(session) == 2
    assert get(database, second).state == "queued"
    with database.transaction() as session:
        request_cancel(session, second)
    job = get(database, second)
    assert (job.state, job.result) == ("cancelled", None), "who asks once more does not want to wait for that"
    while work() is not None:
        pass
    job = get(database, first)
    assert (job.state, job.result) == ("cancelled", {"sum": 9})
    assert set(states(database, first)) == {"n-0", "n-1"}, "nothing was begun for it any more"
    job = get(database, third)
    assert (job.state, job.result) == ("succeeded", {"sum": 50})


def test_a_parent_is_woken_when_its_last_child_ends_and_not_at_the_next_round(
    database: Database, work: Work, redis_url: str
) -> None:
    parent = start(database, 8)
    work()
    url = database.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, redis_url=redis_url, reconcile_seconds=3600)
    services = BackgroundServices(database, settings)
    services.start()
    try:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
            assert taken is not None
            finish(session, taken.lease, {"square": 64})
        assert wait_until(lambda: get(database, parent).state == "queued", 10, pause=0.01)
    finally:
        services.stop()
    job = work()
    assert job is not None
    assert (job.id, job.result) == (parent, {"sum": 64, "told": {}, "states": {"n-8": "succeeded"}})
