"""Wirings counted in closed form, tested and drawn, against listing all of them edge by edge."""

from collections import Counter
from functools import cache
from itertools import product
from random import Random

import numpy as np
import pytest

from app.space.constraints.wirings import CODED, VERTICES, accepts, around, draw, edges_among, wirings

Kinds = tuple[tuple[int, int, bool], ...]  # of each wiring: edges, edges that are through, whether it is connected


@cache
def listed(vertices: int) -> Kinds:
    """All wirings in the order of their numbers, found by walking all ways from the input."""
    places = [(i, j) for j in range(1, vertices) for i in range(j)]
    found: list[tuple[int, int, bool]] = []
    for bits in product((0, 1), repeat=len(places)):
        edges = [place for place, bit in zip(places, bits, strict=True) if bit]
        ways: list[list[tuple[int, int]]] = [[(0, 0)]]
        through: set[tuple[int, int]] = set()
        while ways:
            way = ways.pop()
            if way[-1][1] == vertices - 1:
                through.update(way[1:])
            ways += [[*way, edge] for edge in edges if edge[0] == way[-1][1]]
        found.append((len(edges), len(through), bool(through)))
    return tuple(found)


def wanted(kind: tuple[int, int, bool], low: int, high: int, pruned: bool, connected: bool) -> bool:
    return low <= kind[pruned] <= high and (kind[2] or not connected)


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("pruned", [True, False])
@pytest.mark.parametrize("vertices", [2, 3, 4, 5])
def test_counts_and_tests_agree_with_a_list(vertices: int, pruned: bool, connected: bool) -> None:
    places = edges_among(vertices)
    codes = np.arange(2**places)
    for low in range(places + 1):
        for high in range(low, places + 2):
            expected = [wanted(kind, low, high, pruned, connected) for kind in listed(vertices)]
            assert wirings(vertices, high, low, pruned=pruned, connected=connected) == sum(expected)
            if high - low in (0, 3, places):
                found = accepts(codes, vertices, high, low, pruned=pruned, connected=connected)
                assert found.tolist() == expected


def test_without_bounds_all_connected_ones_count() -> None:
    for vertices in (2, 3, 4, 5):
        assert wirings(vertices) == sum(connected for _, _, connected in listed(vertices))
        assert (
            wirings(vertices, connected=False)
            == wirings(vertices, connected=False, pruned=False)
            == len(listed(vertices))
        )


def test_seven_vertices_are_counted_as_they_are_tested() -> None:
    rng = Random(0)
    codes = np.array([rng.getrandbits(21) for _ in range(20_000)])
    for high, pruned in ((9, True), (9, False), (12, True)):
        share = accepts(codes, 7, high, pruned=pruned).mean()
        assert share == pytest.approx(wirings(7, high, pruned=pruned) / 2**21, abs=0.015)


def test_what_is_around_a_core_does_not_depend_on_it() -> None:
    """Five vertices in which one inner one is through: the same number for each wiring of three vertices."""
    through_one = Counter[tuple[int, int]]()
    for edges, through, _ in listed(5):
        through_one[edges, through] += 1
    cores = sum(number for (_, through), number in through_one.items() if through == 2)
    # a core of two edges is the chain input -> v -> output, and around it is whatever does not touch it
    assert cores == around(3, 1)


@pytest.mark.parametrize(("high", "pruned", "connected"), [(3, True, True), (4, False, False), (None, True, True)])
def test_draws_are_uniform(high: int | None, pruned: bool, connected: bool) -> None:
    expected = {
        code for code, kind in enumerate(listed(4)) if wanted(kind, 1, 6 if high is None else high, pruned, connected)
    }
    count = 400 * len(expected)
    found = Counter(draw(Random(5), count, 4, high, 1, pruned=pruned, connected=connected))
    assert set(found) == expected
    assert sum(found.values()) == count
    # the chi-square statistic of k classes has mean k - 1 and variance 2 (k - 1)
    k = len(expected)
    statistic = sum((number - 400) ** 2 / 400 for number in found.values())
    assert abs(statistic - (k - 1)) < 5 * (2 * (k - 1)) ** 0.5


def test_draws_repeat_with_their_seed() -> None:
    assert draw(Random(3), 50, 7, 9) == draw(Random(3), 50, 7, 9) != draw(Random(4), 50, 7, 9)
    assert draw(Random(3), 0, 7, 9) == []


def test_what_is_out_of_bounds_is_refused() -> None:
    for vertices in (1, VERTICES + 1):
        with pytest.raises(ValueError, match=f"not {vertices}"):
            wirings(vertices)
    with pytest.raises(ValueError, match=f"not {CODED + 1}"):
        draw(Random(0), 1, CODED + 1)
    with pytest.raises(ValueError, match="only 1 of"):
        draw(Random(0), 1, 8, 1, pruned=False)
    assert wirings(7, 8, 9) == 0
