"""Batch normalisation (Ioffe and Szegedy, 2015): (B, C, H, W) to the same."""

import torch
from torch import Tensor, nn

from app.architecture import Graph, Node


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` without its batch counter on the device: one kernel less a call, and there are many calls.

    `momentum` None is a cumulative average since `reset_running_stats`, as in torch; it is counted in Python and is not
    part of the state.
    """

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        self.batches = 0
        super().__init__(channels, affine=affine)
        self.register_buffer("num_batches_tracked", None)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        self.batches = 0
        if isinstance(self.running_mean, Tensor) and isinstance(self.running_var, Tensor):
            self.running_mean.zero_()
            self.running_var.fill_(1)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise by the batch in training, by the running statistics otherwise."""
        momentum = self.momentum
        if self.training:
            if input.numel() == self.num_features:
                raise ValueError(f"batch statistics of one value a channel: the input is {tuple(input.shape)}")
            if momentum is None:
                self.batches += 1
                momentum = 1.0 / self.batches
        return torch.batch_norm(
            input,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.training,
            0.0 if momentum is None else momentum,
            self.eps,
            torch.backends.cudnn.enabled,
        )


def batch_norm(graph: Graph, node: Node) -> nn.Module:
    """Batch normalisation of a node's channels."""
    return BatchNorm(len(node.axis), affine=node["affine"])
