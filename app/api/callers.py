"""Who sends a request, and what they may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from app.catalogue import KeyScope

SCOPES: Mapping[KeyScope, str] = {
    "read": "ask any question, and see what is public and what is one's own",
    "submit": "start jobs and cancel them",
    "write": "register spaces, architectures and data sets, and say who may see what is one's own",
    "metrics": "read /metrics",
    "admin": "make and revoke keys, and read the audit log",
}
"""Every scope of a key, and what it allows. None implies another."""

LOCAL_OWNER = "local"
"""Owns what is made without a key: whoever reaches the loopback address."""


class Actor(TypedDict):
    """Who did something, as the audit log has it."""

    owner: str | None
    key_id: str | None
    address: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a request. What is made belongs to `owner`, who sees that and whatever is public."""

    owner: str
    scopes: frozenset[KeyScope]
    key_id: str | None = None  # of the key that was shown; None where none was asked for
    address: str | None = None  # of the client, as far as it is known
    request_id: str | None = None

    @property
    def actor(self) -> Actor:
        """For `audit.record`."""
        return {
            "owner": self.owner,
            "key_id": self.key_id,
            "address": self.address,
            "request_id": self.request_id,
        }


EVERY_SCOPE = frozenset(SCOPES)
NOBODY = Caller(owner="", scopes=frozenset())
"""Whoever shows no key where one is asked for: owns nothing, and sees what is public."""

Needed = KeyScope | Literal["public"]
