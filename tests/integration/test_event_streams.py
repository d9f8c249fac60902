"""Many event streams on one process: each stays live, each gets its own events, and they share one LISTEN."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from sqlalchemy import text

from app.catalogue import Database
from app.jobs import claim, finish, record_note, submit
from app.main import create_app
from app.settings import Settings

STREAMS = 200
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def url(api_settings: Settings) -> Iterator[str]:
    """An API process's server, in a thread of this process."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * STREAMS) as listening:
        config = uvicorn.Config(create_app(api_settings), http="httptools", ws="none", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def queued(database: Database, number: int) -> list[str]:
    with database.transaction() as session:
        return [
            str(submit(session, kind="training", request={"n": n}, owner="local", queue="cpu").job.id)
            for n in range(number)
        ]


def run_all(database: Database) -> None:
    """Every queued job runs, says its own name and ends."""
    while True:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
            if taken is None:
                return
            record_note(session, taken.lease, str(taken.job.id))
            finish(session, taken.lease, {})


async def followed(client: httpx.AsyncClient, id: str, opened: asyncio.Semaphore) -> list[tuple[str, dict]]:
    """What a stream told, as (event, data)."""
    told: list[tuple[str, dict]] = []
    kind = ""
    async with client.stream("GET", f"/v1/jobs/{id}/events") as answer:
        assert answer.status_code == 200, answer.status_code
        async for line in answer.aiter_lines():
            if line.startswith("event:"):
                kind = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                told.append((kind, json.loads(line.removeprefix("data:"))))
                if len(told) == 1:
                    opened.release()
    return told


def test_hundreds_of_streams_stay_live_on_one_listening_connection(url: str, api_database: Database) -> None:
    jobs = queued(api_database, STREAMS)

    async def follow() -> list[list[tuple[str, dict]]]:
        limits = httpx.Limits(max_connections=STREAMS + 10)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=PATIENCE_SECONDS) as client:
            opened = asyncio.Semaphore(0)
            following = [asyncio.create_task(followed(client, id, opened)) for id in jobs]
            for _ in jobs:
                await asyncio.wait_for(opened.acquire(), PATIENCE_SECONDS)
            assert not any(task.done() for task in following)
            # Others are answered meanwhile, also those that need a thread and the database.
            assert (await client.get(f"/v1/jobs/{jobs[0]}")).status_code == 200
            assert f"\ncellar_event_streams {STREAMS}.0\n" in (await client.get("/metrics")).text
            with api_database.transaction() as session:
                query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE "
                assert session.execute(text(query + "'LISTEN \"cellar_job_events\"'")).scalar_one() == 1
                pooled = session.execute(text(query + "'%%'")).scalar_one()
            assert pooled < 40, pooled
            await asyncio.to_thread(run_all, api_database)
            return await asyncio.wait_for(asyncio.gather(*following), PATIENCE_SECONDS)

    told = asyncio.run(follow())
    for id, events in zip(jobs, told, strict=True):
        assert [data["text"] for kind, data in events if kind == "note"] == [str(UUID(id))]
        assert [data["state"] for kind, data in events if kind == "state"] == ["queued", "running", "succeeded"]
