"""What goes once it is old, what stays, and that one process at a time does it, once in a while."""

import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.catalogue import Database, audit, events, history, jobs, workers
from app.jobs import UpkeepThread, claim, finish, keep_up, submit, upkeep
from app.settings import Settings
from app.store import open_store

TABLES = ("audit", "gpu_leases", "workers", "idempotency", "job_events")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data_root=tmp_path, store_grace_hours=1.0)


def numbers(database: Database) -> dict[str, int]:
    with database.transaction() as session:
        return {name: session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES}


def live(database: Database) -> None:
    """A job that has ended on a GPU, one that waits, and what both leave behind."""
    worker = uuid4()
    with database.transaction() as session:
        known: dict[str, Any] = {"queues": ["gpu"], "devices": ["cuda"], "gpu": "GPU-1"}
        workers.beat(session, id=worker, host="here", pid=1, state="gone", **known)
        for queue in ("gpu", "cpu"):
            submit(session, kind="training", request={}, owner="ada", queue=queue, idempotency=str(uuid4()))
            audit.record(session, action="job.submit", owner="ada")
        taken = claim(session, worker_id=worker, queues=["gpu"], devices=["cuda"], lease_seconds=600)
        assert taken is not None
        finish(session, taken.lease, {})


def age(database: Database, days: float) -> None:
    """Make everything that is there so much older."""
    with database.transaction() as session:
        for table, column in history.SINCE.items():
            moved = f"UPDATE {table.name} SET {column.name} = {column.name} - make_interval(days => :days)"
            session.execute(text(moved), {"days": days})


def test_the_trail_of_what_is_final_goes_when_it_is_old(database: Database, settings: Settings) -> None:
    live(database)
    age(database, 401)
    live(database)
    before = numbers(database)
    done = keep_up(database, settings)
    assert done is not None
    assert done.rows == {"audit": 2, "gpu_leases": 1, "workers": 1, "idempotency": 1, "job_events": 3}
    kept = numbers(database)
    assert kept == {name: before[name] - done.rows[name] + (2 if name == "audit" else 0) for name in TABLES}
    with database.transaction() as session:
        found = jobs.query(session, jobs.JobQuery(viewer="ada"))
        seen = Counter((job.state, len(events.after(session, job.id))) for job in found)
        told = audit.listing(session, action="upkeep.end")
    assert seen == {("succeeded", 0): 1, ("queued", 1): 2, ("succeeded", 3): 1}, "a job that is not final keeps its own"
    assert [dict(entry.details) for entry in told] == [{"objects": 0, "bytes": 0, "rows": done.rows}]


def test_what_a_quota_still_counts_stays(database: Database, settings: Settings) -> None:
    live(database)
    age(database, 20)
    done = keep_up(database, settings.model_copy(update={"history_days": 2, "quota_gpu_days": 30}))
    assert done is not None
    assert done.rows == {}, "the longer of the two counts"


def test_more_rows_than_a_batch_go_all(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 3)
    with database.transaction() as session:
        for _ in range(10):
            audit.record(session, action="key.show")
    age(database, 500)
    done = keep_up(database, settings)
    assert done is not None
    assert done.rows == {"audit": 10}


def test_it_is_done_once_in_a_while_however_many_processes_look(database: Database, settings: Settings) -> None:
    def nobody_names(file: Path) -> None:
        file.write_bytes(b"nobody names this")

    orphan = open_store(settings).write(nobody_names)
    aged = settings.data_root / orphan.path
    old = time.time() - 7200
    os.utime(aged, (old, old))
    begun = threading.Barrier(4)
    done: list[object] = []

    def look() -> None:
        begun.wait()
        done.append(keep_up(database, settings))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (one,) = [found for found in done if isinstance(found, upkeep.Upkeep)]
    assert (one.files.objects, one.files.bytes) == (1, 17)
    assert not aged.exists()
    assert keep_up(database, settings) is None, "not due"
    age(database, 2)
    assert keep_up(database, settings) is not None
    age(database, 2)
    assert keep_up(database, settings.model_copy(update={"upkeep_hours": 0})) is None, "never, where it is switched off"


def test_the_service_looks_by_itself(database: Database, settings: Settings) -> None:
    thread = UpkeepThread(database, settings, look_seconds=0.02)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with database.transaction() as session:
                if audit.listing(session, action="upkeep.end"):
                    return
            time.sleep(0.02)
        pytest.fail("no upkeep in 20 s")
    finally:
        thread.stop()
