"""Real worker processes beside the services that every API process runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from kombu.connection import Connection

from app.catalogue import Database, Job, JobEvent, events, jobs, metrics, workers
from app.jobs import BackgroundServices, submit
from app.listener import listen, url_of

HANDLERS = Path(__file__).parent / "handlers"
LEASE_SECONDS = 3.0  # short, and long enough for a machine that does much else


class Workplace:
    """One database, one broker, one data root, and workers that come and go."""

    def __init__(self, database: Database, redis_url: str, data_root: Path, *, max_attempts: int = 3) -> None:
        self.database = database
        self.redis_url = redis_url
        self.data_root = data_root
        self._processes: list[subprocess.Popen[bytes]] = []
        self._services = BackgroundServices(
            database,
            SimpleNamespace(
                redis_url=redis_url, lease_seconds=LEASE_SECONDS, reconcile_seconds=0.5, max_attempts=max_attempts
            ),
        )
        self._environment = {
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
            "REDIS_URL": redis_url,
            "CELLAR_DATA_ROOT": str(data_root),
            "CELLAR_LEASE_SECONDS": str(LEASE_SECONDS),
            "CELLAR_MAX_ATTEMPTS": str(max_attempts),
            "CELLAR_EXTRA_KINDS": json.dumps({"tally": "lifecycle_handlers:count"}),
            "CELLAR_CODE_VERSION": "test",
            "PYTHONPATH": os.pathsep.join([str(HANDLERS), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "OMP_NUM_THREADS": "1",
        }

    def start(self) -> None:
        self.wipe_broker()
        self._services.start()

    def stop(self) -> None:
        self._services.stop()
        for process in self._processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.wait()
        self.wipe_broker()

    def worker(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A worker process, once it has said that it is there."""
        with (self.data_root / "workers.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workers.main", *arguments],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        self.until(lambda: process.pid in self.alive(), seconds=60, unless_dead=process)
        return process

    def alive(self) -> set[int]:
        with self.database.transaction() as session:
            return {worker.pid for worker in workers.alive(session, within_seconds=LEASE_SECONDS)}

    def wipe_broker(self) -> None:
        with Connection(self.redis_url) as connection:
            connection.default_channel.client.flushall()

    def submit(self, request: dict[str, Any], *, kind: str = "tally", **changes: Any) -> UUID:
        with self.database.transaction() as session:
            return submit(session, kind=kind, request=request, queue="cpu", **({"owner": "ada"} | changes)).job.id

    def job(self, id: UUID) -> Job:
        with self.database.transaction() as session:
            found = jobs.get(session, id)
        assert found is not None
        return found

    def events(self, id: UUID) -> tuple[JobEvent, ...]:
        with self.database.transaction() as session:
            return events.after(session, id, limit=10_000)

    def states(self, id: UUID) -> list[tuple[str, int]]:
        return [(e.data["state"], e.data["attempt"]) for e in self.events(id) if e.kind == "state"]

    def epochs(self, id: UUID) -> list[tuple[str, int, dict[str, float]]]:
        with self.database.transaction() as session:
            return [(m.phase, m.epoch, dict(m.values)) for m in metrics.of_job(session, id)]

    def until(
        self,
        true: Callable[[], bool],
        *,
        seconds: float = 60,
        unless_dead: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline or (unless_dead is not None and unless_dead.poll() is not None):
                log = (self.data_root / "workers.log").read_text(errors="replace")
                raise AssertionError(f"did not come true in {seconds} s; the workers said:\n{log[-6000:]}")
            time.sleep(0.02)

    def until_final(self, id: UUID, *, seconds: float = 90) -> Job:
        self.until(lambda: self.job(id).final, seconds=seconds)
        return self.job(id)

    def child_of(self, id: UUID) -> int:
        """The process that runs a job now: the one that its worker has started, but for the spare."""
        job = self.job(id)
        with self.database.transaction() as session:
            (worker,) = (row.pid for row in workers.alive(session, within_seconds=3600) if row.id == job.worker_id)
        for directory in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if directory.name.isdigit() and b"workers.run" in (directory / "cmdline").read_bytes().split(b"\0"):
                    arguments = (directory / "cmdline").read_bytes().split(b"\0")
                    parent = int((directory / "stat").read_text().rsplit(")", 1)[1].split()[1])
                    if parent == worker and b"--spare" not in arguments:
                        return int(directory.name)
        raise AssertionError(f"no process runs job {id}")


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    return gone


@pytest.fixture
def workplace(database: Database, redis_url: str, open_directory: Path) -> Iterator[Workplace]:
    place = Workplace(database, redis_url, open_directory)
    place.start()
    yield place
    place.stop()


@pytest.fixture
def http(workplace: Workplace) -> Iterator[httpx.Client]:
    """A client of an API process beside the workers."""
    listening = listen("127.0.0.1", 0, allow_open=False)
    descriptor = listening.fileno()
    log = workplace.data_root / "api.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.cli", "api", "--listening", str(descriptor)],
            env={**os.environ, **workplace._environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            pass_fds=(descriptor,),
        )

    def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return client.get("/healthz").status_code == 200
        return False

    try:
        with httpx.Client(base_url=url_of(listening), timeout=30) as client:
            workplace.until(answers, seconds=90, unless_dead=process)
            yield client
    finally:
        process.kill()
        process.wait()
        listening.close()
