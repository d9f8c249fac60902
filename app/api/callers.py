"""Who sends a request, and what they may do."""

from dataclasses import dataclass
from typing import Literal

Right = Literal["read", "submit", "write", "metrics", "admin"]

RIGHTS: dict[Right, str] = {
    "read": "ask any question, and see what is public and what is one's own",
    "submit": "start jobs and cancel them",
    "write": "register spaces, architectures and data sets, and say who may see what is one's own",
    "metrics": "read /metrics",
    "admin": "make and revoke keys, and read the audit log",
}
"""Every scope of a key, and what it allows. None implies another."""

LOCAL_OWNER = "local"
"""Owns what is made without a key: whoever reaches the loopback address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a request. What is made belongs to `owner`, who sees that and whatever is public."""

    owner: str
    scopes: frozenset[Right]
    key_id: str | None = None  # of the key that was shown; None where none was asked for
    address: str | None = None  # of the client, as far as it is known
    request_id: str = ""


LOCAL = Caller(owner=LOCAL_OWNER, scopes=frozenset(RIGHTS))
"""Whoever is asked for no key."""
