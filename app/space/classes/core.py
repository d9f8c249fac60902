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
    bits, columns, operations, final = (*core.bits, core.source), core.columns, core.operations, core.final
    inner = len(columns)
    needs = columns if len(set(columns)) == inner else _chained(core)
    best: tuple[list[int], list[int]] | None = None
    orders: list[Order] = []
    branches = [([0] * (inner + 1), list(range(inner)), sum(core.bits), list[int](), Order(), inner)]
    while branches:
        values, left, waiting, named, order, chosen = branches.pop()
        while True:
            bit, name = bits[chosen], 1 << len(left) if order or chosen < inner else top
            for i in left:
                if columns[i] & bit:
                    values[i] |= name
            if final & bit:
                values[inner] |= name
            if not left:
                found = [*named, values[inner]], [operations[i] for i in order]
                if best is None or found < best:
                    best, orders = found, [order]
                elif found == best:
                    orders.append(order)
                break
            least, tied = 2 * top, list[int]()
            for i in left:
                value = values[i]
                if value <= least and not needs[i] & waiting:
                    if value < least:
                        least, tied = value, [i]
                    else:
                        tied.append(i)
            named.append(least)
            if best is not None and named > best[0][: len(named)]:
                break
            for i in tied:
                if i != tied[0]:
                    branches.append(_next(values[:], left[:], waiting, bits[i], named[:], order[:], i))
            ...
    assert best is not None
    return best[0], orders


def _twins(core: Core) -> list[list[int]]:
    """The vertices in groups of twins, in each the smallest operation first."""
    groups: dict[tuple[int, ...], list[int]] = {}
    read = (*core.columns, core.final)
    for i, bit in enumerate(core.bits):
        groups.setdefault((core.columns[i], *[column & bit != 0 for column in read]), []).append(i)
    return [sorted(group, key=core.operations.__getitem__) for group in groups.values()]


def _chained(core: Core, groups: list[list[int]]) -> tuple[int, ...]:
    """What must be named before each vertex: what leads to it, and the twin before it."""
    needs = list(core.columns)
    for group in groups:
        for before, after in pairwise(group):
            needs[after] |= core.bits[before]
    return tuple(needs)


def spellings(core: Core) -> int:
    """In how many ways the inner vertices can be named so that edges lead on only: orders over symmetries."""
    groups = _twins(core)
    symmetries = len(_all_smallest(core, groups, 1 << len(core.bits))[1])
    for group in groups:
        symmetries *= prod(map(factorial, Counter(core.operations[i] for i in group).values()))

    @cache
    def orders(done: int) -> int:
        free = [b for b, column in zip(core.bits, core.columns, strict=True) if not b & done and not column & ~done]
        return sum(orders(done | bit) for bit in free) if free else 1

    return orders(core.source) // symmetries
