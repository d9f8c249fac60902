"""Comparisons whose runs are searches of their own: one for each strategy and seed, which wait for trainings in turn.

    child    what it is
    0-7      the first strategy's search from seed 7
    1-7      the second's
    0-8 …

A run that failed or was cancelled has no value; a note says why. Where the comparison is cancelled, what has ended
stays with the searches, which can still be compared.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.experiment.comparison import ComparisonRequest
from app.experiment.discrete import Measurement
from app.experiment.job import JobResult
from app.experiment.runs import Run
from workers.comparison.outcome import NoRun, outcome, run_of, search_of
from workers.progress import ChildRequest, Ended, Progress


def joined(request: ComparisonRequest, progress: Progress) -> JobResult:
    """The report on all searches. Raises Waiting until they have ended, and NoRun where not one succeeded."""
    labels = [one.label for one in request.strategies]
    asked = {
        f"{i}-{seed}": ChildRequest("discrete_search", search_of(request, one, seed))
        for seed in request.seeds
        for i, one in enumerate(request.strategies)
    }
    ended = progress.children(asked)
    whose = {name: (labels[int(name.partition("-")[0])], int(name.partition("-")[2])) for name in asked}
    results = {name: child.result for name, child in ended.items() if child.state == "succeeded" and child.result}
    notes = [f"{whose[n][0]}, seed {whose[n][1]}: {reason(child)}" for n, child in ended.items() if n not in results]
    if not results:
        raise NoRun(f"none of {len(asked)} searches succeeded: {'; '.join(notes)}")
    runs = [_run(request, *whose[name], child) for name, child in ended.items()]
    judged = each(str(result["report"]["judged_by"]) for result in results.values())
    if len(judged) > 1:
        notes.append(f"the searches were not all judged by the same: {'; '.join(judged)}")
    provenance = {
        name: ", ".join(each(str(result[name]) for result in results.values() if result.get(name)))
        for name in ("device", "torch_version", "code_version")
    }
    first: Mapping[str, Any] = next(iter(results.values()))
    return outcome(
        request,
        runs,
        judged_by=first["report"]["judged_by"],
        provenance=provenance,
        notes=notes,
        seconds=sum(run.seconds for run in runs),
        more={"children": {name: str(child.job_id) for name, child in ended.items()}},
    )


def _run(request: ComparisonRequest, label: str, seed: int, child: Ended) -> Run:
    """A search that has ended; one without a result measured nothing."""
    result = child.result if child.state == "succeeded" and child.result else {}
    report = result.get("report", {})
    return run_of(
        request,
        label,
        seed,
        [Measurement(**entry) for entry in result.get("trajectory", ())],
        exhausted=report.get("exhausted", False),
        search=str(child.job_id),
        strategy_seconds=report.get("strategy_seconds", 0.0),
        seconds=report.get("seconds", 0.0),
        gpu_hours=report.get("gpu_hours", child.gpu_seconds / 3600),
    )


def reason(child: Ended) -> str:
    """Why a search has no result."""
    return f"{child.state}: {child.error['detail']}" if child.error else f"was {child.state}"


def each(texts: Iterable[str]) -> list[str]:
    """Every text once, in the order of the first."""
    return list(dict.fromkeys(texts))
