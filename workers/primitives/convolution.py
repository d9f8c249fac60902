"""Convolutions: (B, C, H, W) -> (B, D, H', W')."""

from torch import nn

from app.architecture import Graph, Node


def convolution(graph: Graph, node: Node) -> nn.Module:
    """A convolution of a node's largest extents; `pad` None keeps the extents (over the stride) of an odd kernel."""
    source, width = len(graph.nodes[node.inputs[0]].axis), len(node.axis)
    rows, columns = (len(axis) for axis in node["kernel"])
    pad, dilation = node["pad"], node["dilation"]
    padding = (pad, pad) if pad is not None else (dilation * (rows - 1) // 2, dilation * (columns - 1) // 2)
    return nn.Conv2d(
        source,
        width,
        (rows, columns),
        node["stride"],
        padding,
        dilation,
        groups=width if node["depthwise"] else 1,
        bias=node["bias"],
    )
