"""Searches: of a supernet's weights, or of members that are measured; what each found, and how."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query
from fastapi.responses import JSONResponse

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, ServicesHere
from app.api.discrete_searches import discrete_request, planned
from app.api.experiments import planned_search, search_request
from app.api.library import find_space
from app.api.phases import phases_of_search
from app.api.pressures import with_latencies
from app.api.problems import Problem, not_found
from app.api.schemas.discrete_search import DiscretePlanView, DiscreteReportView, DiscreteSearchBody
from app.api.schemas.experiment import PlanView, ReportView, SearchView, TrajectoryView
from app.api.schemas.job import JobView
from app.api.schemas.search import SearchChoice
from app.api.schemas.space import SpaceIdentity
from app.api.search_bounds import with_bounds
from app.api.statuses import declared
from app.api.submissions import RETRY_SECONDS, DryRun, SubmissionHere, plan, submitted, written
from app.api.views import is_oracle, label_of
from app.catalogue import Job, jobs
from app.catalogue import metrics as job_metrics

router = APIRouter(prefix="/v1/searches", tags=["experiments"])

KINDS = ("search", "discrete_search")
SEARCHING = "search"  # the phase of a discrete search whose epochs are its evaluations
LONGEST = 1000  # entries of a page: an epoch each, of which a search recipe has no more
EntryLimit = Annotated[int, Query(ge=1, le=LONGEST, description="At most so many entries")]


def search_at(services: ServicesHere, search_id: Annotated[UUID, Path(description="UUID of the search")]) -> Job:
    """The search in the path: a job of one of its kinds."""
    with services.database.transaction() as session:
        job = jobs.get(session, search_id, viewer=services.caller.owner)
    if job is None or job.kind not in KINDS:
        raise not_found("search", search_id)
    return job


SearchHere = Annotated[Job, Depends(search_at)]


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={
        200: {"model": PlanView | DiscretePlanView, "description": "A dry run"},
        **declared("not-measured", "mixed-results"),
    },
)
def start_search(
    services: ServicesHere,
    body: Annotated[SearchChoice, Body()],
    how: SubmissionHere,
    dry_run: DryRun = False,
) -> JSONResponse:
    """Search a space. `strategy` decides how, and what else there is to say.

    `darts`, the default: train a supernet, discretise it, train what it found and a random genotype, and report. Any
    other: propose members and have an evaluator measure them, until the budget is spent.
    """
    space = find_space(services, body.space)
    if isinstance(body, DiscreteSearchBody):
        asked = discrete_request(services, space, body)
        return written(planned(services, space, asked)) if dry_run else submitted(services, asked, how)
    request = with_latencies(services, space, search_request(services, space, body))
    request = with_bounds(services, space, request, body.latency_device)
    if dry_run:
        return plan(services, space, request, planned_search(space, request), phases_of_search(space, request))
    return submitted(services, request, how)


@router.get("/{search_id}")
def get_search(services: ServicesHere, job: SearchHere) -> SearchView:
    """A search as it stands."""
    here, request = f"/v1/searches/{job.id}", job.request
    discrete = job.kind == "discrete_search"
    evaluations, best = standing(services, job) if discrete else (None, None)
    return SearchView(
        id=str(job.id),
        kind="discrete_search" if discrete else "search",
        state=job.state,
        space=space_of(job),
        strategy=request["strategy"],
        parameters=request["parameters"] if discrete else None,
        dataset=request["evaluator"]["dataset"] if discrete else request["dataset"],
        objectives=request["objectives"] if discrete else None,
        evaluator=request["evaluator"]["kind"] if discrete else None,
        budget=request["budget"] if discrete else None,
        evaluations=evaluations,
        best=best,
        oracle=is_oracle(request),
        label=label_of(request),
        seed=request["seed"],
        genotype=(job.result or {}).get("genotype"),
        links={
            "self": here,
            "job": f"/v1/jobs/{job.id}",
            "report": f"{here}/report",
            "trajectory": f"{here}/trajectory",
            "evaluations": f"/v1/evaluations?job={job.id}",
            "provenance": f"{here}/provenance",
            "checklist": f"{here}/checklist.html",
            "replay": f"{here}/replay",
        },
    )


def standing(services: ServicesHere, job: Job) -> tuple[int, dict[str, Any] | None]:
    """How many evaluations a discrete search has made, and what it has found: by its report, or as it last told.

    While it waits for children its progress is theirs; then the metrics that it keeps are what it told.
    """
    report = (job.result or {}).get("report")
    if report is not None:
        return report["evaluations"], report["best"]
    progress = job.progress or {}
    if progress.get("phase") == SEARCHING:
        return progress["epoch"], leading(progress["metrics"])
    with services.database.transaction() as session:
        told = job_metrics.of_job(session, job.id, SEARCHING)
    return (told[-1].epoch, leading(told[-1].values)) if told else (0, None)


def leading(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a discrete search tells of what it has found."""
    return {name: value for name, value in metrics.items() if name == "front" or name.startswith("best_")} or None


@router.get("/{search_id}/report", response_model=ReportView | DiscreteReportView, responses=declared("no-result"))
def get_report(job: SearchHere) -> ReportView | DiscreteReportView:
    """What a search found.

    Of a supernet the discretisation report: supernet, discretised, retrained and random, side by side. Of a discrete
    search the best member or the front, after how many evaluations, and what it was judged by.
    """
    report = part_of(job, "report")
    if job.kind == "discrete_search":
        report: Any = {"sharing": None, **report}  # which earlier versions did not write
        return DiscreteReportView(search_id=str(job.id), space=space_of(job), report=report)
    return ReportView(search_id=str(job.id), space=space_of(job), report=report)


@router.get("/{search_id}/trajectory", responses=declared("no-result"))
def get_trajectory(
    services: ServicesHere, job: SearchHere, limit: EntryLimit = LONGEST, cursor: Cursor = None
) -> TrajectoryView:
    """How a search went: epoch by epoch how the weights of its decisions moved, or evaluation by evaluation."""
    items, scope = part_of(job, "trajectory"), f"trajectory {job.id}"
    start = 0 if cursor is None else int(read_cursor(services.secret, scope, cursor)["n"])
    end = start + limit
    return TrajectoryView(
        search_id=str(job.id),
        space=space_of(job),
        oracle=is_oracle(job.request),
        label=label_of(job.request),
        items=items[start:end],
        total=len(items),
        next=write_cursor(services.secret, scope, {"n": end}) if end < len(items) else None,
    )


def space_of(job: Job) -> SpaceIdentity:
    """The space that a search searches."""
    return SpaceIdentity(**job.request["space"])


def part_of(job: Job, name: str) -> Any:
    """A part of a job's result. A 404 says whether it is still to come."""
    part = (job.result or {}).get(name)
    if part is None:
        wait = {} if job.final else {"Retry-After": str(RETRY_SECONDS)}
        detail = f"the {job.kind} is {job.state}" + ("" if job.final else f": its {name} comes with its result")
        raise Problem(404, "no-result", f"The {job.kind} has no {name}", detail, headers=wait)
    return part
