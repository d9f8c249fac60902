"""Every error is `application/problem+json` (RFC 9457), and one table says which domain error becomes which problem.

    Problem (Exception)   raised by this floor where no domain error fits

The domain raises its own errors and knows no HTTP; `problem_of` is the only place where the two meet. A pointer in
`errors[]` is a JSON pointer (RFC 6901) into the request's body; of a parameter, it is the parameter's name.
"""

import math
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import sqlalchemy.exc
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.api.headers import SECURITY_HEADERS
from app.api.schemas.problem import FaultView, ProblemView
from app.architecture import LoweringError
from app.architecture.formats import FormatError
from app.jobs import IdempotencyConflict, QueueFull, QuotaExceeded, Refused
from app.space import Fault, GrammarError, InvalidGenotype, NoOther, OutOfRange, SpaceError
from app.space.errors import Unmet, Unreadable

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:cellar:problem:"

# Bounds on what is echoed of a request: enough to recognise it, never a second copy of a large body.
SHOWN_CHARACTERS = 200
SHOWN_ITEMS = 20
SHOWN_DEPTH = 4
MAX_FAULTS = 1000

TITLES: Mapping[int, tuple[str, str]] = {
    400: ("malformed-request", "The request is malformed"),
    404: ("not-found", "There is no such resource"),
    405: ("method-not-allowed", "The resource does not know this method"),
    408: ("request-timeout", "The request took too long to arrive"),
    413: ("body-too-large", "The request's body is too large"),
    414: ("target-too-long", "The request's target is too long"),
    415: ("unsupported-media-type", "The request's body must be JSON"),
    422: ("invalid-request", "The request is not valid"),
    431: ("headers-too-large", "The request's headers are too large"),
    500: ("internal-error", "The service failed"),
}


@dataclass
class Problem(Exception):
    """An answer other than the one asked for."""

    status: int
    slug: str  # the last part of `type`; stable, for programs
    title: str  # the same for every problem of this type
    detail: str  # this occurrence: the place, the value, what was allowed
    errors: tuple[Fault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        super().__init__(self.detail)


def not_found(kind: str, name: object, allowed: Sequence[object] = ()) -> Problem:
    """404: nothing of this kind has this name, or the caller may not see it."""
    among = f"; there are {', '.join(map(str, allowed))}" if allowed else ""
    return Problem(404, "not-found", TITLES[404][1], f"no {kind} {shown(name)!r}{among}")


def not_owned(kind: str, name: object) -> Problem:
    """403: the caller may see it, and somebody else owns it."""
    detail = f"the {kind} {shown(name)!r} is somebody else's: you may see it, and not change it"
    return Problem(403, "forbidden", "The key does not allow this", detail)


def unprocessable(pointer: str, message: str, value: object = None, allowed: Sequence[object] = ()) -> Problem:
    """422: one part of the request is at fault."""
    fault = Fault(pointer, message, value, tuple(allowed))
    return Problem(422, *TITLES[422], detail=f"{pointer or '/'}: {message}", errors=(fault,))


def problem_of(error: Exception, prefix: str = "") -> Problem | None:
    """The table: the problem that a domain error is; None for what nobody expected. `prefix` goes before pointers."""
    match error:
        case Problem():
            return error
        case InvalidGenotype(faults=faults):
            title = "The genotype is not a member of the space"
            detail = f"{len(faults)} fault{'s' if len(faults) != 1 else ''} in the genotype"
            return Problem(422, "invalid-genotype", title, detail, tuple(under(prefix, f) for f in faults))
        case GrammarError(pointer=pointer, message=message, faults=faults):
            title = "The space is not well formed"
            found = tuple(under(prefix, f) for f in faults) or (Fault(prefix + pointer, message),)
            return Problem(422, "invalid-space", title, f"{prefix + pointer or '/'}: {message}", found)
        case OutOfRange(index=index, size=size):
            fault = Fault(prefix, str(error), str(index), ("0", str(size - 1)))
            return Problem(422, "out-of-range", "The index is outside the space", str(error), (fault,))
        case Unreadable(equivalence=name, allowed=names):
            title = "The space does not have this equivalence"
            return Problem(422, "no-equivalence", title, str(error), (Fault(prefix, str(error), name, names),))
        case Unmet():
            title = "Too few genotypes are valid"
            return Problem(422, "no-valid-genotype", title, str(error), (Fault(prefix, str(error)),))
        case NoOther():
            title = "There is no other genotype to go to"
            return Problem(422, "no-other", title, str(error), (Fault(prefix or "/genotype", str(error)),))
        case FormatError(pointer=pointer, message=message, value=value, allowed=allowed):
            title = "The genotype is not in its format"
            fault = Fault(prefix + pointer, message, value, allowed)
            return Problem(422, "unreadable-genotype", title, f"{fault.pointer or '/'}: {message}", (fault,))
        case LoweringError(pointer=pointer, message=message, value=value, allowed=allowed):
            fault = Fault(lowering_place(pointer), message, value, allowed)
            title = "The genotype has no network here"
            return Problem(422, "no-network", title, f"{fault.pointer}: {message}", (fault,))
        case IdempotencyConflict(job_id=job_id):
            title = "The idempotency key belongs to another request"
            return Problem(422, "idempotency-conflict", title, str(error), headers={"Link": f"</v1/jobs/{job_id}>"})
        case QueueFull(retry_seconds=seconds):
            title = "The service has as many queued jobs as it takes"
            return Problem(429, "queue-full", title, str(error), headers={"Retry-After": str(seconds)})
        case QuotaExceeded(resource=resource, used=used, limit=limit, retry_seconds=seconds):
            fault = Fault(resource, str(error), used, (f"below {limit:g}",))
            title, headers = "The owner has used what they may use", {"Retry-After": str(seconds)}
            return Problem(429, "quota-exceeded", title, str(error), (fault,), headers)
        case sqlalchemy.exc.OperationalError() | sqlalchemy.exc.TimeoutError() | sqlalchemy.exc.InterfaceError():
            title = "The database does not answer"
            return Problem(503, "unavailable", title, "try again in a few seconds", headers={"Retry-After": "5"})
        case SpaceError():
            return Problem(422, *TITLES[422], detail=str(error), errors=(Fault(prefix, str(error)),))
        case _:
            return None


def lowering_place(pointer: str) -> str:
    """Where in a request the surroundings or the genotype are that a lowering speaks of."""
    if pointer == "/image" or pointer.startswith("/image/"):
        return "/input" + pointer.removeprefix("/image")
    return pointer if pointer.startswith("/skeleton") else "/genotype" + pointer


@contextmanager
def located(prefix: str) -> Generator[None]:
    """Domain errors raised inside become problems whose pointers start at `prefix` of the request's body."""
    try:
        yield
    except Exception as error:
        problem = problem_of(error, prefix)
        if problem is None or problem is error:
            raise
        raise problem from error


@contextmanager
def relocated(place: str, elsewhere: str) -> Generator[None]:
    """Problems raised inside that point at `place` point `elsewhere`: the same question about another field."""
    try:
        yield
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        faults = tuple(
            Fault(elsewhere + f.pointer.removeprefix(place), f.message, f.value, f.allowed)
            if f.pointer == place or f.pointer.startswith(f"{place}/")
            else f
            for f in problem.errors
        )
        raise replace(problem, errors=faults, detail="; ".join(f"{f.pointer}: {f.message}" for f in faults)) from error


def under(prefix: str, fault: Fault) -> Fault:
    """The same fault, seen from a value that holds the faulty one at `prefix`."""
    return Fault(prefix + fault.pointer, fault.message, fault.value, fault.allowed)


def shown(value: object, depth: int = SHOWN_DEPTH) -> Any:
    """What is echoed of a value: always JSON in UTF-8, bounded in length, items and depth."""
    match value:
        case None | bool():
            return value
        case int():
            return (
                value
                if abs(value) < 2**53
                else shown_text(str(value) if value.bit_length() < 10_000 else "a long integer")
            )
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return shown_text(value)
        case Mapping() if depth:
            items = list(cast("Mapping[object, object]", value).items())[:SHOWN_ITEMS]
            return {shown_text(str(k)): shown(v, depth - 1) for k, v in items}
        case list() | tuple() if depth:
            return [shown(v, depth - 1) for v in cast("Sequence[object]", value)[:SHOWN_ITEMS]]
        case Mapping() | list() | tuple():
            return "..."
        case bytes():
            return shown_text(value.decode(errors="replace"))
        case _:
            return shown_text(str(value))


def shown_text(text: str) -> str:
    """A string that can be written as UTF-8 and is not too long."""
    clean = text[: SHOWN_CHARACTERS + 1].encode(errors="backslashreplace").decode()
    return clean if len(clean) <= SHOWN_CHARACTERS else clean[:SHOWN_CHARACTERS] + "..."


def fault_view(fault: Fault) -> FaultView:
    """A fault as it travels."""
    allowed = [shown(a) for a in fault.allowed]
    return FaultView(
        pointer=shown_text(fault.pointer), message=fault.message, value=shown(fault.value), allowed=allowed
    )


def listed(faults: Sequence[Fault]) -> Sequence[Fault]:
    """The faults that an answer lists: all, unless a hostile request has more than anybody reads."""
    if len(faults) <= MAX_FAULTS:
        return faults
    return (*faults[:MAX_FAULTS], *further(len(faults) - MAX_FAULTS))


def problem_view(problem: Problem, request_id: str) -> ProblemView:
    """A problem as it travels."""
    return ProblemView(
        type=TYPE_PREFIX + problem.slug,
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        errors=[fault_view(fault) for fault in listed(problem.errors)],
        request_id=request_id,
    )


class ProblemResponse(JSONResponse):
    """A problem on its way out: the layers that count find which one it is in the request's state."""

    media_type = MEDIA_TYPE

    def __init__(self, slug: str, content: object, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(content, status, headers)
        self.slug = slug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave, and say which problem it is."""
        scope["state"]["problem"] = self.slug
        await super().__call__(scope, receive, send)


def problem_response(request_id: str, problem: Problem) -> JSONResponse:
    """The response of a problem."""
    content = problem_view(problem, request_id).model_dump(mode="json")
    # Also here, not only in the outermost layer: a 500 is written outside of every layer of ours.
    headers = SECURITY_HEADERS | {"X-Request-ID": request_id, "Cache-Control": "no-store"} | dict(problem.headers)
    return ProblemResponse(problem.slug, content, problem.status, headers)


def request_faults(error: RequestValidationError) -> tuple[Fault, ...]:
    """What pydantic found, as faults with JSON pointers."""
    faults: list[Fault] = []
    listing = cast("Sequence[dict[str, Any]]", error.errors())
    for found in listing[: MAX_FAULTS - 1]:
        source, *place = found["loc"]
        context = cast("dict[str, Any]", found.get("ctx", {}))
        said = found["msg"].removeprefix("Value error, ")  # of a validator of ours
        message = said if source == "body" else f"{source} parameter: {said}"
        if found["type"] == "json_invalid":
            message, place = f"not JSON: {context['error']} at character {place[0]}", []
        # Pydantic lists what was allowed as text: 'cells', 'edge_cells' or 'chain'.
        allowed = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags", ""))))
        if source != "body":
            pointer = "".join(f"/{part}" for part in place)
        else:
            pointer = pointer_into(error.body, place, missing=found["type"] == "missing")
        faults.append(Fault(pointer, message, shown(found.get("input")), tuple(allowed)))
    return (*faults, *further(len(listing) - len(faults)))


def further(number: int) -> tuple[Fault, ...]:
    """Stands for faults beyond those that are listed."""
    return (Fault("", f"{number} further faults are not listed"),) if number else ()


def pointer_into(body: object, place: Sequence[str | int], *, missing: bool) -> str:
    """A JSON pointer from pydantic's place, without the names of union members, which are not in the body."""
    parts: list[str] = []
    for position, part in enumerate(place):
        match body:
            case dict() if part in body:
                body = cast("dict[object, object]", body)[part]
            case list() if isinstance(part, int) and part < len(cast("list[object]", body)):
                body = cast("list[object]", body)[part]
            case dict() if missing and position == len(place) - 1:
                pass  # the place of a missing field is where it should have been
            case _:  # pyright: ignore[reportUnknownVariableType]
                continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)


def request_identity(request: Request) -> str:
    """The identity that the outermost middleware gave this request."""
    return cast("str", request.state.request_id)


def methods_of(request: Request) -> list[str]:
    """The methods of a path: of all its routes, where the framework names those of the first."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return sorted({m for route in routes if route.path_regex.match(request.url.path) for m in route.methods or ()})


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of this application leaves as a problem."""

    async def domain(request: Request, error: Exception) -> Response:
        problem = problem_of(error) or Problem(
            500, *TITLES[500], detail="the error has been logged under this request_id"
        )
        return problem_response(request_identity(request), problem)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        slug, title = TITLES.get(error.status_code, ("http-error", "The request cannot be answered"))
        detail = {
            404: f"no route {request.url.path}",
            405: f"{request.method} is not one of the methods of {request.url.path}",
            413: "the body is longer than the service accepts",
        }.get(error.status_code, error.detail)
        headers = {"Allow": ", ".join(methods_of(request))} if error.status_code == 405 else error.headers or {}
        problem = Problem(error.status_code, slug, title, shown_text(detail), headers=headers)
        return problem_response(request_identity(request), problem)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if isinstance(error.body, bytes) and error.body:  # whatever is not called JSON comes as it is
            kind = request.headers.get("content-type")
            says = f"Content-Type is {shown_text(kind)}" if kind else "there is no Content-Type"
            problem = Problem(415, *TITLES[415], detail=f"{says}; send application/json")
            return problem_response(request_identity(request), problem)
        faults = request_faults(error)
        detail = "; ".join(f"{f.pointer or '/'}: {f.message}" for f in faults[:5])
        return problem_response(request_identity(request), Problem(422, *TITLES[422], detail=detail, errors=faults))

    database = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.TimeoutError, sqlalchemy.exc.InterfaceError)
    for kind in (Problem, SpaceError, FormatError, LoweringError, IdempotencyConflict, Refused, *database, Exception):
        app.add_exception_handler(kind, domain)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
