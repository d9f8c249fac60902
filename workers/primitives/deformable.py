"""Deformable convolution (Dai et al., 2017), modulated too (Zhu et al., 2019).

Legend: B batch, C channels in, D channels out, H and W extents, ' after the stride, K places of the kernel.

Place k = (r, c) of the kernel, row by row, reads the maps at (s y - p + d r + Δy, s x - p + d c + Δx): s stride, d
dilation, p the padding that keeps the extents. Channels 2k and 2k + 1 of the offsets are Δy and Δx. Between pixels the
maps are interpolated bilinearly, beyond them they are zero. The sigmoid of a modulation scales its sample.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Graph, Node


class DeformableConv(nn.Conv2d):
    """A convolution without bias whose samples lie where its second input says."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: Tensor, offsets: Tensor, modulations: Tensor | None = None
    ) -> Tensor:
        """(B, C, H, W), (B, 2K, H', W') and perhaps (B, K, H', W') -> (B, D, H', W')."""
        batch, channels, *extents = input.shape
        rows, columns = offsets.shape[2:]
        places = offsets.shape[1] // 2
        moved = offsets.reshape(batch, places, 2, rows, columns)
        steps = torch.meshgrid(*(self._steps(i, offsets) for i in (0, 1)), indexing="ij")
        corners = torch.meshgrid(
            *(torch.arange(n, device=offsets.device) * s for n, s in zip((rows, columns), self.stride, strict=True)),
            indexing="ij",
        )
        # pixel p of n is at (2 p + 1) / n - 1 where pixels are areas of [-1, 1]
        y, x = ((2 * (corners[i] + steps[i].reshape(-1, 1, 1) + moved[:, :, i]) + 1) / extents[i] - 1 for i in (0, 1))
        grid = torch.stack((x, y), -1).reshape(batch, places * rows, columns, 2)
        samples = F.grid_sample(input, grid.to(input.dtype), "bilinear", "zeros", align_corners=False)
        samples = samples.reshape(batch, channels, places, rows, columns)
        if modulations is not None:
            samples = samples * modulations.sigmoid()[:, None]
        weight = self.weight.reshape(self.out_channels, channels * places)
        return (weight @ samples.reshape(batch, channels * places, rows * columns)).reshape(batch, -1, rows, columns)

    def _steps(self, direction: int, like: Tensor) -> Tensor:
        """Where the places of the kernel lie along a direction, before any offset."""
        n, d = self.kernel_size[direction], self.dilation[direction]
        return (torch.arange(n, device=like.device) - (n - 1) // 2) * d


def deform_conv(graph: Graph, node: Node) -> nn.Module:
    """A deformable convolution of a node's extents."""
    source, width = len(graph.nodes[node.inputs[0]].axis), len(node.axis)
    rows, columns = (len(axis) for axis in node["kernel"])
    return DeformableConv(source, width, (rows, columns), node["stride"], dilation=node["dilation"], bias=False)
