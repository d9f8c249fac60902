"""A child process that cannot outlive its parent, with its own log."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.embedded.account import Account
from app.embedded.errors import EngineFailed

PR_SET_PDEATHSIG = 1
"""`man 2 prctl`: the signal that the kernel sends to this process when its parent dies. Linux only."""

LOG_LIMIT_BYTES = 16 * 2**20
"""A log longer than this is put aside as ``.1`` before the next start."""


def bound_to_parent(death: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send this signal to the child when the thread that started it ends.

    The library function is looked up here, before the fork, where that is still safe. Only Linux has it.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, int(death))
        if os.getppid() != parent:  # it died before the line above could take effect
            os._exit(1)

    return bind


class Child:
    """One child process: started, watched and stopped by its parent, and killed by the kernel with it.

    It runs in its own session, so that Ctrl-C in a terminal reaches the parent alone, which then stops its children
    in order. Start it from a thread that lives as long as the child shall: the kernel counts the end of the thread
    that started a child as the death of the parent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        directory: Path,
        environment: Mapping[str, str],
        stop: signal.Signals = signal.SIGTERM,
        death: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
        inherit: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self.command = [str(word) for word in command]
        self._directory = directory
        self._environment = dict(environment)
        self._stop_signal = stop
        self._death_signal = death
        self._account = account
        self._inherit = inherit
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Exit status of the last run, negative for the signal that ended it; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def ended(self) -> str:
        """How the last run ended, in words."""
        match self.exit_status:
            case None:
                return "still runs" if self.alive else "was never started"
            case status if status < 0:
                return f"was ended by {signal.Signals(-status).name}"
            case status:
                return f"ended with exit status {status}"

    def start(self) -> None:
        """Start it, also again after it has ended.

        Raises:
            EngineFailed: the program cannot be run at all, or the log cannot be written.
        """
        try:
            if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
                self.log.replace(self.log.with_name(f"{self.log.name}.1"))
            with open(self.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
                self._log_start = log.tell()
                account = self._account
                self._process = subprocess.Popen(
                    self.command,
                    cwd=self._directory,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=self._inherit,
                    preexec_fn=bound_to_parent(self._death_signal),
                    user=account and account.uid,
                    group=account and account.gid,
                    extra_groups=account and [],
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineFailed(f"{self.name} cannot be started: {error}") from error

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        """Send its stop signal and return at once; `stop` waits."""
        self.signal(self._stop_signal)

    def stop(self, timeout: float) -> bool:
        """Ask it to stop, wait at most `timeout` seconds, then kill it and whatever is left of its process group.

        Returns:
            Whether it ended by itself.
        """
        process = self._process
        if process is None:
            return True
        self.ask_to_stop()
        try:
            process.wait(timeout)
            by_itself = True
        except subprocess.TimeoutExpired:
            by_itself = False
        self._kill_group(process.pid)
        process.wait()
        return by_itself

    def _kill_group(self, group: int) -> None:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nobody left; macOS says EPERM for a group of zombies
            return

    def tail(self, lines: int = 20) -> str:
        """The last lines that this run wrote to its log."""
        try:
            with self.log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(min(self._log_start, end), end - 65536))
                written = log.read().decode(errors="replace").splitlines()
        except OSError as error:
            return f"(the log cannot be read: {error})"
        return "\n".join(written[-lines:]) or "(it wrote nothing)"

    def failure(self, what: str) -> EngineFailed:
        """An error that says what happened to it and how its log ends."""
        return EngineFailed(f"{self.name} {what} ({self.ended}). The end of {self.log}:\n{self.tail()}")


def wait_until(condition: Callable[[], bool], timeout: float, pause: float = 0.02) -> bool:
    """Ask again and again until the condition holds; False when `timeout` seconds have passed without."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True
