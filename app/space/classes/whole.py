"""Whole graphs: those whose every vertex is on a way from input to output, drawn uniformly.

Of all graphs that are isomorphic once pruned, the whole ones differ only in the order of their vertices, a few at most;
so they are what to draw from where one member a class is wanted: 1,293,208 of 375,975,790 for NAS-Bench-101.
"""

from random import Random
from typing import TYPE_CHECKING, Any

from app.space.constraints.wirings import CODED, core, edges_among

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARE = 1 / 20_000  # of all wirings below which they are not drawn until one is whole
_BATCH = 8_192


def whole_wirings(vertices: int, least: int, most: int) -> int:
    """How many wirings are whole, with a number of edges between two bounds."""
    places = edges_among(vertices)
    digit = places + 1  # bits: see `wirings`
    found = core(vertices - 2, 1 + (1 << digit))
    return sum(found >> digit * n & (1 << digit) - 1 for n in range(max(least, 0), min(most, places) + 1))


def can_draw(vertices: int, least: int, most: int) -> bool:
    """Whether whole wirings are frequent enough to be drawn."""
    found = whole_wirings(vertices, least, most)
    return not found or (vertices <= CODED and found >= _SHARE * 2 ** edges_among(vertices))


def draw_whole(rng: Random, count: int, vertices: int, least: int, most: int) -> list[int]:
    """`count` whole wirings as numbers, independent and uniform; there are some, and `can_draw` says that they are."""
    import numpy as np

    numbers = np.random.Generator(np.random.PCG64(rng.getrandbits(128)))
    found: list[int] = []
    while len(found) < count:
        codes = numbers.integers(2 ** edges_among(vertices), size=_BATCH, dtype=np.int64)
        found += codes[are_whole(codes, vertices, least, most)].tolist()
    return found[:count]


def are_whole(codes: "NDArray[Any]", vertices: int, least: int, most: int) -> "NDArray[Any]":
    """Which of the wirings with these numbers, int64 (N,), are whole and within the bounds: bool (N,).

    Every vertex but the input has an edge in, and every one but the output an edge out: then all are on a way.
    """
    import numpy as np

    places = edges_among(vertices)
    entered, left = np.zeros((vertices, len(codes)), bool), np.zeros((vertices, len(codes)), bool)
    edges = np.zeros(len(codes), np.int64)
    for j in range(1, vertices):
        for i in range(j):
            there = codes >> (places - 1 - edges_among(j) - i) & 1 == 1
            entered[j] |= there
            left[i] |= there
            edges += there
    return entered[1:].all(axis=0) & left[:-1].all(axis=0) & (edges >= least) & (edges <= most)
