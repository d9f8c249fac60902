"""What the nodes of a graph compute: operation of a node -> nn.Module, one family a file.

Legend: B batch, C channels in, D channels out, H and W extents, ' after a stride, N tokens, F features.

    conv         (B, C, H, W) -> (B, D, H', W')     convolution
    deform_conv  (B, C, H, W) -> (B, D, H', W')     deformable; offsets (B, 2kk, H', W'), modulations (B, kk, H', W')
    group_conv   (B, C, H, W) -> (B, D, H, W)       grouping
    shuffle      (B, C, H, W) -> (B, C, H, W)       grouping
    scale        (B, C, H, W), (B, C) -> the first  grouping
    batch_norm   (B, C, H, W) -> (B, C, H, W)       normalisation
    linear       (B, ..., C) -> (B, ..., D)         linear
    layer_norm   (B, ..., F) -> (B, ..., F)         layer_normalisation
    relu         any shape                          activation, with relu6, hswish, hsigmoid, gelu, silu, sigmoid, tanh
    multiply     any shape, twice                   activation
    average      any shape, several times           activation
    highway      any shape, three times             activation
    max_pool     (B, C, H, W) -> (B, C, H', W')     pooling
    avg_pool     (B, C, H, W) -> (B, C, H', W')     pooling
    mean         (B, C, H, W) -> (B, C)             pooling; also (B, N, F) -> (B, F)
    resize       (B, C, H, W) -> (B, C, H', W')     resizing; also (B, C) -> (B, C, H', W')
    shift        (B, C, H, W) -> (B, C, H-1, W-1)   placement
    zero         (B, C, H, W) -> (B, D, H', W')     placement
    rest         (B, C, ...) -> (B, D, ...)         placement
    truncate     (B, C, ...) -> (B, D, ...)         placement
    row          (B, C, H, W) -> (B, C W)           sequence
    tokens       (B, C, H, W) -> (B, H W, C)        sequence
    maps         (B, H W, C) -> (B, C, H, W)        sequence
    embedding    (B, C, H, W) -> (B, H W, F)        sequence
    class_token  (B, N, F) -> (B, 1 + N, F)         sequence
    position     (B, N, F) -> (B, N, F)             sequence
    first        (B, N, F) -> (B, F)                sequence
    attention    (B, N, F), three -> (B, N, F)      attention

`input`, `sum`, `concat` and `tied_linear`, which has no tensor of its own, belong to the network (`workers.network`).
"""

from collections.abc import Callable, Mapping

from torch import nn

from app.architecture import Graph, Node
from workers.primitives.activation import (
    average,
    gelu,
    highway,
    hsigmoid,
    hswish,
    multiply,
    relu,
    relu6,
    sigmoid,
    silu,
    tanh,
)
from workers.primitives.attention import attention
from workers.primitives.convolution import convolution
from workers.primitives.deformable import deform_conv
from workers.primitives.drop_path import drop_path
from workers.primitives.grouping import group_conv, scale, shuffle
from workers.primitives.layer_normalisation import LayerNorm, layer_norm
from workers.primitives.linear import linear
from workers.primitives.normalisation import BatchNorm, batch_norm
from workers.primitives.placement import Shift, Truncate, Zero, rest, shift, truncate, zero
from workers.primitives.pooling import AvgPool, Mean, avg_pool, max_pool, mean
from workers.primitives.resizing import resize
from workers.primitives.sequence import class_token, embedding, first, maps, position, row, tokens
from workers.primitives.weighted_sum import weighted_sum

Factory = Callable[[Graph, Node], nn.Module]

PRIMITIVES: Mapping[str, Factory] = {
    "conv": convolution,
    "group_conv": group_conv,
    "shuffle": shuffle,
    "scale": scale,
    "deform_conv": deform_conv,
    "batch_norm": batch_norm,
    "linear": linear,
    "layer_norm": layer_norm,
    "relu": relu,
    "relu6": relu6,
    "hswish": hswish,
    "hsigmoid": hsigmoid,
    "gelu": gelu,
    "silu": silu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "multiply": multiply,
    "average": average,
    "highway": highway,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "mean": mean,
    "resize": resize,
    "shift": shift,
    "zero": zero,
    "truncate": truncate,
    "rest": rest,
    "row": row,
    "tokens": tokens,
    "maps": maps,
    "embedding": embedding,
    "class_token": class_token,
    "position": position,
    "first": first,
    "attention": attention,
}

__all__ = [
    "PRIMITIVES",
    "AvgPool",
    "BatchNorm",
    "Factory",
    "LayerNorm",
    "Mean",
    "Shift",
    "Truncate",
    "Zero",
    "drop_path",
    "weighted_sum",
]
