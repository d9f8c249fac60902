"""The process of one job, as its worker sees it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, Self, cast

from app.jobs import Lease
from workers.progress import StopReason


class Child:
    """A job's process in a session of its own: it ends with its worker, and signals to the worker pass it by."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @classmethod
    def spare(cls, environment: Mapping[str, str]) -> Self:
        """A process that imports torch and the handlers, and waits to be given a job."""
        return cls._start(["--spare"], environment)

    @classmethod
    def for_job(cls, lease: Lease, environment: Mapping[str, str]) -> Self:
        """A process that starts with its job and imports only what that needs."""
        return cls._start([str(lease.job_id), str(lease.fence)], environment)

    @classmethod
    def _start(cls, arguments: list[str], environment: Mapping[str, str]) -> Self:
        command = [sys.executable, "-P", "-m", "workers.run", "--control", "--parent", str(os.getpid()), *arguments]
        return cls(
            subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, env={**os.environ, **environment})
        )

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def assign(self, lease: Lease) -> None:
        """Give a spare its job."""
        self._say({"job": str(lease.job_id), "fence": lease.fence})

    def stop(self, reason: StopReason) -> None:
        """Ask it to end after its step."""
        self._say({"stop": reason})

    def kill(self) -> None:
        """End it and whatever it started, at once."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit status (negative: the signal that ended it), or None if it still runs after so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Kill it if it still runs, and forget it."""
        self.kill()
        self._process.wait()
        try:
            self._stdin.close()
        except OSError:
            return

    @property
    def _stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    def _say(self, order: Mapping[str, object]) -> None:
        try:
            self._stdin.write(json.dumps(order).encode() + b"\n")
            self._stdin.flush()
        except OSError:
            return  # it has ended; whoever waits for it sees how
