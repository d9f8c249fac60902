"""The processes of one installation: found by the data root in their environment, which outlives their parent."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running process that is no zombie."""

    pid: int
    parent: int
    words: tuple[str, ...]  # its command line

    @property
    def rss(self) -> int:
        """Resident memory in bytes; 0 when it has ended."""
        with contextlib.suppress(OSError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE
        return 0


def running() -> Iterator[Process]:
    """All processes that this account sees."""
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (directory / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            if state != "Z" and words:
                yield Process(pid=int(directory.name), parent=int(parent), words=tuple(words))


def of_installation(data_root: Path) -> tuple[Process, ...]:
    """API, workers and the processes of jobs that were started for a data root."""
    wanted = f"CELLAR_DATA_ROOT={data_root}".encode()
    found: list[Process] = []
    for process in running():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
    return tuple(found)
