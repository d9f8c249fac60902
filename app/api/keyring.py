"""The keys that were shown lately, so that a request with a key reads no table."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from fastapi.concurrency import run_in_threadpool

from app.catalogue import AccessKey, Database, Token, keys

HELD_SECONDS = 10.0
"""A key that was revoked, or expired, or whose overlap ended, opens nothing after so many seconds, in any process."""

REMEMBERED_SECONDS = 86400.0
"""While the database is away, /metrics takes a key with no other scope that opened within so many seconds."""

WATCHING = ["metrics"]


class KeyRing:
    """Keys that opened, each for `HELD_SECONDS`. What did not open is never kept. For one event loop.

    They are kept under the SHA-256 of what was shown: how long it takes to find one tells nothing about a secret.
    """

    def __init__(
        self, database: Database, *, capacity: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.database = database
        self.capacity = capacity
        self._clock = clock
        self._held: OrderedDict[tuple[str, str], tuple[AccessKey, float]] = OrderedDict()

    def at_hand(self, token: Token) -> AccessKey | None:
        """The key that this token opened lately; touches no I/O."""
        place = token.id, token.sha256
        held = self._held.get(place)
        if held is None:
            return None
        key, since = held
        return key if self._clock() - since <= HELD_SECONDS else None

    def remembered(self, token: Token) -> AccessKey | None:
        """The key for watching that this token opened within a day; for when the database cannot be asked."""
        key, since = self._held.get((token.id, token.sha256), (None, 0.0))
        if key is None or key.scopes != WATCHING or self._clock() - since > REMEMBERED_SECONDS:
            return None
        return key if key.expires_at is None or key.expires_at > datetime.now(UTC) else None

    async def opened(self, token: Token) -> AccessKey | None:
        """The key that this token opens; None where it opens none. Raises what the database raises."""
        if key := self.at_hand(token):
            return key
        asked = self._clock()  # before the database is: the bound counts from there
        key = await run_in_threadpool(self._look_up, token)
        if key is not None:
            self._held[token.id, token.sha256] = key, asked
            self._held.move_to_end((token.id, token.sha256))
            while len(self._held) > self.capacity:
                self._held.popitem(last=False)
        else:
            self._held.pop((token.id, token.sha256), None)
        return key

    def forget(self, id: str) -> None:
        """Ask the database about this key again: it has been rotated or revoked."""
        for place in [place for place in list(self._held) if place[0] == id]:
            self._held.pop(place, None)

    def _look_up(self, token: Token) -> AccessKey | None:
        with self.database.transaction() as session:
            return keys.opened(session, token)
