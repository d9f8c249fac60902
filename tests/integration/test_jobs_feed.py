"""Events as they happen: complete, in order, resumable, and awake within a moment of the commit."""

import asyncio
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.catalogue import Database, JobEvent
from app.jobs import Claim, EventFeed, claim, finish, record_note, submit
from app.jobs import feed as feed_module


@pytest.fixture
def feed(database: Database) -> Iterator[EventFeed]:
    running = EventFeed(database)
    running.start()
    yield running
    running.stop()


def begin(database: Database) -> Claim:
    with database.transaction() as session:
        submit(session, kind="training", request={}, owner="ada", queue="cpu")
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
    assert taken is not None
    return taken


def note(database: Database, taken: Claim, said: str) -> None:
    with database.transaction() as session:
        record_note(session, taken.lease, said)


def end(database: Database, taken: Claim) -> None:
    with database.transaction() as session:
        finish(session, taken.lease, {})


async def collect(feed: EventFeed, id: UUID, after: int = 0) -> list[JobEvent]:
    return [event async for event in feed.stream(id, after)]


def test_a_finished_job_is_told_in_order_and_can_be_resumed_anywhere(database: Database, feed: EventFeed) -> None:
    taken = begin(database)
    for number in range(5):
        note(database, taken, str(number))
    end(database, taken)
    told = asyncio.run(collect(feed, taken.job.id))
    assert [e.kind for e in told] == ["state", "state", *["note"] * 5, "state"]
    assert [e.id for e in told] == sorted({e.id for e in told})
    for place, event in enumerate(told):
        assert asyncio.run(collect(feed, taken.job.id, event.id)) == told[place + 1 :]
    assert asyncio.run(collect(feed, uuid4())) == []


def test_an_event_arrives_by_notification_long_before_the_next_look(
    database: Database, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Were notifications not heard, each of the events would come a minute late, and the test would time out.
    monkeypatch.setattr(feed_module, "HEARING_SECONDS", 60)
    taken = begin(database)

    async def follow() -> list[float]:
        assert await asyncio.to_thread(feed._hearing.wait, 10)
        late: list[float] = []
        written = time.monotonic()
        async for event in feed.stream(taken.job.id):
            if event.kind == "note":
                late.append(time.monotonic() - written)
            if event.kind == "state" and event.data["state"] == "queued":
                continue
            written = time.monotonic()
            if len(late) < 3:
                await asyncio.to_thread(note, database, taken, "now")
            elif len(late) == 3 and event.kind == "note":
                await asyncio.to_thread(end, database, taken)
        return late

    late = asyncio.run(asyncio.wait_for(follow(), 30))
    assert len(late) == 3
    assert max(late) < 5


def test_pages_longer_than_one_are_read_to_the_end(
    database: Database, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "PAGE", 3)
    taken = begin(database)
    for number in range(7):
        note(database, taken, str(number))
    end(database, taken)
    assert len(asyncio.run(collect(feed, taken.job.id))) == 10


def test_a_listener_that_was_cut_off_comes_back(database: Database, feed: EventFeed) -> None:
    taken = begin(database)

    async def follow() -> list[JobEvent]:
        following = asyncio.create_task(collect(feed, taken.job.id))
        assert await asyncio.to_thread(feed._hearing.wait, 10)
        with database.transaction() as session:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            session.execute(text(cut + " AND datname = current_database()"))
        await asyncio.to_thread(note, database, taken, "while deaf")
        await asyncio.to_thread(end, database, taken)
        return await asyncio.wait_for(following, 30)

    assert [e.kind for e in asyncio.run(follow())] == ["state", "state", "note", "state"]


def test_streams_end_when_the_feed_stops(database: Database) -> None:
    feed = EventFeed(database)
    feed.start()
    taken = begin(database)

    async def follow() -> list[JobEvent]:
        following = asyncio.create_task(collect(feed, taken.job.id))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(feed.stop)
        return await asyncio.wait_for(following, 10)

    assert [e.kind for e in asyncio.run(follow())] == ["state", "state"]
    assert feed._followers == {}
