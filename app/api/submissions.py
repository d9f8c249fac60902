"""What searches and trainings have in common on their way to a worker."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from app.api.answers import identity
from app.api.dependencies import IdempotencyKey, Priority, Shown
from app.api.estimates import estimated
from app.api.phases import Phase
from app.api.problems import unprocessable
from app.api.schemas.experiment import PlannedNetwork, PlanView
from app.api.schemas.model import Output
from app.api.services import Services
from app.api.views import evaluation_view, job_view, shown_request
from app.catalogue import Evaluation, Visibility, audit, workers
from app.experiment import (
    ComparisonRequest,
    CountRequest,
    DatasetRequest,
    Device,
    DiscreteSearchRequest,
    JobKind,
    ProfileRequest,
    Queue,
    SearchRequest,
    TableRequest,
    TrainingRequest,
    TransferRequest,
)
from app.jobs import able, job_of_key, limits_of, submit
from app.space import SearchSpace

RETRY_SECONDS = 2  # when to look at a job again; its events come at once

DryRun = Annotated[bool, Query(description="Answer what would be started, and what is known of it, and start nothing")]
Force = Annotated[bool, Query(description="Measure again although there is an evaluation already")]


Request = (
    SearchRequest
    | DiscreteSearchRequest
    | ComparisonRequest
    | TrainingRequest
    | TransferRequest
    | CountRequest
    | ProfileRequest
    | DatasetRequest
    | TableRequest
)


def kind_of(request: Request) -> JobKind:
    """The kind of job that a request is for."""
    match request:
        case SearchRequest():
            return "search"
        case DiscreteSearchRequest():
            return "discrete_search"
        case ComparisonRequest():
            return "comparison"
        case TrainingRequest():
            return "training"
        case TransferRequest():
            return "transfer"
        case CountRequest():
            return "count"
        case ProfileRequest():
            return "profile"
        case DatasetRequest():
            return "dataset"
        case TableRequest():
            return "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How a job is given, whatever it is to do."""

    key: str | None = None  # of idempotency
    priority: int = 0
    visibility: Visibility = "private"


async def submission_of(
    idempotency_key: IdempotencyKey = None, priority: Priority = 0, visibility: Shown = "private"
) -> Submission:
    """How the job of this request is given."""
    return Submission(key=idempotency_key, priority=priority, visibility=visibility)


SubmissionHere = Annotated[Submission, Depends(submission_of)]


def queue_of(services: Services, session: Session, device: Device) -> Queue:
    """The queue of a job for this device; `auto` takes a GPU if there is one."""
    if device == "auto":
        return queue_for(services, session, device)[0]
    return "gpu" if device == "cuda" else "cpu"


def queue_for(services: Services, session: Session, device: Device) -> tuple[Queue, int]:
    """The same, and how many live workers can take the job."""
    alive = workers.alive(session, within_seconds=services.settings.lease_seconds)
    if device == "auto":
        device = "cuda" if any(able(worker, "gpu", "cuda") for worker in alive) else "cpu"
    queue: Queue = "gpu" if device == "cuda" else "cpu"
    return queue, sum(able(worker, queue, device) for worker in alive)


def submitted(
    services: Services,
    request: Request,
    how: Submission,
    known: Callable[[Session], Evaluation | None] = lambda _: None,
) -> JSONResponse:
    """202 with the job that was made, or the one that this idempotency key has made before; 200 with what is `known`.

    Raises IdempotencyConflict, QueueFull and QuotaExceeded, and a Problem where the caller may not give a job this
    priority.
    """
    owner, kind, fields = services.caller.owner, kind_of(request), asdict(request)
    with services.database.transaction() as session:
        job = None if how.key is None else job_of_key(session, owner=owner, key=how.key, kind=kind, request=fields)
        if job is None and (evaluation := known(session)) is not None:
            return written(evaluation_view(evaluation))
        if job is None:
            limits = limits_of(session, services.settings, owner)
            if how.priority > limits.priority:
                message = f"the highest priority of {owner!r} is {limits.priority}"
                raise unprocessable("priority", message, how.priority, (f"at most {limits.priority}",))
            made = submit(
                session,
                kind=kind,
                request=fields,
                owner=owner,
                queue=queue_of(services, session, request.device),
                device=request.device,
                priority=how.priority,
                visibility=how.visibility,
                limits=limits,
                idempotency=how.key,
                request_id=services.caller.request_id or None,
            )
            job = made.job
            if made.created:
                subject = f"/v1/jobs/{job.id}"
                audit.record(session, action="job.submit", subject=subject, **services.caller.actor, kind=kind)
    headers = {"Location": f"/v1/jobs/{job.id}", "Retry-After": str(RETRY_SECONDS)}
    return written(job_view(job), status=202, headers=headers)


def plan(
    services: Services,
    space: SearchSpace,
    request: SearchRequest | TrainingRequest,
    networks: list[PlannedNetwork],
    phases: Sequence[Phase],
    measured: str | None = None,
) -> JSONResponse:
    """200 with what a request would start, and what it would take."""
    processes = request.processes if isinstance(request, TrainingRequest) else 1
    with services.database.transaction() as session:
        queue, serving = queue_for(services, session, request.device)
        estimate = estimated(session, services, queue, request.device, phases, processes=processes)
    view = PlanView(
        kind="search" if isinstance(request, SearchRequest) else "training",
        space=identity(space),
        queue=queue,
        workers=serving,
        networks=networks,
        estimate=estimate,
        measured=measured,
        request=shown_request(asdict(request)),
    )
    return written(view)


def written(view: Output, *, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    """A view as a response, where a route has several kinds of answer."""
    return JSONResponse(view.model_dump(mode="json"), status, headers)
