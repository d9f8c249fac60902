"""Layers with skips (ENAS macro, Pham et al., 2018): each merges what it makes with any of the earlier states.

    builds    fields
    skips     one `layer` after another
    layer     op: a Choice of operations; skip0, skip1, ...: 0 or 1 each

State 0 is the stem, state i + 1 layer i. Layer i applies a 1x1 convolution and its operation to state i; the result and
the states whose bit is set stand side by side, and another 1x1 convolution brings them to the width. A layer without
bits is its operation alone.
"""

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, any_of
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import operation
from app.space.skeleton import ImageInput, SkipSkeleton

_SKIP = "skip"


def network(b: Layers, cursor: Cursor, skeleton: SkipSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """The layers in a row; before a reduction every state is halved, for later layers may still read it."""
    positive(channels=skeleton.channels, num_classes=skeleton.num_classes)
    width = skeleton.channels
    states = [b.conv_norm("stem", b.image(image), width, 3, affine=True)]
    for i, layer in enumerate(cursor.fields.values()):
        at = f"layer{i}"
        if i in skeleton.reductions:
            width *= 2
            states = [b.factorised_reduction(f"reduction{i}/{j}", x, width) for j, x in enumerate(states)]
        x = b.sum(
            at,
            [
                (
                    guard,
                    operation(b, layer["op"].path, name, f"{at}/{name}", _point(b, f"{at}/{name}", states[-1]), width),
                )
                for guard, name in layer["op"].values()
            ],
        )
        skips = read_skips(layer, len(states))
        if skips:
            parts = [(TRUE, x), *((guard, states[j]) for j, guard in skips.items())]
            x = b.relu_conv_norm(f"{at}/fit", b.concat(f"{at}/concat", parts), width)
        states.append(x)
    return (b.classifier("head", states[-1], skeleton.num_classes),)


def _point(b: Layers, at: str, x: Node) -> Node:
    """The 1x1 convolution before every operation, of the operation's own weights."""
    return b.relu_conv_norm(f"{at}/first", x, len(x.axis))


def read_skips(layer: Cursor, states: int) -> dict[int, Guard]:
    """State -> when the layer merges it."""
    skips: dict[int, Guard] = {}
    for name, bit in layer.fields.items():
        if name == "op":
            continue
        number = name.removeprefix(_SKIP)
        if not name.startswith(_SKIP) or not number.isdecimal() or int(number) >= states:
            allowed = ("op", *(f"{_SKIP}{j}" for j in range(states)))
            raise LoweringError(layer.path, f"{name!r} is no earlier state", name, allowed)
        wrong = [value for _, value in bit.values() if value not in (0, 1)]
        if wrong:
            raise LoweringError(bit.path, f"a skip is 0 or 1, not {wrong[0]!r}", wrong[0], (0, 1))
        skips[int(number)] = any_of(*(guard for guard, value in bit.values() if value))
    return dict(sorted(skips.items()))
