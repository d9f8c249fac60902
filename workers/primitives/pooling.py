"""Pooling: maxima and averages over windows or over all places."""

from torch import Tensor, nn

from app.architecture import Graph, Node


class AvgPool(nn.AvgPool2d):
    """An average over the places of a window that lie inside the maps; padding is not counted."""

    def __init__(self, kernel: int, stride: int, pad: int, *, ceil: bool) -> None:
        super().__init__(kernel, stride, pad, ceil_mode=ceil, count_include_pad=False)


class Mean(nn.Module):
    """(B, C, H, W) -> (B, C) or (B, N, F) -> (B, F), the mean over all places."""

    def forward(self, x: Tensor) -> Tensor:
        """The mean over height and width, or over a sequence."""
        return x.mean((2, 3)) if x.ndim == 4 else x.mean(1)


def max_pool(graph: Graph, node: Node) -> nn.Module:
    """(B, C, H, W) -> (B, C, H', W')."""
    return nn.MaxPool2d(node["kernel"], node["stride"], node["pad"], ceil_mode=node["ceil"])


def avg_pool(graph: Graph, node: Node) -> nn.Module:
    """(B, C, H, W) -> (B, C, H', W')."""
    return AvgPool(node["kernel"], node["stride"], node["pad"], ceil=node["ceil"])


def mean(graph: Graph, node: Node) -> nn.Module:
    """The mean over all places."""
    return Mean()
