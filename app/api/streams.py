"""How many event streams are open at once, in all and of one caller: each holds a connection while it lasts."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from app.api.callers import Caller
from app.api.problems import Problem
from app.api.rates import counted_as

RETRY_SECONDS = 15


class Streams:
    """The open streams of this process. For the event loop alone."""

    def __init__(self, *, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._open: Counter[str] = Counter()

    @property
    def number(self) -> int:
        """How many are open."""
        return self._open.total()

    @contextmanager
    def one(self, caller: Caller) -> Generator[None]:
        """Count one more while it is open. Raises a Problem where there are too many already."""
        who = caller.key_id or counted_as(caller.address)
        if self._open[who] >= self._each:
            raise too_many(f"{self._each} of yours")
        if self._open.total() >= self._most:
            raise too_many(f"{self._most} of all callers")
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]


def too_many(which: str) -> Problem:
    """429: wait until another stream ends."""
    title = "Too many event streams are open"
    detail = f"{which} are open in this process; close one, or ask for the job itself instead"
    return Problem(429, "too-many-streams", title, detail, headers={"Retry-After": str(RETRY_SECONDS)})
