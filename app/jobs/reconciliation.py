"""Put right what faults left behind. Runs in every API process; an advisory lock lets one at a time through."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.catalogue import Database, events, jobs, leases, outbox, workers
from app.jobs.lifecycle import Lease, crash

CHILDREN = "children"  # phase of a job that waits; its epochs are its children


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one round did: numbers of jobs."""

    expired: int = 0  # leases that had run out; the job is queued again, failed or cancelled
    woken: int = 0  # parents whose children are final
    hinted: int = 0  # hints that may have been lost
    stranded: int = 0  # jobs that no live worker can take, newly noticed


def reconcile(
    database: Database, *, max_attempts: int, alive_seconds: float, grace_seconds: float
) -> Reconciled | None:
    """One round; None when another process is at it.

    `alive_seconds`: a worker not seen for longer counts as gone. `grace_seconds`: how long a job may be queued before
    its hint counts as lost, and before it is noticed that nobody can take it.
    """
    with database.transaction() as session:
        if not leases.lock_reconciler(session):
            return None
        expired = leases.expired(session)
        for job in expired:
            silent = "its worker was not heard of before the lease ran out"
            crash(session, Lease(job.id, job.fence), detail=silent, max_attempts=max_attempts)
        woken = attend(session)
        lost = outbox.lost(session, older_than_seconds=grace_seconds)
        jobs.owe_hints(session, lost)
        alive = workers.alive(session, within_seconds=alive_seconds)
        stranded = leases.strand(session, alive, grace_seconds=grace_seconds)
        for job in stranded:
            said = f"no live worker serves queue {job.queue!r} with device {job.device!r}; the job waits for one"
            events.append(session, job.id, "note", {"text": said})
    return Reconciled(expired=len(expired), woken=woken, hinted=len(lost), stranded=len(stranded))


def attend(session: Session) -> int:
    """Queue the waiting jobs whose children are all final, and tell the others how many are; says how many were queued.

    The publisher does it whenever a child has ended, the reconciler in case that was not heard.
    """
    woken = 0
    for job, done, total in leases.attend(session):
        if done == total:
            queued = leases.wake(session, job.id)
            assert queued is not None, "it is locked"
            events.append(session, job.id, "state", {"state": "queued", "attempt": queued.attempt})
            jobs.owe_hints(session, [job.id])
            woken += 1
            continue
        at = {"phase": CHILDREN, "epoch": done, "epochs": total, "step": None, "steps": None}
        progress: dict[str, Any] = {**at, "metrics": {}}
        if job.progress != progress:
            leases.show(session, job.id, progress)
            events.append(session, job.id, "progress", progress)
    return woken
