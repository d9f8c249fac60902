"""Graphs with operations on their vertices up to isomorphism, what lies on no way from input to output dropped.

    builds         fields
    dag_cells      cell: a `dag`, or a Choice of them, each of another number of vertices
    dag            vertices, "0->1", "0->2", "1->2", "0->3", ... of 0 and 1, "v1", "v2", ... of the same operations
    dag_network    the same fields, without vertices

A rank is the number of the graph's vertices, its wiring and its operations, the first of them the most significant; so
it is taken apart and put together by arithmetic alone. The lowest one of a class has the fewest vertices that the space
allows, those that are left in their smallest order (`core.py`), and before them what nothing leads to, if it must.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from app.space.algebra import Genotype, Record, Scalar
from app.space.classes.pruned import Core, smallest, spellings
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.classes.unlabelled import graph_classes
from app.space.classes.whole import can_draw, draw_whole, whole_wirings
from app.space.constraints.wirings import around, edges_among, wirings
from app.space.derived import derived
from app.space.part import Alternatives, Part, Point, Product, bare
from app.space.value import scalar_key

if TYPE_CHECKING:
    from app.space.document import SearchSpace

MOST_VERTICES = 12  # of a graph that is put in order: ten inner ones tie in a few thousand ways at most
_BITS = (scalar_key(0), scalar_key(1))


@dataclass(frozen=True, slots=True)
class Graphs:
    """All graphs of one number of vertices."""

    vertices: int
    operations: tuple[Scalar, ...]  # of an inner vertex
    offset: int  # of their ranks

    @property
    def labels(self) -> int:
        """How many operations there are."""
        return len(self.operations)

    @property
    def inner(self) -> int:
        """Vertices beside input and output."""
        return self.vertices - 2


@derived
def graphs_of(space: "SearchSpace") -> tuple[Graphs, ...]:
    """The graphs of a space in the order of their ranks; none where it is not one of graphs."""
    grammar, part = space.grammar, bare(space.plan.part)
    root = grammar.follow(grammar.root)
    if not isinstance(root, Record) or not isinstance(part, Product):
        return ()
    parts, offsets = (part,), (0,)
    if root.builds == "dag_cells" and len(part.fields) == 1:
        inner = bare(part.fields[0][1])
        parts, offsets = (inner.menu.parts, inner.offsets) if isinstance(inner, Alternatives) else ((inner,), (0,))
    elif root.builds != "dag_network":
        return ()
    found = [_graphs(bare(each), offset) for each, offset in zip(parts, offsets, strict=True)]
    graphs = [each for each in found if each is not None]
    labels = {tuple(map(scalar_key, each.operations)) for each in graphs if each.inner}
    sizes = {each.vertices for each in graphs}
    alike = len(labels) <= 1 and len(sizes) == len(found) and max(sizes) <= MOST_VERTICES
    return tuple(graphs) if alike else ()


def _graphs(part: Part, offset: int) -> Graphs | None:
    """The graphs that a record has; None where it has anything else."""
    fields = dict(part.fields) if isinstance(part, Product) else {}
    number = fields.pop("vertices", None)
    vertices = 2 + sum("->" not in name for name in fields)
    edges = [f"{i}->{j}" for j in range(1, vertices) for i in range(j)]
    names = [*edges, *(f"v{i}" for i in range(1, vertices - 1))]
    if list(fields) != names or (number is not None and not (isinstance(number, Point) and number.value == vertices)):
        return None
    values = {name: _values(bare(inner)) for name, inner in fields.items()}
    keys = {name: tuple(map(scalar_key, symbols)) for name, symbols in values.items()}
    labels = {keys[name] for name in names[len(edges) :]}
    if {keys[name] for name in edges} != {_BITS} or len(labels) > 1 or () in labels:
        return None
    return Graphs(vertices, values[names[-1]] if labels else (), offset)


def _values(part: Part) -> tuple[Scalar, ...]:
    """The scalars that a part may be; none where it may be anything else."""
    if isinstance(part, Alternatives) and all(isinstance(option, Point) for option in part.menu.parts):
        return part.menu.symbols
    return (part.value,) if isinstance(part, Point) else ()


class _Orders:
    """The graphs of a space, ready to be put in order."""

    def __init__(self, space: "SearchSpace") -> None:
        self.graphs = graphs_of(space)
        self.offsets = [each.offset for each in self.graphs]
        self.rows = {each.vertices: _rows(each.vertices) for each in self.graphs}
        most = max(each.inner for each in self.graphs)
        self.holder = [next(each for each in self.graphs if each.inner >= inner) for inner in range(most + 1)]

    def core(self, index: int) -> Core | None:
        """What is left of the graph of a rank; None where no way leads from input to output."""
        graphs = self.graphs[bisect_right(self.offsets, index) - 1]
        labels, rows = graphs.labels, self.rows[graphs.vertices]
        code = index - graphs.offset
        operations: list[int] = []
        for _ in rows:
            code, operation = divmod(code, labels)
            operations.append(operation)
        operations.reverse()
        source = ahead = 1 << graphs.inner
        columns: list[int] = []
        for place, held, move, bit in rows:
            column = (code >> place & held) << move
            columns.append(column)
            if column & ahead:
                ahead |= bit
        back = final = code & 2 * source - 1
        if not final & ahead:
            return None
        for i in range(len(rows) - 1, -1, -1):
            if back & rows[i][3]:
                back |= columns[i]
        kept = ahead & back
        if kept == 2 * source - 1:
            return Core(tuple([row[3] for row in rows]), tuple(columns), tuple(operations), source, final)
        there = [i for i, row in enumerate(rows) if kept & row[3]]
        return Core(
            tuple([rows[i][3] for i in there]),
            tuple([columns[i] & kept for i in there]),
            tuple([operations[i] for i in there]),
            source,
            final & kept,
        )

    def lowest(self, index: int) -> int:
        """The lowest rank of a class, from any of it."""
        core = self.core(index)
        if core is None:
            return self.graphs[0].offset
        inner = len(core.bits)
        graphs = self.holder[inner]
        columns, orders = smallest(core, 1 << graphs.inner)
        code, target = 0, graphs.inner - inner
        for column in columns:
            target += 1
            code = code << target | column >> graphs.inner + 1 - target
        if inner < graphs.inner:
            code *= graphs.labels ** (graphs.inner - inner)
        for i in orders[0]:
            code = code * graphs.labels + core.operations[i]
        return graphs.offset + code

    def orbit(self, index: int) -> int:
        """How many ranks a class has: the ways to name what is left, times those to put other vertices around it."""
        core = self.core(index)
        if core is None:
            return sum((2 ** edges_among(g.vertices) - wirings(g.vertices)) * g.labels**g.inner for g in self.graphs)
        inner = len(core.bits)
        others = sum(around(g.inner, inner) * g.labels ** (g.inner - inner) for g in self.graphs if g.inner >= inner)
        return spellings(core) * others


def _rows(vertices: int) -> list[tuple[int, int, int, int]]:
    """Of each inner vertex: where its column is in a wiring, the bits of that, how far to move it, its own bit."""
    places = edges_among(vertices)
    return [
        (places - edges_among(v + 1), (1 << v) - 1, vertices - 1 - v, 1 << vertices - 2 - v)
        for v in range(1, vertices - 1)
    ]


_orders = derived(_Orders)


def _lowest(space: "SearchSpace", index: int) -> int:
    return _orders(space).lowest(index)


def _orbit(space: "SearchSpace", genotype: Genotype) -> int:
    return _orders(space).orbit(space.plan.rank(genotype))


@derived
def _bounds(space: "SearchSpace") -> tuple[bool, int, int] | None:
    """Whether graphs must be connected, the fewest and the most edges of a pruned one.

    None where a constraint tells members of one class apart, or is not known here.
    """
    connected, least, most = False, 0, MOST_VERTICES**2
    for constraint in space.constraints:
        given = dict(constraint.parameters)
        low, high = given.get("min", least), given.get("max", most)
        if given.get("at", "") not in ("", "/cell"):  # a condition on the graphs of some number of vertices
            return None
        if constraint.name == "connected":
            connected = True
        elif (
            constraint.name == "edges"
            and given.get("pruned") is True
            and isinstance(low, int)
            and isinstance(high, int)
        ):
            least, most = max(least, low), min(most, high)
        else:
            return None
    return connected, least, most


def _count(space: "SearchSpace") -> Classes | None:
    """None where a constraint tells members of one class apart, or is not known here."""
    graphs, bounds = graphs_of(space), _bounds(space)
    if bounds is None:
        return None
    connected, least, most = bounds
    labels = max(each.labels for each in graphs)
    largest = max(each.vertices for each in graphs)
    found = sum(graph_classes(n, labels, most, least) for n in range(2, largest + 1))
    lost = not connected and least <= 0  # all that is not connected is one class
    return Classes(exact=found + lost, method="Burnside's lemma over the permutations of the inner vertices")


def _labelled(space: "SearchSpace", rng: Random, count: int) -> list[int] | None:
    """Whole graphs and, where it is valid, the lowest one that is not connected; every class has its lowest rank there.

    None where the space lacks some number of vertices, for then the lowest rank of a class need not be a whole graph.
    """
    graphs, bounds = graphs_of(space), _bounds(space)
    if bounds is None or [each.inner for each in graphs] != list(range(len(graphs))):
        return None
    connected, least, most = bounds
    if not all(can_draw(each.vertices, least, most) for each in graphs):
        return None
    sizes = [whole_wirings(each.vertices, least, most) * each.labels**each.inner for each in graphs]
    lost = int(not connected and least <= 0)
    if not sum(sizes) + lost:
        return None
    taken = Counter(rng.choices(range(len(graphs) + 1), [*sizes, lost], k=count))
    found = [graphs[0].offset] * taken[len(graphs)]
    for n, each in enumerate(graphs):
        if taken[n]:
            for code in draw_whole(rng, taken[n], each.vertices, least, most):
                labelled = each.labels**each.inner
                found.append(each.offset + code * labelled + rng.randrange(labelled))
    rng.shuffle(found)
    return found


ISOMORPHISM = Reading(
    equivalence="isomorphism",
    suits=lambda space: bool(graphs_of(space)),
    canonical=by_rank(_lowest),
    count=_count,
    orbit=_orbit,
    lowest=_lowest,
    constrained=True,
    labelled=_labelled,
)
