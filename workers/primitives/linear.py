"""Linear maps: (B, ..., C) -> (B, ..., D)."""

from torch import nn

from app.architecture import Graph, Node


def linear(graph: Graph, node: Node) -> nn.Module:
    """A linear map of a node's largest extents."""
    return nn.Linear(len(graph.nodes[node.inputs[0]].axis), len(node.axis), bias=node["bias"])
