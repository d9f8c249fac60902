"""Feature pyramids of merging cells (NAS-FPN, Ghiasi et al., 2019).

    builds    fields
    fpn       one `merge` after another; as many of the last as there are levels are the outputs
    merge     inputs: a Subset of earlier maps; level: a Choice of levels; op: a Choice of MERGES

The first maps are the pyramid's inputs, one a level, finest first; then follow the merges. A merge brings its inputs to
its level, adds them (or the first of them and the others scaled channel by channel by the sigmoid of its means, or
puts them side by side and projects them) and applies ReLU, a 3x3 convolution and batch normalisation. What nothing
reads is added to the output of its level. An output level that no merge has keeps its input map: members that break
the permutation have a meaning too.
"""

from collections.abc import Callable

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of, any_of, not_
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.pyramid import backbone, heads, read_levels, resample
from app.space.algebra import Choice
from app.space.skeleton import FpnSkeleton, ImageInput

MERGES = ("sum", "global_pool_attention", "concat")

Cases = list[tuple[Guard, int, Node]]  # a map where its level is open: (when, level, maps)
Reads = list[tuple[Guard, int]]  # (when, number of a map)


def network(b: Layers, cursor: Cursor, skeleton: FpnSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Backbone, pyramid after pyramid with the same decisions, a head at every level."""
    positive(
        backbone_channels=skeleton.backbone_channels,
        channels=skeleton.channels,
        num_pyramids=skeleton.num_pyramids,
        num_anchors=skeleton.num_anchors,
        num_classes=skeleton.num_classes,
    )
    levels = levels_of(cursor)
    maps = backbone(b, image, levels, channels=skeleton.backbone_channels, width=skeleton.channels)
    for i in range(skeleton.num_pyramids):
        maps = pyramid(b, f"pyramid{i}", cursor, maps)
    return heads(
        b,
        maps,
        depth=skeleton.head_depth,
        width=skeleton.channels,
        anchors=skeleton.num_anchors,
        num_classes=skeleton.num_classes,
    )


def levels_of(cursor: Cursor) -> tuple[int, ...]:
    """Every level that a merge may have, decided or not."""
    found: set[object] = set()
    for merge in cursor.fields.values():
        level = merge["level"]
        found.update(level.view.of(level.term.options) if isinstance(level.term, Choice) else (level.value,))
    levels = read_levels(cursor, sorted(found, key=repr))
    if not 0 < len(levels) <= len(cursor.fields):
        message = f"{len(cursor.fields)} merges cannot put out {len(levels)} levels"
        raise LoweringError(cursor.path, message, list(cursor.fields))
    return levels


def pyramid(b: Layers, at: str, cursor: Cursor, inputs: dict[int, Node]) -> dict[int, Node]:
    """One pyramid: level -> maps, in and out."""
    extents = {level: x.size for level, x in inputs.items()}
    maps: list[Cases] = [[(TRUE, level, x)] for level, x in inputs.items()]
    made: dict[tuple[int, int], Node] = {}
    used: dict[int, list[Guard]] = {}

    def read(j: int, level: int) -> Node:
        """Map j at a level."""
        if (j, level) not in made:
            here = f"{at}/map{j}/to{level}"
            terms = [
                (guard, resample(b, f"{here}/{source}", x, (source, level), extents[level]))
                for guard, source, x in maps[j]
            ]
            made[j, level] = b.sum(here, terms)
        return made[j, level]

    for i, merge in enumerate(cursor.fields.values()):
        reads = read_inputs(merge, len(maps))
        for guard, j in reads:
            used.setdefault(j, []).append(guard)
        cases: Cases = []
        for guard, level in merge["level"].values():
            assert isinstance(level, int)
            cases.append((guard, level, _merge(b, f"{at}/merge{i}/{level}", merge["op"], reads, level, read)))
        maps.append(cases)
    first = len(maps) - len(inputs)
    outputs: dict[int, Node] = {}
    for i, level in enumerate(inputs):
        terms = [(g, x) for cases in maps[first:] for g, found, x in cases if found == level]
        there = any_of(*(g for g, _ in terms))
        for j, cases in enumerate(maps[:first]):
            unread = not_(any_of(*used.get(j, ())))
            kept = any_of(unread, not_(there)) if j == i else unread
            terms += [(all_of(g, kept), x) for g, found, x in cases if found == level]
        outputs[level] = b.sum(f"{at}/out{level}", terms)
    return outputs


def read_inputs(merge: Cursor, maps: int) -> Reads:
    """The maps that a merge may read, each with the guard that takes it."""
    reads: Reads = []
    for guard, j in merge["inputs"].values():
        if type(j) is not int or not 0 <= j < maps:
            raise LoweringError(f"{merge.path}/inputs", f"{j!r} is not an earlier map", j, range(maps))
        reads.append((guard, j))
    return reads


def _merge(b: Layers, at: str, op: Cursor, reads: Reads, level: int, read: Callable[[int, int], Node]) -> Node:
    """A merge at one of its levels."""
    found = [(guard, read(j, level)) for guard, j in reads]
    terms: list[tuple[Guard, Node]] = []
    for guard, how in op.values():
        if how not in MERGES:
            raise LoweringError(op.path, f"maps are merged by {' or '.join(MERGES)}, not {how!r}", how, MERGES)
        terms.append((guard, merged(b, f"{at}/{how}", str(how), found, len(found[0][1].axis))))
    x = b.sum(f"{at}/op", terms)
    return b.relu_conv_norm(at, x, len(x.axis), 3)


def merged(b: Layers, at: str, how: str, found: list[tuple[Guard, Node]], width: int) -> Node:
    """Maps of one level as one of them; side by side they are projected to a width."""
    match how:
        case "sum":
            return b.sum(at, found)
        case "concat":
            return b.relu_conv_norm(f"{at}/fit", b.concat(at, found), width)
        case _:
            return attended(b, at, found)


def attended(b: Layers, at: str, found: list[tuple[Guard, Node]]) -> Node:
    """The first of the maps that are taken, and the others times the sigmoid of its means (Li et al., 2018)."""
    first: list[tuple[Guard, Node]] = []
    others: list[tuple[Guard, Node]] = []
    before: list[Guard] = []
    for guard, x in found:
        earlier = any_of(*before)
        first.append((all_of(guard, not_(earlier)), x))
        others.append((all_of(guard, earlier), x))
        before.append(guard)
    lead, rest = b.sum(f"{at}/first", first), b.sum(f"{at}/others", others)
    gate = b.unary(f"{at}/sigmoid", "sigmoid", b.mean(f"{at}/mean", lead))
    scaled = b.add(f"{at}/scale", "scale", [rest, gate], rest.axis, rest.size)
    return b.sum(f"{at}/add", [(TRUE, lead), (TRUE, scaled)])
