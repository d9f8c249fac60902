"""Runs: what a comparison keeps of one search, small enough for thousands of them.

Only what was better than everything before it is kept, or with several objectives what nothing before dominated: a
curve and a front are as exact as from the whole trajectory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.experiment.curves import Course
from app.experiment.dataset import described
from app.experiment.discrete import Evaluator, Measurement, SoughtMetric
from app.experiment.fronts import Point, costs, dominates, hypervolume


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An evaluation that brought a run forward."""

    n: int
    index: str  # rank of the member, decimal
    values: tuple[float, ...]  # of the objectives


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One search of a comparison."""

    label: str  # of its strategy
    seed: int
    evaluations: int
    failed: int
    exhausted: bool  # ended before its budget, as there was nothing left to propose
    fidelity: int | None  # at which the steps were measured; None: at the evaluator's own
    steps: tuple[Step, ...]
    worst: tuple[float, ...] | None  # of each objective, at that fidelity; None where nothing was measured
    search: str | None = None  # UUID of its job, where it is one of its own
    strategy_seconds: float = 0.0  # processor time of proposing and learning
    seconds: float = 0.0
    gpu_hours: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """What a trajectory comes to."""

    evaluations: int
    failed: int
    fidelity: int | None
    steps: tuple[Step, ...]
    worst: tuple[float, ...] | None


def own_fidelity(evaluator: Evaluator) -> int | None:
    """The fidelity that an evaluation has where a strategy names none; None where it is no number."""
    match evaluator.kind:
        case "catalogue":
            same = [of.fidelity for of in evaluator.fidelities if of.recipe_digest == evaluator.recipe_digest]
            return same[0] if same else None
        case "training":
            return evaluator.recipe.epochs
        case "proxies":
            return evaluator.images
        case "inherited":
            return described(evaluator.dataset, evaluator.data).splits["selection"]


def progressed(
    trajectory: Iterable[Measurement], objectives: Sequence[SoughtMetric], own: int | None = None
) -> Progressed:
    """What counts of a trajectory: at the highest fidelity that it has; without one is `own`, and above every other
    where that is None."""
    made = list(trajectory)
    names, goals = [sought.metric for sought in objectives], [sought.goal for sought in objectives]
    levels = {own if one.fidelity is None else one.fidelity for one in made if one.values is not None}
    level = None if None in levels or not levels else max(of for of in levels if of is not None)
    steps, front, worst = list[Step](), list[Point](), list[Point]()
    for one in made:
        if one.values is None or (own if one.fidelity is None else one.fidelity) != level:
            continue
        values = tuple(one.values[name] for name in names)
        point = costs(values, goals)
        worst = [tuple(map(max, zip(worst[0], point, strict=True)))] if worst else [point]
        if not any(kept == point or dominates(kept, point) for kept in front):
            front = [*(kept for kept in front if not dominates(point, kept)), point]
            steps.append(Step(n=one.n, index=one.index, values=values))
    return Progressed(
        evaluations=len(made),
        failed=sum(one.values is None for one in made),
        fidelity=level,
        steps=tuple(steps),
        worst=costs(worst[0], goals) if worst else None,
    )


def course(run: Run, objectives: Sequence[SoughtMetric], reference: Point | None) -> Course:
    """How a run went: the best value of its one objective, or the hypervolume of its front up to a reference, which is
    in costs (`fronts.costs`)."""
    if reference is None:
        return [(step.n, step.values[0]) for step in run.steps]
    goals = [sought.goal for sought in objectives]
    found, front = list[tuple[int, float]](), list[Point]()
    for step in run.steps:
        point = costs(step.values, goals)
        front = [*(kept for kept in front if not dominates(point, kept)), point]
        found.append((step.n, hypervolume(front, reference)))
    return found


def common_reference(worst: Iterable[Sequence[float]], goals: Sequence[str]) -> Point | None:
    """The worst of each objective over several runs or a whole table, in costs; None of none."""
    points = [costs(values, goals) for values in worst]
    return tuple(map(max, zip(*points, strict=True))) if points else None


def named(values: Sequence[float], objectives: Sequence[SoughtMetric]) -> Mapping[str, float]:
    """Values by the metrics that they are of."""
    return {sought.metric: value for sought, value in zip(objectives, values, strict=True)}
