"""Drawings of members, and drawings as responses."""

from typing import Annotated, Any

from fastapi import Query, Response

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.membership import given_rank
from app.api.schemas.drawing import PIXELS, THEMES, DrawingView, DrawQuestion
from app.architecture import draw_svg, draw_text
from app.architecture.draw import NARROWEST, PAGE, WIDEST, Theme, draw_dot, draw_json
from app.space import SearchSpace

SVG_MEDIA_TYPE = "image/svg+xml"
TEXT_MEDIA_TYPE = "text/plain"
DOT_MEDIA_TYPE = "text/vnd.graphviz"
JSON_MEDIA_TYPE = "application/json"

# How a picture may be asked for in a query.
ThemeQuery = Annotated[Theme, Query(description=f"Colours: {THEMES}")]
WidthQuery = Annotated[int, Query(ge=NARROWEST, le=WIDEST, description=f"Room: {PIXELS}")]
PAGE_WIDTH = PAGE

# What the OpenAPI says of a route that answers drawings.
SVG: dict[int | str, dict[str, Any]] = {
    200: {"description": "The drawing", "content": {SVG_MEDIA_TYPE: {"schema": {"type": "string"}}}}
}
DRAWINGS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The drawing",
        "content": {
            media: {"schema": {"type": "string"}} for media in (SVG_MEDIA_TYPE, TEXT_MEDIA_TYPE, DOT_MEDIA_TYPE)
        }
        | {JSON_MEDIA_TYPE: {"schema": {"type": "object"}}},
    }
}

GRAPHS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The graph",
        "content": {DOT_MEDIA_TYPE: {"schema": {"type": "string"}}, JSON_MEDIA_TYPE: {"schema": {"type": "object"}}},
    }
}

# A drawing is a document of its own when opened alone: it may style itself and do nothing else.
SVG_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


def svg_response(svg: str) -> Response:
    """A picture."""
    return Response(svg, media_type=SVG_MEDIA_TYPE, headers=SVG_HEADERS)


def drawing_response(view: DrawingView) -> Response:
    """A picture, lines of characters, or a graph for other tools."""
    match view.form:
        case "svg":
            return svg_response(view.drawing)
        case "text":
            return Response(view.drawing, media_type=TEXT_MEDIA_TYPE)
        case "dot":
            return dot_response(view.drawing)
        case "json":
            return Response(view.drawing, media_type=JSON_MEDIA_TYPE)


def dot_response(dot: str) -> Response:
    """A graph in the language of Graphviz."""
    return Response(dot, media_type=DOT_MEDIA_TYPE)


def drawing(space: SearchSpace, question: DrawQuestion) -> DrawingView:
    """The drawing of a genotype: its cells, and the network where a skeleton is given."""
    index = given_rank(space, question.genotype, question.format)
    genotype = space.plan.unrank(index)
    skeleton = None if question.skeleton is None else chosen_skeleton(space, question.skeleton)
    image = chosen_image(space, question.input)
    match question.form:
        case "svg":
            drawn = draw_svg(space, genotype, skeleton, image, theme=question.theme, width=question.width)
        case "text":
            drawn = draw_text(space, genotype)
        case "dot":
            drawn = draw_dot(space, genotype, skeleton, image)
        case "json":
            drawn = draw_json(space, genotype, skeleton, image)
    return DrawingView(space=identity(space), index=str(index), form=question.form, drawing=drawn)
