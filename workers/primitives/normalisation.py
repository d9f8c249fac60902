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

    def forward(self, input: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """Normalise by the batch in training, by the running statistics otherwise, and multiply by `scale`, ().

        The scale is folded into the weight: a mixture's weight costs no pass of its own over the maps.
        """
        momentum = self.momentum
        if self.training:
            if input.numel() == self.num_features:
                raise ValueError(f"batch statistics of one value a channel: the input is {tuple(input.shape)}")
            if momentum is None:
                self.batches += 1
                momentum = 1.0 / self.batches
        weight, bias = self._scaled(input, scale)
        return torch.batch_norm(
            input,
            weight,
            bias,
            self.running_mean,
            self.running_var,
            self.training,
            0.0 if momentum is None else momentum,
            self.eps,
            torch.backends.cudnn.enabled,
        )

    def _scaled(self, like: Tensor, scale: Tensor | float) -> tuple[Tensor | None, Tensor | None]:
        """Weight and bias (C,) times a number; dense, as gradients of expanded ones were wrong in torch 2.13."""
        if not isinstance(scale, Tensor) and scale == 1:
            return self.weight, self.bias
        if self.weight is not None:
            return self.weight * scale, self.bias * scale
        if isinstance(scale, Tensor):
            weight = scale.reshape(1).repeat(self.num_features)
        else:
            weight = like.new_full((self.num_features,), scale)
        return weight, torch.zeros_like(weight)


def batch_norm(graph: Graph, node: Node) -> nn.Module:
    """Batch normalisation of a node's channels."""
    return BatchNorm(len(node.axis), affine=node["affine"])
