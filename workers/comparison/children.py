"""Comparisons whose runs are searches of their own: one for each strategy and seed, which wait for trainings in turn.

    child    what it is
    0-7      the first strategy's search from seed 7
    1-7      the second's
    0-8 …

A run that failed or was cancelled has no value; a note says why. A cancelled comparison keeps the runs that succeeded.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.experiment.comparison import ComparisonRequest
from app.experiment.discrete import Measurement
from app.experiment.job import JobResult
from app.experiment.runs import Run
from workers.comparison.outcome import NoRun, outcome, run_of, search_of
from workers.discrete import record
from workers.progress import ChildRequest, Ended, Progress, Stopped

PHASE = "compare"


def joined(request: ComparisonRequest, progress: Progress) -> JobResult:
    """The report on all searches. Raises Waiting until they have ended, Stopped where the comparison is cancelled, and
    NoRun where not one succeeded."""
    asked = {
        f"{i}-{seed}": ChildRequest("discrete_search", search_of(request, one, seed))
        for seed in request.seeds
        for i, one in enumerate(request.strategies)
    }
    if progress.resume() is None:  # what has a checkpoint is asked what it has found when it is cancelled
        progress.checkpoint(PHASE, 0, _nothing)
    try:
        ended = progress.children(asked)
    except Stopped as stopped:
        if stopped.reason == "cancel":
            raise Stopped("cancel", _kept(request, progress.ended_children())) from stopped
        raise
    results = succeeded(ended)
    notes = [f"{_whose(request, name)}: {reason(child)}" for name, child in ended.items() if name not in results]
    if not results:
        raise NoRun(f"none of {len(asked)} searches succeeded: {'; '.join(notes)}")
    return _outcome(request, ended, notes)


def succeeded(ended: Mapping[str, Ended]) -> dict[str, Mapping[str, Any]]:
    """The results of the searches that have one."""
    return {name: child.result for name, child in ended.items() if child.state == "succeeded" and child.result}


def _nothing(file: Path) -> None:
    record.save(file, {})


def _kept(request: ComparisonRequest, ended: Mapping[str, Ended]) -> JobResult | None:
    """What a cancelled comparison keeps: the runs that succeeded."""
    there = {name: child for name, child in ended.items() if name in succeeded(ended)}
    if not there:
        return None
    every = len(request.strategies) * len(request.seeds)
    note = f"cancelled after {len(there)} of {every} runs, which are all that is compared"
    return _outcome(request, there, [note], stopped_in=PHASE)


def _outcome(request: ComparisonRequest, ended: Mapping[str, Ended], notes: list[str], **more: Any) -> JobResult:
    results = succeeded(ended)
    judged = each(str(result["report"]["judged_by"]) for result in results.values())
    if len(judged) > 1:
        notes = [*notes, f"the searches were not all judged by the same: {'; '.join(judged)}"]
    provenance = {
        name: ", ".join(each(str(result[name]) for result in results.values() if result.get(name)))
        for name in ("device", "torch_version", "code_version")
    }
    runs = [_run(request, *_place(request, name), child) for name, child in ended.items()]
    first: Mapping[str, Any] = next(iter(results.values()))
    return outcome(
        request,
        runs,
        judged_by=first["report"]["judged_by"],
        provenance=provenance,
        notes=notes,
        seconds=sum(run.seconds for run in runs),
        more={"children": {name: str(child.job_id) for name, child in ended.items()}, **more},
    )


def _place(request: ComparisonRequest, name: str) -> tuple[str, int]:
    """The strategy's label and the seed of a child."""
    strategy, _, seed = name.partition("-")
    return request.strategies[int(strategy)].label, int(seed)


def _whose(request: ComparisonRequest, name: str) -> str:
    label, seed = _place(request, name)
    return f"{label}, seed {seed}"


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
