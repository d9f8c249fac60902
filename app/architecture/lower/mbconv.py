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


def squeezed(channels: int) -> int:
    """Features of squeeze-and-excitation: a quarter of the channels as a multiple of 8, never a tenth less."""
    wanted = channels // 4
    nearest = max(8, (wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


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
    b: Layers, at: str, x: Node, width: int, stride: int, options: Sequence[Option], widths: Cases | None = None
) -> Node:
    """Blocks of one kind as slices of the largest, or a single one; with the residual where the shape is kept.

    `widths` are the channels that `x` may have, where they are not decided.
    """
    kind = options[0][0].kind
    cases = [(TRUE, len(x.axis))] if widths is None else widths
    inner = [(all_of(h, g), max(1, round(block.expansion * n))) for block, _, h in options for g, n in cases]
    features = Axis.elastic([(g, squeezed(n)) for g, n in inner])
    y = mbconv(
        b,
        at,
        x,
        width,
        stride,
        kind,
        Axis.rings([(g, block.kernel) for block, g, _ in options]),
        Axis.elastic(inner) if kind.expands else x.axis,
        (lambda place, y: squeeze(b, place, y, features)) if kind.se else None,
    )
    return b.sum(f"{at}/add", [(TRUE, x), (TRUE, y)]) if (x.axis, x.size) == (y.axis, y.size) else y
