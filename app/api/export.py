"""Graphs as JSON."""

from math import prod
from typing import Any, cast

from app.api.schemas.architecture import GraphNodeView, GraphView
from app.architecture import Axis, Graph, parameters


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
