"""How often a key, and an address, may ask: counted in this process, in windows of fixed length."""

import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from limits import parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

CAPACITY = 20_000
"""Keys and addresses counted at once; of more, the one that was seen least lately starts anew."""


class Windows(Storage):
    """Counts of the running windows, at most `CAPACITY`, for one thread. No thread of its own tidies up, as does in
    the library's."""

    STORAGE_SCHEME = None

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__()
        self.capacity = capacity
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # so far, and when the window ends

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing that a dictionary raises is expected."""
        return KeyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in the window that runs or in a new one of `expiry` seconds."""
        now = time.time()
        count, ends = self._counts.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
        self._counts[key] = count + amount, ends
        self._counts.move_to_end(key)
        if len(self._counts) > self.capacity:
            self._counts.popitem(last=False)
        return count + amount

    def get(self, key: str) -> int:
        """The count of the window that runs."""
        count, ends = self._counts.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds of the epoch."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget every count."""
        count = len(self._counts)
        self._counts.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one."""
        self._counts.pop(key, None)


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands against a limit."""

    name: str  # of the limit
    limit: int  # requests
    window: int  # seconds
    remaining: int  # requests
    resets: int  # seconds until the window ends
    passed: bool

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers writes it; with Retry-After where nothing is left."""
        written = {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={self.window}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.resets}',
        }
        return written if self.passed else written | {"Retry-After": str(max(1, self.resets))}


class Rate:
    """One limit, e.g. ``3000/minute``, for everybody alike."""

    def __init__(self, name: str, written: str) -> None:
        self.name = name
        self._item = parse(written)
        self._windows = Windows()
        self._limiter = FixedWindowRateLimiter(self._windows)

    def hit(self, whom: str) -> Standing:
        """Count one request."""
        return self._standing(whom, self._limiter.hit(self._item, whom))

    def look(self, whom: str) -> Standing:
        """How somebody stands; counts nothing."""
        return self._standing(whom, self._limiter.test(self._item, whom))

    def _standing(self, whom: str, passed: bool) -> Standing:
        stats = self._limiter.get_window_stats(self._item, whom)
        resets = max(0, math.ceil(stats.reset_time - time.time()))
        return Standing(
            self.name, self._item.amount, int(self._item.get_expiry()), int(stats.remaining), resets, passed
        )


def counted_as(address: str | None) -> str:
    """Under what an address is counted: IPv6 by its first 64 bits, of which one customer has all addresses."""
    try:
        read = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(read, ipaddress.IPv6Address):
        if read.ipv4_mapped is not None:
            return str(read.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(read) >> 64 << 64, 64)))
    return str(read)
