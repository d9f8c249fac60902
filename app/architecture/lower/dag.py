"""Graphs whose vertices carry the operations: the cells of NAS-Bench-101 (Ying et al., 2019), and whole networks.

    builds         fields
    dag_cells      cell: a `dag`, or a Choice of them (of several numbers of vertices)
    dag            "0->1", "0->2", "1->2", ...: 0 or 1 each; "v1", "v2", ...: a Choice of operations each; vertices
    dag_network    the same fields, without vertices

Vertex 0 is the input, the last one the output. What lies on no way between the two is not there; without any way the
output is zero.

A cell gives its width C to the vertices that the output reads, which it concatenates: of d of them each has C // d
channels, and the first C % d one more. Any other vertex is as wide as the widest that reads it. Vertices add up what
they read: the cell's input by a 1x1 projection to their width, others cut to it. The output adds a projection of the
input where it reads that, too. While edges are open so are the widths, and which vertices the output joins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import FALSE, TRUE, Guard, all_of, any_of, exactly, not_
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import mixed
from app.space.skeleton import DagNetworkSkeleton, DagSkeleton, ImageInput

_EDGE = re.compile(r"(\d{1,4})->(\d{1,4})")

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Dag:
    """A graph as its grammar has it, read once and built many times."""

    last: int  # the output; vertex 0 is the input
    edges: Mapping[Edge, Guard]  # when an edge is there and on a way from input to output; by target, then source
    connected: Guard
    operations: Mapping[int, Cursor]  # of the inner vertices

    def into(self, target: int) -> list[tuple[int, Guard]]:
        """The vertices that a vertex may read, each with when it does."""
        return [(i, self.edges[i, target]) for i in range(target) if self.edges.get((i, target), FALSE) is not FALSE]


def read_dag(cursor: Cursor) -> Dag:
    """The vertices of a graph and the edges that matter."""
    there: dict[Edge, Guard] = {}
    for name, bit in cursor.fields.items():
        ends = _EDGE.fullmatch(name)
        if ends is not None:
            if not int(ends[1]) < int(ends[2]):
                raise LoweringError(cursor.path, f"{name!r} is not an edge i->j with i < j", name)
            there[int(ends[1]), int(ends[2])] = _flag(bit)
    last = max((target for _, target in there), default=0)
    if not last:
        raise LoweringError(cursor.path, "a graph needs an edge", list(cursor.fields), ("0->1",))
    ahead, back = {0: TRUE}, {last: TRUE}
    for j in range(1, last + 1):
        ahead[j] = any_of(*(all_of(there[i, j], ahead[i]) for i in range(j) if (i, j) in there))
    for i in reversed(range(last)):
        back[i] = any_of(*(all_of(there[i, j], back[j]) for j in range(i + 1, last + 1) if (i, j) in there))
    edges = {(i, j): all_of(there[i, j], ahead[i], back[j]) for i, j in sorted(there, key=lambda e: (e[1], e[0]))}
    return Dag(last, edges, ahead[last], {v: cursor[f"v{v}"] for v in range(1, last)})


def _flag(bit: Cursor) -> Guard:
    """When a bit is 1."""
    values = bit.values()
    for _, value in values:
        if isinstance(value, bool) or value not in (0, 1):
            raise LoweringError(bit.path, f"an edge is 0 or 1, not {value!r}", value, (0, 1))
    return any_of(*(guard for guard, value in values if value == 1))


def widths(dag: Dag, channels: int) -> Mapping[int, Axis]:
    """The widths of the inner vertices that may be there, in a cell of so many channels."""
    joined = {v: dag.edges.get((v, dag.last), FALSE) for v in range(1, dag.last)}
    found: dict[int, Axis] = {}
    least: dict[int, dict[int, Guard]] = {}  # vertex -> channels -> when it is there and has at least as many
    for v in reversed(range(1, dag.last)):
        cases: dict[int, list[Guard]] = {}
        after = exactly(joined[u] for u in range(v + 1, dag.last))
        for first, before in enumerate(exactly(joined[u] for u in range(1, v))):
            for others, later in enumerate(after):
                share, more = divmod(channels, first + 1 + others)
                cases.setdefault(share + (first < more), []).append(all_of(joined[v], before, later))
        direct = {width: there for width, guards in cases.items() if (there := any_of(*guards)) is not FALSE}
        if 0 in direct:
            message = f"{channels} channels are too few to be divided among the vertices that the output reads"
            raise LoweringError("/skeleton/channels", message, channels)
        readers = [(all_of(dag.edges.get((v, w), FALSE), not_(joined[v])), least[w]) for w in range(v + 1, dag.last)]
        ends = sorted({*direct, *(end for g, ways in readers if g is not FALSE for end in ways)})
        least[v] = {
            end: any_of(
                *(there for width, there in direct.items() if width >= end),
                *(all_of(g, h) for g, ways in readers for width, h in ways.items() if width >= end),
            )
            for end in ends
        }
        found[v] = Axis.of((end - start, least[v][end]) for start, end in zip([0, *ends], ends, strict=False))
    return {v: axis for v, axis in sorted(found.items()) if len(axis)}


def build_cell(b: Layers, at: str, dag: Dag, axes: Mapping[int, Axis], x: Node, channels: int) -> Node:
    """One cell at a place; `axes` are the `widths` of its graph in so many channels."""
    states: dict[int, Node] = {}
    for v, axis in axes.items():
        here = f"{at}/v{v}"
        terms = [
            (g, b.truncate(f"{here}/cut{u}", states[u], axis) if u else b.conv_norm_relu(f"{here}/project", x, axis))
            for u, g in dag.into(v)
        ]
        states[v] = mixed(b, here, dag.operations[v], b.sum(f"{here}/in", terms), axis)
    joined = [(g, states[v]) for v, g in dag.into(dag.last) if v]
    straight = dag.edges.get((0, dag.last), FALSE)
    some = any_of(*(g for g, _ in joined))
    ways: list[tuple[Guard, Node]] = []
    if joined:
        y = b.concat(f"{at}/join/concat", joined)
        skip = [(straight, b.conv_norm_relu(f"{at}/join/project", x, y.axis))] if straight is not FALSE else []
        ways.append((some, b.sum(f"{at}/join", [(TRUE, y), *skip])))
    alone = all_of(straight, not_(some))
    if alone is not FALSE:
        ways.append((alone, b.conv_norm_relu(f"{at}/project", x, Axis.of(channels))))
    nothing = not_(dag.connected)
    if nothing is not FALSE:
        ways.append((nothing, b.zero(f"{at}/zero", x, channels)))
    return b.concat(at, ways)


def network(b: Layers, cursor: Cursor, skeleton: DagSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, stacks of cells with pooling between them, classifier."""
    positive(
        channels=skeleton.channels,
        num_stacks=skeleton.num_stacks,
        num_cells=skeleton.num_cells,
        num_classes=skeleton.num_classes,
    )
    cells = [(g, f"n{cell.step}", read_dag(cell)) for g, cell in cursor["cell"].cases()]
    x = b.conv_norm_relu("stem", b.image(image), Axis.of(skeleton.channels), 3)
    for stack in range(skeleton.num_stacks):
        channels = skeleton.channels * 2**stack
        if stack:
            ceil = any(n % 2 for n in x.size)  # a last window that is not full
            x = b.pool(f"stack{stack}/pool", "max_pool", x, 2, 2, pad=0, ceil=ceil)
        axes = [widths(dag, channels) for _, _, dag in cells]
        for c in range(skeleton.num_cells):
            at = f"stack{stack}/cell{c}"
            ways = [
                (g, build_cell(b, f"{at}/{name}", dag, inner, x, channels))
                for (g, name, dag), inner in zip(cells, axes, strict=True)
            ]
            x = b.concat(at, ways)
    return (b.classifier("head", x, skeleton.num_classes),)


def whole_network(b: Layers, cursor: Cursor, skeleton: DagNetworkSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, the graph, ReLU, classifier: a vertex adds up what it reads and applies its operation."""
    positive(channels=skeleton.channels, num_classes=skeleton.num_classes)
    dag = read_dag(cursor)
    x = b.conv_norm("stem", b.image(image), skeleton.channels, 3, affine=True)
    for i in range(skeleton.halvings):
        x = b.relu_conv_norm(f"stem{i + 1}", x, skeleton.channels, 3, 2)
    states = {0: x}
    for v in range(1, dag.last):
        terms = [(g, states[u]) for u, g in dag.into(v)]
        if terms:
            here = f"v{v}"
            states[v] = mixed(b, here, dag.operations[v], b.sum(f"{here}/in", terms), skeleton.channels)
    ends = [(g, states[u]) for u, g in dag.into(dag.last)]
    nothing = not_(dag.connected)
    if nothing is not FALSE:
        ends.append((nothing, b.zero("zero", x, skeleton.channels)))
    return (b.classifier("head", b.unary("last/relu", "relu", b.sum("output", ends)), skeleton.num_classes),)
