"""Search spaces: the zoo and the registered ones, their sizes and what is decided in them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from app.api.answers import decisions
from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import (
    AnsweringHere,
    Cursor,
    Lasting,
    PageLimit,
    ServicesHere,
    SpaceHere,
)
from app.api.drawings import PAGE_WIDTH, SVG, ThemeQuery, WidthQuery, svg_response
from app.api.library import page_of_spaces, published, registered, standing
from app.api.portrait import space_summary, space_view
from app.api.schemas.key import PublicationBody
from app.api.schemas.space import (
    DecisionsView,
    SpacePage,
    SpaceView,
)
from app.api.statuses import declared
from app.architecture.draw import draw_supernet

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


@router.post(
    "/spaces",
    status_code=201,
    responses={200: {"model": SpaceView, "description": "It was there already"}, **declared("space-exists")},
)
def register_space(services: ServicesHere, document: SpaceDocument, response: Response) -> SpaceView:
    """Register a space of one's own. It never changes; another grammar under the same name is its next version."""
    space, created = registered(services, document)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/v1/spaces/{space.name}@{space.version}"
    return space_view(space, *standing(services, space))


@router.post("/spaces/{space}/visibility")
def show_space(services: ServicesHere, space: SpaceHere, body: PublicationBody) -> SpaceView:
    """Show a registered space to everyone, for good: what others measure in it names it."""
    published(services, space)
    return space_view(space, *standing(services, space))


@router.get("/spaces/{space}", dependencies=[Lasting])
def get_space(services: ServicesHere, space: SpaceHere) -> SpaceView:
    """Everything that is known of a space: document, size, skeletons, what can be asked of it and what not."""
    return space_view(space, *standing(services, space))


@router.get("/spaces/{space}/decisions", dependencies=[Lasting])
async def list_decisions(answering: AnsweringHere) -> DecisionsView:
    """Everything that a genotype decides, with its options, and what each node may read."""
    return await answering(decisions)


@router.get("/spaces/{space}/svg", response_class=Response, responses=SVG)
def draw_space(space: SpaceHere, theme: ThemeQuery = "auto", width: WidthQuery = PAGE_WIDTH) -> Response:
    """The drawing of a whole space, nothing decided: all candidates, and what every open decision chooses from."""
    return svg_response(draw_supernet(space, theme=theme, width=width))
