"""The operating system account as which the engines run."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import DataRootUnusable

CANDIDATES = ("postgres", "nobody")
"""Accounts that systems already have, best first; none is ever created."""


@dataclass(frozen=True, slots=True)
class Account:
    """An existing account, with its primary group and no other."""

    name: str
    uid: int
    gid: int

    def may(self, path: Path, permission: int) -> bool:
        """Whether the mode of `path` grants these bits (4 read, 2 write, 1 execute or enter) to this account."""
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (mode >> shift) & permission == permission

    def barrier(self, path: Path) -> Path | None:
        """The first directory above `path` that this account may not enter."""
        existing = (parent for parent in reversed(path.parents) if parent.exists())
        return next((parent for parent in existing if not self.may(parent, 1)), None)


def engine_account(cluster: Path) -> Account | None:
    """Whom the engines run as: None means the present account; root, which PostgreSQL refuses, names another.

    An existing cluster keeps the account that owns it.

    Args:
        cluster: PostgreSQL's data directory, which need not exist yet.

    Raises:
        DataRootUnusable: the cluster belongs to somebody else, or root finds no account to run as.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner is not None and owner != me:
            raise DataRootUnusable(f"{cluster} belongs to {_name(owner)}, not to {_name(me)}: run as its owner")
        return None
    if owner is not None and cluster.parent.stat().st_uid != 0:
        raise DataRootUnusable(
            f"{cluster} was made by {_name(owner)}: run as that account, because files made by root would lock it out"
        )
    try:
        if owner is not None:
            found = pwd.getpwuid(owner)
            return Account(found.pw_name, found.pw_uid, found.pw_gid)
    except KeyError:
        raise DataRootUnusable(f"{cluster} belongs to user id {owner}, which has no account here") from None
    for name in CANDIDATES:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise DataRootUnusable(
        f"root may not run PostgreSQL, and this system has none of the accounts {', '.join(CANDIDATES)}: "
        "run as an ordinary user"
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
