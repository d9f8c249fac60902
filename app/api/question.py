"""A question to something that may hang: one at a time, in a thread of its own, its answer kept for a moment."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")
GIVEN_UP_SECONDS = 30.0
"""After so long a question that hangs is asked anew; its thread ends with the connection on which it waits."""


@dataclass(frozen=True, slots=True)
class Raised:
    """Instead of an answer."""

    error: Exception


@dataclass(slots=True)
class Asked(Generic[T]):
    """One asking, with its times on this process's monotonic clock."""

    outcome: "Future[T | Raised]" = field(default_factory=lambda: Future[T | Raised]())
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def put(self, ask: Callable[[], T]) -> None:
        """Have it answered."""
        try:
            found: T | Raised = ask()
        except Exception as error:
            found = Raised(error)
        self.ended = time.monotonic()
        self.outcome.set_result(found)


class Question(Generic[T]):
    """Whoever asks while the answer is fresh, or on its way, has that one: many askers cost no more than one."""

    def __init__(self, name: str, ask: Callable[[], T], *, seconds: float, kept: float) -> None:
        """
        Args:
            name: what is asked, for the log.
            ask: answers or raises; both are kept.
            seconds: to wait for an answer, counted from when it was asked for.
            kept: seconds for which an answer is fresh.
        """
        self._name = name
        self._ask = ask
        self._seconds = seconds
        self._kept = kept
        self._last: Asked[T] | None = None
        self._raising = False

    async def answer(self) -> T:
        """The answer. Raises TimeoutError where it takes too long, and whatever the question raises."""
        asked = self._current()
        if not asked.outcome.done():
            left = max(0.0, asked.began + self._seconds - time.monotonic())
            # Not `wait_for`: nobody who leaves takes the answer from the others.
            await asyncio.wait([asyncio.wrap_future(asked.outcome)], timeout=left)
            if not asked.outcome.done():
                raise TimeoutError(f"no answer for {time.monotonic() - asked.began:.0f} s")
        found = asked.outcome.result()
        if isinstance(found, Raised):
            raise found.error
        return found

    def _current(self) -> Asked[T]:
        """The asking whose answer is fresh, or on its way, or else another."""
        last, now = self._last, time.monotonic()
        if last is not None:
            if not last.outcome.done() and now - last.began < GIVEN_UP_SECONDS:
                return last
            if last.outcome.done() and now - last.ended < self._kept:
                return last
        self._last = asked = Asked[T]()
        # A daemon: one that hangs does not keep this process from ending.
        threading.Thread(target=asked.put, args=(self._told,), name=f"question {self._name}", daemon=True).start()
        return asked

    def _told(self) -> T:
        """The answer; the log has the first of several errors."""
        try:
            found = self._ask()
        except Exception as error:
            if not self._raising:
                self._raising = True
                log.warning(f"{self._name}: no answer", error=" ".join(str(error).split()))
            raise
        if self._raising:
            self._raising = False
            log.info(f"{self._name}: answers again")
        return found
