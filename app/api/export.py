"""Graphs as JSON, as Python and in the language of Graphviz."""

from math import prod
from typing import Any, cast

from fastapi import Response

from app.api.drawings import DOT_MEDIA_TYPE
from app.api.schemas.architecture import GraphNodeView, GraphView
from app.api.weights import SAFETENSORS_MEDIA_TYPE
from app.architecture import Axis, Graph, lower, parameters
from app.architecture.source import python_source
from app.catalogue import Architecture
from app.space import ImageInput, SearchSpace
from app.space.skeletons import skeleton_from_json

PYTHON_MEDIA_TYPE = "text/x-python"

# What the OpenAPI says of a route that answers a document or a file.
EXPORTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in (PYTHON_MEDIA_TYPE, DOT_MEDIA_TYPE)}}
}
TRAINED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file of PyTorch, or of weights",
        "content": {
            PYTHON_MEDIA_TYPE: {"schema": {"type": "string"}},
            SAFETENSORS_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "The weights are known already"},
}


def graph_view(graph: Graph) -> GraphView:
    """A plain graph: every axis is a number."""
    nodes = [
        GraphNodeView(
            name=node.name,
            op=node.op,
            inputs=list(node.inputs),
            channels=len(node.axis),
            size=list(node.size),
            fields={name: plain(value) for name, value in node.attrs},
            params=sum(prod(map(len, axes)) for axes in parameters(graph, node).values()),
        )
        for node in graph.nodes.values()
    ]
    return GraphView(nodes=nodes, outputs=list(graph.outputs))


def plain(value: Any) -> Any:
    """An attribute as JSON."""
    match value:
        case Axis():
            return len(value)
        case tuple():
            return [plain(item) for item in cast("tuple[Any, ...]", value)]
        case _:
            return value


def source_response(
    row: Architecture, title: str, graph: Graph, genotype: Any, evaluation: str | None = None
) -> Response:
    """An architecture as one file that needs torch alone; of an evaluation its weights fit the file."""
    facts = {
        "space": f"{row.space_name}@{row.space_version}, digest {row.space_digest}",
        "architecture": row.id,
        **({} if evaluation is None else {"evaluation": evaluation}),
        "genotype": genotype,
        "skeleton": dict(row.skeleton),
        "input": dict(row.input),
    }
    headers = {"Content-Disposition": f'attachment; filename="{evaluation or row.id}.py"'}
    return Response(python_source(graph, title, facts), media_type=PYTHON_MEDIA_TYPE, headers=headers)


def graph_of(space: SearchSpace, row: Architecture, genotype: Any) -> Graph:
    """The network of an architecture, its places named as a genotype of it says."""
    return lower(space.grammar, skeleton_from_json(row.skeleton), ImageInput(**row.input), space.plan.read(genotype))
