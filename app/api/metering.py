"""Counts of this process's requests, by the route that answered them, as Prometheus names them."""

import time
from functools import lru_cache
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNCOUNTED = ("/metrics", "/healthz")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metering:
    """Counts every request and how long its answer took to begin."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        labels = ("handler", "method", "status")
        total = Counter("http_requests_total", "Requests by route, method and status", labels, registry=registry)
        taken = Histogram(
            "http_request_duration_seconds",
            "Seconds until an answer begins",
            ("handler", "method"),
            registry=registry,
            buckets=SECONDS,
        )

        self.problems = Counter(
            "http_problems_total",
            "Answers that were problems, by status and kind",
            ("status", "problem"),
            registry=registry,
        )

        @lru_cache(maxsize=1024)
        def series(handler: str, method: str, status: str) -> tuple[Counter, Histogram]:
            return total.labels(handler, method, status), taken.labels(handler, method)

        self.series = series

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and count."""
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self.app(scope, receive, send)
            return
        started, began, status = time.perf_counter(), 0.0, 500

        async def send_counted(message: Message) -> None:
            nonlocal began, status
            if message["type"] == "http.response.start":
                began, status = time.perf_counter(), message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
        finally:
            # A route's template, never a path: what clients make up must not become series.
            handler = str(getattr(cast("Any", scope.get("route")), "path", "none"))
            count, taken = self.series(handler, known_method(scope["method"]), f"{status // 100}xx")
            count.inc()
            if (problem := scope.get("state", {}).get("problem")) is not None:
                self.problems.labels(str(status), problem).inc()
            taken.observe((began or time.perf_counter()) - started)


def known_method(method: str) -> str:
    """A method that HTTP knows; any other is one series together."""
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
