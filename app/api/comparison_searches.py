"""Searches that have ended, compared as if one job had made them; refused where they do not stand on one footing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from app.api.problems import Problem, not_found, unprocessable
from app.api.services import Services
from app.catalogue import Job, jobs
from app.experiment import ComparedStrategy, DiscreteSearchRequest, Measurement
from app.experiment.comparable import Unlike, unlike
from app.experiment.judgement import comparison_report
from app.experiment.runs import Run, own_fidelity, progressed
from app.space import Fault

MAX_EVALUATIONS = 200_000  # of all searches together: their trajectories are read while somebody waits
SHOWN = 3  # searches that a difference names for each value

_REQUEST = TypeAdapter(DiscreteSearchRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What is kept of a search: not its trajectory."""

    request: DiscreteSearchRequest
    report: Mapping[str, Any]
    run: Run  # under no label yet
    environment: Mapping[str, Any]


def compared(services: Services, ids: Sequence[UUID]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(space, report). Raises a Problem where a search is not there, has not ended, or does not compare."""
    found: dict[str, Ended] = {}
    made = 0
    for i, id in enumerate(ids):
        if str(id) in found:
            raise unprocessable(f"/searches/{i}", "it is among the searches already", str(id))
        with services.database.transaction() as session:
            job = jobs.get(session, id, viewer=services.caller.owner)
        found[str(id)] = ended = ended_search(job, id, f"/searches/{i}")
        made += ended.run.evaluations
        if made > MAX_EVALUATIONS:
            message = f"these searches have more than {MAX_EVALUATIONS} evaluations; have a comparison run them"
            raise unprocessable("/searches", message, i + 1)
    refuse_unlike(found)
    once_each(found)
    first = next(iter(found.values()))
    strategies, names = named(found)
    report = comparison_report(
        first.request,
        strategies,
        [relabelled(ended, names) for ended in found.values()],
        judged_by=first.report["judged_by"],
        environment=joined([ended.environment for ended in found.values()]),
        seconds=sum(ended.run.seconds for ended in found.values()),
        gpu_hours=sum(ended.run.gpu_hours for ended in found.values()),
    )
    return asdict(first.request.space), asdict(report)


def ended_search(job: Job | None, id: UUID, pointer: str) -> Ended:
    """What is kept of a search. Raises a Problem where it is none, or has no final report."""
    if job is None or job.kind != "discrete_search":
        raise not_found("discrete search", id)
    if job.state != "succeeded" or job.result is None:
        raise unprocessable(pointer, f"the search is {job.state}: only those that succeeded compare", str(id))
    request, result = _REQUEST.validate_python(dict(job.request)), job.result
    report = result["report"]
    trajectory = [Measurement(**entry) for entry in result["trajectory"]]
    kept = progressed(trajectory, request.objectives, own_fidelity(request.evaluator))
    run = Run(
        label="",
        seed=request.seed,
        evaluations=kept.evaluations,
        failed=kept.failed,
        exhausted=report["exhausted"],
        fidelity=kept.fidelity,
        steps=kept.steps,
        worst=kept.worst,
        search=str(id),
        strategy_seconds=report["strategy_seconds"],
        seconds=report["seconds"],
        gpu_hours=report["gpu_hours"],
    )
    environment = {name: result.get(name) for name in ("device", "torch_version", "code_version")}
    return Ended(request=request, report=report, run=run, environment=environment)


def refuse_unlike(found: Mapping[str, Ended]) -> None:
    """Raises a Problem that names every place in which searches differ, with the values."""
    differing = unlike(
        {id: ended.request for id, ended in found.items()},
        {id: ended.report["judged_by"] for id, ended in found.items()},
    )
    if differing:
        places = ", ".join(one.place for one in differing)
        detail = f"searches compare where all but strategy, parameters and seed is the same; these differ in {places}"
        faults = tuple(Fault("/searches", f"they differ in {one.place}: {told(one)}", one.place) for one in differing)
        raise Problem(422, "mixed-results", "The searches do not compare", detail, faults)


def told(one: Unlike) -> str:
    """Every value with some of the searches that have it."""
    values: dict[str, list[str]] = {}
    for id, value in one.values.items():
        values.setdefault(str(value), []).append(id)
    return "; ".join(
        f"{value} of {', '.join(ids[:SHOWN])}" + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
        for value, ids in values.items()
    )


def once_each(found: Mapping[str, Ended]) -> None:
    """Refuse the same search under two ids: strategy, parameters and seed make it what it is."""
    known: dict[tuple[Any, ...], str] = {}
    for i, (id, ended) in enumerate(found.items()):
        asked = ended.request
        other = known.setdefault((asked.strategy, *sorted(asked.parameters.items()), asked.seed), id)
        if other != id:
            message = f"it is the search {other} again, seed {asked.seed} too: one run would count twice"
            raise unprocessable(f"/searches/{i}", message, id)


def named(found: Mapping[str, Ended]) -> tuple[list[ComparedStrategy], Mapping[tuple[Any, ...], str]]:
    """The strategies in the order of the first of each, and their labels: with parameters where these differ."""
    kinds = {key(ended.request): ended.request for ended in found.values()}
    several = {one.strategy for one in kinds.values() if sum(o.strategy == one.strategy for o in kinds.values()) > 1}
    labels = {
        whose: f"{one.strategy} {' '.join(f'{name}={value}' for name, value in one.parameters.items())}".strip()
        if one.strategy in several
        else one.strategy
        for whose, one in kinds.items()
    }
    strategies = [
        ComparedStrategy(label=labels[whose], strategy=one.strategy, parameters=one.parameters)
        for whose, one in kinds.items()
    ]
    return strategies, labels


def key(request: DiscreteSearchRequest) -> tuple[Any, ...]:
    """What makes two searches runs of one strategy."""
    return (request.strategy, *sorted(request.parameters.items()))


def relabelled(ended: Ended, labels: Mapping[tuple[Any, ...], str]) -> Run:
    """A run under its strategy's label."""
    return replace(ended.run, label=labels[key(ended.request)])


def joined(environments: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Where all was measured: every value that occurs, once."""
    return {
        name: ", ".join(dict.fromkeys(str(one[name]) for one in environments if one[name])) or None
        for name in environments[0]
    }
