"""Who comes in, how often, and through which door.

Access   before routing: the key in the Authorization header becomes a caller; rates are counted; who has a bad key
         goes no further
Door     around each route: whether the caller's scopes let them through

Both judge by the headers alone: nobody's body is read before it is known that they may send it.
"""

import copy
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import sqlalchemy.exc
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.callers import EVERY_SCOPE, LOCAL_OWNER, NOBODY, Caller, Needed
from app.api.keyring import HELD_SECONDS, KeyRing
from app.api.problems import Problem, problem_of, problem_response, shown_text
from app.api.rates import Rate, Standing, counted_as
from app.api.scopes import needed_for
from app.catalogue import Token, audit
from app.settings import Settings

UNCOUNTED = "/healthz"  # whoever watches the process asks it often, and it costs nothing
WATCHED = "/metrics"
REALM = 'Bearer realm="cellar"'
PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers that a proxy adds."""

RECORDED_REFUSALS = "60/minute"
"""So many refused attempts of a kind a process writes into the audit log: a flood of them shall not fill a disk."""


class Access:
    """Gives every request a caller, or none. `ring` has the keys."""

    def __init__(self, app: ASGIApp, *, settings: Settings, ring: KeyRing) -> None:
        self.app = app
        self.asks = settings.asks_for_keys
        self.guarded = not settings.allow_open  # without keys, only this machine may ask
        self.ring = ring
        self.of_key = Rate("key", settings.key_rate)
        self.of_address = Rate("address", settings.address_rate)
        self.of_failures = Rate("refused", settings.refused_rate)
        self.of_records = Rate("records", RECORDED_REFUSALS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its caller, or answer with a problem."""
        if scope["type"] != "http" or scope["path"] == UNCOUNTED:
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        address = scope["client"][0] if scope.get("client") else None
        state["refusals"] = self
        if not self.asks:
            if self.guarded and (header := passed_on(scope)):
                await problem_response(state["request_id"], proxied(header))(scope, receive, send)
                return
            state["caller"] = Caller(
                owner=LOCAL_OWNER, scopes=EVERY_SCOPE, address=address, request_id=state["request_id"]
            )
            await self.app(scope, receive, send)
            return
        standing = self.of_address.hit(counted_as(address))
        token: Token | None = None
        try:
            if not standing.passed:
                raise too_many(standing)
            shown = Headers(scope=scope).get("authorization")
            if shown is not None:
                watching = scope["path"] == WATCHED
                token, caller, standing = await self.identified(shown, address, state["request_id"], watching=watching)
                state["caller"] = caller
        except Problem as problem:
            await problem_response(state["request_id"], problem)(scope, receive, send)
            return
        visit = Visit(self.ring, token, send, standing.headers())
        try:
            await self.app(scope, receive, visit.send)
        except Exception:
            if not visit.ended:
                raise

    async def identified(
        self, shown: str, address: str | None, request_id: str, *, watching: bool = False
    ) -> tuple[Token, Caller, Standing]:
        """Who shows this Authorization header. Raises a Problem where that is nobody, or they ask too often.

        `watching`: they want to know how the service stands, and are told that the database is away.
        """
        scheme, _, written = shown.partition(" ")
        token = Token.read(written.strip()) if scheme.lower() == "bearer" else None
        key = self.ring.at_hand(token) if token is not None else None
        whence = counted_as(address)
        if key is None:
            failures = self.of_failures.look(whence)
            if not failures.passed:
                raise too_many(failures)
            try:
                key = await self.ring.opened(token) if token is not None else None
            except sqlalchemy.exc.SQLAlchemyError as error:
                key = self.ring.remembered(token) if watching and token is not None else None
                if key is None:
                    raise problem_of(error) or error from error
        if token is None or key is None:
            self.of_failures.hit(whence)
            nobody = replace(NOBODY, key_id=token and token.id, address=address, request_id=request_id)
            await self.record(nobody, "key.show", None, reason="no valid key")
            raise unauthenticated("the key is not valid: it is mistyped, has expired or was revoked", "invalid_token")
        standing = self.of_key.hit(key.id)
        if not standing.passed:
            raise too_many(standing)
        scopes = frozenset(key.scopes)
        return (
            token,
            Caller(owner=key.owner, scopes=scopes, key_id=key.id, address=address, request_id=request_id),
            standing,
        )

    async def record(self, caller: Caller, action: str, subject: str | None, **details: str) -> None:
        """Write a refused attempt into the audit log, unless there are too many; a database that is away loses it."""
        if not self.of_records.hit(action).passed:
            return

        def write() -> None:
            with self.ring.database.transaction() as session:
                actor = caller.actor | {"owner": caller.owner or None}
                audit.record(session, action=action, subject=subject, outcome="refused", **actor, **details)

        with suppress(sqlalchemy.exc.SQLAlchemyError):
            await run_in_threadpool(write)


class Visit:
    """One request's way out: its headers say how the caller stands, and a stream ends when its key does."""

    def __init__(self, ring: KeyRing, token: Token | None, send: Send, headers: Mapping[str, str]) -> None:
        self.ring = ring
        self.token = token
        self.headers = headers
        self.ended = False
        self._send = send
        self._looked = time.monotonic()

    async def send(self, message: Message) -> None:
        """Pass a message on; raises OSError, as for a client that has gone, where the key opens nothing any more."""
        if message["type"] == "http.response.start":
            answer = MutableHeaders(scope=message)
            for name, value in self.headers.items():
                answer.setdefault(name, value)
            # What is shown to one key is not for the caches that others share.
            answer.add_vary_header("Authorization")
            if (kept := answer.get("Cache-Control", "")).startswith("public"):
                answer["Cache-Control"] = kept.replace("public", "private", 1)
        elif self.token is not None and time.monotonic() - self._looked > HELD_SECONDS:
            self._looked = time.monotonic()
            try:
                self.ended = await self.ring.opened(self.token) is None
            except sqlalchemy.exc.SQLAlchemyError:
                self.ended = True  # whoever follows events comes back, and is asked again
            if self.ended:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise OSError("the key of this stream is not valid any more")
        await self._send(message)


class Door:
    """A route for those whose scopes let them through."""

    def __init__(self, app: ASGIApp, needed: Needed, template: str) -> None:
        self.app = app
        self.needed = needed
        self.template = template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the route does, or raise a Problem."""
        caller: Caller | None = scope["state"].get("caller")
        if caller is None:
            raise unauthenticated(f"{self.template} needs a key with the scope {self.needed}")
        if self.needed not in caller.scopes:
            await scope["state"]["refusals"].record(caller, "scope.missing", self.template, needed=self.needed)
            raise forbidden(self.template, self.needed, caller)
        await self.app(scope, receive, send)


def behind_door(route: BaseRoute) -> BaseRoute:
    """The same route with its door; the public ones have none."""
    if not isinstance(route, Route):
        return route
    (method,) = (route.methods or set()) - {"HEAD"}
    needed = needed_for(method, route.path_format)
    if needed == "public":
        return route
    guarded = copy.copy(route)
    guarded.app = Door(route.app, needed, f"{method} {route.path_format}")
    return guarded


def passed_on(scope: Scope) -> str | None:
    """The header that says that a proxy passes on somebody else's request; None where none does."""
    names = {name for name, _ in scope["headers"]}
    return next((name for name in PASSED_ON if name.encode() in names), None)


def unauthenticated(detail: str, error: str | None = None) -> Problem:
    """401: nobody knows who this is."""
    challenge = REALM if error is None else f'{REALM}, error="{error}"'
    said = f"{detail}; send `Authorization: Bearer cellar_...`, which `cellar keys add` makes"
    return Problem(401, "unauthenticated", "A key is needed", said, headers={"WWW-Authenticate": challenge})


def proxied(header: str) -> Problem:
    """401: a proxy stands before a service that asks nobody for a key."""
    detail = (
        f"the header {header} says that a proxy passes this request on, and without keys only this machine is answered:"
        " set CELLAR_REQUIRE_KEYS=true and make keys with `cellar keys add`, or set CELLAR_ALLOW_OPEN=true where the "
        "proxy keeps strangers out"
    )
    return Problem(401, "unauthenticated", "A key is needed", detail, headers={"WWW-Authenticate": REALM})


def forbidden(template: str, needed: str, caller: Caller) -> Problem:
    """403: a known caller who may do other things."""
    has = ", ".join(sorted(caller.scopes))
    challenge = f'{REALM}, error="insufficient_scope", scope="{needed}"'
    detail = f"{shown_text(template)} needs the scope {needed}; the key {caller.key_id} has {has}"
    return Problem(403, "forbidden", "The key does not allow this", detail, headers={"WWW-Authenticate": challenge})


def too_many(standing: Standing) -> Problem:
    """429: more requests than a key or an address has."""
    what = "bad keys from one address" if standing.name == "refused" else f"requests of one {standing.name}"
    detail = f"{what}: at most {standing.limit} in {standing.window} s; again in {max(1, standing.resets)} s"
    return Problem(429, "rate-limited", "Too many requests", detail, headers=standing.headers())
