"""Moving and cutting without arithmetic."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Graph, Node


class Zero(nn.Module):
    """(B, C, ...) -> zeros (B, D, ...), the extents over the stride."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.width = width
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros of the input's type and device."""
        extents = [(n - 1) // self.stride + 1 for n in x.shape[2:]]
        return x.new_zeros(len(x), self.width, *extents)


class Shift(nn.Module):
    """Without the first row and column; odd extents are padded at the far end, so that a stride of 2 halves alike."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H - 1 + H % 2, W - 1 + W % 2)."""
        height, width = x.shape[2:]
        x = x[:, :, 1:, 1:]
        return F.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x


class Truncate(nn.Module):
    """The first D channels, zeros beyond them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) -> (B, D, ...)."""
        beyond = self.width - x.shape[1]
        return torch.cat([x, x.new_zeros(len(x), beyond, *x.shape[2:])], 1) if beyond > 0 else x[:, : self.width]


class Rest(nn.Module):
    """The last D channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) -> (B, D, ...)."""
        return x[:, x.shape[1] - self.width :]


def rest(graph: Graph, node: Node) -> nn.Module:
    """A node's channels out of the last ones."""
    return Rest(len(node.axis))


def zero(graph: Graph, node: Node) -> nn.Module:
    """Zeros of a node's channels."""
    return Zero(len(node.axis), node["stride"])


def shift(graph: Graph, node: Node) -> nn.Module:
    """One row and column on."""
    return Shift()


def truncate(graph: Graph, node: Node) -> nn.Module:
    """A node's channels out of the first ones."""
    return Truncate(len(node.axis))
