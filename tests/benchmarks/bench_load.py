"""The service under load: small jobs drain while searches are submitted and event streams are followed.

    drain      `--jobs` small jobs (one epoch, one result), submitted in the database before the clock starts
    submit     POST /v1/trainings at `--rate` a second, open loop: a request is late from the moment it was due
    streams    `--streams` followers of as many of the small jobs, spread over the queue: each sees its job end

The service, its engines, its workers and the load generator share this machine; the generator is a process of its own.
Nothing may be lost or doubled: every small job has succeeded once, with one epoch, one result and its own sum.

Run it alone: python tests/benchmarks/bench_load.py [--jobs 10000] [--rate 50] [--streams 200] [--workers 1]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from app.catalogue import Database
from app.jobs import submit
from app.settings import Settings
from app.supervisor import Service

HANDLERS = Path(__file__).parent / "handlers"
BATCH = 500  # jobs a transaction
SUBMIT_SECONDS = 60
PATIENCE_SECONDS = 3600
GENOTYPE = {
    "0->1": "nor_conv_3x3",
    "0->2": "none",
    "1->2": "skip_connect",
    "0->3": "nor_conv_1x1",
    "1->3": "avg_pool_3x3",
    "2->3": "none",
}


def fill(database: Database, jobs: int) -> list[str]:
    """Queue the small jobs; their ids in the order in which they were submitted."""
    ids: list[str] = []
    for start in range(0, jobs, BATCH):
        with database.transaction() as session:
            for number in range(start, min(start + BATCH, jobs)):
                made = submit(
                    session,
                    kind="small",
                    request={"number": number},
                    owner=f"team{number % 5}",
                    visibility="public",  # the streams are another owner's
                    queue="cpu",
                )
                ids.append(str(made.job.id))
    return ids


def states(database: Database) -> Counter[str]:
    """How many small jobs are in which state."""
    with database.transaction() as session:
        rows = session.execute(text("SELECT state, count(*) FROM jobs WHERE kind = 'small' GROUP BY state"))
        return Counter(dict(tuple(row) for row in rows))


def verdict(database: Database, jobs: int) -> dict[str, int]:
    """What must be equal to the number of jobs, and what must be none."""
    with database.transaction() as session:

        def number(query: str) -> int:
            return int(session.execute(text(query)).scalar_one())

        return {
            "succeeded": number("SELECT count(*) FROM jobs WHERE kind = 'small' AND state = 'succeeded'"),
            "right sums": number(
                "SELECT count(*) FROM jobs WHERE kind = 'small' AND (result->>'total')::bigint = "
                "(result->>'number')::bigint * ((result->>'number')::bigint + 1) / 2"
            ),
            "different results": number("SELECT count(DISTINCT result->>'number') FROM jobs WHERE kind = 'small'"),
            "epochs": number("SELECT count(*) FROM metrics m JOIN jobs j ON j.id = m.job_id WHERE j.kind = 'small'"),
            "more than one attempt": number("SELECT count(*) FROM jobs WHERE kind = 'small' AND attempt <> 1"),
            "hints still owed": number(
                "SELECT count(*) FROM outbox o JOIN jobs j ON j.id = o.job_id WHERE j.kind = 'small'"
            ),
            "jobs": jobs,
        }


async def submissions(url: str, rate: float, seconds: float) -> tuple[list[float], Counter[str]]:
    """Milliseconds from when each submission was due to its 202, and what else some of them met."""
    found: list[float] = []
    failed: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        begun = time.perf_counter()

        async def one(number: int) -> None:
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            body = {"space": "nasbench201", "dataset": "digits", "genotype": GENOTYPE, "seed": number, "device": "cuda"}
            try:
                answer = await client.post("/v1/trainings", json=body)
            except httpx.TransportError as error:
                failed[type(error).__name__] += 1
            else:
                if answer.status_code == 202:
                    found.append(1000 * (time.perf_counter() - due))
                else:
                    failed[str(answer.status_code)] += 1

        await asyncio.gather(*(one(number) for number in range(int(rate * seconds))))
    return found, failed


async def follow(client: httpx.AsyncClient, id: str) -> tuple[str, int]:
    """The state in which a stream saw its job end, and how many events it saw."""
    seen, last, event = 0, "", ""
    async with client.stream("GET", f"/v1/jobs/{id}/events") as answer:
        assert answer.status_code == 200, answer.status_code
        async for line in answer.aiter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                seen += 1
                if event == "state":
                    last = json.loads(line.removeprefix("data:"))["state"]
    return last, seen


async def generate(url: str, rate: float, seconds: float, followed: Sequence[str]) -> dict[str, Any]:
    """The load, and what it saw."""
    limits = httpx.Limits(max_connections=len(followed) + 8)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=httpx.Timeout(60, read=None)) as client:
        streams = [asyncio.create_task(follow(client, id)) for id in followed]
        await asyncio.sleep(2)
        print("streams open", flush=True)
        waited, failed = await submissions(url, rate, seconds)
        alive = sum(not stream.done() for stream in streams)
        ended = await asyncio.gather(*streams)
    waited.sort()
    return {
        "submissions": len(waited),
        "submissions that failed": dict(failed),
        "median_ms": statistics.median(waited),
        "p95_ms": waited[int(0.95 * len(waited))],
        "p99_ms": waited[int(0.99 * len(waited))],
        "largest_ms": waited[-1],
        "streams still open after the submissions": alive,
        "streams that saw their job succeed": sum(state == "succeeded" for state, _ in ended),
        "events": sum(events for _, events in ended),
    }


def measure(jobs: int, rate: float, streams: int, workers: int) -> None:
    """Start the service, fill the queue, let it drain under load, and say what happened."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HANDLERS), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory(prefix="cellar-load-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(
            data_root=Path(folder) / "data", port=0, workers=workers, extra_kinds={"small": "small_jobs:add"}
        )
        with Service(settings) as service:
            assert service.settings.database_url is not None
            database = Database(service.settings.database_url)
            begun = time.perf_counter()
            ids = fill(database, jobs)
            print(f"{jobs} jobs queued in {time.perf_counter() - begun:.1f} s", flush=True)
            followed = ids[:: max(1, len(ids) // streams)][:streams] if streams else []
            command = [sys.executable, __file__, "--generate", service.url, "--rate", str(rate)]
            begun = time.perf_counter()
            with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as generator:
                assert generator.stdin is not None
                generator.stdin.write(json.dumps(followed))
                generator.stdin.close()
                while states(database).keys() - {"succeeded", "failed", "cancelled"}:
                    assert time.perf_counter() - begun < PATIENCE_SECONDS, states(database)
                    time.sleep(1)
                taken = time.perf_counter() - begun
                print(f"drained in {taken:.0f} s, {jobs / taken:.1f} jobs a second", flush=True)
                generator.wait(120)
            print(json.dumps(verdict(database, jobs), indent=2))
            database.dispose()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--generate", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.generate:
        followed = json.load(sys.stdin)
        print(json.dumps(asyncio.run(generate(given.generate, given.rate, SUBMIT_SECONDS, followed)), indent=2))
    else:
        measure(given.jobs, given.rate, given.streams, given.workers)


if __name__ == "__main__":
    main()
