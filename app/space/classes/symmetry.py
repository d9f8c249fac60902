"""Classes of labelled cells, counted without listing them: Burnside's lemma on each unlabelled cell.

A genotype of a cell is a wiring T (what each node reads) with an operation on every edge and, in some cells, a label
on every node. A relabelling of T is a permutation of the inner nodes that turns T into a wiring of the same cell; say
there are N(T) of them. The wirings reached from T are N(T) / |Aut T|, and within them two genotypes are the same
exactly when an automorphism of T takes one labelling to the other. So the classes are

    sum over wirings T of  1/N(T) · sum over p in Aut T of  prod over cycles of p on the nodes of  choices
                                                         · prod over cycles of p on the edges of  L(m)

where L(m) = C(labels + m - 1, m) counts the operations on m edges between the same two nodes, which have no order. The
permutations are few (n! for n inner nodes), the wirings are looked at all at once (180 for a cell of DARTS, 56,700 for
one of NASNet), and the labellings, which are many, are never listed. A cycle of nodes (n, p n, ...) of length r moves
the edges into n as p^r moves their sources; hence both products are over cycles of nodes.
"""

from collections import Counter
from fractions import Fraction
from itertools import permutations, product
from math import comb, factorial, prod
from typing import Any

from app.space.classes.cells import Cell, Sources

LARGEST_WORK = 200_000_000  # wirings times permutations; about two seconds
_AT_ONCE = 1 << 20  # wirings looked at together


def work(cell: Cell) -> int:
    """What `relabelling_classes` looks at."""
    return prod(map(len, cell.reads)) * factorial(len(cell.inner))


def operand_classes(cell: Cell) -> int:
    """Genotypes up to the order of each node's operands."""
    return prod(
        cell.choices * sum(prod(comb(cell.labels + m - 1, m) for m in Counter(sources).values()) for sources in options)
        for options in cell.reads
    )


def relabelling_classes(cell: Cell) -> int:
    """Genotypes up to the order of the inner nodes, and of each node's operands."""
    import numpy as np

    options = [sorted(reads) for reads in cell.reads]
    sizes = [len(reads) for reads in options]
    head = next(k for k in range(len(sizes) + 1) if prod(sizes[k:]) <= _AT_ONCE)
    largest = cell.choices ** len(cell.nodes) * cell.labels ** sum(max(map(len, reads)) for reads in options)
    number: Any = np.int64 if largest * _AT_ONCE < 2**62 else object
    moves = [_Move(cell, options, moved, number) for moved in permutations(cell.inner)]
    sums: Counter[int] = Counter()
    for lead in product(*map(range, sizes[:head])):
        valid = np.zeros(sizes[head:], dtype=np.int32)
        fixed: list[tuple[Any, Any]] = []
        for move in moves:
            images = np.asarray(sum(int(table[i]) for table, i in zip(move.images, lead, strict=False)))
            itself = sum(i * stride for i, stride in zip(lead, move.strides, strict=False))
            for axis, table in enumerate(move.images[head:]):
                images = images + table.reshape([-1 if a == axis else 1 for a in range(len(sizes) - head)])
            valid += images >= 0
            same = np.flatnonzero(images.reshape(-1) == itself + np.arange(valid.size))
            if len(same):
                places = (*lead, *np.unravel_index(same, valid.shape)) if head < len(sizes) else lead
                fixed.append((same, move.labellings(places, len(same))))
        for same, values in fixed:
            orders = valid.reshape(-1)[same]
            for n in np.unique(orders):
                sums[int(n)] += int(values[orders == n].sum())
    return int(sum((Fraction(total, n) for n, total in sums.items()), Fraction(0)))


class _Move:
    """One permutation of the inner nodes, and what it does to every option of every node."""

    def __init__(self, cell: Cell, options: list[list[Sources]], moved: tuple[int, ...], number: Any) -> None:
        import numpy as np

        to = dict(zip(cell.inner, moved, strict=True))
        at = {node: k for k, node in enumerate(cell.nodes)}
        places = [{sources: i for i, sources in enumerate(reads)} for reads in options]
        self.strides = [prod(map(len, options[k + 1 :])) for k in range(len(options))]
        outside = -prod(map(len, options))  # more than all other images together
        self.number = number
        self.images: list[Any] = []
        for node, reads in zip(cell.nodes, options, strict=True):
            k = at[to.get(node, node)]
            image = [places[k].get(tuple(sorted(to.get(s, s) for s in sources))) for sources in reads]
            found = [outside if i is None else i * self.strides[k] for i in image]
            self.images.append(np.array(found, dtype=np.int64))
        self.cycles: list[tuple[int, Any]] = []  # the first node of each cycle, and its labellings by option
        left = set(cell.nodes)
        while left:
            node = min(left)
            cycle, around = [node], to.get(node, node)
            while around != node:
                cycle.append(around)
                around = to.get(around, around)
            left.difference_update(cycle)
            whole = dict(to)
            for _ in cycle[1:]:
                whole = {s: to.get(t, t) for s, t in whole.items()}
            fixed = [cell.choices * _fixed(sources, whole, cell.labels) for sources in options[at[node]]]
            self.cycles.append((at[node], np.array(fixed, dtype=number)))

    def labellings(self, places: tuple[Any, ...], count: int) -> Any:
        """How many labellings the permutation leaves as they are, for wirings of which it is an automorphism."""
        import numpy as np

        found = np.ones(count, dtype=self.number)
        for k, fixed in self.cycles:
            found = found * fixed[places[k]]
        return found


def _fixed(sources: Sources, moved: dict[int, int], labels: int) -> int:
    """How many labellings of the edges from `sources` a permutation of the sources leaves: one free choice a cycle."""
    edges = Counter(sources)
    left = set(edges)
    choices = 1
    while left:
        start = source = left.pop()
        choices *= comb(labels + edges[start] - 1, edges[start])
        while (source := moved.get(source, source)) != start:
            if source not in left:
                return 0  # no automorphism: nothing is asked of it
            left.remove(source)
    return choices
