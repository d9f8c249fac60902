"""One line of log for every request: who asked for which route, what the answer was, how long it took to begin."""

import time
from collections.abc import Mapping
from typing import Any, cast

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.callers import Caller
from app.api.metering import known_method

log = structlog.get_logger(__name__)

QUIET = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds by machines: told only where the answer is a failure."""


class RequestLog:
    """The outermost layer: it also sees what is turned away before it has a route.

    The line has the template of the route, never the path, and nothing that was sent: neither query, nor body, nor key.
    A stream's line comes when it ends.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and tell."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, began, status = time.perf_counter(), 0.0, 500

        async def send_seen(message: Message) -> None:
            nonlocal began, status
            if message["type"] == "http.response.start":
                began, status = time.perf_counter(), message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_seen)
        finally:
            if status >= 500 or scope["path"] not in QUIET:
                ended = time.perf_counter()
                say = log.warning if status >= 500 else log.info
                say(
                    "request",
                    method=known_method(scope["method"]),
                    status=status,
                    ms=round(((began or ended) - started) * 1000, 1),
                    seconds=round(ended - started, 3),
                    **described(scope),
                )


def described(scope: Scope) -> dict[str, object]:
    """What the layers below have found out about a request."""
    state = cast("Mapping[str, Any]", scope.get("state", {}))
    found: dict[str, object] = {
        "request_id": state.get("request_id"),
        "route": str(getattr(cast("Any", scope.get("route")), "path", "none")),
    }
    caller = state.get("caller")
    if isinstance(caller, Caller):
        found |= {"owner": caller.owner, "key": caller.key_id}
    job = cast("Mapping[str, Any]", scope.get("path_params", {})).get("job_id")
    return found if job is None else found | {"job": str(job)}
