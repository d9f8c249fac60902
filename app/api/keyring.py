"""The keys that were shown lately, so that a request with a key reads no table."""

import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi.concurrency import run_in_threadpool

from app.catalogue import AccessKey, Database, Token, keys

HELD_SECONDS = 10.0
"""A key that was revoked, or expired, or whose overlap ended, opens nothing after so many seconds, in any process."""


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
        if self._clock() - since > HELD_SECONDS:
            self._held.pop(place, None)
            return None
        return key

    async def opened(self, token: Token) -> AccessKey | None:
        """The key that this token opens; None where it opens none. Raises what the database raises."""
        if key := self.at_hand(token):
            return key
        asked = self._clock()  # before the database is: the bound counts from there
        key = await run_in_threadpool(self._look_up, token)
        if key is not None:
            self._held[token.id, token.sha256] = key, asked
            while len(self._held) > self.capacity:
                self._held.popitem(last=False)
        return key

    def forget(self, id: str) -> None:
        """Ask the database about this key again: it has been rotated or revoked."""
        for place in [place for place in list(self._held) if place[0] == id]:
            self._held.pop(place, None)

    def _look_up(self, token: Token) -> AccessKey | None:
        with self.database.transaction() as session:
            return keys.opened(session, token)
