"""Search spaces: the zoo and the registered ones, their sizes and what is decided in them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from app.api.answers import decisions, identity
from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import AnsweringHere, Cursor, IdempotencyKey, Lasting, PageLimit, ServicesHere, SpaceHere
from app.api.headers import IMMUTABLE
from app.api.library import page_of_spaces, registered, standing
from app.api.portrait import space_summary, space_view
from app.api.problems import located, unprocessable
from app.api.schemas.job import JobView
from app.api.schemas.space import (
    CountQuestion,
    CountView,
    DecisionsView,
    SpacePage,
    SpaceQuestion,
    SpaceSizeView,
    SpaceView,
)
from app.api.sizes import size_answer, size_view, stored_counts
from app.api.submissions import submitted, written
from app.experiment import CountRequest, SpaceVersion, uncountable
from app.space import space_from_json, space_to_json
from app.space.classes import reading_of

router = APIRouter(prefix="/v1", tags=["spaces"])

SpaceDocument = Annotated[
    dict[str, Any],
    Body(
        description="A space: name, title, grammar, skeletons, constraints, equivalences, input, paper, notes; "
        "only name and grammar are required. The service numbers the versions: a `version` is not looked at. "
        "`visibility` is `private` (the default: only its owner may see it) or `public`"
    ),
]


@router.get("/spaces")
def list_spaces(services: ServicesHere, limit: PageLimit = 50, cursor: Cursor = None) -> SpacePage:
    """The spaces of the zoo and the registered ones, each in its latest version, by name."""
    after = "" if cursor is None else read_cursor(services.secret, "spaces", cursor)["name"]
    found = page_of_spaces(services, after, limit + 1)
    place = {"name": found[limit - 1][0].name} if len(found) > limit else None
    return SpacePage(
        items=[space_summary(space, origin) for space, origin in found[:limit]],
        next=None if place is None else write_cursor(services.secret, "spaces", place),
    )


@router.post("/spaces", status_code=201, responses={200: {"model": SpaceView, "description": "It was there already"}})
def register_space(services: ServicesHere, document: SpaceDocument, response: Response) -> SpaceView:
    """Register a space of one's own. It never changes; another grammar under the same name is its next version."""
    space, created = registered(services, document)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/v1/spaces/{space.name}@{space.version}"
    return space_view(space, *standing(services, space))


@router.get("/spaces/{space}", dependencies=[Lasting])
def get_space(services: ServicesHere, space: SpaceHere) -> SpaceView:
    """Everything that is known of a space: document, size, skeletons, what can be asked of it and what not."""
    return space_view(space, *standing(services, space))


@router.get("/spaces/{space}/size", response_model=SpaceSizeView)
async def get_size(services: ServicesHere, space: SpaceHere, request: Request) -> Response:
    """How many genotypes there are: in the grammar, under the constraints, and up to each equivalence."""
    answer = size_answer(space)
    if not answer.fresh:
        await run_in_threadpool(answer.renew, services, space)
    lasting = answer.settled and "@" in request.path_params["space"]
    headers = {"Cache-Control": IMMUTABLE} if lasting else None
    return Response(answer.body, media_type="application/json", headers=headers)


@router.post(
    "/spaces/{space}/count",
    status_code=202,
    response_model=JobView,
    responses={200: {"model": CountView, "description": "It is known already"}},
)
def count_classes(
    services: ServicesHere, space: SpaceHere, question: CountQuestion, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Count classes exactly: 200 where the count is known, else 202 with a job that takes as long as it takes."""
    name = question.equivalence
    with located("/equivalence"):
        reading_of(space, name)
    version = next(e.version for e in space.equivalences if e.name == name)
    sizes = size_view(space, stored_counts(services, space))
    size = next(size for size in sizes.unique if size.equivalence == name)
    if size.exact is not None:
        return written(CountView(space=identity(space), size=size))
    if why := uncountable(space, name):
        raise unprocessable("/equivalence", why, name)
    identified = SpaceVersion(name=space.name, version=space.version, digest=space.digest)
    request = CountRequest(space=identified, document=space_to_json(space), equivalence=name, version=version)
    return submitted(services, request, idempotency_key)


@router.post("/size")
def find_size(question: SpaceQuestion) -> SpaceSizeView:
    """The sizes of a space that need not be registered."""
    with located("/space"):
        return size_view(space_from_json(question.space))


@router.get("/spaces/{space}/decisions", dependencies=[Lasting])
async def list_decisions(answering: AnsweringHere, space: SpaceHere) -> DecisionsView:
    """Everything that a genotype decides, with its options, and what each node may read."""
    return await answering(decisions, space)
