"""The smallest way to write a cell with many inner nodes that have no order: a search, for there are too many orders.

An inner node may stand at any position after those it reads. Digits are compared from the first field of the grammar
to the last, as ranks are; branches that cannot become smaller are cut, and of interchangeable nodes one is tried.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.space.algebra import Record
from app.space.classes.cells import INPUTS
from app.space.classes.orders import NONE, CellNode
from app.space.part import Product
from app.space.ranking import Ranks
from app.space.unranking import Unranks

Digits = tuple[int, ...]


class Relabelling(Protocol):
    """A cell whose inner nodes 0..n-1 can be put in another order."""

    @property
    def n(self) -> int:
        """Inner nodes."""
        ...

    def digits(self, order: tuple[int, ...]) -> Digits | None:
        """The leading digits that an order of some of the nodes decides; None where it cannot be written."""
        ...

    def twins(self, a: int, b: int) -> bool:
        """Whether swapping two nodes changes nothing."""
        ...


def smallest_order(cell: Relabelling) -> tuple[int, ...]:
    """The order of the inner nodes with the smallest digits."""
    best: tuple[Digits, tuple[int, ...]] | None = None

    def extend(order: tuple[int, ...], digits: Digits) -> None:
        nonlocal best
        if len(order) == cell.n:
            if best is None or digits < best[0]:
                best = (digits, order)
            return
        options: list[tuple[Digits, int]] = []
        for v in range(cell.n):
            if v not in order:
                found = cell.digits((*order, v))
                if found is not None:
                    options.append((found, v))
        tried: list[int] = []
        for found, v in sorted(options):
            if best is not None and found > best[0][: len(found)]:
                return
            if not any(cell.twins(u, v) for u in tried):
                tried.append(v)
                extend((*order, v), found)

    extend((), ())
    if best is None:
        raise ValueError("the cell cannot be written in any order of its nodes")
    return best[1]


class LargeCell:
    """A cell of many nodes; state inputs + i is node i."""

    def __init__(self, record: Record, part: Product) -> None:
        ranks, unranks = Ranks(), Unranks()
        self._nodes = [CellNode(inner, ranks, unranks) for _, inner in part.fields]
        self._inputs, self._strides = INPUTS[record.builds], part.strides

    def lowest(self, rank: int) -> int:
        """The rank of the canonical form."""
        digits: list[int] = []
        for stride in self._strides:
            digit, rank = divmod(rank, stride)
            digits.append(digit)
        member = NodeCell(tuple(digits), self._nodes, self._inputs)
        found = member.digits(smallest_order(member))
        assert found is not None
        return sum(digit * stride for digit, stride in zip(found, self._strides, strict=True))


@dataclass(slots=True)
class NodeCell:
    """One member of a large cell."""

    member: Digits
    nodes: list[CellNode]
    inputs: int

    @property
    def n(self) -> int:
        """Inner nodes."""
        return len(self.nodes)

    def digits(self, order: tuple[int, ...]) -> Digits | None:
        """The digit of every placed node at its position."""
        places = {self.inputs + old: self.inputs + position for position, old in enumerate(order)}
        found: list[int] = []
        for position, old in enumerate(order):
            digit = self.member[old]
            read = self.nodes[old].sources[digit]
            if any(s >= self.inputs and places.get(s, self.inputs + position) >= self.inputs + position for s in read):
                return None
            moved = self.nodes[old].move(digit, self.nodes[position], places)
            if moved is None:
                return None
            found.append(moved)
        return tuple(found)

    def twins(self, a: int, b: int) -> bool:
        """Whether both read the same and every node that reads the one would read the same of the other."""
        swap = {a: b, b: a}
        return self.digits(tuple(swap.get(i, i) for i in range(self.n))) == self.digits(tuple(range(self.n)))


@dataclass(slots=True)
class EdgeCell:
    """A cell of operations on edges "i->j"; node 0 is the input, the last the output, `none` no connection."""

    cell: Mapping[str, Any]
    last: int
    index: Callable[[str, Any], int | None]  # (edge, operation) -> its rank there

    @property
    def n(self) -> int:
        """Inner nodes."""
        return self.last - 1

    def digits(self, order: tuple[int, ...]) -> Digits | None:
        """The rank of the operation of every leading edge between placed nodes."""
        written = self.written(order)
        if written is None:
            return None
        placed = {0, self.last, *range(1, 1 + len(order))}
        found: list[int] = []
        for edge, operation in written.items():
            i, j = map(int, edge.split("->"))
            if i not in placed or j not in placed:
                break
            rank = self.index(edge, operation)
            if rank is None:
                return None
            found.append(rank)
        return tuple(found)

    def written(self, order: tuple[int, ...]) -> dict[str, Any] | None:
        """The edges between placed nodes, renumbered; None where a connection would lead backwards or nowhere."""
        at = {0: 0, self.last: self.last} | {1 + old: 1 + position for position, old in enumerate(order)}
        out: dict[str, Any] = dict.fromkeys(self.cell, NONE)
        for edge, operation in self.cell.items():
            i, j = map(int, edge.split("->"))
            if operation == NONE:
                continue
            if i not in at:
                if j in at and j != self.last:
                    return None  # reads what is not placed yet
                continue
            if j not in at:
                continue
            new = f"{at[i]}->{at[j]}"
            if at[i] >= at[j] or new not in out:
                return None
            out[new] = operation
        return out

    def twins(self, a: int, b: int) -> bool:
        """Whether swapping two nodes gives the same edges."""
        swap = {a: b, b: a}
        return self.written(tuple(swap.get(i, i) for i in range(self.n))) == dict(self.cell)


class LargeEdgeCell:
    """An edge cell of many nodes."""

    def __init__(self, edges: Mapping[tuple[int, int], Any], part: Product) -> None:
        ranks, unranks = Ranks(), Unranks()
        self._last = max(target for _, target in edges)
        self._parts = dict(part.fields)
        self._ranks, self._rank, self._unrank = ranks, ranks.of(part), unranks.of(part)

    def lowest(self, rank: int) -> int:
        """The rank of the canonical form."""
        genotype: Any = self._unrank(rank)
        cell = EdgeCell(genotype, self._last, lambda edge, o: self._ranks.index(self._parts[edge], o))
        return self._rank(cell.written(smallest_order(cell)))
