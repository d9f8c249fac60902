"""Pareto fronts and their hypervolume: which points no other one beats, and how much of the space they beat.

A point has a number for each objective, and less is better in all of them: `costs` turns the sign of what is to be
large. One point dominates another where it is no worse in any objective and better in one.
"""

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, ...]


def costs(values: Sequence[float], goals: Sequence[str]) -> Point:
    """Values as costs: the sign of those to be maximised is turned."""
    return tuple(-value if goal == "maximise" else value for value, goal in zip(values, goals, strict=True))


def dominates(a: Point, b: Point) -> bool:
    """Whether `a` is no worse anywhere and better somewhere."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def front(points: Sequence[Point]) -> list[int]:
    """The places of points that no other dominates, in order; of equal points the first."""
    kept: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i], i)):
        if not any(points[j] == points[i] or dominates(points[j], points[i]) for j in kept):
            kept.append(i)
    return sorted(kept)


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The volume that the points dominate, up to a reference point; exact, by slicing one objective after another.

    What is not better than the reference in every objective adds nothing. While et al. (2006),
    doi:10.1109/TEVC.2005.851275: the time grows as n^(objectives - 1).
    """
    inside = [point for point in points if all(x < r for x, r in zip(point, reference, strict=True))]
    return _sliced([inside[i] for i in front(inside)], reference)


def _sliced(points: Sequence[Point], reference: Point) -> float:
    if not points:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(x for (x,) in points)
    ordered = sorted(points, key=lambda point: point[-1])
    heights = [*(point[-1] for point in ordered), reference[-1]]
    if len(reference) == 2:  # every slice is as wide as the best point so far
        width, area = reference[0], 0.0
        for point, (low, high) in zip(ordered, pairwise(heights), strict=True):
            width = min(width, point[0])
            area += (reference[0] - width) * (high - low)
        return area
    volume = 0.0
    for i, (low, high) in enumerate(pairwise(heights)):
        if high > low:
            flat = [point[:-1] for point in ordered[: i + 1]]
            volume += (high - low) * _sliced([flat[j] for j in front(flat)], reference[:-1])
    return volume
