"""The whole service as one process tree: engines, API and workers below one parent."""

import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from urllib.parse import urlsplit

from app.embedded import Child, Engines, EnginesError, wait_until
from app.embedded.dataroot import make_data_root
from app.listener import listen, url_of
from app.settings import Settings

START_SECONDS = 60.0
"""Time that the API process has until it answers for the first time; it needs about one second."""

DRAIN_SECONDS = 10.0
"""Time for workers to finish their step and write a checkpoint, and for the API to end its streams."""

TEND_SECONDS = 0.25
"""Pause between two looks at the children."""

CALM_SECONDS = 60.0
"""A child that ran so long starts again at once when it dies."""

PATIENCE_SECONDS = 30.0
"""The longest pause before a child that dies again and again is started once more."""

NEWER_TABLES = "The tables are those of a newer version. This version works on them, and leaves them as they are."


class ServiceError(Exception):
    """The service cannot run; the message is made to be shown."""


class Interrupted(Exception):
    """A stop was asked for while the service still started."""


class StopSignals:
    """Remembers Ctrl-C, SIGTERM and SIGHUP for as long as it is entered; the main thread's own.

    A second one means that whoever sent it does not want to wait.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def asked(self) -> bool:
        """Whether to stop."""
        return self.count > 0

    def hurried(self) -> bool:
        """Whether to stop at once."""
        return self.count > 1

    def __enter__(self) -> Self:
        for number in self.NUMBERS:
            self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class _Watched:
    """A child that is started again when it dies, after a pause that doubles from one second."""

    child: Child
    started: float = 0.0
    failures: int = 0
    due: float | None = field(default=None)  # when to start it again; None while it runs


class Service:
    """The service of one data root, started, watched and stopped by this process.

        with Service(settings) as service:
            httpx.get(f"{service.url}/healthz")

    Engines run only for the URLs that the settings do not name. A child that dies is started again. If this process
    dies, the kernel ends every child. Enter it from the main thread (see `app.embedded.Child`).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        api: bool = True,
        workers: int | None = None,
        command: str = "cellar up",
        say: Callable[[str], None] = lambda line: None,
        signals: StopSignals | None = None,
    ) -> None:
        """
        Args:
            settings: port 0 takes a free one.
            api: whether to run an API process.
            workers: how many worker processes; the settings' number where None.
            command: what this process was started as, shown to whoever finds the data root taken.
            say: told in a sentence when a child had to be started again.
            signals: where given, a signal makes `start` give up with `Interrupted`, and a second one hurries `stop`.
        """
        self.settings = settings
        self.failure: EnginesError | ServiceError | None = None  # why it can no longer run
        self._embedded = (settings.database_url is None, settings.redis_url is None)
        self._api = api
        self._workers = settings.workers if workers is None else workers
        self._command = command
        self._say = say
        self._signals = signals or StopSignals()
        self._listening: socket.socket | None = None
        self._engines: Engines | None = None
        self._watched: list[_Watched] = []
        self._tender = threading.Thread(target=self._tend, name="tender", daemon=True)
        self._tending = threading.Lock()
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """Where the API answers, e.g. ``http://127.0.0.1:8000``."""
        if self._listening is None:
            raise RuntimeError("this service has no API, or was not started")
        return url_of(self._listening)

    @property
    def logs(self) -> Path:
        """The directory of the logs of every process."""
        return self.settings.data_root / "logs"

    def places(self) -> list[tuple[str, str]]:
        """What runs and where, for people: pairs of a name and a place."""
        settings = self.settings
        database, broker = (
            "embedded, in the data root" if embedded else urlsplit(url or "").netloc.rpartition("@")[2]
            for embedded, url in zip(self._embedded, (settings.database_url, settings.redis_url), strict=True)
        )
        return [
            *([("API", self.url), ("docs", f"{self.url}/docs")] if self._listening is not None else []),
            ("PostgreSQL", database),
            ("Valkey", broker),
            ("workers", str(self._workers)),
            ("data root", str(settings.data_root)),
            ("logs", str(self.logs)),
        ]

    def start(self) -> Self:
        """Start everything and wait until the API answers.

        Raises:
            ListenError: the address is taken or refused; nothing was started then.
            EnginesError: an engine, or another child, did not start; nothing is left running.
            ServiceError: the database cannot be brought up to date.
            Interrupted: a signal came.
        """
        settings = self.settings
        if self._api and settings.asks_for_keys and settings.database_url is None and not settings.data_root.exists():
            raise without_keys(settings)  # before anything is made
        try:
            if self._api:
                self._listening = listen(
                    settings.host, settings.port, allow_open=settings.allow_open or settings.asks_for_keys
                )
                settings = settings.model_copy(update={"port": self._listening.getsockname()[1]})
            if settings.database_url is None or settings.redis_url is None:
                self._engines = Engines(settings.data_root, command=self._command).start()
                settings = settings.model_copy(
                    update={
                        "data_root": self._engines.data_root,
                        "database_url": settings.database_url or self._engines.database_url,
                        "redis_url": settings.redis_url or self._engines.redis_url,
                    }
                )
            else:
                settings = settings.model_copy(update={"data_root": make_data_root(settings.data_root)})
            self.settings = settings
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self._give_up_if_asked()
            assert settings.database_url is not None
            migrate_database(settings.database_url, self._say)
            if self._api:
                refuse_without_keys(settings)
            self._give_up_if_asked()
            self._start_children()
            self._tender.start()
        except BaseException:
            self.stop()
            raise
        return self

    def _give_up_if_asked(self) -> None:
        if self._signals.asked():
            raise Interrupted

    def _start_children(self) -> None:
        if self._listening is not None:
            descriptor = self._listening.fileno()
            words = ["-m", "app.cli", "api", "--listening", str(descriptor)]
            self._watched.append(_Watched(self._child("api", words, descriptor)))
        for number in range(1, self._workers + 1):
            self._watched.append(_Watched(self._child(f"worker-{number}", ["-m", "workers.main"])))
        for watched in self._watched:
            watched.child.start()
            watched.started = time.monotonic()
        if self._listening is not None:
            api = self._watched[0].child
            wait_until(lambda: self._signals.asked() or not api.alive or answers(self.url), START_SECONDS)
            self._give_up_if_asked()
            if not api.alive or not answers(self.url):
                raise api.failure("did not start" if not api.alive else f"did not answer within {START_SECONDS:g} s")

    def _child(self, name: str, words: list[str], *inherit: int) -> Child:
        return Child(
            name,
            [sys.executable, "-P", *words],  # -P: a directory of the caller's called app or workers is not ours
            log=self.logs / f"{name}.log",
            directory=self.settings.data_root,
            environment={**os.environ, **self.settings.environment(), "PYTHONUNBUFFERED": "1"},
            inherit=inherit,
            # Without this process nobody watches them, and the engines are ending: a lease runs out, a job resumes.
            death=signal.SIGKILL,
        )

    def _tend(self) -> None:
        while not self._ended.wait(TEND_SECONDS):
            with self._tending:
                if self._ended.is_set():
                    return
                try:
                    for sentence in self._engines.tend() if self._engines is not None else ():
                        self._say(sentence)
                    for watched in self._watched:
                        self._tend_child(watched)
                except EnginesError as error:
                    self.failure = error
                    return
                except Exception as error:  # whatever it is, nobody would be watching from here on
                    self.failure = ServiceError(f"the supervisor failed: {error!r}")
                    return

    def _tend_child(self, watched: _Watched) -> None:
        now = time.monotonic()
        if watched.child.alive:
            return
        if watched.due is None:
            watched.failures = 1 if now - watched.started > CALM_SECONDS else watched.failures + 1
            pause = min(PATIENCE_SECONDS, 2.0 ** (watched.failures - 1)) if watched.failures > 1 else 0.0
            watched.due = now + pause
            again = f"in {pause:g} s" if pause else "now"
            self._say(f"{watched.child.name} {watched.child.ended}, starts again {again}; its log: {watched.child.log}")
        if now >= watched.due:
            watched.child.start()
            watched.started, watched.due = now, None

    def stop(self) -> None:
        """Stop workers and API together, then the engines; kill what does not end in time."""
        self._ended.set()
        with self._tending:
            children = [watched.child for watched in self._watched]
            for child in children:
                child.ask_to_stop()
            wait_until(lambda: self._signals.hurried() or not any(child.alive for child in children), DRAIN_SECONDS)
            for child in children:
                child.stop(0)
            if self._engines is not None:
                self._engines.stop()
            if self._listening is not None:
                self._listening.close()
        if self._tender.is_alive():
            self._tender.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def migrate_database(url: str, say: Callable[[str], None] = lambda line: None) -> None:
    """Bring the tables up to date; those of a newer version, on which this one works, are left alone, which is said.

    Raises:
        ServiceError: the database is out of reach or refuses, or its tables need a newer version.
    """
    # Half a second of imports, which a start that is refused need not wait for.
    from sqlalchemy.exc import SQLAlchemyError

    from app.catalogue import CatalogueError, migrate

    try:
        if not migrate(url):
            say(NEWER_TABLES)
    except (SQLAlchemyError, CatalogueError) as error:
        place = urlsplit(url).netloc.rpartition("@")[2] or "embedded"
        raise ServiceError(f"the database ({place}) cannot be brought up to date: {error}") from error


def refuse_without_keys(settings: Settings) -> None:
    """Refuse to serve where a key is asked for and there is none: nobody could come in.

    Raises:
        ServiceError: says how to make one.
    """
    if not settings.asks_for_keys:
        return
    from app.catalogue import Database, keys

    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=1)
    try:
        with database.transaction() as session:
            if keys.exist(session):
                return
    finally:
        database.dispose()
    raise without_keys(settings)


def without_keys(settings: Settings) -> ServiceError:
    """What keeps a service from serving that asks for a key and has none."""
    return ServiceError(
        f"a key is asked for on {settings.host}, and there is none that is valid: make one with `cellar keys add "
        "--owner NAME --scopes read,submit,write,admin`, listen on 127.0.0.1, or set CELLAR_ALLOW_OPEN=true "
        "where something else keeps strangers out"
    )


def answers(url: str) -> bool:
    """Whether an API at `url` says that it is there."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
