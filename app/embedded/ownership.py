"""Who owns the engines of a data root, and where others find them."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from app.embedded.errors import DataRootBusy, DataRootUnusable, NotRunning


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where the engines of a data root are, as their owner wrote it down."""

    pid: int  # of the owner
    command: str  # what the owner was started as
    database_url: str  # SQLAlchemy's, with the password
    redis_url: str  # the broker's


class Ownership:
    """The one claim on a data root: a file lock that the kernel drops with its holder, so that it is never stale."""

    def __init__(self, data_root: Path, command: str) -> None:
        self.data_root = data_root
        self.command = command
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process owns the data root through this object."""
        return self._file is not None

    def take(self) -> None:
        """Become the owner.

        Raises:
            DataRootBusy: another live process is; its message names it.
            DataRootUnusable: the lock file cannot be written.
        """
        file = _open_lock(self.data_root, os.O_RDWR | os.O_CREAT)
        # Somebody who only asks whether there is an owner holds the lock for a moment: hence the second attempts.
        for remaining in reversed(range(5)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not remaining:
                    pid, command = _owner(file)
                    os.close(file)
                    raise DataRootBusy(self.data_root, pid, command) from None
                time.sleep(0.05)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n{self.command}\n".encode(), 0)
        self._file = file
        _runtime_file(self.data_root).unlink(missing_ok=True)  # left by an owner that was killed

    def publish(self, database_url: str, redis_url: str) -> None:
        """Write down where the engines are, for `attach`, readable by the owner's account alone."""
        runtime = Runtime(pid=os.getpid(), command=self.command, database_url=database_url, redis_url=redis_url)
        file = _runtime_file(self.data_root)
        incoming = file.with_suffix(".incoming")
        incoming.unlink(missing_ok=True)
        with open(incoming, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            json.dump(asdict(runtime), stream)
        incoming.replace(file)

    def release(self) -> None:
        """Give the data root up; does nothing when it was not held."""
        if self._file is None:
            return
        _runtime_file(self.data_root).unlink(missing_ok=True)
        os.ftruncate(self._file, 0)
        os.close(self._file)
        self._file = None


def find_runtime(data_root: Path) -> Runtime | None:
    """Where the engines are that a live owner published; None while it still starts them.

    Raises:
        NotRunning: no live process owns this data root.
        DataRootUnusable: it belongs to an account whose files this one may not read.
    """
    try:
        file = _open_lock(data_root, os.O_RDWR)
    except FileNotFoundError:
        raise NotRunning(f"no engines run on the data root {data_root}: nothing was ever started there") from None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return Runtime(**json.loads(_runtime_file(data_root).read_text()))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise DataRootUnusable(f"the data root {data_root} belongs to another account: {error}") from error
    else:
        raise NotRunning(f"no engines run on the data root {data_root}: the process that owned them has ended")
    finally:
        os.close(file)


def _runtime_file(data_root: Path) -> Path:
    return data_root / "runtime.json"


def _open_lock(data_root: Path, flags: int) -> int:
    try:
        return os.open(data_root / "owner.lock", flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataRootUnusable(f"the data root {data_root} cannot be used by this account: {error}") from error


def _owner(file: int) -> tuple[int | None, str | None]:
    words = os.pread(file, 4096, 0).decode(errors="replace").splitlines()
    if len(words) < 2 or not words[0].isdigit():
        return None, None
    return int(words[0]), words[1]
