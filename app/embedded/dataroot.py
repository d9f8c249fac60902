"""The directory of a service: who may enter it, and where the engines keep what."""

import hashlib
import os
import re
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from app.embedded.account import Account, engine_account
from app.embedded.errors import DataRootUnusable

SOCKET_LIMIT_BYTES = 107
"""`sun_path` holds 108 bytes on Linux, the last one a zero; macOS has four bytes less."""

LONGEST_SOCKET = "/.s.PGSQL.5432.lock"


@dataclass(frozen=True, slots=True)
class DataRoot:
    """A prepared data root: every directory in it exists and belongs to whom it should."""

    path: Path
    account: Account | None  # whom the engines run as; None for the present account
    sockets: Path  # 0700, the account's; its path is short and plain

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory; made by the first start."""
        return self.path / "postgres"

    @property
    def broker(self) -> Path:
        """Valkey's directory."""
        return self.path / "valkey"

    @property
    def logs(self) -> Path:
        """The directory of every log."""
        return self.path / "logs"

    def clear_sockets(self) -> None:
        """Remove the directory of the sockets where it lies outside the data root."""
        if self.sockets.parent != self.path:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def password(self) -> str:
        """The database password, made on first use and readable by the owner of the data root alone."""
        file = self.path / "postgres.password"
        if not file.exists():
            incoming = self.path / "password.incoming"
            incoming.unlink(missing_ok=True)
            with open(incoming, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
                stream.write(secrets.token_urlsafe(24))
            incoming.rename(file)
        return file.read_text()

    def directory(self, path: Path) -> Path:
        """Make a directory that only the engines' account may enter, unless it exists."""
        path.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)
        return path


def make_data_root(path: Path) -> Path:
    """Make the directory itself, closed to other accounts, unless it exists.

    Raises:
        DataRootUnusable: it cannot be made, or is no directory, or this account may not write there.
    """
    path = Path(os.path.abspath(path))
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataRootUnusable(f"the data root {path} cannot be made: {error}") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise DataRootUnusable(f"the data root {path} is not writable for this account")
    return path.resolve()


def prepare(path: Path) -> DataRoot:
    """Make every directory of a data root that `make_data_root` made and this process owns.

    Raises:
        DataRootUnusable: with what would help.
    """
    account = engine_account(path / "postgres")
    try:
        if account is not None:
            _let_in(path, account)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
        root = DataRoot(path, account, _sockets(path, account))
        root.directory(root.broker)
        if root.sockets.parent == path:
            root.directory(root.sockets)
    except OSError as error:
        raise DataRootUnusable(f"the data root {path} cannot be prepared: {error}") from error
    return root


def refuse_out_of_reach(path: Path) -> None:
    """Refuse a place that the engines' account cannot reach, before anything is written there.

    Raises:
        DataRootUnusable: naming the directory that is closed.
    """
    account = engine_account(path / "postgres")
    barrier = account.barrier(path) if account is not None else None
    if account is not None and barrier is not None:
        mode = stat.S_IMODE(barrier.stat().st_mode)
        raise DataRootUnusable(
            f"the data root {path} is out of reach for the account {account.name}, as which the engines run because "
            f"root may not run PostgreSQL: {barrier} has mode {mode:04o}. Choose one outside, e.g. /var/lib/cellar"
        )


def _let_in(path: Path, account: Account) -> None:
    """Let the engines' account pass through the data root, and no further."""
    if not account.may(path, 1):
        os.chown(path, -1, account.gid)
        path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IXGRP)


def _sockets(path: Path, account: Account | None) -> Path:
    """Where the sockets lie: inside the data root, or, where its path is too long or odd for one, below /tmp.

    A comma or a percent sign would mean something in a connection string, so only plain characters are accepted.
    """
    inside = path / "run"
    plain = re.fullmatch(r"[A-Za-z0-9/._-]+", str(inside)) is not None
    if plain and len(os.fsencode(inside)) + len(LONGEST_SOCKET) <= SOCKET_LIMIT_BYTES - 4:
        return inside
    uid = os.geteuid() if account is None else account.uid
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    outside = Path(f"/tmp/cellar-{uid}-{digest}")  # whose it is comes below  # nosec B108
    try:
        outside.mkdir(mode=0o700)
        if account is not None:
            os.chown(outside, account.uid, account.gid, follow_symlinks=False)
    except FileExistsError:
        pass
    # /tmp is everybody's: somebody else may have been first, perhaps with a link.
    status = outside.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (uid, os.geteuid()) or status.st_mode & 0o077:
        raise DataRootUnusable(
            f"the path of the data root {path} is too long or too odd for a socket, and {outside}, which would take "
            "its place, is not a directory of ours that is closed to others: remove it, or choose a shorter data root"
        )
    if account is not None and status.st_uid != uid:
        os.chown(outside, account.uid, account.gid, follow_symlinks=False)
    return outside
