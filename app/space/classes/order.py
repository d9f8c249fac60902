"""Relabelling: the smallest way to write a cell whose inner nodes have no order.

An inner node may stand at any position after those it reads. Digits are compared from the first field of the grammar
to the last, as ranks are; branches that cannot become smaller are cut, and of interchangeable nodes one is tried.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Protocol

from app.space.plan import Plan
from app.space.value import is_list

NONE = "none"  # the operation that is no connection

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


@dataclass(slots=True)
class NodeCell:
    """A cell of nodes that list or name their edges {input, op}; state 2 + i is node i."""

    cell: Mapping[str, Any]
    plans: tuple[Plan, ...]  # one a field: the node there
    reorder: bool = True  # False: only the operands of a node have no order

    @property
    def n(self) -> int:
        """Inner nodes."""
        return len(self.plans)

    def digits(self, order: tuple[int, ...]) -> Digits | None:
        """The rank of every placed node among the nodes at its position."""
        if not self.reorder and order != tuple(range(len(order))):
            return None
        found: list[int] = []
        nodes = list(self.cell.values())
        for position, old in enumerate(order):
            node = self.moved(nodes[old], order[:position])
            if node is None:
                return None
            ranked = self.ranked(node, self.plans[position])
            if ranked is None:
                return None
            found.append(ranked[0])
        return tuple(found)

    def moved(self, node: Any, before: tuple[int, ...]) -> Any:
        """A node with its inputs renumbered; None where it reads a node that is not placed yet."""
        if is_list(node):
            moved = [self._edge(edge, before) for edge in node]
            return None if None in moved else moved
        named: dict[str, Any] = {name: self._edge(edge, before) for name, edge in node.items()}
        return None if None in named.values() else named

    def _edge(self, edge: Any, before: tuple[int, ...]) -> Any:
        source = edge["input"]
        if source < 2:
            return edge
        if source - 2 not in before:
            return None
        return {**edge, "input": 2 + before.index(source - 2)}

    def ranked(self, node: Any, plan: Plan) -> tuple[int, Any] | None:
        """The smallest (rank, node) over the orders of its operands."""
        written: list[Any] = [node] if is_list(node) else list(_operand_orders(node))
        ranked = [(rank, i) for i, w in enumerate(written) if (rank := plan.index(w)) is not None]
        if not ranked:
            return None
        rank, i = min(ranked)
        return rank, written[i]

    def twins(self, a: int, b: int) -> bool:
        """Whether both read the same and every node that reads the one would read the same of the other."""
        swap = {a: b, b: a}
        order = tuple(swap.get(i, i) for i in range(self.n))  # its own inverse
        nodes = list(self.cell.values())
        return all(_multiset(self.moved(nodes[swap.get(i, i)], order)) == _multiset(nodes[i]) for i in range(self.n))

    def written(self, order: tuple[int, ...]) -> dict[str, Any]:
        """The cell with its nodes in an order."""
        nodes = list(self.cell.values())
        out: dict[str, Any] = {}
        for position, (name, old) in enumerate(zip(self.cell, order, strict=True)):
            ranked = self.ranked(self.moved(nodes[old], order[:position]), self.plans[position])
            assert ranked is not None
            out[name] = ranked[1]
        return out


def _operand_orders(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for values in permutations(node.values()):
        yield dict(zip(node, values, strict=True))


def _multiset(node: Any) -> list[str]:
    edges: list[Any] = node if is_list(node) else list(node.values())
    return sorted(repr(sorted(edge.items())) for edge in edges)


@dataclass(slots=True)
class EdgeCell:
    """A cell of operations on edges "i->j"; node 0 is the input, the last the output, `none` no connection."""

    cell: Mapping[str, str]
    last: int
    index: Callable[[str, str], int | None]  # (edge, operation) -> its rank there

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

    def written(self, order: tuple[int, ...]) -> dict[str, str] | None:
        """The edges between placed nodes, renumbered; None where a connection would lead backwards or nowhere."""
        at = {0: 0, self.last: self.last} | {1 + old: 1 + position for position, old in enumerate(order)}
        out = dict.fromkeys(self.cell, NONE)
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
