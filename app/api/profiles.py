"""Profiles: what a worker measures of latency and memory, and the tables that this makes."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from statistics import median
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy.orm import Session

from app.api.answers import identity
from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.latencies import table_view
from app.api.measurable import measurable
from app.api.problems import not_found
from app.api.schemas.job import JobView
from app.api.schemas.model import FREE_TEXT
from app.api.schemas.profile import (
    DirectionName,
    PrecisionName,
    ProfileBody,
    ProfileLinks,
    ProfilePage,
    ProfilePlanView,
    ProfileView,
    TableList,
    TargetName,
)
from app.api.services import Services
from app.api.submissions import DryRun, SubmissionHere, queue_for, submitted, written
from app.api.views import shown_request
from app.catalogue import JobQuery, Profile, ProfileQuery, jobs, profiles
from app.experiment import Queue

router = APIRouter(prefix="/v1", tags=["profiles"])

EARLIER = 20  # profiles that a time is reckoned from
CHUNK = 500  # rows of an export in memory at a time
Text = Annotated[str | None, Query(max_length=200, pattern=FREE_TEXT)]
CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "One line a measurement", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.post(
    "/profiles",
    status_code=202,
    response_model=JobView,
    responses={200: {"model": ProfilePlanView, "description": "A dry run"}},
)
def start_profile(
    services: ServicesHere,
    body: ProfileBody,
    how: SubmissionHere,
    dry_run: DryRun = False,
) -> JSONResponse:
    """Measure latency and peak memory of operations and architectures, or compute their zero-cost proxies, on a worker.

    Latencies fill the lookup table of its device. Proxies are in the job's result: GET /v1/jobs/{job_id}/proxies.
    """
    asked = measurable(services, body)
    request = asked.request
    if not dry_run:
        return submitted(services, request, how)
    samples, scored = asked.measurements * request.rounds, 0 if request.proxies is None else asked.architectures
    with services.database.transaction() as session:
        queue, serving = queue_for(services, session, request.device)
        seconds, basis = reckoned(session, queue, samples, viewer=services.caller.owner)
    if scored:
        seconds, basis = None if samples == 0 else seconds, f"nothing is reckoned of proxies; of latencies: {basis}"
    view = ProfilePlanView(
        kind="profile",
        space=None if asked.space is None else identity(asked.space),
        queue=queue,
        workers=serving,
        operations=asked.operations if request.whole else 0,
        architectures=asked.architectures if request.whole else 0,
        entries=list(asked.entries),
        known=asked.known,
        proxies=[] if request.proxies is None else list(request.proxies.names),
        scored=scored,
        seconds=seconds,
        seconds_basis=basis,
        samples=samples,
        request=shown_request(asdict(request)),
    )
    return written(view)


def reckoned(session: Session, queue: Queue, samples: int, *, viewer: str) -> tuple[float | None, str]:
    """How many seconds so many samples take, by the latest profiles of a queue; and what that is reckoned from."""
    wanted = JobQuery(viewer=viewer, kind="profile", states=("succeeded",), limit=EARLIER)
    rates: list[float] = []
    for job in jobs.query(session, wanted):
        result = job.result or {}
        taken = result.get("measurements", 0) * job.request.get("rounds", 0)
        if job.queue == queue and taken:
            rates.append(result["seconds"] / taken)
    if not rates:
        return None, f"no profile has been measured on the queue {queue} yet"
    return samples * median(rates), f"the median time of a sample in {len(rates)} earlier profiles on this queue"


def filters(
    services: ServicesHere,
    device: Annotated[Text, Query(description="Name of a device")] = None,
    target: Annotated[TargetName | None, Query(description="What was measured")] = None,
    operation: Annotated[Text, Query(description="Name of an operation, or of what an entry computes")] = None,
    architecture: Annotated[Text, Query(description="Id of an architecture")] = None,
    job: Annotated[UUID | None, Query(description="UUID of the job that measured")] = None,
    direction: Annotated[DirectionName | None, Query(description="What a pass was")] = None,
    precision: Annotated[PrecisionName | None, Query(description="Arithmetic")] = None,
    batch_size: Annotated[int | None, Query(ge=1, le=1024, description="Samples in a batch")] = None,
) -> ProfileQuery:
    """The filters of the query string."""
    return ProfileQuery(
        viewer=services.caller.owner,
        device=device,
        target=target,
        operation=operation,
        architecture_id=architecture,
        job_id=job,
        direction=direction,
        precision=precision,
        batch_size=batch_size,
    )


Filters = Annotated[ProfileQuery, Depends(filters)]


@router.get("/profiles")
def list_profiles(services: ServicesHere, wanted: Filters, limit: PageLimit = 50, cursor: Cursor = None) -> ProfilePage:
    """Measurements, the newest first."""
    scope = f"profiles {replace(wanted, limit=0)}"
    after = None
    if cursor is not None:
        position = read_cursor(services.secret, scope, cursor)
        after = datetime.fromisoformat(position["created_at"]), UUID(position["id"])
    with services.database.transaction() as session:
        found = profiles.query(session, replace(wanted, limit=limit + 1, after=after))
    last = found[limit - 1] if len(found) > limit else None
    place = None if last is None else {"created_at": last.created_at.isoformat(), "id": str(last.id)}
    return ProfilePage(
        items=[profile_view(row) for row in found[:limit]],
        next=None if place is None else write_cursor(services.secret, scope, place),
    )


@router.get("/profiles.csv", response_class=StreamingResponse, responses=CSV)
def export_profiles(services: ServicesHere, wanted: Filters) -> StreamingResponse:
    """Every measurement that the filters leave as comma-separated values, the newest first; documents are JSON."""
    headers = {"Content-Disposition": 'attachment; filename="profiles.csv"'}
    return StreamingResponse(lines(services, wanted), media_type="text/csv", headers=headers)


@router.get("/profiles/devices")
def list_devices(
    services: ServicesHere, device: Annotated[Text, Query(description="Only this device")] = None
) -> TableList:
    """The lookup tables there are: one a device, number of threads, version of torch and kind of pass."""
    with services.database.transaction() as session:
        found = profiles.lookup_tables(session, viewer=services.caller.owner, device=device)
    return TableList(items=[table_view(table) for table in found])


@router.get("/profiles/{profile_id}")
def get_profile(
    services: ServicesHere, profile_id: Annotated[UUID, Path(description="UUID of the measurement")]
) -> ProfileView:
    """One measurement."""
    with services.database.transaction() as session:
        found = profiles.get(session, profile_id, viewer=services.caller.owner)
    if found is None:
        raise not_found("measurement", profile_id)
    return profile_view(found)


def profile_view(row: Profile) -> ProfileView:
    """A measurement as it travels."""
    fields = {name: getattr(row, name) for name in ProfileView.model_fields if hasattr(row, name)}
    architecture = None if row.architecture_id is None else f"/v1/architectures/{row.architecture_id}"
    links = ProfileLinks(self=f"/v1/profiles/{row.id}", job=f"/v1/jobs/{row.job_id}", architecture=architecture)
    return ProfileView.model_validate(fields | {"id": str(row.id), "unit": "ms", "links": links})


def lines(services: Services, wanted: ProfileQuery) -> Iterator[str]:
    """The lines of an export, read in pages so that it may be long."""
    names = [name for name in ProfileView.model_fields if name != "links"]
    yield line(names)
    after: tuple[datetime, UUID] | None = None
    while True:
        with services.database.transaction() as session:
            found = profiles.query(session, replace(wanted, limit=CHUNK, after=after))
        for row in found:
            fields = profile_view(row).model_dump(mode="json")
            yield line([json.dumps(v) if isinstance(v := fields[name], dict) else v for name in names])
        if len(found) < CHUNK:
            return
        after = found[-1].created_at, found[-1].id


def line(values: list[object] | list[str]) -> str:
    """One line of comma-separated values. Text that a spreadsheet would take for a formula is marked as text."""
    written = io.StringIO()
    csv.writer(written).writerow([f"'{v}" if isinstance(v, str) and v[:1] in "=+-@" and v else v for v in values])
    return written.getvalue()
