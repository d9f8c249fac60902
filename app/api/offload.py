"""Large batches in a process of their own: a thread would keep the interpreter, and with it everybody, waiting.

The process is started by the first large batch, which a thread answers meanwhile; that takes a second or two. It ends
with the application, also where that is killed.
"""

import asyncio
import ctypes
import json
import multiprocessing
import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from fastapi.concurrency import run_in_threadpool

from app.api.batches import in_order
from app.api.schemas.model import Input, Output
from app.space import SearchSpace, space_from_json, space_to_json
from app.space.derived import derived
from app.space.zoo import ZOO

LARGE = 50  # items; fewer are answered before another process has read them
KEPT = 32  # registered spaces that the process remembers
PR_SET_PDEATHSIG = 1  # Linux, prctl(2)

Answer = Callable[[SearchSpace, Any], Output]


class Offload:
    """One process beside the application, for batches. For the event loop alone."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._started: Future[int] | None = None

    async def __call__(self, space: SearchSpace, items: Sequence[Input], answer: Answer, request_id: str) -> bytes:
        """The encoded answers to a batch."""
        if len(items) >= LARGE and (pool := self._ready()) is not None:
            place = space.name if ZOO.get(space.name) is space else document_of(space)
            work = (place, list(items), answer, request_id)
            try:
                return await asyncio.wrap_future(pool.submit(encoded_apart, *work))
            except BrokenProcessPool:
                self.close()
        return await run_in_threadpool(encoded, space, items, answer, request_id)

    def _ready(self) -> ProcessPoolExecutor | None:
        """The process, once it runs."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=begin, initargs=(os.getpid(),))
            self._started = self._pool.submit(os.getpid)
        assert self._started is not None
        if not self._started.done():
            return None
        if self._started.exception() is not None:
            self.close()
            return None
        return self._pool

    def close(self) -> None:
        """End the process; another large batch starts another."""
        pool, self._pool, self._started = self._pool, None, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def encoded(space: SearchSpace, items: Sequence[Input], answer: Answer, request_id: str) -> bytes:
    """Every item's answer or problem, as JSON."""
    return in_order(space, items, answer, request_id).model_dump_json().encode()


@derived
def document_of(space: SearchSpace) -> str:
    """A registered space as it is sent to the process: a compiled one cannot be."""
    return json.dumps(space_to_json(space))


# -- in the process ----------------------------------------------------------------------------------------------------

_known: OrderedDict[str, SearchSpace] = OrderedDict()


def begin(parent: int) -> None:
    """Leave interrupts to the application, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def encoded_apart(place: str, items: Sequence[Input], answer: Answer, request_id: str) -> bytes:
    """The same in the process: `place` is the name of a space of the zoo, or the document of another."""
    if place in ZOO:
        return encoded(ZOO[place], items, answer, request_id)
    space = _known.get(place)
    if space is None:
        space = _known[place] = space_from_json(json.loads(place))
    _known.move_to_end(place)
    while len(_known) > KEPT:
        _known.popitem(last=False)
    return encoded(space, items, answer, request_id)
