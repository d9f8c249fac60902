"""Cores of graphs: the vertices on some way from input to output, put in the smallest order.

Vertices are bits of an integer, an earlier one higher, and so is the edge from it in the column of any that it leads
to. The smallest order names one vertex after another: next is the one that only named vertices lead to and whose
column, in the new names, is the smallest number. It ties with another one only where the same vertices lead to both.
Twins, to which and from which the same edges lead, are named by their operations; where others tie, every way is
followed as long as it is among the smallest.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import factorial, prod


@dataclass(frozen=True, slots=True)
class Core:
    """The inner vertices, and what leads to each of them and to the output."""

    bits: tuple[int, ...]
    columns: tuple[int, ...]
    operations: tuple[int, ...]
    source: int  # the input's bit
    final: int  # the output's column


Order = list[int]  # inner vertices by their new names


def smallest(core: Core, top: int) -> tuple[list[int], list[Order]]:
    """The smallest columns in new names, the output's last, and all orders that give them and the least operations.

    `top` is the input's new bit; the inner vertices have the lowest ones. Twins come in one order only.
    """
    bits, columns, source = core.bits, core.columns, core.source
    needs = columns if len(set(columns)) == len(columns) else _chained(core)
    best: tuple[list[int], list[int]] | None = None
    orders: list[Order] = []
    values = [top if column & source else 0 for column in (*columns, core.final)]
    branches = [(values, list(range(len(bits))), Order(), sum(bits), list[int]())]
    while branches:
        values, left, order, waiting, named = branches.pop()
        while left:
            least, tied = 2 * top, Order()
            for i in left:
                if values[i] <= least and not needs[i] & waiting:
                    if values[i] < least:
                        least, tied = values[i], [i]
                    else:
                        tied.append(i)
            named.append(least)
            if best is not None and named > best[0][: len(named)]:
                break
            for i in tied[1:]:
                other = (values[:], left[:], order[:])
                _name(core, i, *other)
                branches.append((*other, waiting ^ bits[i], named[:]))
            _name(core, tied[0], values, left, order)
            waiting ^= bits[tied[0]]
        else:
            found = [*named, values[-1]], [core.operations[i] for i in order]
            if best is None or found < best:
                best, orders = found, [order]
            elif found == best:
                orders.append(order)
    assert best is not None
    return best[0], orders


def _name(core: Core, chosen: int, values: list[int], left: list[int], order: Order) -> None:
    """Give a vertex the next name, the highest bit that is left, in the columns of those after it and the output's."""
    left.remove(chosen)
    order.append(chosen)
    bit, name, columns = core.bits[chosen], 1 << len(left), core.columns
    for i in left:
        if columns[i] & bit:
            values[i] |= name
    if core.final & bit:
        values[-1] |= name


def _twins(core: Core) -> list[list[int]]:
    """The vertices in groups of twins, in each the smallest operation first."""
    groups: dict[tuple[int, ...], list[int]] = {}
    read = (*core.columns, core.final)
    for i, bit in enumerate(core.bits):
        groups.setdefault((core.columns[i], *[column & bit != 0 for column in read]), []).append(i)
    return [sorted(group, key=core.operations.__getitem__) for group in groups.values()]


def _chained(core: Core) -> list[int]:
    """What must be named before each vertex: what leads to it, and the twin before it."""
    needs = list(core.columns)
    for group in _twins(core):
        for before, after in pairwise(group):
            needs[after] |= core.bits[before]
    return needs


def spellings(core: Core) -> int:
    """In how many ways the inner vertices can be named so that edges lead on only: orders over symmetries."""
    symmetries = len(smallest(core, 1 << len(core.bits))[1])
    for group in _twins(core):
        symmetries *= prod(map(factorial, Counter(core.operations[i] for i in group).values()))

    @cache
    def orders(done: int) -> int:
        free = [b for b, column in zip(core.bits, core.columns, strict=True) if not b & done and not column & ~done]
        return sum(orders(done | bit) for bit in free) if free else 1

    return orders(core.source) // symmetries
