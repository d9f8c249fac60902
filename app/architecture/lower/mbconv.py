"""Inverted residuals: the blocks of MobileNetV2 (Sandler et al., 2018), MobileNetV3 (Howard et al., 2019) and others.

    mb6_k5             expansion 6, kernel 5; no expanding convolution where the expansion is 1
    k5_e6, k5_e1_g2    FBNet's: always an expanding convolution; 1x1 convolutions in groups, channels shuffled between
    _se _relu6 ...     may follow: squeeze-and-excitation, the activation

A block expands by a 1x1 convolution, filters depthwise, gates its channels, and projects by a 1x1 convolution; each
convolution has its norm, the first two an activation. Where the shape is kept the input is added.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.architecture.axis import Axis
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of
from app.architecture.lower.layers import Layers
from app.architecture.vocabulary.formula import squeezed

Cases = Sequence[tuple[Guard, int]]  # exclusive extents

_NAME = re.compile(
    r"(?:mb(?P<mb>\d{1,2}(?:\.\d{1,2})?)_k(?P<k>\d{1,2})|k(?P<kernel>\d{1,2})_e(?P<e>\d{1,2})(?:_g(?P<g>\d{1,2}))?)"
    r"(?P<se>_se)?(?:_(?P<activation>relu6|relu|hswish))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What the name of an inverted residual says."""

    kernel: int = 3
    expansion: float = 1
    expands: bool = True  # a 1x1 convolution to the inner channels comes first
    groups: int = 1  # of the 1x1 convolutions
    se: bool = False
    activation: str = "relu"

    @property
    def kind(self) -> "Block":
        """What blocks share that are slices of one tensor: all but the kernel and, without groups, the expansion.

        The first channels of several groups are the first groups, not several smaller ones.
        """
        return replace(self, kernel=0, expansion=0 if self.groups == 1 else self.expansion)

    @property
    def label(self) -> str:
        """A name of the kind."""
        groups = f"{self.expansion:g}_g{self.groups}" if self.groups > 1 else ""
        return f"mb{'' if self.expands else 1}{groups}{'_se' if self.se else ''}_{self.activation}"


Option = tuple[Block, Guard, Guard]  # a block, what chooses its kernel, what chooses its expansion


def block_of(name: object, *, se: bool = False, activation: str = "relu") -> Block | None:
    """The block of a name, which may say more than its surroundings do; None of any other operation."""
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        return None
    block = Block(
        kernel=int(match["k"] or match["kernel"]),
        expansion=float(match["mb"] or match["e"]),
        expands=match["mb"] is None or float(match["mb"]) != 1,
        groups=int(match["g"] or 1),
        se=se or match["se"] is not None,
        activation=match["activation"] or activation,
    )
    return block if block.expansion > 0 and block.kernel % 2 and block.groups else None


def squeeze(b: Layers, at: str, x: Node, features: Axis, gate: str = "hsigmoid") -> Node:
    """Squeeze-and-excitation (Hu et al., 2018): the mean of each channel, two linear maps, a gate on each channel."""
    y = b.unary(f"{at}/relu", "relu", b.linear(f"{at}/reduce", b.mean(f"{at}/mean", x), features))
    y = b.unary(f"{at}/gate", gate, b.linear(f"{at}/expand", y, x.axis))
    return b.add(at, "scale", [x, y], x.axis, x.size)


def pointwise(b: Layers, at: str, x: Node, width: Axis | int, groups: int = 1) -> Node:
    """A 1x1 convolution and its norm, in groups of channels."""
    if groups == 1:
        return b.norm(f"{at}/norm", b.conv(f"{at}/conv", x, width))
    axis = Axis.of(width) if isinstance(width, int) else width
    if len(x.axis) % groups or len(axis) % groups:
        found = [len(x.axis), len(axis)]
        raise LoweringError(
            at, f"{found[0]} and {found[1]} channels do not make {groups} groups each", found, (groups,)
        )
    return b.norm(f"{at}/norm", b.add(f"{at}/conv", "group_conv", [x], axis, x.size, groups=groups))


def mbconv(
    b: Layers,
    at: str,
    x: Node,
    width: Axis | int,
    stride: int,
    block: Block,
    kernel: Axis,
    inner: Axis,
    gate: Callable[[str, Node], Node] | None = None,
) -> Node:
    """A block of a kind without its residual; `gate` stands after the depthwise convolution."""
    y = x
    if block.expands:
        y = b.unary(f"{at}/expand/act", block.activation, pointwise(b, f"{at}/expand", y, inner, block.groups))
        if block.groups > 1:
            y = b.add(f"{at}/shuffle", "shuffle", [y], inner, y.size, groups=block.groups)
    y = b.conv(f"{at}/depth/conv", y, inner, (kernel, kernel), stride, depthwise=True)
    y = b.unary(f"{at}/depth/act", block.activation, b.norm(f"{at}/depth/norm", y))
    if gate is not None:
        y = gate(f"{at}/se", y)
    return pointwise(b, f"{at}/project", y, width, block.groups)


def blocks(
    b: Layers, at: str, x: Node, width: Axis | int, stride: int, options: Sequence[Option], widths: Cases | None = None
) -> Node:
    """Blocks of one kind as slices of the largest, or a single one; with the residual where the shape is kept.

    `widths` are the channels that `x` may have, where they are not decided.
    """
    kind = options[0][0].kind
    cases = [(TRUE, len(x.axis))] if widths is None else widths
    inner = [(all_of(h, g), max(1, round(block.expansion * n))) for block, _, h in options for g, n in cases]
    kernel = Axis.rings([(g, block.kernel) for block, g, _ in options])
    features = Axis.elastic([(g, squeezed(n)) for g, n in inner])
    return _beside(b, at, x, width, stride, kind, kernel, Axis.elastic(inner), features)


def one(b: Layers, at: str, x: Node, width: Axis | int, stride: int, block: Block) -> Node:
    """A single block; the channels of `x` may be open, as long as what follows from them is not rounded."""
    if x.axis.plain:
        return blocks(b, at, x, width, stride, [(block, TRUE, TRUE)])
    expansion = round(block.expansion)
    if block.se or block.groups > 1 or expansion != block.expansion:
        raise LoweringError(at, "groups, squeeze-and-excitation and fractions need a decided number of channels")
    inner = Axis.of([(expansion * n, g) for n, g in x.axis.segments])
    return _beside(b, at, x, width, stride, block, Axis.of(block.kernel), inner, inner)


def _beside(
    b: Layers,
    at: str,
    x: Node,
    width: Axis | int,
    stride: int,
    kind: Block,
    kernel: Axis,
    inner: Axis,
    features: Axis,
) -> Node:
    """A block of a kind, and the input beside it where the shape is kept."""

    def gate(place: str, y: Node) -> Node:
        return squeeze(b, place, y, features) if kind.se else y

    y = mbconv(b, at, x, width, stride, kind, kernel, inner if kind.expands else x.axis, gate)
    return b.sum(f"{at}/add", [(TRUE, x), (TRUE, y)]) if (x.axis, x.size) == (y.axis, y.size) else y


def shuffled(b: Layers, at: str, x: Node, width: Axis | int, stride: int, kernel: int, *, separable: int = 0) -> Node:
    """ShuffleNetV2's block (Ma et al., 2018): half the channels pass by; where the shape changes all go both ways.

    `separable`: so many depthwise separable convolutions in place of three convolutions (Guo et al., 2020).
    """
    axis = Axis.of(width) if isinstance(width, int) else width
    if not x.axis.plain or not axis.plain or len(x.axis) % 2 or len(axis) % 2:
        found = [len(x.axis), len(axis)]
        raise LoweringError(at, f"{found[0]} and {found[1]} channels do not make halves", found, ("even numbers",))
    half = Axis.of(len(axis) // 2)
    if len(x.axis) == len(axis) and stride == 1:
        passed, y = b.truncate(f"{at}/passed", x, half), b.add(f"{at}/rest", "rest", [x], half, x.size)
    else:
        passed = b.norm(f"{at}/side/depth/norm", _depth(b, f"{at}/side", x, kernel, stride))
        passed = b.unary(f"{at}/side/relu", "relu", pointwise(b, f"{at}/side", passed, half))
        y = x
    for i in range(separable):
        y = b.norm(f"{at}/{i}/depth/norm", _depth(b, f"{at}/{i}", y, kernel, stride if i == 0 else 1))
        y = b.unary(f"{at}/{i}/relu", "relu", pointwise(b, f"{at}/{i}", y, half))
    if not separable:
        y = b.unary(f"{at}/1/relu", "relu", pointwise(b, f"{at}/1", y, half))
        y = b.norm(f"{at}/depth/norm", _depth(b, at, y, kernel, stride))
        y = b.unary(f"{at}/2/relu", "relu", pointwise(b, f"{at}/2", y, half))
    both = b.concat(f"{at}/concat", [(TRUE, passed), (TRUE, y)])
    return b.add(f"{at}/shuffle", "shuffle", [both], axis, both.size, groups=2)


def _depth(b: Layers, at: str, x: Node, kernel: int, stride: int) -> Node:
    return b.conv(f"{at}/depth/conv", x, x.axis, kernel, stride, depthwise=True)
