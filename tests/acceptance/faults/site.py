"""A whole installation for one fault after another: engines of its own, a proxy before each, an API, workers.

The test process owns the engines and restarts them when they die, as `cellar up` does; API and workers reach them
through the proxies only, over TCP as in production. The site itself looks past the proxies.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import Database, Job, jobs, migrate, workers
from app.embedded import Engines
from app.jobs import submit
from app.jobs.collection import collect
from app.listener import listen, url_of
from app.space import space_to_json
from app.space.zoo import ZOO
from app.store import Store
from tests.acceptance.faults.invariants import LEDGER, breaches
from tests.acceptance.faults.processes import Process, of_installation
from tests.acceptance.faults.proxy import FaultProxy

HANDLERS = Path(__file__).parent / "handlers"
TEND_SECONDS = 0.2
LEASE_SECONDS = 3.0
RECONCILE_SECONDS = 0.5
QUICK = {"epochs": 4, "steps": 3, "seconds": 0.1, "parts": 0, "document": space_to_json(ZOO["chain"])}  # 1.2 seconds


class Site:
    """One installation. `start`, any number of tests that end in `settle`, `stop`."""

    def __init__(self, directory: Path, *, lease: float = LEASE_SECONDS, reconcile: float = RECONCILE_SECONDS) -> None:
        self.directory = directory
        self.data_root = directory / "data"
        self.engines = Engines(directory / "engines", command="fault suite", durable=False)
        self.submitted: set[UUID] = set()
        self.sound = True  # nothing is known to be wrong: the next test may use it
        self.workers: list[subprocess.Popen[bytes]] = []
        self.apis: list[subprocess.Popen[bytes]] = []
        self.standing: list[subprocess.Popen[bytes]] = []  # that no fault ends
        self.restarts: list[str] = []  # what the tender said
        self._settings = {"CELLAR_LEASE_SECONDS": str(lease), "CELLAR_RECONCILE_SECONDS": str(reconcile)}
        self._tending = threading.Lock()  # hold it to keep a dead engine dead
        self._ended = threading.Event()
        self._tender = threading.Thread(target=self._tend, name="tender", daemon=True)

    # -- life

    def start(self) -> Self:
        self.data_root.mkdir()
        self.engines.start()
        migrate(self.engines.database_url)
        self.execute(LEDGER)
        url = make_url(self.engines.database_url)
        self.postgres = FaultProxy(Path(str(url.query["host"])) / ".s.PGSQL.5432").start()
        self.valkey = FaultProxy(self.engines.valkey.socket).start()
        self.database = Database(self.engines.database_url, pool_size=4)
        proxied = url.set(host="127.0.0.1", port=self.postgres.port, query={})
        self.listening = listen("127.0.0.1", 0, allow_open=False)
        self.url = url_of(self.listening)
        self.environment = {
            "DATABASE_URL": proxied.render_as_string(hide_password=False),
            "REDIS_URL": f"redis://127.0.0.1:{self.valkey.port}/0",
            "CELLAR_DATA_ROOT": str(self.data_root),
            "CELLAR_EXTRA_KINDS": json.dumps({"tally": "fault_handlers:tally"}),
            "CELLAR_CODE_VERSION": "test",
            "PYTHONPATH": os.pathsep.join([str(HANDLERS), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "OMP_NUM_THREADS": "1",
            **self._settings,
        }
        self._tender.start()
        return self

    def stop(self) -> None:
        for process in (*self.workers, *self.apis, *self.standing):
            end(process)
        self._ended.set()
        self._tender.join(60)
        self.database.dispose()
        self.postgres.stop()
        self.valkey.stop()
        self.listening.close()
        self.engines.stop()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.engines.stop()
            raise

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _tend(self) -> None:
        while not self._ended.wait(TEND_SECONDS):
            with self._tending:
                self.restarts.extend(self.engines.tend())
                self.engines._restarts.clear()  # as often as a test wants

    @contextlib.contextmanager
    def untended(self) -> Any:
        """Nobody restarts the engines meanwhile."""
        with self._tending:
            yield

    def worker(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A worker, once it is there."""
        process = self._spawn("workers.log", "-m", "fault_worker", *(arguments or ("--no-spare",)))
        self.workers.append(process)
        self.until(lambda: process.pid in self.alive(), seconds=90, unless_dead=process)
        return process

    def api(self) -> "subprocess.Popen[bytes]":
        """An API process, once it answers."""
        descriptor = self.listening.fileno()
        words = ("-m", "app.cli", "api", "--listening", str(descriptor))
        process = self._spawn("api.log", *words, inherit=(descriptor,))
        self.apis.append(process)
        self.until(lambda: self.get("/healthz") is not None, seconds=90, unless_dead=process)
        return process

    def stand(self) -> None:
        """Let no fault end what runs now: faults choose among those that come later."""
        self.standing += [*self.apis, *self.workers]
        self.apis.clear()
        self.workers.clear()

    def _spawn(self, log: str, *words: str, inherit: tuple[int, ...] = ()) -> "subprocess.Popen[bytes]":
        with (self.data_root / log).open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, "-P", *words],
                cwd=self.directory,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=inherit,
            )

    # -- what is there

    def alive(self) -> set[int]:
        with self.database.transaction() as session:
            return {worker.pid for worker in workers.alive(session, within_seconds=LEASE_SECONDS)}

    def job(self, id: UUID) -> Job:
        with self.database.transaction() as session:
            found = jobs.get(session, id)
        assert found is not None
        return found

    def epochs(self, id: UUID) -> int:
        with self.database.transaction() as session:
            query = text("SELECT count(*) FROM metrics WHERE job_id = :id")
            return int(session.execute(query, {"id": id}).scalar_one())

    def processes(self) -> tuple[Process, ...]:
        return of_installation(self.data_root)

    def child_of(self, id: UUID) -> int:
        """The process that runs a job now."""
        worker = self.worker_of(id)
        (found,) = (p.pid for p in self.processes() if "workers.run" in p.words and p.parent == worker)
        return found

    def worker_of(self, id: UUID) -> int:
        query = text("SELECT pid FROM workers JOIN jobs ON workers.id = worker_id WHERE jobs.id = :id")
        with self.database.transaction() as session:
            return int(session.execute(query, {"id": id}).scalar_one())

    def execute(self, query: str) -> None:
        """As the owner of the database, past the pool."""
        with psycopg.connect(self.engines.database_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(query)  # pyright: ignore[reportArgumentType]

    def valkey_command(self, *words: str) -> bytes:
        """What Valkey answers to a command, past the proxy."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(os.fspath(self.engines.valkey.socket))
            said = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
            client.sendall(f"*{len(words)}\r\n{said}".encode())
            return client.recv(65536)

    # -- what is asked

    def tally(self, **changes: Any) -> UUID:
        """A counting job, written past the proxies; the seven owners take turns."""
        with self.database.transaction() as session:
            request = QUICK | changes
            owner = f"owner{len(self.submitted) % 7}"
            id = submit(session, kind="tally", request=request, queue="cpu", owner=owner).job.id
        self.submitted.add(id)
        return id

    def post(self, path: str, body: Mapping[str, object], *, seconds: float = 60) -> UUID:
        """A job over HTTP, asked for with one idempotency key until the API has said that it is accepted."""
        key = str(uuid4())
        said: list[Any] = []

        def accepted() -> bool:
            answer = self.ask(path, body, key)
            said.append(answer)
            assert answer is None or answer[0] not in (400, 404, 405, 409, 413, 422, 500), answer
            return answer is not None and answer[0] in (200, 202)

        self.until(accepted, seconds=seconds, pause=0.2)
        assert "state" in said[-1][1], f"no job, because the answer was known: {said[-1]}"
        id = UUID(said[-1][1]["id"])
        self.submitted.add(id)
        return id

    def ask(self, path: str, body: Mapping[str, object] | None = None, key: str | None = None) -> Any:
        """(status, document) of one request; None where there was no answer."""
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except (OSError, ValueError):
            return None

    def get(self, path: str) -> Any:
        """The document at a path; None unless the answer is 200."""
        answer = self.ask(path)
        return answer[1] if answer is not None and answer[0] == 200 else None

    # -- waiting

    def until(
        self,
        true: Callable[[], bool],
        *,
        seconds: float = 60,
        pause: float = 0.05,
        unless_dead: "subprocess.Popen[bytes] | None" = None,
        what: Callable[[], object] = lambda: "",
    ) -> None:
        """Wait for something, whatever the database does meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(SQLAlchemyError, psycopg.Error):
                if true():
                    return
            if time.monotonic() > deadline or (unless_dead is not None and unless_dead.poll() is not None):
                self.sound = False
                raise AssertionError(f"not within {seconds:g} s: {what()}\n{self.tail()}")
            time.sleep(pause)

    def tail(self) -> str:
        """How the logs end."""
        logs = [self.data_root / "workers.log", self.data_root / "api.log"]
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-1500:]}" for p in logs if p.exists())

    def begun(self, id: UUID, epochs: int = 1) -> None:
        """Wait until so many epochs of a job are over."""
        self.until(lambda: self.epochs(id) >= epochs, what=lambda: self.job(id))

    def final(self, id: UUID, *, seconds: float = 60) -> Job:
        self.until(lambda: self.job(id).final, seconds=seconds, what=lambda: self.job(id))
        return self.job(id)

    # -- the end of a test

    def heal(self) -> None:
        """End every fault that lasts."""
        self.postgres.heal()
        self.valkey.heal()
        for process in (*self.workers, *self.apis, *self.standing):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for words in (
            ("CLIENT", "UNPAUSE"),
            ("REPLICAOF", "NO", "ONE"),
            ("CONFIG", "SET", "min-replicas-to-write", "0", "maxmemory", "0"),
        ):
            with contextlib.suppress(OSError):
                self.valkey_command(*words)

    def settle(self, *, seconds: float = 90) -> None:
        """Heal, let every job end, and hold the invariants; then end the workers, and hold that nothing is left."""
        self.sound = False
        self.heal()
        if not any(process.poll() is None for process in self.apis):
            self.api()
        if not any(process.poll() is None for process in self.workers):
            self.worker()
        found: list[str] = ["never looked"]

        def all_is_well() -> bool:
            found[:] = [*breaches(self.database, self.data_root, self.submitted), *self.strays()]
            return not found

        # What killed writers left is the collector's, which waits a day before it calls a file forgotten.
        unfinished = "SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')"

        def over() -> bool:
            with self.database.transaction() as session:
                return session.execute(text(unfinished)).scalar_one() == 0

        self.until(
            over, seconds=seconds, pause=0.2, what=lambda: breaches(self.database, self.data_root, self.submitted)
        )
        collect(self.database, Store.in_folder(self.data_root), grace_seconds=0)
        # A worker cleans up after the end of a job, the reconciler after a worker: a breach may be about to go.
        self.until(all_is_well, seconds=20, pause=0.25, what=lambda: "\n".join(found[:20]))
        for process in (*self.workers, *self.apis, *self.standing):
            end(process, signal.SIGTERM)
        self.workers.clear()
        self.apis.clear()
        self.standing.clear()
        self.until(
            lambda: not self.processes(),
            seconds=15,
            what=lambda: ("left", self.processes()),
        )
        left = breaches(self.database, self.data_root, self.submitted)
        assert not left, left
        self.sound = True

    def strays(self) -> list[str]:
        """Processes of jobs that no worker of ours has."""
        ours = {process.pid for process in (*self.workers, *self.apis, *self.standing) if process.poll() is None}
        return [f"nobody's process: {p}" for p in self.processes() if p.pid not in ours and p.parent not in ours]


def end(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGKILL) -> None:
    """End a process that we started, and whoever is stopped."""
    if process.poll() is None:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
