"""Members of a space by rank: random ones, pages of consecutive ones, and each by itself."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.answers import canonical_form, member, member_page, sample
from app.api.costs import costs
from app.api.dependencies import MAX_INDEX_DIGITS, AnsweringHere, IndexHere, Lasting, PageLimit, SpaceHere
from app.api.drawings import PAGE_WIDTH, SVG, ThemeQuery, WidthQuery, drawing, drawing_response
from app.api.problems import unprocessable
from app.api.schemas.cost import CostQuestion, CostView
from app.api.schemas.drawing import DrawQuestion
from app.api.schemas.genotype import (
    CanonicalQuestion,
    CanonicalView,
    MemberPage,
    MemberView,
    SampleQuestion,
    SampleView,
)
from app.api.schemas.skeleton import Name

router = APIRouter(prefix="/v1/spaces/{space}", tags=["members"])

Start = Annotated[
    str,
    Query(pattern=r"^[0-9]+$", max_length=MAX_INDEX_DIGITS, description="First rank of the page, as a decimal number"),
]
SkeletonName = Annotated[
    Name | None, Query(description="Name of one of the space's skeletons; default: `cifar`, else its first")
]


@router.post("/sample")
def draw_sample(space: SpaceHere, question: SampleQuestion) -> SampleView:
    """Random members: uniform over the space, or uniform for each choice."""
    return sample(space, question)


@router.get("/members", dependencies=[Lasting])
async def list_members(
    answering: AnsweringHere, space: SpaceHere, start: Start = "0", limit: PageLimit = 50
) -> MemberPage:
    """Members of consecutive rank."""
    if int(start) >= space.plan.size:
        message = f"query parameter: {space.name}@{space.version} has no rank of {len(start)} digits that large"
        raise unprocessable("/start", message, start, ("0", str(space.plan.size - 1)))
    return await answering(member_page, int(start), limit)


@router.get("/members/{index}", dependencies=[Lasting])
async def get_member(answering: AnsweringHere, index: IndexHere) -> MemberView:
    """The member of a rank."""
    return await answering(member, index)


@router.get("/members/{index}/cost", dependencies=[Lasting])
def get_member_cost(space: SpaceHere, index: IndexHere, skeleton: SkeletonName = None) -> CostView:
    """The cost of the member of a rank."""
    return costs(space, CostQuestion(genotype=space.plan.unrank(index), skeleton=skeleton))


@router.get("/members/{index}/canonical", dependencies=[Lasting])
async def get_member_canonical(answering: AnsweringHere, space: SpaceHere, index: IndexHere) -> CanonicalView:
    """The canonical form of the member of a rank."""
    return await answering(canonical_form, CanonicalQuestion(genotype=space.plan.unrank(index)))


@router.get("/members/{index}/svg", response_class=Response, responses=SVG)
def get_member_svg(
    space: SpaceHere,
    index: IndexHere,
    skeleton: SkeletonName = None,
    theme: ThemeQuery = "auto",
    width: WidthQuery = PAGE_WIDTH,
) -> Response:
    """The drawing of the member of a rank."""
    question = DrawQuestion(genotype=space.plan.unrank(index), skeleton=skeleton, theme=theme, width=width)
    return drawing_response(drawing(space, question))
