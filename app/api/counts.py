"""How large spaces are over HTTP: what is known at once, and what a job counts."""

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from app.api.answers import identity
from app.api.dependencies import ServicesHere, SpaceHere, SpaceName, services_of, space_at
from app.api.headers import IMMUTABLE
from app.api.problems import located, unprocessable
from app.api.schemas.job import JobView
from app.api.schemas.space import CountQuestion, CountView, SpaceQuestion, SpaceSizeView
from app.api.sizes import size_answer, size_view, stored_counts
from app.api.submissions import SubmissionHere, submitted, written
from app.experiment import CountRequest, SpaceVersion, uncountable
from app.space import space_from_json, space_to_json
from app.space.classes import reading_of

router = APIRouter(prefix="/v1", tags=["spaces"])


@router.get("/spaces/{space}/size", response_model=SpaceSizeView)
async def get_size(request: Request, space: SpaceName) -> Response:
    """How many genotypes there are: in the grammar, under the constraints, and up to each equivalence."""
    # Asked for here and not by injection, which takes as long as the whole answer.
    found = await space_at(request, space)
    answer = size_answer(found)
    if not answer.fresh:
        await run_in_threadpool(answer.renew, await services_of(request), found)
    lasting = answer.settled and "@" in space
    headers = {"ETag": answer.tag, "Cache-Control": IMMUTABLE if lasting else "no-cache"}
    return Response(answer.body, media_type="application/json", headers=headers)


@router.post(
    "/spaces/{space}/count",
    status_code=202,
    response_model=JobView,
    responses={200: {"model": CountView, "description": "It is known already"}},
)
def count_classes(
    services: ServicesHere,
    space: SpaceHere,
    question: CountQuestion,
    how: SubmissionHere,
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
    return submitted(services, request, how)


@router.post("/size")
def find_size(question: SpaceQuestion) -> SpaceSizeView:
    """The sizes of a space that need not be registered."""
    with located("/space"):
        return size_view(space_from_json(question.space))
