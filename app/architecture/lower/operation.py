"""What the operations of the vocabulary are made of: name -> how to build it on one input.

A name that is none of the table may spell the fields of a block: `mb4_k9_se`, `attention_h8_d16_post`.

Every builder takes (layers, place, input, width, stride) and gives `width` channels, a number or an axis that is still
open, at the extents over the stride.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE
from app.architecture.lower.attention import attend, feed_forward, layer_norm
from app.architecture.lower.layers import Layers
from app.architecture.lower.mbconv import block_of, one, shuffled
from app.architecture.vocabulary import near, spelt
from app.architecture.vocabulary.mobile import MOBILE
from app.space.algebra import Path

HEAD_DIM = 32  # features of a head of attention on maps

Width = Axis | int
Build = Callable[[Layers, str, Node, Width, int], Node]


def _has(x: Node, width: Width) -> bool:
    """Whether an input has the width already."""
    return (len(x.axis) if isinstance(width, int) else x.axis) == width


def _none(b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    return b.zero(at, x, width, stride)


def _identity(b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    if stride == 2:
        return b.factorised_reduction(at, x, width if isinstance(width, int) else len(width))
    return x if _has(x, width) else b.relu_conv_norm(at, x, width)


def _pool(op: str, kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    x = b.pool(f"{at}/pool", op, x, kernel, stride)
    if b.norm_after_pool:
        x = b.norm(f"{at}/norm", x, affine=False)
    return x if _has(x, width) else b.relu_conv_norm(f"{at}/fit", x, width)


def _conv(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    return b.relu_conv_norm(at, x, width, kernel, stride)


def _conv_norm_relu(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    return b.conv_norm_relu(at, x, width, kernel, stride)


def _separable(kernel: int, dilation: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """ReLU, depthwise, pointwise, batch normalisation."""
    x = b.unary(f"{at}/relu", "relu", x)
    x = b.conv(f"{at}/depth", x, x.axis, kernel, stride, dilation=dilation, depthwise=True)
    return b.norm(f"{at}/norm", b.conv(f"{at}/point", x, width))


def _twice_separable(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    x = _separable(kernel, 1, b, f"{at}/1", x, x.axis, stride)
    return _separable(kernel, 1, b, f"{at}/2", x, width, 1)


def _depthwise(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """ReLU, depthwise, batch normalisation; a 1x1 convolution follows where the width changes."""
    x = b.unary(f"{at}/relu", "relu", x)
    x = b.norm(f"{at}/norm", b.conv(f"{at}/depth", x, x.axis, kernel, stride, depthwise=True))
    return x if _has(x, width) else b.relu_conv_norm(f"{at}/fit", x, width)


def _atrous(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """ReLU, a full convolution of dilation 2, batch normalisation."""
    x = b.unary(f"{at}/relu", "relu", x)
    return b.norm(f"{at}/norm", b.conv(f"{at}/conv", x, width, kernel, stride, dilation=2))


def atrous_pyramid(b: Layers, at: str, x: Node, width: Width, rates: tuple[int, ...], stride: int = 1) -> Node:
    """Convolutions of several reaches and the mean over all places side by side, then 1x1 (Chen et al., 2017)."""
    parts = [b.conv_norm_relu(f"{at}/point", x, width, 1, stride)]
    for rate in rates:
        here = f"{at}/atrous{rate}"
        y = b.norm(f"{here}/norm", b.conv(f"{here}/conv", x, width, 3, stride, dilation=rate))
        parts.append(b.unary(f"{here}/relu", "relu", y))
    mean = b.linear(f"{at}/mean/linear", b.mean(f"{at}/mean", x), width)
    parts.append(b.resize(f"{at}/mean/resize", b.unary(f"{at}/mean/relu", "relu", mean), parts[0].size))
    return b.conv_norm_relu(f"{at}/project", b.concat(f"{at}/concat", [(TRUE, part) for part in parts]), width)


def _aspp(b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    return atrous_pyramid(b, at, x, width, (6, 12, 18), stride)


def _deformable(kernel: int, modulated: bool, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """ReLU, a convolution that samples where another one says, batch normalisation."""
    x = b.unary(f"{at}/relu", "relu", x)
    return b.norm(f"{at}/norm", b.deformable(at, x, width, kernel, stride, modulated=modulated))


def _factorised(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """ReLU, 1xk along the rows, kx1 along the columns, batch normalisation (NASNet, in DARTS' form)."""
    x = b.unary(f"{at}/relu", "relu", x)
    x = b.conv(f"{at}/row", x, width, (1, kernel), (1, stride))
    return b.norm(f"{at}/norm", b.conv(f"{at}/column", x, width, (kernel, 1), (stride, 1)))


def _over_tokens(b: Layers, at: str, x: Node, stride: int, norm: str, inner: Callable[[Node], Node]) -> Node:
    """`inner` on the places of maps as tokens, of a stride averaged first; normalised before it, or after it."""
    if stride > 1:
        x = b.pool(f"{at}/pool", "avg_pool", x, 3, stride)
    y = b.add(f"{at}/tokens", "tokens", [x], x.axis, (prod(x.size),))
    y = inner(layer_norm(b, f"{at}/norm", y)) if norm == "pre" else layer_norm(b, f"{at}/norm", inner(y))
    return b.add(f"{at}/maps", "maps", [y], y.axis, x.size, extents=x.size)


def _attention(
    b: Layers,
    at: str,
    x: Node,
    width: Width,
    stride: int,
    *,
    kind: str = "softmax",
    heads: int = 4,
    head_dim: int = HEAD_DIM,
    norm: str = "pre",
) -> Node:
    features = Axis.of(heads * head_dim)

    def inner(y: Node) -> Node:
        return attend(b, at, kind, y, features, width, head_dim=head_dim)

    return _over_tokens(b, at, x, stride, norm, inner)


def _feed_forward(
    b: Layers,
    at: str,
    x: Node,
    width: Width,
    stride: int,
    *,
    kind: str = "gelu",
    ratio: int = 4,
    norm: str = "pre",
) -> Node:
    features = Axis.of((ratio * extent, guard) for extent, guard in x.axis.segments)
    return _over_tokens(b, at, x, stride, norm, lambda y: feed_forward(b, at, kind, y, features, width))


def _convnext(b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """A depthwise convolution, then norm and feed-forward network at every place (Liu et al., 2022)."""
    y = b.conv(f"{at}/depth/conv", x, x.axis, 7, stride, depthwise=True, bias=True)
    inner = Axis.of((4 * extent, guard) for extent, guard in x.axis.segments)
    y = _over_tokens(b, at, y, 1, "pre", lambda z: feed_forward(b, at, "gelu", z, inner, width))
    return b.sum(f"{at}/add", [(TRUE, x), (TRUE, y)]) if (x.axis, x.size) == (y.axis, y.size) else y


def _conv_mixer(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """Depthwise convolution, GELU and norm beside the input, pointwise convolution, GELU and norm."""
    y = b.unary(f"{at}/depth/gelu", "gelu", b.conv(f"{at}/depth/conv", x, x.axis, kernel, stride, depthwise=True))
    y = b.norm(f"{at}/depth/norm", y)
    if stride == 1:
        y = b.sum(f"{at}/depth", [(TRUE, x), (TRUE, y)])
    return b.norm(f"{at}/point/norm", b.unary(f"{at}/point/gelu", "gelu", b.conv(f"{at}/point/conv", y, width)))


def _skip(b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """The input, or a 1x1 convolution with norm and ReLU (FBNet)."""
    axis = Axis.of(width) if isinstance(width, int) else width
    if stride == 1 and x.axis == axis:
        return x
    return b.unary(f"{at}/relu", "relu", b.norm(f"{at}/norm", b.conv(f"{at}/conv", x, axis, stride=stride)))


def _mobile(name: str, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    """An inverted residual by its name."""
    block = block_of(name)
    assert block is not None, name
    return one(b, at, x, width, stride, block)


def _shuffled(kernel: int, b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    return shuffled(b, at, x, width, stride, kernel)


def _xception(b: Layers, at: str, x: Node, width: Width, stride: int) -> Node:
    return shuffled(b, at, x, width, stride, 3, separable=3)


BUILDERS: Mapping[str, Build] = {
    "none": _none,
    "skip_connect": _identity,
    "identity": _identity,
    "max_pool_3x3": partial(_pool, "max_pool", 3),
    "max_pool_5x5": partial(_pool, "max_pool", 5),
    "max_pool_7x7": partial(_pool, "max_pool", 7),
    "avg_pool_3x3": partial(_pool, "avg_pool", 3),
    "avg_pool_5x5": partial(_pool, "avg_pool", 5),
    "avg_pool_7x7": partial(_pool, "avg_pool", 7),
    "conv_1x1": partial(_conv, 1),
    "conv_3x3": partial(_conv, 3),
    "conv_5x5": partial(_conv, 5),
    "conv_7x7": partial(_conv, 7),
    "nor_conv_1x1": partial(_conv, 1),
    "nor_conv_3x3": partial(_conv, 3),
    "conv1x1-bn-relu": partial(_conv_norm_relu, 1),
    "conv3x3-bn-relu": partial(_conv_norm_relu, 3),
    "maxpool3x3": partial(_pool, "max_pool", 3),
    "sep_conv_3x3": partial(_twice_separable, 3),
    "sep_conv_5x5": partial(_twice_separable, 5),
    "sep_conv_7x7": partial(_twice_separable, 7),
    "dil_conv_3x3": partial(_separable, 3, 2),
    "dil_conv_5x5": partial(_separable, 5, 2),
    "depth_conv_3x3": partial(_depthwise, 3),
    "depth_conv_5x5": partial(_depthwise, 5),
    "depth_conv_7x7": partial(_depthwise, 7),
    "separable_conv_3x3": partial(_separable, 3, 1),
    "separable_conv_5x5": partial(_separable, 5, 1),
    "separable_conv_7x7": partial(_separable, 7, 1),
    "atrous_conv_3x3": partial(_atrous, 3),
    "atrous_conv_5x5": partial(_atrous, 5),
    "aspp": _aspp,
    "deform_conv_3x3": partial(_deformable, 3, False),
    "deform_conv_5x5": partial(_deformable, 5, False),
    "modulated_conv_3x3": partial(_deformable, 3, True),
    "modulated_conv_5x5": partial(_deformable, 5, True),
    "conv_3x1_1x3": partial(_factorised, 3),
    "conv_7x1_1x7": partial(_factorised, 7),
    "attention_h4": _attention,
    "multi_query_attention_h4": partial(_attention, kind="multi_query"),
    "linear_attention_h4": partial(_attention, kind="linear"),
    "ffn_gelu_r4": _feed_forward,
    "ffn_swiglu_r4": partial(_feed_forward, kind="swiglu"),
    "convnext_7x7": _convnext,
    "conv_mixer_5x5": partial(_conv_mixer, 5),
    "conv_mixer_7x7": partial(_conv_mixer, 7),
    "conv_mixer_9x9": partial(_conv_mixer, 9),
    "zero": _none,
    "skip": _skip,
    "shuffle_k3": partial(_shuffled, 3),
    "shuffle_k5": partial(_shuffled, 5),
    "shuffle_k7": partial(_shuffled, 7),
    "shuffle_xception": _xception,
    **{o.name: partial(_mobile, o.name) for o in MOBILE if block_of(o.name) is not None},
}


def built(name: object) -> Build | None:
    """How an operation is built: one of the table, or one whose name spells its fields; None where it means nothing."""
    if not isinstance(name, str) or name in BUILDERS:
        return BUILDERS.get(name) if isinstance(name, str) else None
    match spelt(name):
        case ("attention", fields):
            return partial(_attention, **fields)
        case ("ffn", fields):
            return partial(_feed_forward, **fields)
        case ("mbconv", _):
            return partial(_mobile, name)
        case _:
            return None


def operation(b: Layers, pointer: Path, name: object, at: str, x: Node, width: Width, stride: int = 1) -> Node:
    """An operation of the vocabulary on one input; `pointer` is where the grammar chose it."""
    build = built(name)
    if build is None:
        close = near(name)
        likely = f"; near it: {', '.join(map(repr, close))}" if close else ""
        raise LoweringError(
            pointer, f"no operation {name!r}{likely}", name, (*close, *(o for o in BUILDERS if o not in close))
        )
    return build(b, at, x, width, stride)


def mixed(b: Layers, at: str, choice: Cursor, x: Node, width: Width, stride: int = 1) -> Node:
    """One operation out of a Choice, on one input."""
    return b.sum(at, [(g, operation(b, choice.path, o, f"{at}/{o}", x, width, stride)) for g, o in choice.values()])
