"""Convolutions: (B, C, H, W) -> (B, D, H', W')."""

from torch import Tensor, nn

from app.architecture import Graph, Node


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution that skips places; on a CPU it picks the places first and convolves what is left.

    The result is the same. oneDNN's backward of the direct way writes beyond its buffer on AVX2 where channels come
    last and are fewer than eight: torch 2.13.0 dies of a damaged heap.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H', W')."""
        if input.device.type != "cpu":
            return super().forward(input)
        rows, columns = self.stride
        return nn.functional.conv2d(input[:, :, ::rows, ::columns], self.weight, self.bias, groups=self.groups)


def convolution(graph: Graph, node: Node) -> nn.Module:
    """A convolution of a node's largest extents; `pad` None keeps the extents (over the stride) of an odd kernel."""
    source, width = len(graph.nodes[node.inputs[0]].axis), len(node.axis)
    rows, columns = (len(axis) for axis in node["kernel"])
    pad, dilation = node["pad"], node["dilation"]
    padding = (pad, pad) if pad is not None else (dilation * (rows - 1) // 2, dilation * (columns - 1) // 2)
    pointwise = rows == columns == 1 and padding == (0, 0) and node["stride"] != (1, 1)
    conv = (StridedPointwise if pointwise else nn.Conv2d)(
        source,
        width,
        (rows, columns),
        node["stride"],
        padding,
        dilation,
        groups=width if node["depthwise"] else 1,
        bias=node["bias"],
    )
    if ("zero", True) in node.attrs:
        for parameter in conv.parameters():
            nn.init.zeros_(parameter)
    return conv
