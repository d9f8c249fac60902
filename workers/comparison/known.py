"""The whole table of a catalogue search, where every member that it may propose has a result."""

from collections.abc import Callable

from app.architecture import LoweringError, judge_of
from app.experiment.discrete import COSTS, DiscreteSearchRequest
from app.experiment.judgement import Table
from app.space import SearchSpace
from app.space.constraints import valid
from workers.evaluators import Costs, Evaluator
from workers.strategies.discrete import Proposal

LISTED = 50_000  # members of a space that are looked up, each of them
AT_ONCE = 500  # of them between two pauses


def known_table(
    search: DiscreteSearchRequest,
    space: SearchSpace,
    evaluator: Evaluator,
    costs: Costs,
    pause: Callable[[], None] = lambda: None,
) -> Table | None:
    """The objectives' values of every valid member within the bounds; None where one of them has none, in a space of
    more than LISTED, and where the evaluator is no table."""
    size = space.plan.size
    if search.evaluator.kind != "catalogue" or size > LISTED:
        return None
    judges = [judge for judge in (valid(space), judge_of(space)) if judge is not None]
    names = [sought.metric for sought in search.objectives]
    table: list[tuple[float, ...]] = []
    for start in range(0, size, AT_ONCE):
        pause()
        ranks = [rank for rank in range(start, min(start + AT_ONCE, size)) if all(judge(rank) for judge in judges)]
        ranks = [rank for rank in ranks if costs.feasible(rank)]
        for rank, reading in zip(ranks, evaluator.measure(1, [Proposal(rank) for rank in ranks]), strict=True):
            values = dict(reading.values or {})
            try:
                values |= costs.of(rank) if any(name in COSTS for name in names) else {}
            except LoweringError:
                return None
            if any(name not in values for name in names):
                return None
            table.append(tuple(values[name] for name in names))
    return table or None
