"""Comparisons of strategies as they are asked for, made complete: every default chosen, everything checked to fit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from app.api.answers import identity
from app.api.discrete_evaluators import MAX_TRAININGS
from app.api.discrete_searches import Chosen, discrete_requests, work_of
from app.api.problems import unprocessable
from app.api.schemas.strategy_comparison import ComparedBody, ComparisonPlanView, StrategyComparisonBody
from app.api.services import Services
from app.api.submissions import queue_for
from app.api.views import shown_request
from app.experiment import (
    ORACLE,
    ComparedStrategy,
    ComparisonRequest,
    DiscreteSearchRequest,
    InheritedEvaluator,
    SharingCheck,
)
from app.space import SearchSpace

MAX_EVALUATIONS: Mapping[str, int] = {
    "catalogue": 10_000_000,  # at thousands a second
    "proxies": 200_000,  # at ten a second or so
    "inherited": 200_000,
    "training": MAX_TRAININGS,
}
"""Evaluations of all runs at most, by what measures them."""

MAX_RUNS = 200  # that are jobs of their own
APART = ("training", "inherited")  # evaluators whose runs are


def comparison_request(services: Services, space: SearchSpace, body: StrategyComparisonBody) -> ComparisonRequest:
    """A comparison, complete in itself. Raises where its parts do not fit together."""
    chosen = [Chosen(one.strategy, one.parameters, f"/strategies/{i}") for i, one in enumerate(body.strategies)]
    searches = discrete_requests(services, space, body, chosen)
    strategies = tuple(
        ComparedStrategy(label=label, strategy=search.strategy, parameters=search.parameters)
        for label, search in zip(labels(body.strategies), searches, strict=True)
    )
    differ(strategies)
    bounded(searches[0], len(strategies), body.seeds)
    match searches[0].evaluator:
        case InheritedEvaluator(check=SharingCheck(members=members)):
            message = "every run would train these members again: ask it of one search"
            raise unprocessable("/evaluator/check", message, members, (None,))
        case _:
            pass
    search = replace(searches[0], strategy="random", parameters={})  # those of no run
    seeds = tuple(range(body.first_seed, body.first_seed + body.seeds))
    return ComparisonRequest(search=search, strategies=strategies, seeds=seeds, device=search.device)


def labels(strategies: Sequence[ComparedBody]) -> list[str]:
    """What each strategy is called, no two alike. Raises a Problem where they are."""
    found: list[str] = []
    for i, one in enumerate(strategies):
        given = " ".join(f"{name}={value}" for name, value in one.parameters.items())
        label = one.label or f"{one.strategy} {given}".strip()[:64].rstrip()
        if label in found:
            other = found.index(label)
            message = f"/strategies/{other} has this label too: give another"
            raise unprocessable(f"/strategies/{i}/label", message, label)
        found.append(label)
    return found


def differ(strategies: Sequence[ComparedStrategy]) -> None:
    """Refuse the same strategy with the same parameters twice: its runs would be the same."""
    for i, one in enumerate(strategies):
        for j, other in enumerate(strategies[:i]):
            if (one.strategy, one.parameters) == (other.strategy, other.parameters):
                message = f"it is the strategy of /strategies/{j} again, every parameter the same"
                raise unprocessable(f"/strategies/{i}", message, one.strategy)


def bounded(search: DiscreteSearchRequest, strategies: int, seeds: int) -> None:
    """Refuse more work than one comparison may be."""
    kind, runs = search.evaluator.kind, strategies * seeds
    each = search.budget * (len(search.evaluator.seeds) if search.evaluator.kind == "training" else 1)
    most = MAX_EVALUATIONS[kind]
    if runs * each > most:
        what = "trainings" if kind == "training" else "evaluations"
        message = f"{strategies} strategies, {seeds} seeds and {each} {what} a run are {runs * each}; at most {most}"
        raise unprocessable("/budget", message, search.budget, (f"at most {search.budget * most // (runs * each)}",))
    if kind in APART and runs > MAX_RUNS:
        message = (
            f"{strategies} strategies and {seeds} seeds are {runs} searches, jobs of their own; at most {MAX_RUNS}"
        )
        raise unprocessable("/seeds", message, seeds, (f"at most {MAX_RUNS // strategies}",))


def planned_comparison(services: Services, space: SearchSpace, request: ComparisonRequest) -> ComparisonPlanView:
    """What a comparison would do, and what is known of it."""
    search = request.search
    with services.database.transaction() as session:
        queue, serving = queue_for(services, session, request.device)
    work = [work_of(replace(search, strategy=s.strategy, parameters=s.parameters)) for s in request.strategies]
    seeds = len(request.seeds)
    return ComparisonPlanView(
        kind="comparison",
        space=identity(space),
        queue=queue,
        workers=serving,
        strategies=[one.label for one in request.strategies],
        runs=len(request.strategies) * seeds,
        jobs=search.evaluator.kind in APART,
        evaluations=len(request.strategies) * seeds * search.budget,
        trainings=seeds * sum(trainings for trainings, _ in work),
        epochs=seeds * sum(epochs for _, epochs in work),
        oracle=search.oracle,
        label=ORACLE if search.oracle else None,
        request=shown_request(asdict(request)),
    )
