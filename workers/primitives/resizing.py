"""Maps at other extents."""

import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Graph, Node


class Resize(nn.Module):
    """(B, C, H, W), or (B, C) as constant maps -> (B, C, H', W').

    nearest    output i reads input floor(i H / H')
    bilinear   pixels are areas: output i reads at (i + 1/2) H / H' - 1/2, clamped to the maps
    """

    def __init__(self, extents: tuple[int, int], mode: str) -> None:
        super().__init__()
        self.extents = extents
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """The maps at the extents."""
        if x.ndim == 2:
            return x[:, :, None, None].expand(-1, -1, *self.extents)
        return F.interpolate(x, self.extents, mode=self.mode)


def resize(graph: Graph, node: Node) -> nn.Module:
    """A node's extents and mode."""
    return Resize(node["extents"], node["mode"])
