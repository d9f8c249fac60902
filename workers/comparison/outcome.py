"""What a comparison ends with: its report, and where it was measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from app.experiment.comparison import ComparedStrategy, ComparisonRequest
from app.experiment.discrete import DiscreteSearchRequest, Measurement
from app.experiment.job import JobResult
from app.experiment.judgement import Table, comparison_report
from app.experiment.runs import Run, own_fidelity, progressed


class NoRun(RuntimeError):
    """Not one run measured anything; the message says why."""


def search_of(request: ComparisonRequest, one: ComparedStrategy, seed: int) -> DiscreteSearchRequest:
    """The search that a strategy makes from a seed."""
    return replace(
        request.search, strategy=one.strategy, parameters=one.parameters, seed=seed, device=request.device, replays=None
    )


def run_of(
    request: ComparisonRequest,
    label: str,
    seed: int,
    trajectory: Iterable[Measurement],
    *,
    exhausted: bool,
    search: str | None = None,
    strategy_seconds: float = 0.0,
    seconds: float = 0.0,
    gpu_hours: float = 0.0,
) -> Run:
    """What is kept of a search."""
    found = progressed(trajectory, request.search.objectives, own_fidelity(request.search.evaluator))
    return Run(
        label=label,
        seed=seed,
        evaluations=found.evaluations,
        failed=found.failed,
        exhausted=exhausted,
        fidelity=found.fidelity,
        steps=found.steps,
        worst=found.worst,
        search=search,
        strategy_seconds=strategy_seconds,
        seconds=seconds,
        gpu_hours=gpu_hours,
    )


def outcome(
    request: ComparisonRequest,
    runs: Sequence[Run],
    *,
    judged_by: Mapping[str, object],
    provenance: Mapping[str, object],
    notes: Iterable[str],
    seconds: float,
    table: Table | None = None,
    more: Mapping[str, Any] | None = None,
) -> JobResult:
    """The job's result: a report, or None in its place where no run was made yet."""
    gpu_hours = sum(run.gpu_hours for run in runs)
    report = None
    if runs:
        report = comparison_report(
            request.search,
            request.strategies,
            runs,
            judged_by=judged_by,
            environment=provenance,
            table=table,
            notes=notes,
            seconds=seconds,
            gpu_hours=gpu_hours,
        )
    return JobResult(
        result={
            "report": None if report is None else asdict(report),
            **provenance,
            "seconds": seconds,
            **(more or {}),
        }
    )
