"""What the nodes of a graph compute: operation of a node -> nn.Module, one family a file.

Legend: B batch, C channels in, D channels out, H and W extents, ' after a stride.

    conv         (B, C, H, W) -> (B, D, H', W')     convolution
    batch_norm   (B, C, H, W) -> (B, C, H, W)       normalisation
    linear       (B, C) -> (B, D)                   linear
    relu         any shape                          activation
    max_pool     (B, C, H, W) -> (B, C, H', W')     pooling
    avg_pool     (B, C, H, W) -> (B, C, H', W')     pooling
    mean         (B, C, H, W) -> (B, C)             pooling
    shift        (B, C, H, W) -> (B, C, H-1, W-1)   placement
    zero         (B, C, H, W) -> (B, D, H', W')     placement
    truncate     (B, C, ...) -> (B, D, ...)         placement

`input`, `sum` and `concat` have several inputs or none and belong to the network (`workers.network`).
"""

from collections.abc import Callable, Mapping

from torch import nn

from app.architecture import Graph, Node
from workers.primitives.activation import relu
from workers.primitives.convolution import convolution
from workers.primitives.drop_path import drop_path
from workers.primitives.linear import linear
from workers.primitives.normalisation import BatchNorm, batch_norm
from workers.primitives.placement import Shift, Truncate, Zero, shift, truncate, zero
from workers.primitives.pooling import AvgPool, Mean, avg_pool, max_pool, mean
from workers.primitives.weighted_sum import weighted_sum

Factory = Callable[[Graph, Node], nn.Module]

PRIMITIVES: Mapping[str, Factory] = {
    "conv": convolution,
    "batch_norm": batch_norm,
    "linear": linear,
    "relu": relu,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "mean": mean,
    "shift": shift,
    "zero": zero,
    "truncate": truncate,
}

__all__ = [
    "PRIMITIVES",
    "AvgPool",
    "BatchNorm",
    "Factory",
    "Mean",
    "Shift",
    "Truncate",
    "Zero",
    "drop_path",
    "weighted_sum",
]
