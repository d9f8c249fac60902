"""Fronts and hypervolumes against counting."""

from itertools import product
from random import Random

import pytest

from app.experiment.fronts import Point, costs, dominates, front, hypervolume


def drawn(objectives: int, count: int, seed: int) -> list[Point]:
    """Points on a grid, some of them equal."""
    rng = Random(seed)
    return [tuple(float(rng.randrange(6)) for _ in range(objectives)) for _ in range(count)]


def counted(points: list[Point], reference: Point) -> float:
    """The number of unit cubes below the reference that some point dominates."""
    sides = [range(int(r)) for r in reference]
    return sum(any(all(x <= c for x, c in zip(p, cube, strict=True)) for p in points) for cube in product(*sides))


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_hypervolume_counts_cubes(objectives: int, seed: int) -> None:
    points = drawn(objectives, 12, seed)
    reference = (5.0,) * objectives
    assert hypervolume(points, reference) == counted(points, reference)


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_front_is_what_nothing_dominates(objectives: int, seed: int) -> None:
    points = drawn(objectives, 30, seed)
    best = {point for point in points if not any(dominates(other, point) for other in points)}
    found = front(points)
    assert found == sorted(found)
    assert [points.index(points[i]) for i in found] == found, "of equal points the first"
    assert {points[i] for i in found} == best


def test_nothing_beyond_the_reference_counts() -> None:
    assert hypervolume([(3.0, 1.0), (1.0, 3.0)], (2.0, 2.0)) == 0.0
    assert hypervolume([], (1.0, 1.0)) == 0.0
    assert hypervolume([(1.0, 1.0), (3.0, 0.0)], (2.0, 3.0)) == 2.0


def test_costs_turn_what_is_to_be_large() -> None:
    assert costs((94.0, 10.0), ("maximise", "minimise")) == (-94.0, 10.0)
