"""Jobs of any kind: how they stand, what happens to them, what they measured, and how to stop them."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.problems import not_found, not_owned
from app.api.schemas.job import JobPage, JobStateName, JobView, MetricList
from app.api.schemas.key import VisibilityBody
from app.api.statuses import declared
from app.api.views import job_view, metric_view
from app.catalogue import Job, JobQuery, audit, jobs, metrics, visibilities
from app.jobs import request_cancel

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
JobId = Annotated[UUID, Path(description="UUID of the job")]
EventId = Annotated[int | None, Query(ge=0, lt=2**63, description="Id of the last event that was seen")]
LastEventId = Annotated[
    str | None, Header(pattern=r"^[0-9]{1,18}$", description="The same, as browsers send it when they reconnect")
]


def job_at(services: ServicesHere, job_id: JobId) -> Job:
    """The job in the path; one that the caller may not see does not exist."""
    with services.database.transaction() as session:
        job = jobs.get(session, job_id, viewer=services.caller.owner)
    if job is None:
        raise not_found("job", job_id)
    return job


JobHere = Annotated[Job, Depends(job_at)]


@router.get("")
def list_jobs(
    services: ServicesHere,
    kind: Annotated[str | None, Query(pattern=NAME, description="Only jobs of this kind")] = None,
    state: Annotated[list[JobStateName] | None, Query(max_length=6, description="Only jobs in these states")] = None,
    parent: Annotated[UUID | None, Query(description="Only children of this job")] = None,
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> JobPage:
    """Jobs, newest first."""
    scope, states = f"jobs {kind} {sorted(state or ())} {parent}", tuple(state or ())
    after = None
    if cursor is not None:
        position = read_cursor(services.secret, scope, cursor)
        after = datetime.fromisoformat(position["at"]), UUID(position["id"])
    wanted = JobQuery(
        viewer=services.caller.owner,
        kind=kind,
        states=states or None,
        parent_id=parent,
        limit=limit + 1,
        after=after,
    )
    with services.database.transaction() as session:
        found = jobs.query(session, wanted)
        children = jobs.count_children(session, [job.id for job in found])
    page, last = found[:limit], found[limit - 1] if len(found) > limit else None
    place = None if last is None else {"at": last.submitted_at.isoformat(), "id": str(last.id)}
    return JobPage(
        items=[job_view(job, children.get(job.id)) for job in page],
        next=None if place is None else write_cursor(services.secret, scope, place),
    )


@router.get("/{job_id}")
def get_job(services: ServicesHere, job: JobHere) -> JobView:
    """A job as it stands."""
    with services.database.transaction() as session:
        children = jobs.count_children(session, [job.id])
    return job_view(job, children.get(job.id))


async def counted(services: ServicesHere) -> AsyncGenerator[None]:
    """Around a stream: it counts until it ends, however it does."""
    with services.streams.one(services.caller):
        yield


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(counted)],
    responses=declared("too-many-streams"),
)
async def stream_events(
    services: ServicesHere, job: JobHere, after: EventId = None, last_event_id: LastEventId = None
) -> AsyncIterator[ServerSentEvent]:
    """What happens to a job, from its first event or the one after `after`, until it is final.

    Events are `state` {state, attempt}, `progress` {phase, epoch, epochs, step, steps, metrics}, `note` {text} and
    `checkpoint` {phase, epoch}, where `epoch` counts the finished ones. A comment comes every 15 seconds in which
    nothing happens.
    """
    seen = int(last_event_id) if last_event_id is not None else after or 0
    async for event in services.feed.stream(job.id, after=seen):
        yield ServerSentEvent(id=str(event.id), event=event.kind, data=dict(event.data))


@router.get("/{job_id}/metrics")
def list_metrics(
    services: ServicesHere,
    job: JobHere,
    phase: Annotated[str | None, Query(pattern=NAME, description="Only this phase")] = None,
) -> MetricList:
    """What the epochs of a job measured, as far as it has come."""
    with services.database.transaction() as session:
        found = metrics.of_job(session, job.id, phase)
    return MetricList(job_id=str(job.id), items=[metric_view(row) for row in found])


def own_job_at(services: ServicesHere, job: JobHere) -> Job:
    """The job in the path, for its owner: others who may see it may not touch it."""
    if job.owner != services.caller.owner:
        raise not_owned("job", job.id)
    return job


OwnJobHere = Annotated[Job, Depends(own_job_at)]


@router.post("/{job_id}/cancel")
def cancel_job(services: ServicesHere, job: OwnJobHere) -> JobView:
    """Stop a job. A queued one is cancelled at once, a running one after its step; a final one stays as it is."""
    with services.database.transaction() as session:
        asked = request_cancel(session, job.id)
        audit.record(session, action="job.cancel", subject=f"/v1/jobs/{job.id}", **services.caller.actor)
    assert asked is not None, "jobs are never deleted"
    return job_view(asked)


@router.post("/{job_id}/visibility")
def show_job(services: ServicesHere, job: OwnJobHere, body: VisibilityBody) -> JobView:
    """Show a job to everyone, or to its owner alone; with its evaluations and measurements."""
    with services.database.transaction() as session:
        visibilities.of_job(session, job.id, visibility=body.visibility)
        subject = f"/v1/jobs/{job.id}"
        audit.record(session, action="job.show", subject=subject, **services.caller.actor, visibility=body.visibility)
        shown = jobs.get(session, job.id)
    assert shown is not None, "jobs are never deleted"
    return job_view(shown)
