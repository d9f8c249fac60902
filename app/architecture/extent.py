"""Extent: a first measure of what a step of a graph that is still open has to hold."""

from math import prod

from app.architecture.graph import Graph

BYTES = 4  # of a float32


def extent(graph: Graph, batch_size: int) -> int:
    """Bytes that all nodes together put out for a batch, every option computed. A bound on nothing: what is kept for
    the backward pass and what is let go depends on the weights of the decisions."""
    return BYTES * batch_size * sum(len(node.axis) * prod(node.size) for node in graph.nodes.values())
