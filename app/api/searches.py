"""Searches: a supernet, the genotype it ends in, and the report on what discretising cost."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from app.api.dependencies import ServicesHere
from app.api.experiments import planned_search, search_request
from app.api.library import find_space
from app.api.pressures import with_latencies
from app.api.problems import Problem, not_found
from app.api.schemas.experiment import PlanView, ReportView, SearchBody, SearchView, TrajectoryView
from app.api.schemas.job import JobView
from app.api.schemas.space import SpaceIdentity
from app.api.statuses import declared
from app.api.submissions import RETRY_SECONDS, DryRun, SubmissionHere, plan, submitted
from app.catalogue import Job, jobs

router = APIRouter(prefix="/v1/searches", tags=["experiments"])


def search_at(services: ServicesHere, search_id: Annotated[UUID, Path(description="UUID of the search")]) -> Job:
    """The search in the path: a job of that kind."""
    with services.database.transaction() as session:
        job = jobs.get(session, search_id, viewer=services.caller.owner)
    if job is None or job.kind != "search":
        raise not_found("search", search_id)
    return job


SearchHere = Annotated[Job, Depends(search_at)]


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={200: {"model": PlanView, "description": "A dry run"}, **declared("not-measured")},
)
def start_search(
    services: ServicesHere,
    body: SearchBody,
    how: SubmissionHere,
    dry_run: DryRun = False,
) -> JSONResponse:
    """Search a space: train a supernet, discretise it, train what it found and a random genotype, and report."""
    space = find_space(services, body.space)
    request = with_latencies(services, space, search_request(services, space, body))
    if dry_run:
        return plan(services, space, request, planned_search(space, request))
    return submitted(services, request, how)


@router.get("/{search_id}")
def get_search(job: SearchHere) -> SearchView:
    """A search as it stands."""
    here = f"/v1/searches/{job.id}"
    return SearchView(
        id=str(job.id),
        state=job.state,
        space=space_of(job),
        strategy=job.request["strategy"],
        dataset=job.request["dataset"],
        seed=job.request["seed"],
        genotype=(job.result or {}).get("genotype"),
        links={
            "self": here,
            "job": f"/v1/jobs/{job.id}",
            "report": f"{here}/report",
            "trajectory": f"{here}/trajectory",
            "evaluations": f"/v1/evaluations?job={job.id}",
        },
    )


@router.get("/{search_id}/report", responses=declared("no-result"))
def get_report(job: SearchHere) -> ReportView:
    """The discretisation report: supernet, discretised, retrained and random, side by side."""
    return ReportView(search_id=str(job.id), space=space_of(job), report=part_of(job, "report"))


@router.get("/{search_id}/trajectory", responses=declared("no-result"))
def get_trajectory(job: SearchHere) -> TrajectoryView:
    """How the weights of the decisions moved, epoch by epoch."""
    return TrajectoryView(search_id=str(job.id), space=space_of(job), items=part_of(job, "trajectory"))


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
