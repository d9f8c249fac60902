"""What a worker does to jobs: claim, heartbeat, record, and one of the ways to end. Every write is fenced.

claim ── heartbeat ── record_* ──┬── finish      succeeded, with its result
                                 ├── fail        failed, with an error
                                 ├── cancelled   cancelled, keeping the best so far
                                 ├── release     queued again, the attempt not counted (drain)
                                 ├── crash       queued again, or failed at the attempt limit
                                 └── suspend     waiting for its children

A job that ends takes its open children with it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.catalogue import Checkpoint, Job, artefacts, events, jobs, leases, metrics, paces
from app.experiment import Device, JobState, Queue
from app.experiment.pace import Pace
from app.jobs.errors import LeaseLost
from app.jobs.submission import request_cancel
from app.store import StoredFile


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a job and to write for it."""

    job_id: UUID
    fence: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that was just taken, with the state it was last in."""

    job: Job
    lease: Lease
    checkpoint: Checkpoint | None


def claim(
    session: Session, *, worker_id: UUID, queues: Collection[Queue], devices: Collection[Device], lease_seconds: float
) -> Claim | None:
    """Take the best job there is for these queues and devices; None when there is nothing to take."""
    job = leases.claim(session, worker_id=worker_id, queues=queues, devices=devices, lease_seconds=lease_seconds)
    if job is None:
        return None
    _say_state(session, job)
    earlier = job.fence > 1  # what runs for the first time has left nothing
    return Claim(job, Lease(job.id, job.fence), artefacts.checkpoint(session, job.id) if earlier else None)


def heartbeat(session: Session, lease: Lease, *, lease_seconds: float) -> bool:
    """Keep the lease, and learn whether the job is to be cancelled. Raises LeaseLost."""
    return _held(leases.renew(session, lease.job_id, lease.fence, lease_seconds=lease_seconds), lease).cancel_requested


def hold(session: Session, lease: Lease) -> Job:
    """Lock the job for writes of this transaction. Raises LeaseLost."""
    return _held(leases.guard(session, lease.job_id, lease.fence), lease)


def record_progress(session: Session, lease: Lease, data: Mapping[str, Any]) -> bool:
    """Write a progress event; says whether the job is to be cancelled. Raises LeaseLost."""
    job = _held(leases.guard(session, lease.job_id, lease.fence, progress=data), lease)
    events.append(session, lease.job_id, "progress", data)
    return job.cancel_requested


def record_epoch(session: Session, lease: Lease, data: Mapping[str, Any]) -> bool:
    """The same for the end of an epoch, which also becomes a row of metrics: an epoch told again changes nothing."""
    job = _held(leases.guard(session, lease.job_id, lease.fence, progress=data), lease)
    if metrics.record(session, lease.job_id, data["phase"], data["epoch"], data["metrics"]):
        events.append(session, lease.job_id, "progress", data)
    return job.cancel_requested


def record_note(session: Session, lease: Lease, text: str) -> None:
    """Write a note event. Raises LeaseLost."""
    hold(session, lease)
    events.append(session, lease.job_id, "note", {"text": text})


def record_pace(session: Session, lease: Lease, phase: str, pace: Pace) -> None:
    """Write what a phase took, in place of what an earlier attempt wrote. Raises LeaseLost.

    What several processes share the batches of is left out: nothing is predicted from it.
    """
    job = hold(session, lease)
    request = job.request
    if request.get("processes", 1) != 1:
        return
    strategy = None
    if pace.load.subject == "supernet":  # of which a discrete search inherits, by the paths that it trained
        strategy = request["evaluator"].get("paths") if job.kind == "discrete_search" else request.get("strategy")
    load = replace(pace.load, strategy=strategy, recompute=bool(request.get("recompute", False)))
    paces.record(session, lease.job_id, phase, replace(pace, load=load))


def record_checkpoint(session: Session, lease: Lease, phase: str, epoch: int, file: StoredFile) -> None:
    """Make a file the job's checkpoint. Raises LeaseLost."""
    hold(session, lease)
    artefacts.save_checkpoint(
        session,
        job_id=lease.job_id,
        fence=lease.fence,
        phase=phase,
        epoch=epoch,
        path=file.path,
        bytes=file.bytes,
        sha256=file.sha256,
    )
    events.append(session, lease.job_id, "checkpoint", {"phase": phase, "epoch": epoch})


def record_artefact(session: Session, lease: Lease, name: str, file: StoredFile) -> None:
    """Make a file visible as an artefact of the job. Raises LeaseLost."""
    hold(session, lease)
    artefacts.keep(
        session,
        job_id=lease.job_id,
        name=name,
        fence=lease.fence,
        path=file.path,
        bytes=file.bytes,
        sha256=file.sha256,
    )


def finish(session: Session, lease: Lease, result: Mapping[str, Any]) -> Job:
    """The job has succeeded. Raises LeaseLost."""
    return _close(session, lease, "succeeded", result=result)


def cancelled(session: Session, lease: Lease, best: Mapping[str, Any] | None) -> Job:
    """The job has stopped because it was asked to; what it had is kept. Raises LeaseLost."""
    return _close(session, lease, "cancelled", result=best)


def fail(session: Session, lease: Lease, error: Mapping[str, Any]) -> Job:
    """The job has failed for a reason that another attempt would meet again. Raises LeaseLost."""
    return _close(session, lease, "failed", error=error)


def release(session: Session, lease: Lease) -> Job:
    """Give the job back because the worker is to stop; the attempt does not count. Raises LeaseLost."""
    return _give_back(session, lease, counted=False)


def crash(session: Session, lease: Lease, *, detail: str, max_attempts: int) -> Job:
    """The job's process died: queue the job again, or fail it at the attempt limit. Raises LeaseLost."""
    job = hold(session, lease)
    if job.attempt < max_attempts or job.cancel_requested:
        return _give_back(session, lease, counted=True)
    return fail(session, lease, attempts_exhausted(job, detail, max_attempts))


def suspend(session: Session, lease: Lease) -> Job:
    """Give the job back until its children are final; one that is to be cancelled, and has nothing to tell, is.

    Raises LeaseLost.
    """
    if hold(session, lease).cancel_requested and artefacts.checkpoint(session, lease.job_id) is None:
        return cancelled(session, lease, None)
    job = _held(leases.suspend(session, lease.job_id, lease.fence), lease)
    _say_state(session, job)
    jobs.nudge(session)  # its children may be final already
    return job


def attempts_exhausted(job: Job, detail: str, max_attempts: int) -> dict[str, Any]:
    """The error of a job that takes its worker down whenever it runs."""
    return {
        "type": "attempts-exhausted",
        "title": "The job did not survive its attempts",
        "detail": f"attempt {job.attempt} of {max_attempts} ended without an answer: {detail}",
    }


def _give_back(session: Session, lease: Lease, *, counted: bool) -> Job:
    job = hold(session, lease)
    if job.cancel_requested:
        return cancelled(session, lease, None)
    queued = _held(leases.requeue(session, lease.job_id, lease.fence, counted=counted), lease)
    _say_state(session, queued)
    jobs.owe_hints(session, [lease.job_id])
    return queued


def _close(
    session: Session,
    lease: Lease,
    state: JobState,
    *,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> Job:
    closed = leases.close(session, lease.job_id, lease.fence, state, result=result, error=error)
    job = _held(closed, lease)
    artefacts.drop_checkpoint(session, job.id)
    events.forget_steps(session, job.id)
    _say_state(session, job)
    # What nobody is to wait for ends too.
    for child in leases.open_children(session, job.id):
        request_cancel(session, child)
    if job.parent_id is not None:
        jobs.nudge(session)
    return job


def _held(job: Job | None, lease: Lease) -> Job:
    if job is None:
        raise LeaseLost(lease.job_id, lease.fence)
    return job


def _say_state(session: Session, job: Job) -> None:
    events.append(session, job.id, "state", {"state": job.state, "attempt": job.attempt})
