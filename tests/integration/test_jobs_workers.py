"""Who is there: liveness by the database's clock, one worker a device, queues that suit the device."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.catalogue import Database, Worker, workers
from app.settings import Settings
from workers.runner import Runner


def beat(database: Database, id: UUID, **changes: Any) -> None:
    values: dict[str, Any] = {
        "host": "here",
        "pid": 1,
        "queues": ["gpu", "cpu"],
        "devices": ["cpu"],
        "gpu": None,
        "state": "idle",
    }
    with database.transaction() as session:
        workers.beat(session, id=id, **(values | changes))


def alive(database: Database) -> list[Worker]:
    with database.transaction() as session:
        return list(workers.alive(session, within_seconds=30))


def silence(database: Database, id: UUID) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE workers SET last_seen = last_seen - interval '1 hour' WHERE id = :id"), {"id": id})


def test_who_is_silent_or_has_left_is_not_there(database: Database) -> None:
    ids = [uuid4() for _ in range(3)]
    for id in ids:
        beat(database, id)
    assert [worker.id for worker in alive(database)] == ids
    silence(database, ids[0])
    with database.transaction() as session:
        workers.leave(session, ids[1])
    assert [worker.id for worker in alive(database)] == ids[2:]
    beat(database, ids[0], state="busy")
    assert {(worker.id, worker.state) for worker in alive(database)} == {(ids[0], "busy"), (ids[2], "idle")}


def test_a_device_has_one_owner_until_that_is_silent(database: Database) -> None:
    def claim(*uuids: str) -> str | None:
        with database.transaction() as session:
            return workers.claim_gpu(session, list(uuids) or ["GPU-a", "GPU-b"], within_seconds=30)

    first, second = uuid4(), uuid4()
    assert claim() == "GPU-a"
    beat(database, first, gpu="GPU-a")
    assert claim() == "GPU-b"
    beat(database, second, gpu="GPU-b")
    assert claim() is None
    assert claim("GPU-c", "GPU-a") == "GPU-c", "of another machine"
    silence(database, first)
    assert claim() == "GPU-a"


def test_queues_suit_the_device(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path, database_url=database.url.render_as_string(hide_password=False))
    runners = [
        Runner(settings, database, None, ["GPU-a"], spares=False),
        Runner(settings, database, None, ["GPU-a"], spares=False),
        Runner(settings, database, None, [], spares=False),
        Runner(settings, database, ("gpu",), [], spares=False),
    ]
    for runner in runners:
        runner.start()
    try:
        found = [(worker.gpu, worker.devices, worker.queues) for worker in alive(database)]
        assert found == [
            ("GPU-a", ["cuda", "cpu"], ["gpu", "cpu"]),
            (None, ["cpu"], ["cpu"]),  # what waits for the device is not for a worker without
            (None, ["cpu"], ["gpu", "cpu"]),
            (None, ["cpu"], ["gpu"]),
        ]
        assert {worker.pid for worker in alive(database)} == {os.getpid()}
    finally:
        for runner in runners:
            runner.stop()
    assert alive(database) == []


@pytest.fixture
def runner(database: Database, tmp_path: Path) -> Iterator[Runner]:
    """A worker that runs in a thread of the test, and has no job to start a process for."""
    url = database.url.render_as_string(hide_password=False)
    worker = Runner(Settings(data_root=tmp_path, database_url=url, lease_seconds=1), database, None, [], spares=False)
    worker.start()
    yield worker
    worker.stop()


def test_a_look_that_finds_no_job_writes_nothing_and_answers_its_hint(database: Database, runner: Runner) -> None:
    runner._stopping.set()  # the pulse writes
    runner._pulse.join()
    before = alive(database)
    working = threading.Thread(target=runner.work)
    working.start()
    runner.hint()
    runner.hint()
    assert alive(database) == before
    runner.drain()
    working.join(10)
    assert not working.is_alive()


def test_a_worker_whose_pulse_fails_ends_with_its_error(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: object) -> None:
        raise OSError("no more threads")

    monkeypatch.setattr(runner, "_beat", fail)
    with pytest.raises(OSError, match="no more threads"):
        runner.work()
