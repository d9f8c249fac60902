"""MnasNet (Tan et al., 2019): blocks of equal layers, each with its own convolution, width and number of layers.

    builds    fields
    mnas      block0, block1, ...: `block`{conv, kernel, se, skip, width, layers}

`conv` is a regular convolution, `sepconv` a depthwise separable one, `mb3` an inverted residual of expansion 3. `se` is
the share of a layer's input channels that squeeze-and-excitation keeps, 0 without. `skip` joins each layer after a
block's first: none, identity, pool. `width` is relative to the skeleton's, `layers` an addition to its depth.

Elastic, widths, kernels and expansions are slices of one tensor. Else every width has layers of its own, whose outputs
lie side by side, and every convolution and kernel tensors of its own.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of, any_of, not_
from app.architecture.lower.layers import Layers
from app.architecture.lower.mbconv import Block, Cases, mbconv, squeeze
from app.architecture.lower.mobile import Stage, head, stages, stem, tail
from app.space.skeleton import ImageInput, MobileSkeleton

_MB = re.compile(r"mb(\d{1,2}(?:\.\d{1,2})?)")
SKIPS = ("none", "identity", "pool")


@dataclass(frozen=True, slots=True)
class Wide:
    """Maps and the widths that they may have."""

    maps: Node
    widths: Cases


def network(b: Layers, cursor: Cursor, skeleton: MobileSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """The blocks in a row, one a stage."""
    found, blocks = stages(skeleton), cursor.fields
    for name, items in (("widths", found), ("depths", skeleton.depths)):
        if len(items) != len(blocks):
            message = f"{len(items)} stages, {len(blocks)} blocks"
            raise LoweringError(f"/skeleton/{name}", message, len(items), (len(blocks),))
    x = stem(b, skeleton, b.image(image))
    wide = Wide(x, [(TRUE, len(x.axis))])
    for (name, block), stage, depth in zip(blocks.items(), found, skeleton.depths, strict=True):
        wide = _block(b, name, block, wide, stage, depth, elastic=skeleton.elastic)
    return head(b, skeleton, tail(b, skeleton, wide.maps, wide.widths))


def _block(b: Layers, at: str, block: Cursor, x: Wide, stage: Stage, depth: int, *, elastic: bool) -> Wide:
    """The layers of a block: once with elastic widths, or once a width."""
    widths = [(g, round(stage.width * _number(block["width"], w))) for g, w in block["width"].values()]
    depths = [(g, depth + int(_number(block["layers"], n))) for g, n in block["layers"].values()]
    for name, least in (("width", min(n for _, n in widths)), ("layers", min(n for _, n in depths))):
        if least < 1:
            raise LoweringError(block[name].path, f"a block of {least}: {name} are at least 1", least)
    ways = [(TRUE, at, Axis.elastic(widths))] if elastic else [(g, f"{at}/{n}", Axis.of(n)) for g, n in widths]
    outs: list[tuple[Guard, Node]] = []
    for guard, here, axis in ways:
        cases = widths if elastic else [(TRUE, len(axis))]
        y, exits = x, list[tuple[Guard, Node]]()
        for j in range(max(n for _, n in depths)):
            z = _layer(b, f"{here}/layer{j}", block, y, axis, stage, 1 if j else stage.stride, elastic=elastic)
            y = Wide(_skip(b, f"{here}/layer{j}", block["skip"], y.maps, z) if j else z, cases)
            exits.append((any_of(*(g for g, n in depths if n == j + 1)), y.maps))
        outs.append((guard, b.sum(f"{here}/exit", exits)))
    return Wide(b.concat(f"{at}/widths", outs), widths)


def _layer(b: Layers, at: str, block: Cursor, x: Wide, axis: Axis, stage: Stage, stride: int, *, elastic: bool) -> Node:
    """The convolutions that a layer may be."""
    together: dict[str, list[tuple[Guard, float, Guard, int]]] = {}
    for g, name in block["conv"].values():
        expansion = _expansion(block["conv"], name)
        for h, kernel in block["kernel"].values():
            kind = ("conv", "sepconv", "mb")[min(int(expansion > 0) + int(expansion > 1), 2)]
            label = kind if elastic else f"{name}_k{kernel}"
            together.setdefault(label, []).append((g, expansion, h, int(_number(block["kernel"], kernel))))
    terms: list[tuple[Guard, Node]] = []
    for label, cases in together.items():
        here = f"{at}/{label}"
        kernel = Axis.rings([(h, k) for _, _, h, k in cases])
        expansion = cases[0][1]

        def gate(place: str, y: Node) -> Node:
            return _gated(b, place, block["se"], x.widths, y)

        if not expansion:
            y = b.norm(f"{here}/norm", b.conv(f"{here}/conv", x.maps, axis, (kernel, kernel), stride))
            y = gate(f"{here}/se", b.unary(f"{here}/act", stage.activation, y))
        else:
            expansions = _exhaustive(dict.fromkeys((g, e) for g, e, _, _ in cases))
            inner = [(all_of(g, h), max(1, round(e * n))) for g, e in expansions for h, n in x.widths]
            spread = Axis.elastic(inner) if elastic else Axis.of([(n, g) for g, n in inner])
            kind = Block(expands=expansion != 1, activation=stage.activation)
            y = mbconv(b, here, x.maps, axis, stride, kind, kernel, spread if kind.expands else x.maps.axis, gate)
        terms.append((any_of(*(all_of(g, h) for g, _, h, _ in cases)), y))
    return b.sum(at, terms)


def _exhaustive(cases: Iterable[tuple[Guard, float]]) -> list[tuple[Guard, float]]:
    """The cases of one decision, the last also where none holds: then their sizes and those of widths can multiply."""
    *others, (_, last) = cases
    return [*others, (not_(any_of(*(g for g, _ in others))), last)]


def _expansion(at: Cursor, name: object) -> float:
    """The expansion of a convolution by name: 0 of a regular one, 1 of a separable one."""
    match = _MB.fullmatch(name) if isinstance(name, str) else None
    if match is not None and float(match[1]) > 1:
        return float(match[1])
    if name not in ("conv", "sepconv"):
        raise LoweringError(at.path, f"no convolution {name!r}", name, ("conv", "sepconv", "mb3", "mb6"))
    return 1.0 if name == "sepconv" else 0.0


def _gated(b: Layers, at: str, ratios: Cursor, widths: Cases, y: Node) -> Node:
    """Squeeze-and-excitation by any of some ratios of a layer's input channels."""
    terms: list[tuple[Guard, Node]] = []
    for g, value in ratios.values():
        ratio = _number(ratios, value)
        features = Axis.elastic([(h, max(1, int(n * ratio))) for h, n in widths])
        terms.append((g, squeeze(b, f"{at}/{ratio:g}", y, features, "sigmoid") if ratio else y))
    return b.sum(at, terms)


def _skip(b: Layers, at: str, skips: Cursor, x: Node, y: Node) -> Node:
    """A layer's output and what passes beside it."""
    beside: list[tuple[Guard, Node]] = []
    for g, name in skips.values():
        match name:
            case "none":
                pass
            case "identity":
                beside.append((g, x))
            case "pool":
                beside.append((g, b.pool(f"{at}/pool", "avg_pool", x)))
            case _:
                raise LoweringError(skips.path, f"no skip {name!r}", name, SKIPS)
    return b.sum(f"{at}/add", [(TRUE, y), *beside])


def _number(at: Cursor, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LoweringError(at.path, f"{value!r} is not a number", value)
    return float(value)
