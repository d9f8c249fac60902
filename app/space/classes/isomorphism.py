"""Graphs with operations on their vertices up to isomorphism, what lies on no way from input to output dropped.

    builds         fields
    dag_cells      cell: a `dag`, or a Choice of them, each of another number of vertices
    dag            vertices, "0->1", "0->2", "1->2", "0->3", ... of 0 and 1, "v1", "v2", ... of the same operations
    dag_network    the same fields, without vertices

A rank is the number of the graph's vertices, its wiring and its operations, the first of them the most significant; so
it is taken apart and put together by arithmetic alone. The lowest rank of a class names the vertices one after another:
next is the one that only named vertices lead to and whose edges, in the order of the names, are the smallest number.
Vertices with the same edges in and out are named by their operations. Where others tie, every way is followed as long
as it is among the smallest. A graph of fewer vertices than the space has begins with vertices that nothing leads to.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import factorial, prod
from typing import TYPE_CHECKING

from app.space.algebra import Genotype, Record, Scalar
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.classes.unlabelled import graph_classes
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


@dataclass(frozen=True, slots=True)
class _Core:
    """What is left of a graph: vertices by their bits, the input's the highest; a column is what leads to a vertex."""

    bits: tuple[int, ...]
    columns: tuple[int, ...]
    operations: tuple[int, ...]
    source: int  # the input's bit
    final: int  # what leads to the output


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
        self.offsets = [graphs.offset for graphs in self.graphs]
        # of each graph: target, place of its column in the wiring, what it holds, how far it is moved, its bit
        self.columns = {
            n: [(n * (n - 1) // 2 - t * (t + 1) // 2, (1 << t) - 1, n - 1 - t, 1 << n - 2 - t) for t in range(1, n - 1)]
            for n in {graphs.vertices for graphs in self.graphs}
        }
        self.holder = {
            inner: next(graphs for graphs in self.graphs if graphs.inner >= inner)
            for inner in range(max(graphs.inner for graphs in self.graphs) + 1)
        }

    def core(self, index: int) -> _Core | None:
        """What is left of the graph of a rank; None where no way leads from input to output."""
        graphs = self.graphs[bisect_right(self.offsets, index) - 1]
        n, labels = graphs.vertices, graphs.labels
        code = index - graphs.offset
        rows = self.columns[n]
        operations: list[int] = []
        for _ in rows:
            code, operation = divmod(code, labels)
            operations.append(operation)
        operations.reverse()
        source = ahead = 1 << n - 2
        columns: list[int] = []
        for place, held, move, bit in rows:
            column = (code >> place & held) << move
            columns.append(column)
            if column & ahead:
                ahead |= bit
        back = final = code & (1 << n - 1) - 1
        if not final & ahead:
            return None
        for (_, _, _, bit), column in zip(reversed(rows), reversed(columns), strict=True):
            if back & bit:
                back |= column
        kept = ahead & back
        there = [i for i, (_, _, _, bit) in enumerate(rows) if kept & bit]
        return _Core(
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
        columns, orders = _named(core, graphs.vertices)
        code, target = 0, graphs.inner - inner
        for column in columns:
            target += 1
            code = code << target | column >> graphs.vertices - 1 - target
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
        symmetries = len(_named(core, inner + 2)[1])
        for group in _twins(core):
            symmetries *= prod(map(factorial, Counter(core.operations[i] for i in group).values()))
        others = sum(around(g.inner, inner) * g.labels ** (g.inner - inner) for g in self.graphs if g.inner >= inner)
        return _orders_of(core) // symmetries * others


def _named(core: _Core, vertices: int) -> tuple[list[int], list[tuple[int, ...]]]:
    """The smallest columns, the output's among them, and all orders that give them and the smallest operations.

    Columns are those of a graph of so many vertices, which begins with those that are not in the core. Of vertices
    with the same edges and operations only one order is given.
    """
    bits, columns, operations, source, final = core.bits, core.columns, core.operations, core.source, core.final
    inner = len(bits)
    needs = list(columns)
    if len(set(columns)) < inner:
        for group in _twins(core):
            for before, after in pairwise(group):
                needs[after] |= bits[before]
    top = 1 << vertices - 2
    start = [top if column & source else 0 for column in (*columns, final)]
    states: list[tuple[int, list[int], tuple[int, ...]]] = [(source, start, ())]
    read = (*columns, final)
    smallest: list[int] = []
    for name in range(inner - 1, -1, -1):
        found: list[tuple[int, list[int], tuple[int, ...], int]] = []
        least = 2 * top
        for done, values, order in states:
            for i in range(inner):
                value = values[i]
                if value <= least and not needs[i] & ~done and not bits[i] & done:
                    if value < least:
                        least = value
                        found.clear()
                    found.append((done, values, order, i))
        smallest.append(least)
        new = 1 << name
        states = [
            (done | bits[i], [v | new if c & bits[i] else v for v, c in zip(values, read, strict=True)], (*order, i))
            for done, values, order, i in found
        ]
    if len(states) == 1:
        return [*smallest, states[0][1][-1]], [states[0][2]]
    ends = [(values[-1], [operations[i] for i in order]) for _, values, order in states]
    end = min(ends)
    return [*smallest, end[0]], [order for (_, _, order), other in zip(states, ends, strict=True) if other == end]


def _twins(core: _Core) -> list[list[int]]:
    """Vertices with the same edges in and out, of each group the smallest operation first."""
    groups: dict[tuple[int, ...], list[int]] = {}
    read = (*core.columns, core.final)
    for i, bit in enumerate(core.bits):
        groups.setdefault((core.columns[i], *[column & bit for column in read]), []).append(i)
    return [sorted(group, key=core.operations.__getitem__) for group in groups.values() if len(group) > 1]


def _orders_of(core: _Core) -> int:
    """The orders of the inner vertices in which edges lead on only."""

    @cache
    def ways(done: int) -> int:
        free = [b for b, column in zip(core.bits, core.columns, strict=True) if not b & done and not column & ~done]
        return sum(ways(done | bit) for bit in free) if free else 1

    return ways(core.source)


_orders = derived(_Orders)


def _lowest(space: "SearchSpace", index: int) -> int:
    return _orders(space).lowest(index)


def _orbit(space: "SearchSpace", genotype: Genotype) -> int:
    return _orders(space).orbit(space.plan.rank(genotype))


def _count(space: "SearchSpace") -> Classes | None:
    """None where a constraint tells members of one class apart, or is not known here."""
    graphs = graphs_of(space)
    connected, least, most = False, 0, MOST_VERTICES**2
    for constraint in space.constraints:
        given = dict(constraint.parameters)
        low, high = given.get("min", least), given.get("max", most)
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
    labels = max(each.labels for each in graphs)
    largest = max(each.vertices for each in graphs)
    found = sum(graph_classes(n, labels, most, least) for n in range(2, largest + 1))
    lost = not connected and least <= 0  # all that is not connected is one class
    return Classes(exact=found + lost, method="Burnside's lemma over the permutations of the inner vertices")


ISOMORPHISM = Reading(
    equivalence="isomorphism",
    suits=lambda space: bool(graphs_of(space)),
    canonical=by_rank(_lowest),
    count=_count,
    orbit=_orbit,
    lowest=_lowest,
)
