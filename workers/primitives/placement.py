"""Moving and cutting without arithmetic."""

import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Graph, Node


class Zero(nn.Module):
    """(B, C, H, W) -> zeros (B, D, H', W')."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.width = width
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros of the input's type and device."""
        batch, _, height, width = x.shape
        return x.new_zeros(batch, self.width, (height - 1) // self.stride + 1, (width - 1) // self.stride + 1)


class Shift(nn.Module):
    """Without the first row and column; odd extents are padded at the far end, so that a stride of 2 halves alike."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H - 1 + H % 2, W - 1 + W % 2)."""
        height, width = x.shape[2:]
        x = x[:, :, 1:, 1:]
        return F.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x


class Truncate(nn.Module):
    """The first D channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) -> (B, D, ...)."""
        return x[:, : self.width]


def zero(graph: Graph, node: Node) -> nn.Module:
    """Zeros of a node's channels."""
    return Zero(len(node.axis), node["stride"])


def shift(graph: Graph, node: Node) -> nn.Module:
    """One row and column on."""
    return Shift()


def truncate(graph: Graph, node: Node) -> nn.Module:
    """A node's first channels."""
    return Truncate(len(node.axis))
