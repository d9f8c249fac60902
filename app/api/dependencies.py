"""What endpoints are given: the services of this process, the space in the path, the rank in the path.

All of it is asynchronous: what is not runs in the thread pool, and the way there takes longer than the work.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.api.callers import NOBODY
from app.api.headers import IMMUTABLE
from app.api.library import find_space, parse_reference
from app.api.problems import not_found, request_identity
from app.api.schemas.model import PRIORITY, Input, Output
from app.api.services import Services
from app.experiment import MAX_PRIORITY
from app.space import SearchSpace
from app.space.zoo import ZOO

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

MAX_INDEX_DIGITS = 4000  # Python itself refuses to read integers of more than 4300


async def services_of(request: Request) -> Services:
    """The services of this process, on behalf of whoever sends this request."""
    return replace(cast("Services", request.app.state.services), caller=getattr(request.state, "caller", NOBODY))


ServicesHere = Annotated[Services, Depends(services_of)]


SpaceName = Annotated[str, Path(description="`name` or `name@version` of a space", max_length=100, examples=["darts"])]


async def space_at(request: Request, space: SpaceName) -> SearchSpace:
    """The space in the path. One that is at hand costs no I/O; a registered one is fetched in the thread pool."""
    services = await services_of(request)
    name, version = parse_reference(space)
    found = services.shelf.find(name, version, viewer=services.caller.owner)
    return found or await run_in_threadpool(find_space, services, space)


SpaceHere = Annotated[SearchSpace, Depends(space_at)]
SMALL_BODY = 16_384  # bytes


class Answering:
    """The space in the path, and where a pure question about it is answered. A small one about a space of the zoo takes
    about a millisecond, on the event loop; any other could keep everybody waiting for seconds, and runs in the thread
    pool: so does what constraints are asked about, for a repair may look far."""

    def __init__(self, request: Request, space: SearchSpace) -> None:
        length = request.headers.get("content-length", "0" if request.method == "GET" else "")
        small = length.isdecimal() and int(length) <= SMALL_BODY
        self.space = space
        self.at_once = small and space.name in ZOO and not space.constraints

    async def __call__(
        self, answer: Callable[Concatenate[SearchSpace, Asked], Answer], *asked: Asked.args, **named: Asked.kwargs
    ) -> Answer:
        """The answer, given here or in the thread pool."""
        if self.at_once:
            return answer(self.space, *asked, **named)
        return await run_in_threadpool(answer, self.space, *asked, **named)


async def answering_at(request: Request, space: SpaceName) -> Answering:
    """Where a question about the space in the path is answered."""
    return Answering(request, await space_at(request, space))


AnsweringHere = Annotated[Answering, Depends(answering_at)]


class Batching:
    """The space in the path, and where batches about it are answered: in a thread, or where they are large, in another
    process."""

    def __init__(self, request: Request, space: SearchSpace, services: Services) -> None:
        self.space = space
        self._request_id = request_identity(request)
        self._services = services

    async def __call__(self, items: Sequence[Input], answer: Callable[[SearchSpace, Any], Output]) -> Response:
        """The answers in the order of the items."""
        body = await self._services.offload(self.space, items, answer, self._request_id)
        return Response(body, media_type="application/json")


async def batching_at(request: Request, space: SpaceName) -> Batching:
    """Where batches about the space in the path are answered."""
    return Batching(request, await space_at(request, space), await services_of(request))


BatchingHere = Annotated[Batching, Depends(batching_at)]


async def index_at(
    space: SpaceHere,
    index: Annotated[str, Path(description="Rank in [0, size), as a decimal number", max_length=4096, examples=["42"])],
) -> int:
    """The rank in the path; there is no member of a rank outside the space."""
    if not index.isascii() or not index.isdecimal() or len(index) > MAX_INDEX_DIGITS or int(index) >= space.plan.size:
        raise not_found(f"member of {space.name}@{space.version} with rank", index)
    return int(index)


async def lasting(request: Request, response: Response) -> None:
    """Marks an answer that names a version as one that never changes."""
    if "@" in request.path_params["space"]:
        response.headers["Cache-Control"] = IMMUTABLE


IndexHere = Annotated[int, Depends(index_at)]
Lasting = Depends(lasting)
Priority = Annotated[int, Query(ge=-MAX_PRIORITY, le=MAX_PRIORITY, description=PRIORITY)]
Shown = Annotated[
    Literal["private", "public"],
    Query(description="Who sees the job, what it measures and what it keeps: its owner alone, or everyone"),
]
PageLimit = Annotated[int, Query(ge=1, le=200, description="At most so many items")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Names this request: sending it again with the same key answers the same job and makes no other",
    ),
]
