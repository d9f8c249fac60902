"""Anytime curves: what runs have found after each evaluation, with bands over the seeds.

A course is how one run went: from which evaluation on it had which value, better at every step. Runs are aligned by
evaluations; one that ended early keeps its last value to the end, and is counted as ended.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

PLACES = 200  # of a curve, where there are more evaluations

Course = Sequence[tuple[int, float]]  # evaluation from 1, and the value from there on; ascending


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Values after so many evaluations, over those runs that have one by then; None where none has."""

    at: tuple[int, ...]  # evaluations
    mean: tuple[float | None, ...]
    deviation: tuple[float | None, ...]  # sample standard deviation; None also of one run
    p10: tuple[float | None, ...]
    p50: tuple[float | None, ...]
    p90: tuple[float | None, ...]
    runs: tuple[int, ...]  # that have a value
    ended: tuple[int, ...]  # that had ended before, whose last value is carried on


def places(budget: int) -> tuple[int, ...]:
    """The evaluations at which a curve is told: every one up to PLACES, else that many in equal ratios, as far as
    whole numbers have them."""
    if budget <= PLACES:
        return tuple(range(1, budget + 1))
    found, last = [1], 1
    for left in range(PLACES - 1, 0, -1):
        last = max(last + 1, round(last * (budget / last) ** (1 / left)))
        found.append(last)
    return tuple(found)


def at(course: Course, n: int) -> float | None:
    """The value of a run after `n` evaluations; None where it had none yet."""
    place = bisect_right(course, n, key=lambda step: step[0])
    return course[place - 1][1] if place else None


def curve(courses: Sequence[Course], lengths: Sequence[int], budget: int) -> Curve:
    """The curve of some runs, each with the number of its evaluations."""
    where = places(budget)
    columns = [[value for course in courses if (value := at(course, n)) is not None] for n in where]
    return Curve(
        at=where,
        mean=tuple(fmean(column) if column else None for column in columns),
        deviation=tuple(stdev(column) if len(column) > 1 else None for column in columns),
        p10=tuple(percentile(column, 0.1) for column in columns),
        p50=tuple(percentile(column, 0.5) for column in columns),
        p90=tuple(percentile(column, 0.9) for column in columns),
        runs=tuple(map(len, columns)),
        ended=tuple(sum(length < n for length in lengths) for n in where),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """Interpolated between the two nearest, as R and numpy do by default; None of nothing.

    R. J. Hyndman and Y. Fan (1996), doi:10.1080/00031305.1996.10473566, definition 7.
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def area(course: Course, budget: int) -> float | None:
    """The mean of a run's value over all evaluations from its first value to the budget: the area under its curve,
    by the number of evaluations. None of a run without a value."""
    if not course:
        return None
    ends = [*(n for n, _ in course[1:]), budget + 1]
    total = sum((end - n) * value for (n, value), end in zip(course, ends, strict=True))
    return total / (budget + 1 - course[0][0])


def reached(course: Course, target: float, *, maximise: bool) -> int | None:
    """The evaluation at which a run was first as good as the target; None where it never was."""
    return next((n for n, value in course if (value >= target if maximise else value <= target)), None)
