"""Sequences of tokens: (B, N, F), features last.

Legend: B batch, C channels, H and W extents, N tokens, F features.
"""

import torch
from torch import Tensor, nn

from app.architecture import Graph, Node

SPREAD = 0.02  # standard deviation of learnt tokens at the start, as in BERT and ViT


class Tokens(nn.Module):
    """The places of maps as a sequence, row by row."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H W, C)."""
        return x.flatten(2).transpose(1, 2)


class Maps(nn.Module):
    """A sequence as maps again, row by row."""

    def __init__(self, extents: tuple[int, int]) -> None:
        super().__init__()
        self.extents = extents

    def forward(self, x: Tensor) -> Tensor:
        """(B, H W, C) -> (B, C, H, W)."""
        return x.transpose(1, 2).unflatten(2, self.extents)


class Embedding(nn.Module):
    """A learnt row for each whole number in a channel."""

    def __init__(self, rows: int, features: int, channel: int) -> None:
        super().__init__()
        self.channel = channel
        self.weight = nn.Parameter(torch.empty(rows, features))
        nn.init.trunc_normal_(self.weight, std=SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H W, F); IndexError of a number that no row has."""
        return nn.functional.embedding(x[:, self.channel].flatten(1).long(), self.weight)


class ClassToken(nn.Module):
    """A learnt token before the others."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features))
        nn.init.trunc_normal_(self.weight, std=SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F) -> (B, 1 + N, F)."""
        return torch.cat([self.weight.expand(len(x), 1, -1), x], 1)


class Position(nn.Module):
    """A learnt row added to each place; a sequence may be shorter than the table."""

    def __init__(self, rows: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, features))
        nn.init.trunc_normal_(self.weight, std=SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F) to the same."""
        return x + self.weight[: x.shape[1]]


class First(nn.Module):
    """The first token."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F) -> (B, F)."""
        return x[:, 0]


class Row(nn.Module):
    """One row of maps as a vector."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C W)."""
        return x[:, :, self.index].flatten(1)


def tokens(graph: Graph, node: Node) -> nn.Module:
    """Places as a sequence."""
    return Tokens()


def maps(graph: Graph, node: Node) -> nn.Module:
    """A sequence at a node's extents."""
    return Maps(node["extents"])


def embedding(graph: Graph, node: Node) -> nn.Module:
    """A table of a node's features."""
    return Embedding(node["rows"], len(node.axis), node["channel"])


def class_token(graph: Graph, node: Node) -> nn.Module:
    """A learnt token of a node's features."""
    return ClassToken(len(node.axis))


def position(graph: Graph, node: Node) -> nn.Module:
    """Learnt positions of a node's features."""
    return Position(node["rows"], len(node.axis))


def first(graph: Graph, node: Node) -> nn.Module:
    """The first token."""
    return First()


def row(graph: Graph, node: Node) -> nn.Module:
    """One row."""
    return Row(node["index"])
