"""Limits that hold however many submit at once, and claims that stay cheap with ten thousand jobs queued."""

import json
import threading
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text

from app.catalogue import Database, Quota, quotas
from app.catalogue.repositories.leases import BEST
from app.jobs import Lease, Limits, QueueFull, QuotaExceeded, claim, finish, limits_of, submit
from app.settings import Settings

ROOM: dict[str, Any] = {
    "all_queued_jobs": 100_000,
    "queued_jobs": 100_000,
    "gpu_hours": None,
    "gpu_days": 30.0,
    "storage_bytes": None,
    "priority": 10,
}


def enqueue(database: Database, limits: Limits, owner: str = "ada", **how: Any) -> None:
    with database.transaction() as session:
        submit(session, kind="count", request={}, owner=owner, queue="cpu", limits=limits, **how)


@pytest.mark.parametrize(
    ("limits", "refusal"), [({"queued_jobs": 3}, QuotaExceeded), ({"all_queued_jobs": 3}, QueueFull)]
)
def test_of_those_who_submit_at_once_only_as_many_are_let_in_as_there_is_room(
    database: Database, limits: dict[str, int], refusal: type[Exception]
) -> None:
    room = Limits(**ROOM | limits)
    outcomes = Counter[str]()
    start = threading.Barrier(8)

    def post(n: int) -> None:
        start.wait()
        try:
            enqueue(database, room, owner="ada" if refusal is QuotaExceeded else f"owner-{n}")
        except refusal:
            outcomes["refused"] += 1
        else:
            outcomes["accepted"] += 1

    threads = [threading.Thread(target=post, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == {"accepted": 3, "refused": 5}


def test_far_from_the_limits_the_queue_is_counted_once_in_a_moment(database: Database) -> None:
    fill(database, 2)
    counted: list[str] = []

    def note(*told: Any) -> None:
        counted.extend([told[2]] if "FILTER" in told[2] else [])

    event.listen(database.engine, "before_cursor_execute", note)
    for _ in range(20):
        enqueue(database, Limits(**ROOM), owner="owner-1")
    assert 1 <= len(counted) <= 3, "of the 20, within a second or two"
    counted.clear()
    for _ in range(3):
        enqueue(database, Limits(**ROOM | {"queued_jobs": 5023}), owner="owner-1")
    with pytest.raises(QuotaExceeded, match="5023 of 5023 jobs"):
        enqueue(database, Limits(**ROOM | {"queued_jobs": 5023}), owner="owner-1")
    assert len(counted) >= 4, "a limit that comes near is kept to the job"


def test_an_owners_own_limits_go_before_everybodys(database: Database) -> None:
    settings = Settings(quota_queued_jobs=7, quota_gpu_hours=1.5)
    with database.transaction() as session:
        quotas.put(session, "ada", Quota(queued_jobs=0, storage_bytes=5))
        ada, bob = limits_of(session, settings, "ada"), limits_of(session, settings, "bob")
    assert (ada.queued_jobs, ada.gpu_hours, ada.storage_bytes) == (0, 1.5, 5)
    assert (bob.queued_jobs, bob.gpu_hours, bob.storage_bytes) == (7, 1.5, None)
    with pytest.raises(QuotaExceeded, match="0 of 0 jobs are queued for 'ada'"):
        enqueue(database, ada)
    enqueue(database, bob, owner="bob")


def fill(database: Database, owners: int) -> None:
    """Ten thousand queued jobs of so many owners, and some that have run."""
    with database.transaction() as session:
        session.execute(
            text("""INSERT INTO jobs (id, kind, queue, device, state, priority, owner, visibility, request)
                SELECT gen_random_uuid(), 'count', 'cpu', 'auto', 'queued', n % 3, 'owner-' || n % :owners, 'private',
                    '{}' FROM generate_series(1, 10000) n"""),
            {"owners": owners},
        )
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE jobs"))


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for below in plan.get("Plans", ()) for found in nodes(below))]


@pytest.mark.parametrize("owners", [2, 10_000])
def test_a_claim_looks_at_each_owner_and_not_at_each_job(database: Database, owners: int) -> None:
    fill(database, owners)
    query = text("EXPLAIN (ANALYZE, FORMAT JSON) " + BEST)
    with database.transaction() as session:
        told = session.execute(query, {"queues": ["cpu"], "devices": ["cpu"]}).scalar_one()
    found = nodes((json.loads(told) if isinstance(told, str) else told)[0]["Plan"])
    on_jobs = [node for node in found if node.get("Relation Name") == "jobs"]
    assert all(node["Node Type"] in ("Index Scan", "Index Only Scan") for node in on_jobs), "no table scan, no bitmap"
    read = sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in on_jobs)
    assert read <= 4 * owners + 4
    (lock,) = [node for node in found if node["Node Type"] == "LockRows"]
    assert lock["Actual Rows"] * lock["Actual Loops"] == 1, "one job is locked, however many owners there are"


def test_who_has_the_fewest_running_jobs_is_next(database: Database) -> None:
    room = Limits(**ROOM)
    for owner in ("ada", "ada", "ada", "ada", "bob", "bob", "eve"):
        enqueue(database, room, owner=owner)
    held: dict[str, list[Lease]] = {"ada": [], "bob": [], "eve": []}

    def served() -> str:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
        assert taken is not None
        held[taken.job.owner].append(taken.lease)
        return taken.job.owner

    assert [served() for _ in range(5)] == ["ada", "bob", "eve", "ada", "bob"]
    with database.transaction() as session:
        for lease in held["ada"]:
            finish(session, lease, {})
    enqueue(database, room, owner="eve")
    assert [served() for _ in range(3)] == ["ada", "eve", "ada"], "none running, then one each, the longest ago first"


def test_two_owners_share_one_worker_whatever_they_have_queued(database: Database) -> None:
    room = Limits(**ROOM)
    for n in range(30):
        enqueue(database, room, owner="ada", priority=n % 3)
    for n in range(10):
        enqueue(database, room, owner="bob", priority=-n)
    served: list[tuple[str, int]] = []
    for _ in range(40):
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
            assert taken is not None
            finish(session, taken.lease, {})
        served.append((taken.job.owner, taken.job.priority))
    assert [owner for owner, _ in served] == ["ada", "bob"] * 10 + ["ada"] * 20
    for owner in ("ada", "bob"):
        priorities = [priority for who, priority in served if who == owner]
        assert priorities == sorted(priorities, reverse=True)
