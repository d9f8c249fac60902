"""Attention inside heads; the maps to queries, keys, values and out are linear nodes of their own.

Legend: B batch, N tokens, h heads, d features of a head.

    softmax       softmax(q k / √d) v (Vaswani et al., 2017); keys and values of one head serve all (Shazeer, 2019)
    linear        φ(q) (φ(k) v) / φ(q) Σ φ(k) with φ(x) = elu(x) + 1 (Katharopoulos et al., 2020)

With `relative` the keys and the values of softmax get a learnt row for the distance between two places, one table for
rows and one for columns, shared by the heads (Shaw et al., 2018, in AutoFormer's form for images).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Graph, Node

SPREAD = 0.02  # standard deviation of learnt distances at the start


class Attention(nn.Module):
    """Softmax attention, with learnt relative positions where `relative` is not 0.

    relative  the largest distance told apart
    grid      (height, width) of the places
    lead      tokens before the places: they and their distances have a row of their own, 0
    """

    by_rows: Tensor
    by_columns: Tensor

    def __init__(self, head_dim: int, relative: int = 0, grid: tuple[int, int] = (0, 0), lead: int = 0) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.relative = relative
        if relative:
            for name in ("key_rows", "key_columns", "value_rows", "value_columns"):
                table = nn.Parameter(torch.empty(2 * relative + 2, head_dim))
                nn.init.trunc_normal_(table, std=SPREAD)
                setattr(self, name, table)
            height, width = grid
            places = torch.arange(height * width)
            for name, at in (("by_rows", places // width), ("by_columns", places % width)):
                distance = (at[None, :] - at[:, None]).clamp(-relative, relative) + relative + 1
                self.register_buffer(name, F.pad(distance, (lead, 0, lead, 0)), persistent=False)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, N, h d), keys and values the same or (B, N, d) -> (B, N, h d)."""
        q, k, v = (x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for x in (q, k, v))
        if not self.relative:
            k, v = k.expand(-1, q.shape[1], -1, -1), v.expand(-1, q.shape[1], -1, -1)
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        keys = self._distances("key_rows", "key_columns")
        values = self._distances("value_rows", "value_columns")
        scores = q @ k.transpose(-2, -1) + torch.einsum("bhnd,nmd->bhnm", q, keys)
        weights = (scores * self.head_dim**-0.5).softmax(-1)
        out = weights @ v + torch.einsum("bhnm,nmd->bhnd", weights, values)
        return out.transpose(1, 2).flatten(2)

    def _distances(self, rows: str, columns: str) -> Tensor:
        """(N, N, d): what stands for the way from one place to another."""
        return getattr(self, rows)[self.by_rows] + getattr(self, columns)[self.by_columns]


class LinearAttention(nn.Module):
    """Attention of linear cost in the number of tokens."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, N, h d) each -> (B, N, h d)."""
        q, k, v = (x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for x in (q, k, v))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        total = q @ k.sum(-2)[..., None]
        return (q @ (k.transpose(-2, -1) @ v) / total).transpose(1, 2).flatten(2)


def attention(graph: Graph, node: Node) -> nn.Module:
    """Attention of a node's heads."""
    if node["kind"] == "linear":
        return LinearAttention(node["head_dim"])
    return Attention(node["head_dim"], node["relative"], node["grid"], node["lead"])
