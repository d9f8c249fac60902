"""The members of a small cell by rank, under every order of its inner nodes: tables, made as they are asked for.

A member is its digits, one a field of the cell. An order of the inner nodes moves each digit to another field and
renames the states that it reads; what the moved digit adds to the new rank depends on nothing else, so it is looked up.
The rank of the canonical form is the smallest sum, over the orders in which every node comes after those it reads.
A digit that cannot be written where it goes adds more than any rank.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations, product
from math import prod
from random import Random
from typing import Any, Generic, TypeVar

from app.space.algebra import Record, Scalar
from app.space.classes.cells import INPUTS
from app.space.part import Part, Product
from app.space.ranking import Ranks
from app.space.unranking import Unranks
from app.space.value import is_list, is_object

MOST_NODES = 5  # inner nodes that are put in every order, 120 of them
_KEPT = 1_024  # entries of one table

NONE = "none"  # the operation that is no connection

K = TypeVar("K")
V = TypeVar("V")
Sources = tuple[int, ...]
Table = Mapping[int, int]  # a digit -> what it adds to the rank


class Lazy(dict[K, V], Generic[K, V]):
    """A table whose entries are made when they are first looked up; a full one starts anew."""

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, key: K) -> V:
        value = self.make(key)
        if len(self) >= _KEPT:
            self.clear()
        self[key] = value
        return value


class CellNode:
    """One field of a cell of nodes, by digit: a list of edges, an object with two edges, or an edge itself."""

    def __init__(self, part: Part, ranks: Ranks, unranks: Unranks) -> None:
        self._ranks, self._part, self._unrank = ranks, part, unranks.of(part)
        self.size = part.size
        self.sources: Lazy[int, Sources] = Lazy(self._sources)
        self.alike: Lazy[int, set[int]] = Lazy(lambda digit: self.spellings(digit, self, {}))  # they say the same

    def _sources(self, digit: int) -> Sources:
        return tuple(sorted({edge["input"] for edge in edges_in(self._unrank(digit))}))

    def move(self, digit: int, to: "CellNode", names: Mapping[int, int]) -> int | None:
        """The digit at the field `to` once states are renamed, its operands in the best order; None if none is."""
        found = self.spellings(digit, to, names)
        return min(found) if found else None

    def spellings(self, digit: int, to: "CellNode", names: Mapping[int, int]) -> set[int]:
        """Every digit at the field `to` that says the same, in any order of the operands."""
        node: Any = self._unrank(digit)
        written = (_renamed(order, names) for order in _operand_orders(node))
        return {index for node in written if (index := to.index(node)) is not None}

    def draw(self, rng: Random) -> int:
        """A digit with its operands in the best order, uniform among those."""
        while True:
            digit = rng.randrange(self.size)
            if min(self.alike[digit]) == digit:
                return digit

    def index(self, node: Any) -> int | None:
        """The digit of a node."""
        return self._ranks.index(self._part, node)


def edges_in(node: Any) -> list[dict[str, Any]]:
    """The edges of a node."""
    if is_list(node):
        return node
    return [node] if "input" in node else [inner for inner in node.values() if is_object(inner)]


def _renamed(node: Any, names: Mapping[int, int]) -> Any:
    if is_list(node):
        return [_renamed(edge, names) for edge in node]
    if "input" in node:
        edge: dict[str, Any] = node
        return edge | {"input": names.get(edge["input"], edge["input"])}
    return {name: _renamed(inner, names) if is_object(inner) else inner for name, inner in node.items()}


def _operand_orders(node: Any) -> Iterator[Any]:
    """A node with its named operands in every order; a list has none to begin with."""
    if is_list(node) or "input" in node:
        yield node
        return
    named: dict[str, Any] = node
    operands = [name for name, inner in named.items() if is_object(inner)]
    for order in permutations(operands):
        yield named | {name: named[other] for name, other in zip(operands, order, strict=True)}


class NodeOrders:
    """A cell of nodes; without `reorder` only the operands of a node have no order."""

    def __init__(self, record: Record, part: Product, reorder: bool) -> None:
        ranks, unranks = Ranks(), Unranks()
        self.inputs, self.size, self.strides = INPUTS[record.builds], part.size, part.strides
        self.nodes = [CellNode(inner, ranks, unranks) for _, inner in part.fields]
        self._reorder = reorder
        self._frame = [(stride, node.sources) for stride, node in zip(part.strides, self.nodes, strict=True)]
        self._tables: Lazy[tuple[int, int, Sources], Table] = Lazy(self._table)
        self._wirings: Lazy[tuple[Sources, ...], list[tuple[Table, ...]]] = Lazy(self._orders)

    def lowest(self, rank: int) -> int:
        """The rank of the canonical form."""
        return min(self._ranks(rank))

    def orbit(self, rank: int) -> int:
        """How many members are in the class."""
        return sum(prod(map(len, spelled)) for spelled in self._spelled(rank))

    def mates(self, rank: int) -> list[int]:
        """The ranks of the class."""
        return [
            sum(digit * stride for digit, stride in zip(found, self.strides, strict=True))
            for spelled in self._spelled(rank)
            for found in product(*spelled)
        ]

    def draw(self, rng: Random) -> int:
        """The rank of a canonical member, uniform over the classes: first the operands are in order, then the nodes."""
        while True:
            digits = [node.draw(rng) for node in self.nodes]
            rank = sum(digit * stride for digit, stride in zip(digits, self.strides, strict=True))
            if self.lowest(rank) == rank:
                return rank

    def _spelled(self, rank: int) -> Iterator[list[set[int]]]:
        """Of each order of the nodes that gives another member: the digits that say the same, field by field."""
        for moved in {moved for moved in self._ranks(rank) if moved < self.size}:
            yield [node.alike[digit] for node, digit in zip(self.nodes, self._digits(moved), strict=True)]

    def _digits(self, rank: int) -> list[int]:
        digits: list[int] = []
        for stride in self.strides:
            digit, rank = divmod(rank, stride)
            digits.append(digit)
        return digits

    def _ranks(self, rank: int) -> list[int]:
        """The ranks of the cell under every order of its nodes, operands in the best order."""
        digits: list[int] = []
        read: list[Sources] = []
        for stride, sources in self._frame:
            digit, rank = divmod(rank, stride)
            digits.append(digit)
            read.append(sources[digit])
        orders = self._wirings[tuple(read)]
        if len(digits) == 4:  # the cells of DARTS, three times as fast
            i, j, k, n = digits
            return [a[i] + b[j] + c[k] + d[n] for a, b, c, d in orders]
        return [sum([table[digit] for table, digit in zip(tables, digits, strict=True)]) for tables in orders]

    def _orders(self, wiring: tuple[Sources, ...]) -> list[tuple[Table, ...]]:
        """For every order of the nodes, each after those it reads: where each node's digit goes."""
        found: list[tuple[Table, ...]] = []
        waiting: list[tuple[int, ...]] = [()]
        while waiting:
            order = waiting.pop()
            if len(order) == len(self.nodes):
                place = {self.inputs + old: self.inputs + new for new, old in enumerate(order)}
                tables = [
                    self._tables[k, place[self.inputs + k] - self.inputs, tuple([place.get(s, s) for s in wiring[k]])]
                    for k in range(len(order))
                ]
                found.append(tuple(tables))
                continue
            placed = {self.inputs + old for old in order}
            rest = [k for k in range(len(self.nodes)) if k not in order] if self._reorder else [len(order)]
            waiting += [(*order, k) for k in rest if all(s < self.inputs or s in placed for s in wiring[k])]
        return found

    def _table(self, key: tuple[int, int, Sources]) -> Table:
        """Where the digits of node `old` go that read these states, once it stands at `new` and they are renamed."""
        old, new, renamed = key
        stride = self.strides[new]

        def added(digit: int) -> int:
            names = dict(zip(self.nodes[old].sources[digit], renamed, strict=True))
            moved = self.nodes[old].move(digit, self.nodes[new], names)
            return self.size if moved is None else moved * stride

        return Lazy(added)


class EdgeOrders:
    """A cell of operations on edges "i->j"; `none` is no edge, and the only operation that may lead backwards."""

    def __init__(self, edges: Mapping[tuple[int, int], tuple[Scalar, ...]], part: Product) -> None:
        self.size, self.strides = part.size, part.strides
        last = max(target for _, target in edges)
        inner = range(1, last)
        self._moves = [
            tables
            for moved in permutations(inner)
            if (tables := self._tables(edges, {0: 0, last: last, **dict(zip(inner, moved, strict=True))})) is not None
        ]

    def lowest(self, rank: int) -> int:
        """The rank of the canonical form."""
        return min(self._ranks(rank))

    def orbit(self, rank: int) -> int:
        """How many members are in the class."""
        return len(self.mates(rank))

    def mates(self, rank: int) -> list[int]:
        """The ranks of the class."""
        return list({moved for moved in self._ranks(rank) if moved < self.size})

    def draw(self, rng: Random) -> int:
        """The rank of a canonical member, uniform over the classes."""
        while True:
            rank = rng.randrange(self.size)
            if self.lowest(rank) == rank:
                return rank

    def _ranks(self, rank: int) -> list[int]:
        digits: list[int] = []
        for stride in self.strides:
            digit, rank = divmod(rank, stride)
            digits.append(digit)
        return [
            sum([table[digit] for table, digit in zip(tables, digits, strict=True)], base)
            for base, tables in self._moves
        ]

    def _tables(
        self, edges: Mapping[tuple[int, int], tuple[Scalar, ...]], names: Mapping[int, int]
    ) -> tuple[int, list[list[int]]] | None:
        """What every operation of every edge adds once the nodes are renamed; None where no cell can be."""
        strides = dict(zip(edges, self.strides, strict=True))
        moved = {edge: (names[edge[0]], names[edge[1]]) for edge in edges}
        base = 0
        for edge in edges.keys() - set(moved.values()):  # no edge comes to stand here
            if NONE not in edges[edge]:
                return None
            base += edges[edge].index(NONE) * strides[edge]
        tables: list[list[int]] = []
        for edge, operations in edges.items():
            to = moved[edge]
            allowed = edges.get(to, (NONE,))
            added = [allowed.index(o) * strides.get(to, 0) if o in allowed else self.size for o in operations]
            if min(added) >= self.size:
                return None
            tables.append(added)
        return base, tables
