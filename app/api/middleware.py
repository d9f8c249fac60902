"""What every request meets before its route: an identity, a host check, a body limit, safe headers, conditional reads.

Gate             outermost: X-Request-ID in and out, security headers, the Host header, the announced body length
HeadAsGet        answers HEAD as GET without its body
ConditionalGet   innermost: an ETag on every complete read, and 304 for whoever has it already
"""

import asyncio
import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.headers import SECURITY_HEADERS
from app.api.problems import TITLES, Problem, problem_response, shown_text

MAX_BODY_BYTES = 1 << 20
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Gate:
    """The outermost layer. `hosts` are the accepted names of the Host header; empty accepts any. `uploads` are the
    paths to which more may be posted, in bytes, unless it is JSON."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str] = (), uploads: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.hosts = frozenset(hosts)
        self.uploads = uploads or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass on with a request identity."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        identity = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = identity

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer["X-Request-ID"] = identity
                for name, value in (SECURITY_HEADERS | scope["state"].get("announced", {})).items():
                    answer.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=identity):
            largest = self.largest(scope, headers)
            if problem := self.refusal(headers, largest):
                await problem_response(identity, problem)(scope, receive, send_with_headers)
            else:
                await self.app(scope, limited(receive, largest), send_with_headers)

    def largest(self, scope: Scope, headers: Headers) -> int:
        """Bytes that the body may have."""
        is_json = headers.get("content-type", "").partition(";")[0].strip().lower() in ("", "application/json")
        if is_json or scope["method"] != "POST":
            return MAX_BODY_BYTES
        return self.uploads.get(scope["path"], MAX_BODY_BYTES)

    def refusal(self, headers: Headers, largest: int = MAX_BODY_BYTES) -> Problem | None:
        """Why this request goes no further, judged by its headers alone."""
        host = host_name(headers.get("host", ""))
        if self.hosts and host not in self.hosts:
            # A page on another site can aim a browser at a loopback port under its own name (DNS rebinding).
            detail = f"the Host header names {host[:100]!r}; this service answers to {', '.join(sorted(self.hosts))}"
            return Problem(400, "unknown-host", "The service does not go by this name", detail)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > largest:
            detail = f"the body has {length[:20]} bytes, at most {largest} are accepted"
            return Problem(413, *TITLES[413], detail=detail)
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity") and has_body(headers):
            detail = f"Content-Encoding is {shown_text(coding)}; send the body as it is"
            return Problem(415, *TITLES[415], detail=detail, headers={"Accept-Encoding": "identity"})
        return None


def has_body(headers: Headers) -> bool:
    """Whether a body is announced."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def limited(receive: Receive, largest: int) -> Receive:
    """The same messages, as long as the body that came without its length stays within bounds."""
    total = 0

    async def receive_within_bounds() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > largest:
            raise HTTPException(413)  # becomes a problem where every other of its kind does
        return message

    return receive_within_bounds


def host_name(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0].lower()


class HeadAsGet:
    """Answers HEAD as GET would be answered, without the body. A stream ends once its headers are sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for the whole and send its headers."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        sent = asyncio.Event()

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            elif message["type"] == "http.response.body" and not sent.is_set():
                await send({"type": "http.response.body", "body": b""})
                sent.set()

        asked = {**scope, "method": "GET"}
        whole = asyncio.ensure_future(self.app(asked, receive, send_headers))
        enough = asyncio.ensure_future(sent.wait())
        await asyncio.wait({whole, enough}, return_when=asyncio.FIRST_COMPLETED)
        enough.cancel()
        if not whole.done():
            whole.cancel()
            await asyncio.wait({whole})
        if "route" in asked:
            scope["route"] = asked["route"]  # whoever counts requests asks which it was
        if not whole.cancelled():
            whole.result()


def tag_of(body: bytes) -> str:
    """The ETag of an answer: equal for equal bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class ConditionalGet:
    """Gives every complete 200 answer to a GET an ETag, and answers 304 where If-None-Match has it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the answer back until its tag is known; streams pass through as they come."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        given = ",".join(Headers(scope=scope).getlist("if-none-match"))
        wanted = [tag.strip().removeprefix("W/") for tag in given.split(",")]
        start: Message | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            elif message.get("more_body", False):
                MutableHeaders(scope=start).setdefault("Cache-Control", "no-cache")
                await send(start)
                start = None
                await send(message)
            else:
                headers = MutableHeaders(scope=start)
                tag = headers.get("ETag") or headers.setdefault("ETag", tag_of(message["body"]))
                headers.setdefault("Cache-Control", "no-cache")
                if tag in wanted or "*" in wanted:
                    del headers["Content-Length"]
                    start["status"], message = 304, {"type": "http.response.body", "body": b""}
                await send(start)
                await send(message)

        await self.app(scope, receive, send_tagged)
