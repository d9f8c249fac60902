"""Open widths on a fixed topology: the size space of NATS-Bench (Dong et al., 2021).

    builds    fields
    widths    stage0, stage1, ...: the width of each, an odd number of stages

Stages are, in turn, a cell and a residual reduction. The cell is that of the benchmark: four nodes in the form of
NAS-Bench-201, a 3x3 convolution on every edge but the skip connection from the first node to the last. A skip between
unlike widths is a 1x1 convolution with its norm.
"""

from itertools import pairwise

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of, any_of, not_
from app.architecture.lower.edge_cells import reduction
from app.architecture.lower.layers import Layers, positive
from app.space.skeleton import ImageInput, WidthSkeleton

MOST = 65_536  # channels of a stage

Widths = list[tuple[Guard, int]]


def read_widths(cursor: Cursor) -> list[Widths]:
    """The widths that each stage may have."""
    stages: list[Widths] = []
    for choice in cursor.fields.values():
        cases: Widths = []
        for g, width in choice.values():
            if not isinstance(width, int) or isinstance(width, bool) or not 0 < width <= MOST:
                raise LoweringError(choice.path, f"expected 1 to {MOST} channels, found {width!r}", width)
            cases.append((g, width))
        stages.append(cases)
    if len(stages) % 2 == 0:
        raise LoweringError(cursor.path, f"{len(stages)} stages: cells and reductions in turn are odd", len(stages))
    return stages


def network(b: Layers, cursor: Cursor, skeleton: WidthSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, cells and residual reductions in turn, norm and ReLU, classifier."""
    positive(num_classes=skeleton.num_classes)
    stages = read_widths(cursor)
    axes = [Axis.elastic(widths) for widths in stages]
    x = b.conv_norm("stem", b.image(image), axes[0], 3, affine=True)
    for i, (before, after) in enumerate(pairwise([stages[0], *stages])):
        x = reduction(b, f"stage{i}", x, axes[i]) if i % 2 else _cell(b, f"stage{i}", x, axes[i], _same(before, after))
    x = b.unary("last/relu", "relu", b.norm("last/norm", x, affine=True))
    return (b.classifier("head", x, skeleton.num_classes),)


def _same(before: Widths, after: Widths) -> Guard:
    """Where two stages are equally wide."""
    return any_of(*(all_of(g, h) for g, n in before for h, m in after if n == m))


def _cell(b: Layers, at: str, x: Node, axis: Axis, same: Guard) -> Node:
    """One cell from the width of its input to its own."""
    states = [x]
    for j in (1, 2, 3):
        terms = [
            (TRUE, b.relu_conv_norm(f"{at}/node{j}/{i}", states[i], axis, 3)) for i in range(j) if (i, j) != (0, 3)
        ]
        if j == 3:
            wide = b.conv_norm(f"{at}/skip", x, axis, affine=b.affine)
            terms.append(
                (TRUE, b.sum(f"{at}/node3/0", [(not_(same), wide), (same, b.truncate(f"{at}/same", x, axis))]))
            )
        states.append(b.sum(f"{at}/node{j}", terms, drop_path=True))
    return states[-1]
