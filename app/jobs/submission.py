"""What a front end does to jobs: submit and cancel. Nothing here talks to the broker."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.catalogue import Job, Visibility, artefacts, events, jobs, leases
from app.experiment import Device, Queue
from app.jobs.errors import IdempotencyConflict
from app.jobs.quota import Limits, admit


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job, and whether this request made it."""

    job: Job
    created: bool


def submit(
    session: Session,
    *,
    kind: str,
    request: Mapping[str, Any],
    owner: str,
    queue: Queue,
    device: Device = "auto",
    priority: int = 0,
    visibility: Visibility = "private",
    parent_id: UUID | None = None,
    name: str | None = None,
    idempotency: str | None = None,
    request_id: str | None = None,
    limits: Limits | None = None,
) -> Submitted:
    """Write a queued job, its idempotency key and its outbox row in the session's transaction.

    A key of the same owner that was used for the same kind and request answers the job it made then.
    Raises IdempotencyConflict when it was used for another request, QueueFull or QuotaExceeded where `limits` are
    given and reached; a key that has its job is answered all the same.

    A child of a parent that is final or to be cancelled is cancelled at once.
    """
    id = uuid4()
    parent = None if parent_id is None else jobs.lock(session, parent_id)
    if idempotency is not None:
        fingerprint = request_fingerprint(kind, request)
        if not jobs.take_key(session, owner=owner, key=idempotency, fingerprint=fingerprint, job_id=id):
            job = job_of_key(session, owner=owner, key=idempotency, kind=kind, request=request)
            assert job is not None, "the key is taken"
            return Submitted(job, created=False)
    if limits is not None:
        admit(session, owner, limits)
    job = jobs.insert_queued(
        session,
        id=id,
        parent_id=parent_id,
        name=name,
        kind=kind,
        queue=queue,
        device=device,
        priority=priority,
        owner=owner,
        visibility=visibility,
        request=request,
        request_id=request_id,
    )
    events.append(session, id, "state", {"state": "queued", "attempt": 0})
    if parent is not None and (parent.final or parent.cancel_requested):
        job = request_cancel(session, id) or job
    return Submitted(job, created=True)


def job_of_key(session: Session, *, owner: str, key: str, kind: str, request: Mapping[str, Any]) -> Job | None:
    """The job that an owner's idempotency key has made; None where it has made none.

    Raises IdempotencyConflict where the key was used for another request.
    """
    bound = jobs.bound(session, owner=owner, key=key)
    if bound is None:
        return None
    id, fingerprint = bound
    if fingerprint != request_fingerprint(kind, request):
        raise IdempotencyConflict(key, id)
    job = jobs.get(session, id)
    assert job is not None, "a foreign key holds"
    return job


def request_cancel(session: Session, job_id: UUID) -> Job | None:
    """Ask for a job to be cancelled, with its children; None if there is none. Final jobs stay as they are.

    A queued job is cancelled at once; a running one is told by its next heartbeat and keeps what it has. A waiting job
    with a checkpoint has found something: once its children are final it is queued, and runs again to say what that
    is. Asking again then cancels it at once, as it does any other that waits.
    """
    asked = leases.ask_cancel(session, job_id)
    if asked is None:
        return jobs.get(session, job_id)
    for child in leases.open_children(session, job_id):
        request_cancel(session, child)
    if asked.state == "waiting" and artefacts.checkpoint(session, job_id) is not None:
        return asked
    cancelled = leases.cancel_idle(session, job_id)
    if cancelled is None:
        return asked
    artefacts.drop_checkpoint(session, job_id)
    events.forget_steps(session, job_id)
    events.append(session, job_id, "state", {"state": "cancelled", "attempt": cancelled.attempt})
    if cancelled.parent_id is not None:
        jobs.nudge(session)
    return cancelled


def request_fingerprint(kind: str, request: Mapping[str, Any]) -> str:
    """SHA-256 over the kind and the request, whatever the order of its fields and the moment it was made."""
    text = json.dumps([kind, timeless(request)], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def timeless(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request without the moment whose results it sees: that of whichever of equal requests came first counts."""
    found = dict(request)
    if isinstance(found.get("search"), Mapping):  # which a comparison runs
        found["search"] = timeless(found["search"])
    if isinstance(found.get("evaluator"), Mapping):
        found["evaluator"] = {name: value for name, value in found["evaluator"].items() if name != "as_of"}
    return found
