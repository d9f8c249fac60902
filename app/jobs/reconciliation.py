"""Put right what faults left behind. Runs in every API process; an advisory lock lets one at a time through."""

from dataclasses import dataclass

from app.catalogue import Database, events, jobs, leases, outbox, workers
from app.jobs.lifecycle import Lease, crash


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
        woken = leases.wake_parents(session)
        for job in woken:
            events.append(session, job.id, "state", {"state": "queued", "attempt": job.attempt})
        lost = outbox.lost(session, older_than_seconds=grace_seconds)
        jobs.owe_hints(session, [*(job.id for job in woken), *lost])
        alive = workers.alive(session, within_seconds=alive_seconds)
        stranded = leases.strand(session, alive, grace_seconds=grace_seconds)
        for job in stranded:
            said = f"no live worker serves queue {job.queue!r} with device {job.device!r}; the job waits for one"
            events.append(session, job.id, "note", {"text": said})
    return Reconciled(expired=len(expired), woken=len(woken), hinted=len(lost), stranded=len(stranded))
