"""The embedded Valkey server, which speaks Redis."""

import os
import signal
import socket
import time
from pathlib import Path

from app.embedded.child import Child, wait_until
from app.embedded.dataroot import DataRoot
from app.embedded.leftover import end_leftovers
from app.embedded.postgres import ENVIRONMENT


class Valkey:
    """One Valkey on a unix socket that only its account may open; it keeps what it holds, to about a second."""

    def __init__(self, root: DataRoot, program: Path) -> None:
        self._root = root
        self.socket = root.sockets / "valkey.sock"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(root.broker),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.child = Child(
            "Valkey",
            [program, *words],
            log=root.logs / "valkey.log",
            directory=root.broker,
            environment=ENVIRONMENT,
            account=root.account,
        )

    @property
    def url(self) -> str:
        """The broker's URL as kombu reads it."""
        return f"redis+socket://{self.socket}?virtual_host=0"

    def start(self, timeout: float) -> None:
        """Start it, on its files of before, and wait until it answers.

        It holds nothing that PostgreSQL does not know. Files that it cannot read are therefore put aside, and it
        starts empty.

        Raises:
            EngineFailed: with the end of its log.
        """
        end_leftovers(self._root.broker, "valkey-server", signal.SIGTERM)
        self.child.start()
        if self._await(timeout):
            return
        failure = self.child.failure("did not start")
        self.child.stop(5)
        kept = self._root.broker / "appendonlydir"
        if "append only file" not in self.child.tail() or not kept.exists():
            raise failure
        kept.rename(kept.with_name(f"unreadable-{time.strftime('%Y%m%dT%H%M%S')}"))
        self.child.start()
        if not self._await(timeout):
            failure = self.child.failure("did not start")
            self.child.stop(5)
            raise failure

    def _await(self, timeout: float) -> bool:
        return wait_until(lambda: self.ready or not self.child.alive, timeout) and self.ready

    @property
    def ready(self) -> bool:
        """Whether it answers a PING."""
        return self.child.alive and answers_ping(self.socket)


def answers_ping(path: Path) -> bool:
    """Whether a Valkey or Redis on this socket is ready to serve."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(os.fspath(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False
