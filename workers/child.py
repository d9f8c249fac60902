"""The process of a job, as its worker sees it. One that has not imported torch serves one job after another."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import IO, Self, cast

from app.jobs import Lease
from workers.progress import StopReason

LOOK_SECONDS = 0.1  # how often to look whether a process that says nothing still runs


class Child:
    """A job's process in a session of its own: it ends with its worker, and signals to the worker pass it by."""

    def __init__(self, process: "subprocess.Popen[bytes]", ends: int) -> None:
        """
        Args:
            process: the child, which reads orders from its standard input.
            ends: the reading end of the pipe on which it says that a job has ended and that it waits for the next.
        """
        self._process = process
        self._ends = ends
        self.free = False  # its job has ended, and it waits for another

    @classmethod
    def spare(cls, environment: Mapping[str, str]) -> Self:
        """A process that imports torch and the handlers, and waits to be given a job."""
        return cls._start(["--spare"], environment)

    @classmethod
    def for_job(cls, lease: Lease, environment: Mapping[str, str]) -> Self:
        """A process that starts with its job, imports only what that needs, and may serve further ones."""
        return cls._start([str(lease.job_id), str(lease.fence)], environment)

    @classmethod
    def _start(cls, arguments: list[str], environment: Mapping[str, str]) -> Self:
        reading, writing = os.pipe()
        command = [sys.executable, "-P", "-m", "workers.run", "--control", "--parent", str(os.getpid())]
        try:
            process = subprocess.Popen(
                [*command, "--ends", str(writing), *arguments],
                stdin=subprocess.PIPE,
                start_new_session=True,
                pass_fds=[writing],
                env={**os.environ, **environment},
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return cls(process, reading)

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def assign(self, lease: Lease) -> None:
        """Give it a job: to a spare its first, to one that is free its next."""
        self.free = False
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
        """How its job ended: 0 where it is free for another, else its exit status (negative: the signal that ended it).

        None if it still runs after so long.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self.free:
            left = LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, deadline - time.monotonic())
            said = bool(select.select([self._ends], [], [], max(left, 0))[0]) and os.read(self._ends, 1)
            if said:
                self.free = True
            elif (status := self._process.poll()) is not None:
                return status
            elif said == b"":  # it has closed the pipe, and is about to end
                time.sleep(max(0.0, min(left, 0.005)))
            if deadline is not None and time.monotonic() >= deadline and not self.free:
                return None
        return 0

    def close(self) -> None:
        """Kill it if it still runs, and forget it."""
        self.kill()
        self._process.wait()
        os.close(self._ends)
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
