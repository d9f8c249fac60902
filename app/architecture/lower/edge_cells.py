"""Edge-labelled cells (NAS-Bench-201, Dong and Yang, 2020): every edge i->j carries one operation, nodes add up.

    builds        fields
    edge_cells    "0->1", "0->2", "1->2", ...: a Choice of operations each

Node 0 is the cell's input, the last one its output. Three stages of cells, residual reductions between them.
"""

import re
from collections.abc import Mapping

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import mixed
from app.space.skeleton import EdgeCellSkeleton, ImageInput

_EDGE = re.compile(r"(\d+)->(\d+)")

Edges = dict[int, list[tuple[int, Cursor]]]  # node -> (earlier node, operations)


def read_edges(cursor: Cursor, fields: Mapping[str, Cursor] | None = None) -> Edges:
    """The edges into each node, nodes in their order; every node but the first has one."""
    into: Edges = {}
    fields = cursor.fields if fields is None else fields
    for name, operations in fields.items():
        match = _EDGE.fullmatch(name)
        if match is None or int(match[1]) >= int(match[2]):
            raise LoweringError(cursor.path, f"{name!r} is not an edge i->j with i < j", name)
        into.setdefault(int(match[2]), []).append((int(match[1]), operations))
    last = max(into, default=0)
    missing = [j for j in range(1, last + 1) if j not in into]
    if missing or not into:
        raise LoweringError(cursor.path, f"no edge into node {missing[0] if missing else 1}", list(fields))
    return {j: sorted(into[j], key=lambda edge: edge[0]) for j in sorted(into)}


def build_edge_cell(b: Layers, at: str, edges: Edges, x: Node, width: int) -> Node:
    """One cell at a place; its input has its width."""
    states = [x]
    for j, sources in edges.items():
        here = f"{at}/node{j}"
        terms = [(TRUE, mixed(b, f"{here}/{i}", operations, states[i], width)) for i, operations in sources]
        states.append(b.sum(here, terms, drop_path=True))
    return states[-1]


def network(b: Layers, cursor: Cursor, skeleton: EdgeCellSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, three stages of cells, norm and ReLU, classifier."""
    positive(channels=skeleton.channels, num_cells=skeleton.num_cells, num_classes=skeleton.num_classes)
    edges = read_edges(cursor)
    x = b.conv_norm("stem", b.image(image), skeleton.channels, 3, affine=True)
    for stage in range(3):
        width = skeleton.channels * 2**stage
        if stage:
            x = reduction(b, f"reduction{stage}", x, width)
        for c in range(skeleton.num_cells):
            x = build_edge_cell(b, f"stage{stage}/cell{c}", edges, x, width)
    x = b.unary("last/relu", "relu", b.norm("last/norm", x, affine=True))
    return (b.classifier("head", x, skeleton.num_classes),)


def reduction(b: Layers, at: str, x: Node, width: Axis | int) -> Node:
    """A residual block of stride 2: 2x2 mean and 1x1 convolution beside two 3x3 convolutions. Always affine."""
    y = x
    for i, stride in ((1, 2), (2, 1)):
        y = b.conv_norm(f"{at}/{i}", b.unary(f"{at}/{i}/relu", "relu", y), width, 3, stride, affine=True)
    # odd extents: the last window is not full, so that both ways halve alike
    short = b.pool(f"{at}/short/pool", "avg_pool", x, 2, 2, pad=0, ceil=any(n % 2 for n in x.size))
    return b.sum(f"{at}/add", [(TRUE, b.conv(f"{at}/short/conv", short, width)), (TRUE, y)])
