"""Cells up to the order of their inner nodes and of each node's operands, or up to that of the operands alone.

A space is one cell, or has cells for fields beside other things; every cell is relabelled for itself.
"""

from collections.abc import Callable
from math import prod
from random import Random
from typing import TYPE_CHECKING

from app.space.algebra import Genotype
from app.space.classes.cells import INPUTS, Cell, Slot, cell_of, edges_of, slots_of
from app.space.classes.orders import MOST_NODES, EdgeOrders, NodeOrders
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.classes.search import LargeCell, LargeEdgeCell
from app.space.classes.symmetry import LARGEST_WORK, operand_classes, relabelling_classes, work
from app.space.derived import derived
from app.space.part import Product

if TYPE_CHECKING:
    from app.space.document import SearchSpace

_MATES = 2_000  # members of a class that are listed

Orders = NodeOrders | EdgeOrders | LargeCell | LargeEdgeCell


class _Orders:
    """The cells of a space, ready to be put in order."""

    def __init__(self, space: "SearchSpace", *, reorder: bool) -> None:
        made: dict[Product, Orders] = {}  # equal cells are one part
        self.slots: list[tuple[int, Orders | None]] = []
        self.sizes = [slot.size for slot in slots_of(space)]
        for slot in slots_of(space):
            cell: Orders | None = None
            if slot.record is not None and slot.part is not None and (reorder or slot.record.builds in INPUTS):
                cell = made.get(slot.part) or _orders(space, slot, reorder)
                if cell is not None:
                    made[slot.part] = cell
            self.slots.append((slot.stride, cell))

    def lowest(self, index: int) -> int:
        lowest = 0
        for stride, cell in self.slots:
            digit, index = divmod(index, stride)
            lowest += stride * (digit if cell is None else cell.lowest(digit))
        return lowest

    def orbit(self, index: int) -> int:
        size = 1
        for stride, cell in self.slots:
            digit, index = divmod(index, stride)
            size *= cell.orbit(digit) if isinstance(cell, NodeOrders | EdgeOrders) else 1
        return size

    def mates(self, index: int) -> list[int] | None:
        """The ranks of a class; None where it is too large."""
        found = [0]
        if self.orbit(index) > _MATES:
            return None
        for stride, cell in self.slots:
            digit, index = divmod(index, stride)
            own = cell.mates(digit) if isinstance(cell, NodeOrders | EdgeOrders) else [digit]
            found = [lower + stride * other for lower in found for other in own]
        return found

    def draw(self, rng: Random) -> int:
        """The rank of a canonical member, uniform over the classes: cells are drawn each for itself."""
        return sum(
            stride * (cell.draw(rng) if isinstance(cell, NodeOrders | EdgeOrders) else rng.randrange(size))
            for (stride, cell), size in zip(self.slots, self.sizes, strict=True)
        )


def _orders(space: "SearchSpace", slot: Slot, reorder: bool) -> Orders | None:
    assert slot.record is not None
    assert slot.part is not None
    large = reorder and _nodes(space, slot) > MOST_NODES
    if slot.record.builds in INPUTS:
        return LargeCell(slot.record, slot.part) if large else NodeOrders(slot.record, slot.part, reorder)
    edges = edges_of(space.grammar, slot.record)
    return LargeEdgeCell(edges, slot.part) if large else EdgeOrders(edges, slot.part)


def _nodes(space: "SearchSpace", slot: Slot) -> int:
    """Inner nodes of a slot."""
    if slot.record is None:
        return 0
    if slot.record.builds in INPUTS:
        return len(slot.record.fields)
    return max(target for _, target in edges_of(space.grammar, slot.record)) - 1


@derived
def _factors(space: "SearchSpace") -> tuple[Cell | int, ...]:
    """The cells of a space, and the sizes of its other factors; none where a cell is not labelled alike throughout."""
    found = [slot.size if slot.record is None else cell_of(space.grammar, slot.record) for slot in slots_of(space)]
    known = [factor for factor in found if factor is not None]
    return tuple(known) if len(known) == len(found) else ()


def _product(space: "SearchSpace", classes: Callable[[Cell], int]) -> int:
    known = {cell: classes(cell) for cell in set(_factors(space)) if isinstance(cell, Cell)}
    return prod(known[factor] if isinstance(factor, Cell) else factor for factor in _factors(space))


def _count(space: "SearchSpace") -> Classes:
    method = "Burnside's lemma over the automorphisms of each wiring; cells count separately"
    return Classes(exact=_product(space, relabelling_classes), method=method)


def _count_soon(space: "SearchSpace") -> Classes | None:
    cells = [factor for factor in _factors(space) if isinstance(factor, Cell)]
    return _count(space) if cells and max(map(work, cells)) <= LARGEST_WORK else None


def _count_operands(space: "SearchSpace") -> Classes | None:
    if not _factors(space):
        return None
    return Classes(exact=_product(space, operand_classes), method="multisets of operands, node by node")


def _reading(equivalence: str, *, regular: bool, large: bool) -> Reading:
    orders = derived(lambda space: _Orders(space, reorder=equivalence == "relabelling"))

    def suits(space: "SearchSpace") -> bool:
        if not slots_of(space) or bool(_factors(space)) is not regular:
            return False
        return large or all(_nodes(space, slot) <= MOST_NODES for slot in slots_of(space))

    def lowest(space: "SearchSpace", index: int) -> int:
        return orders(space).lowest(index)

    def orbit(space: "SearchSpace", genotype: Genotype) -> int:
        return orders(space).orbit(space.plan.rank(genotype))

    def mates(space: "SearchSpace", index: int) -> list[int] | None:
        return orders(space).mates(index)

    def labelled(space: "SearchSpace", rng: Random, count: int) -> list[int]:
        return [orders(space).draw(rng) for _ in range(count)]

    swaps = equivalence == "operand-swap"
    return Reading(
        equivalence=equivalence,
        suits=suits,
        canonical=by_rank(lowest),
        count=_count_operands if swaps else _count_soon,
        count_long=_count if regular and not swaps else None,
        orbit=None if large and not swaps else orbit,
        lowest=lowest,
        mates=None if large and not swaps else mates,
        labelled=None if large and not swaps else labelled,
    )


RELABELLING = tuple(_reading("relabelling", regular=r, large=large) for r in (True, False) for large in (False, True))
OPERAND_SWAP = tuple(_reading("operand-swap", regular=regular, large=True) for regular in (True, False))
