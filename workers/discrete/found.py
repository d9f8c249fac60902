"""What a search found, told from its trajectory alone.

Where evaluations have fidelities, only those at the highest that was measured count: what is cheap to measure says
what to measure next, and no more.
"""

from collections.abc import Sequence
from math import isfinite
from typing import TypeVar

from app.experiment import Found, Hypervolume, Measurement, SoughtMetric
from app.experiment.fronts import Point, costs, dominates, hypervolume
from app.space import SearchSpace

Objectives = Sequence[SoughtMetric]
T = TypeVar("T")


def highest(trajectory: Sequence[Measurement]) -> int | None:
    """The highest fidelity at which an evaluation succeeded; None without fidelities."""
    return max((m.fidelity for m in trajectory if m.fidelity is not None and m.values is not None), default=None)


def counting(trajectory: Sequence[Measurement]) -> list[Measurement | None]:
    """Each evaluation where it counts, else None."""
    at = highest(trajectory)
    return [m if m.values is not None and m.fidelity == at else None for m in trajectory]


def point(measurement: Measurement, objectives: Objectives) -> Point:
    """The objectives' values as costs: less is better in all."""
    values = measurement.values
    assert values is not None, "only those that succeeded have any"
    return costs([values[o.metric] for o in objectives], [o.goal for o in objectives])


def best(trajectory: Sequence[Measurement], objective: SoughtMetric) -> Measurement | None:
    """The best evaluation, of equals the first."""
    found = [m for m in counting(trajectory) if m is not None]
    return min(found, key=lambda m: point(m, (objective,)), default=None)


def curve(trajectory: Sequence[Measurement], objective: SoughtMetric) -> tuple[float | None, ...]:
    """The best value after each evaluation; None as long as there is none."""
    sign = -1.0 if objective.goal == "maximise" else 1.0
    found: list[float | None] = []
    so_far: float | None = None
    for one in counting(trajectory):
        if one is not None:
            (cost,) = point(one, (objective,))
            so_far = sign * cost if so_far is None else sign * min(cost, sign * so_far)
        found.append(so_far)
    return tuple(found)


def front(trajectory: Sequence[Measurement], objectives: Objectives) -> list[Measurement]:
    """The evaluations that no other dominates, the best by the first objective first; of equal points the first."""
    kept: dict[Point, Measurement] = {}
    for one in counting(trajectory):
        if one is not None:
            _enter(kept, point(one, objectives), one)
    return [kept[at] for at in sorted(kept)]


def volume(
    trajectory: Sequence[Measurement], objectives: Objectives, reference: Point | None = None
) -> Hypervolume | None:
    """The hypervolume after each evaluation; the reference is the worst of each objective that was measured, unless it
    is given as costs. None where nothing was measured."""
    found = [None if one is None else point(one, objectives) for one in counting(trajectory)]
    points = [p for p in found if p is not None]
    if not points:
        return None
    worst = tuple(map(max, zip(*points, strict=True))) if reference is None else reference
    kept: dict[Point, None] = {}
    curve: list[float] = []
    value = 0.0
    for p in found:
        if p is not None and _enter(kept, p, None):
            value = hypervolume(list(kept), worst)
        curve.append(value)
    named = {o.metric: -w if o.goal == "maximise" else w for o, w in zip(objectives, worst, strict=True)}
    return Hypervolume(value=value, reference=named, curve=tuple(curve))


def as_found(measurement: Measurement, space: SearchSpace) -> Found:
    """A measured member with its genotype."""
    assert measurement.values is not None, "only those that succeeded are found"
    genotype = space.plan.unrank(int(measurement.index))
    return Found(index=measurement.index, genotype=genotype, values=measurement.values, n=measurement.n)


def missing(values: dict[str, float], objectives: Objectives) -> str | None:
    """Why values will not do: an objective that is not among them, or is no finite number."""
    for sought in objectives:
        value = values.get(sought.metric)
        if value is None:
            return f"{sought.metric} was not measured, only {', '.join(sorted(values))}"
        if not isfinite(value):
            return f"{sought.metric} is {value}, no finite number"
    return None


def _enter(kept: dict[Point, T], p: Point, what: T) -> bool:
    """Put a point on a front, unless it is there or dominated; say whether the front has changed."""
    if p in kept or any(dominates(other, p) for other in kept):
        return False
    for other in [other for other in kept if dominates(p, other)]:
        del kept[other]
    kept[p] = what
    return True
