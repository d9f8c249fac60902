"""Detection heads: links between the levels of a pyramid, then a tower of operations at every level.

    builds    fields
    head      "4->3", ...: a Choice of `none` and operations; level3, level4, ...: a `tower` each
    tower     layers: a Repeat of a Choice of operations

A link adds to its target what its operation makes of the source, brought to the target's level. Links to finer levels
come first, from the coarsest down (FPN, Lin et al., 2017), then those to coarser ones (PANet, Liu et al., 2018).
"""

import re

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard
from app.architecture.lower.branches import tower
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import operation
from app.architecture.lower.pyramid import backbone, heads, read_levels, resample
from app.space.skeleton import HeadSkeleton, ImageInput

NONE = "none"
_LEVEL = re.compile(r"level(\d{1,4})")
_LINK = re.compile(r"(\d{1,4})->(\d{1,4})")


def network(b: Layers, cursor: Cursor, skeleton: HeadSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Backbone, links, towers, class and box outputs."""
    positive(
        backbone_channels=skeleton.backbone_channels,
        channels=skeleton.channels,
        num_anchors=skeleton.num_anchors,
        num_classes=skeleton.num_classes,
    )
    towers, links = read_head(cursor)
    maps = backbone(b, image, tuple(towers), channels=skeleton.backbone_channels, width=skeleton.channels)
    for source, target, choice in links:
        at = f"link{source}-{target}"
        terms: list[tuple[Guard, Node]] = [(TRUE, maps[target])]
        for guard, name in choice.values():
            if name != NONE:
                y = operation(b, choice.path, name, f"{at}/{name}", maps[source], skeleton.channels)
                terms.append((guard, resample(b, f"{at}/{name}", y, (source, target), maps[target].size)))
        maps[target] = b.sum(at, terms)
    maps = {level: tower(b, f"tower{level}", towers[level]["layers"], x) for level, x in maps.items()}
    return heads(
        b,
        maps,
        depth=0,
        width=skeleton.channels,
        anchors=skeleton.num_anchors,
        num_classes=skeleton.num_classes,
    )


def read_head(cursor: Cursor) -> tuple[dict[int, Cursor], list[tuple[int, int, Cursor]]]:
    """(level -> its tower, the links in the order in which they act)."""
    towers: dict[int, Cursor] = {}
    links: list[tuple[int, int, Cursor]] = []
    for name, inner in cursor.fields.items():
        if level := _LEVEL.fullmatch(name):
            towers[int(level[1])] = inner
        elif link := _LINK.fullmatch(name):
            links.append((int(link[1]), int(link[2]), inner))
        else:
            raise LoweringError(cursor.path, f"{name!r} is neither a level nor a link between two", name)
    if not towers:
        raise LoweringError(cursor.path, "a head needs a level", list(cursor.fields))
    read_levels(cursor, tuple(towers))
    for source, target, inner in links:
        if source == target or {source, target} - set(towers):
            raise LoweringError(inner.path, f"{source}->{target} links no two of the levels", source, tuple(towers))
    down = sorted((link for link in links if link[0] > link[1]), key=lambda link: (-link[0], -link[1]))
    up = sorted((link for link in links if link[0] < link[1]), key=lambda link: (link[0], link[1]))
    return dict(sorted(towers.items())), down + up
