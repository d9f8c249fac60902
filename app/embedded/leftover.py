"""Servers that outlived a killed owner for a moment."""

import os
import signal
from pathlib import Path

from app.embedded.child import wait_until


def end_leftovers(directory: Path, program: str, stop: signal.Signals, patience: float = 2.0) -> bool:
    """Wait for the servers that still work in `directory`, which their owner's death stops; then stop them.

    Only whoever owns the data root may call this, because then nobody else has a right to these processes.

    Args:
        directory: working directory of the server.
        program: its name as the kernel shows it.
        stop: the signal of an orderly end.
        patience: seconds to wait before that signal, and again before SIGKILL.

    Returns:
        Whether it is certain that none is left. Only Linux tells.
    """
    if not Path("/proc/self/cwd").exists():
        return False
    if wait_until(lambda: not _working_in(directory, program), patience):
        return True
    for number in (stop, signal.SIGKILL):
        for pid in _working_in(directory, program):
            try:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)  # a stopped process hears of nothing else
            except ProcessLookupError:
                continue
        if wait_until(lambda: not _working_in(directory, program), patience):
            return True
    return False


def _working_in(directory: Path, program: str) -> list[int]:
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if (process / "comm").read_text().strip() == program and os.readlink(process / "cwd") == str(directory):
                found.append(int(process.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found
