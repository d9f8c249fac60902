"""A connection of the HTTP server, bounded: what a client may send before it is known what it wants, and how slowly.

uvicorn bounds neither. A head that never ends, a body that trickles, an answer that is never read would each hold a
connection for ever, and a head without end any amount of memory.

    bound            what passes it gets
    HEAD_BYTES       431: the request line and the headers together
    HEADERS          431: lines of headers
    URL_BYTES        414: the request's target
    HEAD_SECONDS     408: from the first byte, or the connection, to the end of the headers
    SLOWEST_BYTES    408: a body that comes slower than this a second, over BODY_SECONDS
    UNREAD_SECONDS   is cut off: an answer of which the client takes nothing for so long
"""

import asyncio
import json
import resource
import uuid
from collections.abc import Callable
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.headers import SECURITY_HEADERS
from app.api.problems import MEDIA_TYPE, TITLES, Problem, problem_view

HEAD_BYTES = 65_536
HEADERS = 100
URL_BYTES = 16_384
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
SLOWEST_BYTES = 1_024
UNREAD_SECONDS = 60.0
SPARED_FILES = 128  # descriptors that are never given to connections: the database's, logs, stored files

MALFORMED = Problem(400, *TITLES[400], detail="this is not a request of HTTP/1.1")


def too_late(what: str) -> Problem:
    """408: the client was given enough time."""
    return Problem(408, *TITLES[408], detail=what)


class Connection(HttpToolsProtocol):
    """uvicorn's own, with bounds. Whatever it refuses gets a problem, and the connection ends."""

    _timer: asyncio.TimerHandle | None = None  # of the head or of the body, whichever comes now
    _unread: asyncio.TimerHandle | None = None
    _in_head = False
    _in_body = False
    _held = 0  # bytes of the head so far, as they came
    _size = 0  # bytes of its headers that were read
    _received = 0  # bytes of the body since the timer was set
    _refusal: Problem | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take a connection if there is room, and give its first request its time."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
            return
        self._set_timer(HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._set_timer(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and judge what was read."""
        if self.transport.is_closing():
            return
        self._received += len(data)
        if self._in_head:
            self._held += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._held > HEAD_BYTES:  # one line without an end, of which the parser says nothing
            self._refuse(too_large_head())
        elif self._timer is None and not self._in_body and not self._is_answering():
            self._set_timer(HEAD_SECONDS, self._head_is_late)  # what came is not yet the start of a request

    # -- what the parser says; what is raised here makes it answer `send_400_response` ---------------------------------

    def on_message_begin(self) -> None:
        """Count the head from here."""
        super().on_message_begin()
        self._in_head, self._held, self._size = True, 0, 0
        if self._timer is None:
            self._set_timer(HEAD_SECONDS, self._head_is_late)

    def on_url(self, url: bytes) -> None:
        """Refuse a target that is too long."""
        super().on_url(url)
        if len(self.url) > URL_BYTES:
            self._give_up(Problem(414, *TITLES[414], detail=f"at most {URL_BYTES} bytes are accepted"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Refuse headers that are too many or too long."""
        super().on_header(name, value)
        self._size += len(name) + len(value)
        if self._size > HEAD_BYTES or len(self.headers) > HEADERS:
            self._give_up(too_large_head())

    def on_headers_complete(self) -> None:
        """The body has its time from here."""
        self._in_head, self._in_body, self._received = False, True, 0
        self._set_timer(BODY_SECONDS, self._body_is_late)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All is here."""
        self._in_body = False
        self._set_timer(None)
        super().on_message_complete()

    # -- what takes too long -------------------------------------------------------------------------------------------

    def _set_timer(self, seconds: float | None, late: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None or late is None else self.loop.call_later(seconds, late)

    def _head_is_late(self) -> None:
        self._refuse(too_late(f"the request was not complete after {HEAD_SECONDS:g} s"), silent=not self._in_head)

    def _body_is_late(self) -> None:
        answered = self.cycle.response_complete  # without the body: the client had time to stop
        waits_for_us = self.flow.read_paused
        if answered or (self._received < SLOWEST_BYTES * BODY_SECONDS and not waits_for_us):
            self._refuse(too_late(f"the body came slower than {SLOWEST_BYTES} bytes a second"), silent=answered)
        else:
            self._received = 0
            self._set_timer(BODY_SECONDS, self._body_is_late)

    def pause_writing(self) -> None:
        """The client does not read: not for ever."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # none before the first request
        return cycle is not None and not cycle.response_complete

    # -- refusals ------------------------------------------------------------------------------------------------------

    def _give_up(self, problem: Problem) -> None:
        self._refusal = problem
        raise ValueError(problem.detail)

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read, or was told not to."""
        self._refuse(self._refusal or MALFORMED)

    def _refuse(self, problem: Problem, *, silent: bool = False) -> None:
        """Answer, unless an answer has begun, and end the connection."""
        self._set_timer(None)
        begun = self._is_answering() and self.cycle.response_started
        if not silent and not begun and not self.transport.is_closing():
            self.transport.write(written(problem))
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


def too_large_head() -> Problem:
    """431: the headers are too many or too long."""
    detail = f"at most {HEADERS} headers and {HEAD_BYTES} bytes are accepted before the body"
    return Problem(431, *TITLES[431], detail=detail)


def written(problem: Problem) -> bytes:
    """A whole response, for a request that never became one."""
    identity = uuid.uuid4().hex
    body = json.dumps(problem_view(problem, identity).model_dump(mode="json")).encode()
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "connection": "close",
        "x-request-id": identity,
        **{name.lower(): value for name, value in SECURITY_HEADERS.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {problem.status} {problem.title}\r\n{lines}\r\n".encode() + body


def most_connections() -> int:
    """Connections at once: as many as there are descriptors, less what else needs one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, soft - SPARED_FILES) if soft != resource.RLIM_INFINITY else 100_000
