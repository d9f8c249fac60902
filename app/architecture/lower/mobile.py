"""Mobile networks: stages of inverted residuals between a stem and a head.

    builds    fields
    mobile    layers: a Repeat of a Choice of operations, or a record `positions` of a Choice each
    units     unit0, unit1, ...: `unit`{blocks: a Repeat of `mbconv`{kernel, expand}}; perhaps resolution

The first layer of a stage changes width and extents. Of what is no block of `mbconv.py`, `identity` is the input where
the shape is kept, else a 1x1 convolution with its norm; `zero` leaves the residual of its layer, and stands only where
the layer has one; the rest is the vocabulary's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import FALSE, TRUE, Guard, all_of, any_of, not_
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.mbconv import Block, Cases, block_of, blocks
from app.architecture.lower.operation import operation
from app.space.algebra import Path, Record, Repeat, Scalar
from app.space.skeleton import ImageInput, MobileSkeleton


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a skeleton."""

    width: int
    stride: int
    se: bool
    activation: str


def stages(skeleton: MobileSkeleton) -> tuple[Stage, ...]:
    """The stages of a skeleton, whose lists are equally long."""
    positive(stem=skeleton.stem, num_classes=skeleton.num_classes)
    positive(**{f"widths/{i}": width for i, width in enumerate(skeleton.widths)})
    n = len(skeleton.widths)
    for name, items in (("strides", skeleton.strides), ("se", skeleton.se), ("activations", skeleton.activations)):
        if len(items) != n and (items or name == "strides"):
            raise LoweringError(f"/skeleton/{name}", f"{len(items)} items for {n} stages", list(items), (n,))
    se = skeleton.se or (False,) * n
    activations = skeleton.activations or (skeleton.activation,) * n
    return tuple(map(Stage, skeleton.widths, skeleton.strides, se, activations))


def stem(b: Layers, skeleton: MobileSkeleton, image: Node) -> Node:
    """A 3x3 convolution, and the fixed block after it."""
    x = b.conv_norm("stem", image, skeleton.stem, 3, skeleton.stem_stride)
    x = b.unary("stem/act", skeleton.activation, x)
    if not skeleton.first:
        return x
    activation = stages(skeleton)[0].activation if skeleton.widths else skeleton.activation
    return blocks(b, "first", x, skeleton.first, 1, [(Block(expands=False, activation=activation), TRUE, TRUE)])


def head(b: Layers, skeleton: MobileSkeleton, x: Node) -> tuple[Node, ...]:
    """A 1x1 convolution, the mean over all places, perhaps a map, the classifier."""
    if skeleton.head:
        x = b.unary("head/act", skeleton.activation, b.conv_norm("head", x, skeleton.head))
    x = b.mean("head/mean", x)
    if skeleton.features:
        x = b.linear("head/features", x, skeleton.features, bias=skeleton.features_bias)
        x = b.unary("head/features/act", skeleton.activation, x)
    return (b.linear("head/linear", x, skeleton.num_classes),)


def tail(b: Layers, skeleton: MobileSkeleton, x: Node, widths: Cases | None = None) -> Node:
    """The fixed block after the stages; `widths` are the channels that `x` may have."""
    if not skeleton.tail:
        return x
    block = Block(expansion=6, activation=skeleton.activation)
    return blocks(b, "tail", x, skeleton.tail, 1, [(block, TRUE, TRUE)], widths)


@dataclass(frozen=True, slots=True)
class Option:
    """What a layer may be."""

    name: Scalar
    guard: Guard
    block: Block | None  # None of any other operation
    kernel: Guard  # what chooses the block's kernel
    expansion: Guard


def named(choice: Cursor, stage: Stage) -> list[Option]:
    """The options of a layer by name."""
    return [
        Option(name, g, block_of(name, se=stage.se, activation=stage.activation), g, g) for g, name in choice.values()
    ]


def recorded(block: Cursor, stage: Stage) -> list[Option]:
    """The options of a layer by kernel and expansion."""
    found: list[Option] = []
    for g, kernel in block["kernel"].values():
        for h, expansion in block["expand"].values():
            name = f"mb{expansion:g}_k{kernel}" if isinstance(expansion, int | float) else ""
            read = block_of(name, se=stage.se, activation=stage.activation)
            if read is None:
                message = f"no block has kernel {kernel!r} and expansion {expansion!r}"
                raise LoweringError(block.path, message, [kernel, expansion])
            found.append(Option(name, all_of(g, h), read, g, h))
    return found


def layer(
    b: Layers, at: str, pointer: Path, options: Sequence[Option], x: Node, stage: Stage, stride: int, *, elastic: bool
) -> Node:
    """One layer; blocks of one kind are slices of one tensor where the skeleton is elastic."""
    together: dict[Scalar, list[Option]] = {}
    for option in options:
        label = option.block.kind.label if elastic and option.block is not None else option.name
        together.setdefault(label, []).append(option)
    terms: list[tuple[Guard, Node]] = []
    for label, same in together.items():
        here = f"{at}/{label}"
        same_kind = [(o.block, o.kernel, o.expansion) for o in same if o.block is not None]
        if same_kind:
            y = blocks(b, here, x, stage.width, stride, same_kind)
        else:
            y = _other(b, pointer, label, here, x, stage.width, stride)
        terms.append((any_of(*(o.guard for o in same)), y))
    return b.sum(at, terms)


def _other(b: Layers, pointer: Path, name: object, at: str, x: Node, width: int, stride: int) -> Node:
    """What is no block."""
    kept = stride == 1 and len(x.axis) == width
    match name:
        case "zero":
            if kept:
                return x
            shape = f"{len(x.axis)} channels to {width} with stride {stride}"
            raise LoweringError(pointer, f"zero leaves the residual of a layer, and there is none from {shape}", name)
        case "identity":
            return x if kept else b.conv_norm(at, x, width, 1, stride)
        case _:
            return operation(b, pointer, name, at, x, width, stride)


def network(b: Layers, cursor: Cursor, skeleton: MobileSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """The layers in a row, dealt to the stages. Where several lengths are allowed they end in one shape."""
    x = stem(b, skeleton, b.image(image))
    exits: list[tuple[Guard, Node]] = []
    places = _places(skeleton)
    for i, (last, choice) in enumerate(_layers(cursor["layers"], len(places))):
        stage, stride = places[i]
        x = layer(b, f"layer{i}", choice.path, named(choice, stage), x, stage, stride, elastic=skeleton.elastic)
        exits.append((last, x))
    return head(b, skeleton, tail(b, skeleton, b.sum("exit", exits)))


def _places(skeleton: MobileSkeleton) -> list[tuple[Stage, int]]:
    """The stage and stride of every layer."""
    found = stages(skeleton)
    if len(skeleton.depths) != len(found):
        message = f"{len(skeleton.depths)} items for {len(found)} stages"
        raise LoweringError("/skeleton/depths", message, list(skeleton.depths), (len(found),))
    return [
        (stage, stage.stride if i == 0 else 1)
        for stage, depth in zip(found, skeleton.depths, strict=True)
        for i in range(depth)
    ]


def _layers(cursor: Cursor, places: int) -> Iterator[tuple[Guard, Cursor]]:
    """Every layer, with when it is the last; as many as the skeleton has places for."""
    if isinstance(cursor.term, Record):
        choices = list(cursor.fields.values())
        most, found = len(choices), [(FALSE, choice) for choice in choices[:-1]] + [(TRUE, c) for c in choices[-1:]]
    else:
        found = [(last, choice) for _, last, choice in cursor.items()]
        most = max(cursor.term.lengths) if isinstance(cursor.term, Repeat) else 0
    if most != places or not found:
        raise LoweringError("/skeleton/depths", f"stages for {places} layers, the space has {most}", places, (most,))
    yield from found


def units(b: Layers, cursor: Cursor, skeleton: MobileSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Units of several depths, one a stage; each ends after any of its blocks."""
    fields = dict(cursor.fields)
    x = stem(b, skeleton, resized(b, image, fields.pop("resolution", None)))
    found = stages(skeleton)
    if len(found) != len(fields):
        raise LoweringError("/skeleton/widths", f"{len(found)} stages, {len(fields)} units", len(found), (len(fields),))
    for (name, unit), stage in zip(fields.items(), found, strict=True):
        items = unit["blocks"].items()
        exits = [(not_(items[0][0]) if items else TRUE, x)]  # a unit without a block is its input
        for i, (_, last, block) in enumerate(items):
            stride = stage.stride if i == 0 else 1
            x = layer(
                b, f"{name}/block{i}", block.path, recorded(block, stage), x, stage, stride, elastic=skeleton.elastic
            )
            exits.append((last, x))
        x = b.sum(f"{name}/exit", exits)
    return head(b, skeleton, tail(b, skeleton, x))


def resized(b: Layers, image: ImageInput, resolution: Cursor | None) -> Node:
    """The image at the resolution that was decided.

    A resolution is the input's and no tensor's: while it is open nothing can be built.
    """
    x = b.image(image)
    if resolution is None:
        return x
    options = resolution.values()
    (_, extent), *others = options
    if others or not isinstance(extent, int):
        allowed = [value for _, value in options]
        raise LoweringError(resolution.path, "decide the resolution: it is the input's, and no tensor's", None, allowed)
    size = (extent, extent)
    return x if x.size == size else b.add("resize", "resize", [x], x.axis, size, extents=size, mode="bilinear")
