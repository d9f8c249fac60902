"""Channels in groups (Zhang et al., 2018, ShuffleNet) and channels scaled (Hu et al., 2018, squeeze-and-excitation)."""

from torch import Tensor, nn

from app.architecture import Graph, Node


class Shuffle(nn.Module):
    """Channels of all groups in turn: the first of each, the second of each, and so on."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)


class Scale(nn.Module):
    """Maps times one number a channel."""

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        """(B, C, H, W) and (B, C) -> (B, C, H, W)."""
        return x * gate[:, :, None, None]


def group_conv(graph: Graph, node: Node) -> nn.Module:
    """A 1x1 convolution within each of several groups of channels: (B, C, H, W) -> (B, D, H, W)."""
    return nn.Conv2d(len(graph.nodes[node.inputs[0]].axis), len(node.axis), 1, groups=node["groups"], bias=False)


def shuffle(graph: Graph, node: Node) -> nn.Module:
    """Channels of all groups in turn."""
    return Shuffle(node["groups"])


def scale(graph: Graph, node: Node) -> nn.Module:
    """Maps times a gate."""
    return Scale()
