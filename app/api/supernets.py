"""Supernets as graphs: a space on a skeleton, nothing decided, with the guards of what is open."""

from typing import Literal

from fastapi import Response

from app.api.answers import chosen_skeleton
from app.api.drawings import JSON_MEDIA_TYPE, dot_response
from app.api.problems import relocated, unprocessable
from app.architecture import lower
from app.architecture.draw import graph_dot, graph_json
from app.space import SearchSpace

SupernetForm = Literal["dot", "json"]

NODES = 20_000  # of one answer: about twenty megabytes


def supernet_response(space: SearchSpace, skeleton: str | None, form: SupernetForm) -> Response:
    """The graph of a whole space. Raises a Problem, 422, where it is too large to travel."""
    chosen = chosen_skeleton(space, skeleton)
    with relocated("/genotype", "/skeleton"):  # none was given
        graph = lower(space.grammar, chosen, space.input)
    if len(graph.nodes) > NODES:
        message = f"query parameter: the supernet has {len(graph.nodes)} nodes there; at most {NODES} travel"
        raise unprocessable("/skeleton", message, skeleton, tuple(space.skeletons))
    if form == "dot":
        return dot_response(graph_dot(graph, space.title))
    return Response(graph_json(graph, space.title), media_type=JSON_MEDIA_TYPE)
