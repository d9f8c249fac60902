"""Hints on a real broker: owed until taken, never more than workers, lost without harm."""

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from kombu.connection import Connection

from app.catalogue import Database, outbox, workers
from app.jobs import BackgroundServices, Broker, BrokerDown, Publisher, submit

SETTINGS = {"lease_seconds": 30.0, "reconcile_seconds": 0.2, "max_attempts": 3}


@pytest.fixture
def broker(redis_url: str) -> Iterator[Broker]:
    """A broker with nothing in it."""
    flush(redis_url)
    opened = Broker(redis_url)
    yield opened
    opened.close()
    flush(redis_url)


def flush(redis_url: str) -> None:
    with Connection(redis_url) as connection:
        connection.default_channel.client.flushall()


def enqueue(database: Database, count: int = 1, **changes: Any) -> list[UUID]:
    values: dict[str, Any] = {"kind": "training", "request": {}, "owner": "ada", "queue": "cpu"}
    with database.transaction() as session:
        return [submit(session, **(values | changes)).job.id for _ in range(count)]


def beat(database: Database, id: UUID, state: str = "idle") -> None:
    with database.transaction() as session:
        workers.beat(session, id=id, host="here", pid=1, queues=["gpu", "cpu"], devices=["cpu"], gpu=None, state=state)


def owed(database: Database) -> int:
    with database.transaction() as session:
        return len(outbox.pending(session))


def until(true: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def test_hints_never_outnumber_the_workers(database: Database, broker: Broker, redis_url: str) -> None:
    publisher = Publisher(database, redis_url, alive_seconds=30)
    enqueue(database, 10)
    assert publisher.publish() == 0  # nobody is there
    ids = [uuid4(), uuid4()]
    for id in ids:
        beat(database, id)
    assert publisher.publish() == 2
    assert publisher.publish() == 0
    assert broker.depth() == {"gpu": 0, "cpu": 2}
    assert owed(database) == 8
    beat(database, ids[0], "busy")
    flush(redis_url)
    assert publisher.publish() == 1
    with database.transaction() as session:
        workers.leave(session, ids[1])
    flush(redis_url)
    assert publisher.publish() == 0
    publisher.stop()


def test_submitting_publishes_nothing_by_itself(database: Database, broker: Broker) -> None:
    beat(database, uuid4())
    enqueue(database, 3)
    assert broker.depth() == {"gpu": 0, "cpu": 0}
    assert owed(database) == 3


def test_one_process_publishes_at_a_time(database: Database, broker: Broker, redis_url: str) -> None:
    beat(database, uuid4())
    enqueue(database)
    publishers = [Publisher(database, redis_url, alive_seconds=30) for _ in range(6)]
    sent: list[int] = []
    threads = [threading.Thread(target=lambda p=p: sent.append(p.publish())) for p in publishers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(sent) == 1 == broker.depth()["cpu"]
    for publisher in publishers:
        publisher.stop()


def test_a_broker_that_is_down_costs_no_hint(database: Database, broker: Broker, redis_url: str) -> None:
    beat(database, uuid4())
    enqueue(database)
    nowhere = Publisher(database, "redis+socket:///nowhere/valkey.sock", alive_seconds=30)
    begun = time.monotonic()
    with pytest.raises(BrokerDown, match="nowhere"):
        nowhere.publish()
    assert time.monotonic() - begun < 10
    nowhere.stop()
    assert owed(database) == 1
    publisher = Publisher(database, redis_url, alive_seconds=30)
    assert publisher.publish() == 1
    publisher.stop()


def test_the_services_hint_at_once_and_again_after_a_wipe(database: Database, broker: Broker, redis_url: str) -> None:
    services = BackgroundServices(database, SimpleNamespace(redis_url=redis_url, **SETTINGS))
    services.start()
    try:
        beat(database, uuid4())
        enqueue(database)
        until(lambda: broker.depth()["cpu"] == 1)
        flush(redis_url)
        until(lambda: broker.depth()["cpu"] == 1)
        time.sleep(1.0)  # several rounds of the reconciler
        assert broker.depth() == {"gpu": 0, "cpu": 1}
    finally:
        services.stop()


def test_services_without_a_broker_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="redis_url"):
        BackgroundServices(database, SimpleNamespace(redis_url=None, **SETTINGS))
