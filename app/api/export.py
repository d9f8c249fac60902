"""Graphs as JSON, as Python and in the language of Graphviz."""

from math import prod
from typing import Any, cast

from fastapi import Response

from app.api.drawings import DOT_MEDIA_TYPE
from app.api.schemas.architecture import GraphNodeView, GraphView
from app.architecture import Axis, Graph, parameters
from app.architecture.source import python_source
from app.catalogue import Architecture

PYTHON_MEDIA_TYPE = "text/x-python"

# What the OpenAPI says of a route that answers a document or a file.
EXPORTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in (PYTHON_MEDIA_TYPE, DOT_MEDIA_TYPE)}}
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


def source_response(row: Architecture, title: str, graph: Graph) -> Response:
    """An architecture as one file that needs torch alone."""
    facts = {
        "space": f"{row.space_name}@{row.space_version}, digest {row.space_digest}",
        "architecture": row.id,
        "genotype": row.genotype,
        "skeleton": dict(row.skeleton),
        "input": dict(row.input),
    }
    headers = {"Content-Disposition": f'attachment; filename="{row.id}.py"'}
    return Response(python_source(graph, title, facts), media_type=PYTHON_MEDIA_TYPE, headers=headers)
