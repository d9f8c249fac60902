"""Feature pyramids: maps at several levels, what changes their level, and detection heads.

Level l has the extents of the image halved l times, rounded up. Towards finer levels maps are repeated (nearest),
towards coarser ones they are pooled: maxima over 3x3 windows of stride 2, as often as it takes.
"""

from collections.abc import Sequence

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.lower.layers import Layers
from app.space.skeleton import ImageInput

DEEPEST = 12  # level: beyond it every image is one pixel
_STEM = 2  # halvings of the stem
_WIDEST = 5  # the level beyond which the backbone grows no wider


def backbone(b: Layers, image: ImageInput, levels: Sequence[int], *, channels: int, width: int) -> dict[int, Node]:
    """A row of strided convolutions, doubling `channels` up to level 5, and of each level a projection to `width`."""
    x = b.conv_norm_relu("stem/1", b.image(image), channels, 3, 2)
    x = b.conv_norm_relu("stem/2", x, channels, 3, 2)
    maps: dict[int, Node] = {}
    for level in range(_STEM + 1, max(levels) + 1):
        channels *= 1 + (level <= _WIDEST)
        x = b.conv_norm_relu(f"backbone/{level}", x, channels, 3, 2)
        if level in levels:
            maps[level] = b.conv_norm(f"lateral/{level}", x, width)
    return maps


def read_levels(cursor: Cursor, levels: Sequence[object]) -> tuple[int, ...]:
    """The levels, sorted and checked."""
    wrong = [level for level in levels if type(level) is not int or not _STEM < level <= DEEPEST]
    if wrong:
        message = f"a level is a number from {_STEM + 1} to {DEEPEST}, not {wrong[0]!r}"
        raise LoweringError(cursor.path, message, wrong[0])
    return tuple(sorted({level for level in levels if isinstance(level, int)}))


def resample(b: Layers, at: str, x: Node, levels: tuple[int, int], extents: tuple[int, ...]) -> Node:
    """Maps of one level (from, to) at another, whose extents are given."""
    first, last = levels
    if first > last:
        return b.resize(f"{at}/up", x, extents)
    for i in range(first, last):
        x = b.pool(f"{at}/down{i}", "max_pool", x, 3, 2)
    return x


def heads(
    b: Layers, maps: dict[int, Node], *, depth: int, width: int, anchors: int, num_classes: int
) -> tuple[Node, ...]:
    """Class logits (anchors x classes) of every level, then box offsets (anchors x 4); levels share no weights."""
    outputs: list[Node] = []
    for name, numbers in (("classes", num_classes), ("boxes", 4)):
        for level, x in maps.items():
            at = f"{name}/{level}"
            for i in range(depth):
                x = b.conv_norm_relu(f"{at}/{i}", x, width, 3)
            outputs.append(b.conv(f"{at}/out", x, anchors * numbers, 3, bias=True))
    return tuple(outputs)
