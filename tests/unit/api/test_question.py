"""A question to something that may hang: asked once at a time, in bounded time, by however many."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from app.api import question
from app.api.question import Question


class Oracle:
    """Counts how often it is asked; answers when it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.may = threading.Event()
        self.may.set()

    def __call__(self) -> int:
        self.asked += 1
        self.may.wait(30)
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    asked = Oracle()
    yield asked
    asked.may.set()  # no thread of it outlives the test


async def many(asked: Question[int], number: int) -> list[int]:
    return list(await asyncio.gather(*(asked.answer() for _ in range(number))))


def test_a_storm_is_one_question(oracle: Oracle) -> None:
    asked = Question("it", oracle, seconds=5, kept=60)
    assert asyncio.run(many(asked, 500)) == [1] * 500
    assert asyncio.run(many(asked, 500)) == [1] * 500, "also in another loop, after the answer"
    assert oracle.asked == 1


def test_an_answer_is_not_kept_for_ever(oracle: Oracle) -> None:
    asked = Question("it", oracle, seconds=5, kept=0)
    assert [asyncio.run(asked.answer()) for _ in range(3)] == [1, 2, 3]


def test_what_hangs_is_waited_for_once_and_not_asked_twice(oracle: Oracle) -> None:
    asked = Question("it", oracle, seconds=0.2, kept=60)
    oracle.may.clear()
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer for"):
        asyncio.run(asked.answer())
    assert 0.2 <= time.monotonic() - started < 2
    for _ in range(50):
        with pytest.raises(TimeoutError):
            asyncio.run(asked.answer())
    assert oracle.asked == 1
    assert time.monotonic() - started < 2, "later askers do not wait for their own 0.2 s"
    oracle.may.set()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert asyncio.run(asked.answer()) == 1
            return
        except TimeoutError:
            continue
    pytest.fail("the answer that came late was not taken")


def test_what_hangs_for_long_is_asked_anew(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "GIVEN_UP_SECONDS", 0.1)
    asked = Question("it", oracle, seconds=0.1, kept=60)
    oracle.may.clear()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(asked.answer())
    assert oracle.asked == 2


def test_an_error_is_kept_as_an_answer_is(oracle: Oracle) -> None:
    asked = Question("it", oracle, seconds=5, kept=60)
    oracle.error = OSError("gone")
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            asyncio.run(asked.answer())
    assert oracle.asked == 1


def test_who_leaves_takes_the_answer_from_nobody(oracle: Oracle) -> None:
    asked = Question("it", oracle, seconds=5, kept=60)
    oracle.may.clear()

    async def leave_and_stay() -> int:
        leaving, staying = (asyncio.create_task(asked.answer()) for _ in range(2))
        await asyncio.sleep(0.05)
        leaving.cancel()
        oracle.may.set()
        return await staying

    assert asyncio.run(leave_and_stay()) == 1
