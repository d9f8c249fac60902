"""Graphs from one input to one output, counted up to the names of their inner vertices, without listing any.

Every inner vertex has one of some labels and lies on a way from input to output. That is to say, as the graph has no
cycle: it has an edge in and an edge out. By Burnside's lemma the classes of such graphs on m inner vertices are

    1/m! · sum over permutations p of  labels^(cycles of p) · (graphs that p leaves as they are)

and permutations of one cycle type count alike. A graph that p leaves as it is has no edge within a cycle, so it is an
acyclic graph of cycles: between cycles of lengths a and b there are gcd(a, b) orbits of lcm(a, b) edges, each there or
not. Those graphs are counted as acyclic digraphs are (Robinson, 1973), by inclusion and exclusion over the cycles that
nothing enters; and so is that nothing may be without an edge in or out.

Numbers of graphs by their edges are the digits of one integer, a polynomial at a power of two (Kronecker).
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from math import comb, factorial, gcd, lcm, prod

VERTICES = 14  # that are counted; a second or two

_Some = tuple[int, ...]  # how many cycles of each length


def graph_classes(vertices: int, labels: int, max_edges: int | None = None, min_edges: int = 0) -> int:
    """Classes of graphs with so many vertices, input and output among them, that have so many edges.

    ValueError beyond `VERTICES`.
    """
    if not 2 <= vertices <= VERTICES:
        raise ValueError(f"graphs have 2 to {VERTICES} vertices, not {vertices}")
    inner, places = vertices - 2, vertices * (vertices - 1) // 2
    digit = places + inner * labels.bit_length() + inner * inner.bit_length() + 1  # bits: more than inner! times graphs
    x = 1 << digit
    found = 0
    for lengths in _partitions(inner, inner):
        cycles = Counter(lengths)
        alike = factorial(inner) // prod(n**k * factorial(k) for n, k in cycles.items())
        found += alike * labels ** len(lengths) * _fixed(cycles, x)
    found = found // factorial(inner) * (1 + x) if inner else x  # the edge from input to output is free
    most = places if max_edges is None else min(max_edges, places)
    return sum(found >> digit * n & x - 1 for n in range(max(min_edges, 0), most + 1))


def _partitions(whole: int, most: int) -> Iterator[_Some]:
    """The ways to write a number as a sum of numbers that do not grow."""
    if not whole:
        yield ()
    for first in range(min(whole, most), 0, -1):
        yield from ((first, *rest) for rest in _partitions(whole - first, first))


def _fixed(cycles: Counter[int], x: int) -> int:
    """Graphs that a permutation with these cycles leaves as they are, the edge from input to output aside.

    A cycle may be marked as one without edges in, without edges out, or both; marks have signs. What is not marked so
    has edges from the input, or to the output, as it likes.
    """
    lengths = tuple(cycles)
    whole = tuple(cycles.values())
    ends = [1 + x**n for n in lengths]
    between = [[(1 + x ** lcm(a, b)) ** gcd(a, b) for b in lengths] for a in lengths]

    def cross(some: _Some, others: _Some) -> int:
        """Any edges from some cycles to others."""
        return prod(between[i][j] ** (m * n) for i, m in enumerate(some) for j, n in enumerate(others) if m and n)

    @cache
    def acyclic(some: _Some) -> int:
        total = int(not any(some))
        for first in product(*(range(n + 1) for n in some)):
            if any(first):
                rest = _minus(some, first)
                total -= (-1) ** sum(first) * _choose(some, first) * cross(first, rest) * acyclic(rest)
        return total

    total = 0
    for starts in product(*(range(n + 1) for n in whole)):
        later = _minus(whole, starts)
        for stops in product(*(range(n + 1) for n in later)):
            others = _minus(later, stops)
            for alone in product(*(range(n + 1) for n in others)):
                middle = _minus(others, alone)
                ways = _choose(whole, starts) * _choose(later, stops) * _choose(others, alone)
                ways *= prod(end ** (a + b + 2 * c) for end, a, b, c in zip(ends, starts, stops, middle, strict=True))
                ways *= cross(starts, _plus(middle, stops)) * cross(middle, stops) * acyclic(middle)
                total += (-1) ** (sum(starts) + sum(stops)) * ways
    return total


def _choose(some: _Some, chosen: _Some) -> int:
    return prod(map(comb, some, chosen))


def _minus(some: _Some, others: _Some) -> _Some:
    return tuple(a - b for a, b in zip(some, others, strict=True))


def _plus(some: _Some, others: _Some) -> _Some:
    return tuple(a + b for a, b in zip(some, others, strict=True))
