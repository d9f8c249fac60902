"""Classes of labelled cells, counted without listing them: Burnside's lemma on each unlabelled cell.

A genotype of a cell is a wiring T (what each node reads) with an operation on every edge. A relabelling is a
permutation of the inner nodes that turns T into a wiring of the same cell. The wirings reached from T form a class;
within it two genotypes are the same exactly when an automorphism of T takes one labelling to the other, so there are

    sum over classes of wirings of  1/|Aut T| · sum over p in Aut T of  prod over cycles of p on the edges of  L(m)

of them, where L(m) = C(labels + m - 1, m) counts the operations on m edges between the same two nodes, which have no
order. The whole permutations are few (n! for n inner nodes) and the wirings too (180 for a cell of DARTS); the
labellings, which are many, are never listed.
"""

from collections import Counter
from itertools import permutations, product
from math import comb, factorial, prod

from app.space.classes.cells import Cell, Sources

LARGEST_WORK = 500_000  # wirings times permutations; about a second

_Wiring = tuple[Sources, ...]


def work(cell: Cell) -> int:
    """What `relabelling_classes` looks at, at most."""
    return prod(map(len, cell.reads)) * factorial(len(cell.inner))


def operand_classes(cell: Cell) -> int:
    """Genotypes up to the order of each node's operands."""
    return prod(
        sum(prod(comb(cell.labels + m - 1, m) for m in Counter(sources).values()) for sources in options)
        for options in cell.reads
    )


def relabelling_classes(cell: Cell) -> int:
    """Genotypes up to the order of the inner nodes, and of each node's operands."""
    states = range(max(cell.nodes) + 1)
    maps = [
        [dict(zip(cell.inner, moved, strict=True)).get(state, state) for state in states]
        for moved in permutations(cell.inner)
    ]
    allowed = dict(zip(cell.nodes, cell.reads, strict=True))
    seen: set[_Wiring] = set()
    classes = 0
    for wiring in product(*cell.reads):
        if wiring in seen:
            continue
        automorphisms: list[list[int]] = []
        for moved in maps:
            image = _image(cell, allowed, wiring, moved)
            if image is not None:
                seen.add(image)
                if image == wiring:
                    automorphisms.append(moved)
        edges = Counter((s, node) for node, sources in zip(cell.nodes, wiring, strict=True) for s in sources)
        fixed = sum(_fixed(edges, moved, cell.labels) for moved in automorphisms)
        classes += fixed // len(automorphisms)
    return classes


def _image(cell: Cell, allowed: dict[int, frozenset[Sources]], wiring: _Wiring, moved: list[int]) -> _Wiring | None:
    """The wiring relabelled, or None where that is no wiring of the cell."""
    image: dict[int, Sources] = {}
    for node, sources in zip(cell.nodes, wiring, strict=True):
        target = moved[node]
        read = tuple(sorted([moved[s] for s in sources]))
        if read not in allowed[target]:
            return None
        image[target] = read
    return tuple([image[node] for node in cell.nodes])


def _fixed(edges: Counter[tuple[int, int]], moved: list[int], labels: int) -> int:
    """How many labellings an automorphism leaves as they are: one free choice a cycle of edges."""
    left = set(edges)
    choices = 1
    while left:
        start = edge = left.pop()
        choices *= comb(labels + edges[start] - 1, edges[start])
        while (edge := (moved[edge[0]], moved[edge[1]])) != start:
            left.remove(edge)
    return choices
