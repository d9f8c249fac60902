"""PostgreSQL and Valkey of one data root, as children of the process that owns it."""

import atexit
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from app.embedded.binaries import find_binaries
from app.embedded.child import wait_until
from app.embedded.dataroot import DataRoot, make_data_root, prepare, refuse_out_of_reach
from app.embedded.errors import DataRootUnusable, EngineFailed, NotRunning
from app.embedded.ownership import Ownership, Runtime, find_runtime
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey

RESTARTS = 5
"""Restarts of one engine that are tried within `RESTART_WINDOW_SECONDS`; what still dies then, no restart heals."""

RESTART_WINDOW_SECONDS = 60.0


class Engines:
    """The engines of a data root: started once, owned by this process, stopped with it.

    Start them from a thread that lives as long as they shall (see `Child`).

    | call | does |
    | --- | --- |
    | `start()` | takes the data root, starts both servers, publishes where they are |
    | `tend()` | restarts a server that has died; call it every second or so |
    | `stop()` | stops both in order and gives the data root up |
    """

    def __init__(self, data_root: Path, *, command: str = "cellar", durable: bool = True) -> None:
        """
        Args:
            data_root: made where it does not exist.
            command: what this process was started as, shown to whoever finds the data root taken.
            durable: False trades the safety of the database against a crash of the machine for speed, as tests want.
        """
        self.data_root = data_root
        self._command = command
        self._durable = durable
        self._ownership: Ownership | None = None
        self._root: DataRoot | None = None
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None
        self._restarts: dict[str, list[float]] = {}

    @property
    def postgres(self) -> Postgres:
        """The database server, once started."""
        if self._postgres is None:
            raise NotRunning(f"the engines of {self.data_root} were not started")
        return self._postgres

    @property
    def valkey(self) -> Valkey:
        """The broker, once started."""
        if self._valkey is None:
            raise NotRunning(f"the engines of {self.data_root} were not started")
        return self._valkey

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the service's database."""
        return self.postgres.url()

    @property
    def redis_url(self) -> str:
        """The broker's URL as kombu reads it."""
        return self.valkey.url

    def start(self, timeout: float = 60.0) -> Self:
        """Take the data root and start both servers, each within `timeout` seconds.

        Raises:
            EnginesError: one of its kinds, see `app.embedded.errors`; nothing is left running then.
        """
        refuse_out_of_reach(self.data_root.resolve())
        self.data_root = make_data_root(self.data_root)
        ownership = Ownership(self.data_root, self._command)
        ownership.take()
        self._ownership = ownership
        atexit.register(self.stop)
        try:
            root = self._root = prepare(self.data_root)
            binaries = find_binaries(root)
            self._postgres = Postgres(root, binaries.postgres, durable=self._durable)
            self._valkey = Valkey(root, binaries.valkey)
            self._valkey.start(timeout)
            self._postgres.start(timeout)
            ownership.publish(self.database_url, self.redis_url)
        except OSError as error:
            self.stop()
            raise DataRootUnusable(f"the data root {self.data_root} cannot be used: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def tend(self, timeout: float = 30.0) -> list[str]:
        """Restart each server that has died.

        Returns:
            A sentence for each one restarted.

        Raises:
            EngineFailed: it did not start again, or dies again and again.
        """
        restart: list[tuple[Postgres | Valkey, Callable[[float], None]]] = [
            (self.postgres, self.postgres.restart),
            (self.valkey, self.valkey.start),
        ]
        done: list[str] = []
        for server, start in restart:
            if server.child.alive:
                continue
            ended, failure = server.child.ended, server.child.failure("died")
            now = time.monotonic()
            recent = [at for at in self._restarts.get(server.child.name, []) if now - at < RESTART_WINDOW_SECONDS]
            if len(recent) >= RESTARTS:
                raise EngineFailed(f"{failure}\nIt was restarted {RESTARTS} times within a minute, which did not help.")
            self._restarts[server.child.name] = [*recent, now]
            start(timeout)
            done.append(f"{server.child.name} {ended} and was restarted")
        return done

    def stop(self) -> None:
        """Stop both servers, the database first, and give the data root up; does nothing when not started."""
        # A server that does not end by itself is killed: both recover from that.
        if self._postgres is not None:
            self._postgres.child.stop(20)
        if self._valkey is not None:
            self._valkey.child.stop(10)
        if self._root is not None:
            self._root.clear_sockets()
            self._root = None
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def attach(data_root: Path, timeout: float = 30.0) -> Runtime:
    """Where the engines are that another process owns, waiting while it still starts them.

    Raises:
        NotRunning: nobody owns them, or they did not get ready in time.
        DataRootUnusable: they belong to another account.
    """
    found: list[Runtime] = []

    def look() -> bool:
        runtime = find_runtime(data_root)
        found[:] = [runtime] if runtime else []
        return bool(found)

    if not wait_until(look, timeout, pause=0.1):
        raise NotRunning(f"the engines of the data root {data_root} have an owner, but were not ready in {timeout:g} s")
    return found[0]
