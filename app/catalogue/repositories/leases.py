"""How jobs change hands. Each function is one conditional statement; no row back means that it was not the time.

A *lease* is a job and a fence: the worker that holds it runs the job until `lease_until`. The fence grows with every
claim, so whoever was stopped for too long and wakes up carries an old one.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from app.catalogue.allowances import gpu_leases
from app.catalogue.repositories.clock import now, seconds
from app.catalogue.rows import Document, Job, Worker
from app.catalogue.tables import jobs, outbox
from app.experiment import FINAL_STATES, Device, JobState, Queue

RECONCILER_KEY = 0x63656C6C61720003

# Owners are found by one index probe each, however many jobs they have queued, and only the first that has a job for
# this worker is locked: the outer order is that of `shares`, so nothing sorts what the lateral join has found.
BEST = """
    WITH RECURSIVE owners(owner) AS (
        (SELECT owner FROM jobs WHERE state = 'queued' ORDER BY owner LIMIT 1)
        UNION ALL
        SELECT (SELECT later.owner FROM jobs later WHERE later.state = 'queued' AND later.owner > owners.owner
                ORDER BY later.owner LIMIT 1)
        FROM owners WHERE owners.owner IS NOT NULL
    )
    SELECT best.id
    FROM (
        SELECT owners.owner, coalesce(busy.running, 0) AS running,
            (SELECT max(had.claimed_at) FROM jobs had WHERE had.owner = owners.owner) AS served,
            (SELECT next.submitted_at FROM jobs next WHERE next.state = 'queued' AND next.owner = owners.owner
                ORDER BY next.priority DESC, next.submitted_at LIMIT 1) AS since
        FROM owners LEFT JOIN (SELECT owner, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY owner) busy
            ON busy.owner = owners.owner
        WHERE owners.owner IS NOT NULL
        ORDER BY running, served NULLS FIRST, since, owner
    ) shares
    CROSS JOIN LATERAL (
        SELECT id FROM jobs
        WHERE state = 'queued' AND owner = shares.owner
            AND queue = ANY(:queues) AND (device = 'auto' OR device = ANY(:devices))
        ORDER BY priority DESC, submitted_at, id
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) best
    ORDER BY shares.running, shares.served NULLS FIRST, shares.since, shares.owner
    LIMIT 1
"""


def claim(
    session: Session, *, worker_id: UUID, queues: Collection[Queue], devices: Collection[Device], lease_seconds: float
) -> Job | None:
    """Take the best queued job that these queues and devices allow, or None.

    Owners take turns: first the one with the fewest running jobs; of those, the one whose last job was claimed the
    longest ago. Of an owner's jobs the one with the highest priority; of those, the oldest.
    """
    best = (
        text(BEST)
        .bindparams(bindparam("queues", list(queues), ARRAY(Text)), bindparam("devices", list(devices), ARRAY(Text)))
        .columns(id=Uuid)
        .scalar_subquery()
    )
    job = _one(
        session,
        update(jobs)
        .where(jobs.c.id == best, jobs.c.state == "queued")
        .values(
            state="running",
            attempt=jobs.c.attempt + 1,
            fence=jobs.c.fence + 1,
            lease_until=now() + seconds(lease_seconds),
            worker_id=worker_id,
            stranded=False,
            on_gpu=and_(literal("cuda" in devices), jobs.c.device != "cpu"),
            claimed_at=now(),
            started_at=func.coalesce(jobs.c.started_at, now()),
        ),
    )
    if job is not None:
        session.execute(delete(outbox).where(outbox.c.job_id == job.id))
    return job


def renew(session: Session, id: UUID, fence: int, *, lease_seconds: float) -> Job | None:
    """Hold the lease for so long from now. None: it is lost."""
    return _one(session, _held(id, fence).values(lease_until=now() + seconds(lease_seconds)))


def guard(session: Session, id: UUID, fence: int, *, progress: Document | None = None) -> Job | None:
    """Lock the job's row for a write under this fence, and keep its progress if given. None: the lease is lost."""
    values: dict[str, Any] = {"fence": jobs.c.fence} if progress is None else {"progress": progress}
    return _one(session, _held(id, fence).values(values))


def requeue(session: Session, id: UUID, fence: int, *, counted: bool) -> Job | None:
    """Give the lease back; `counted` says whether this attempt counts towards the limit."""
    attempt = jobs.c.attempt if counted else jobs.c.attempt - 1
    return _ended(session, _held(id, fence).values(**_QUEUED, attempt=attempt))


def suspend(session: Session, id: UUID, fence: int) -> Job | None:
    """Give the lease back until every child is final; the attempt does not count."""
    values = {"state": "waiting", "lease_until": None, "worker_id": None, "attempt": jobs.c.attempt - 1}
    return _ended(session, _held(id, fence).values(values))


def close(
    session: Session,
    id: UUID,
    fence: int,
    state: JobState,
    *,
    result: Document | None = None,
    error: Document | None = None,
) -> Job | None:
    """End the job under this fence."""
    return _ended(session, _held(id, fence).values(**_final(state), result=result, error=error))


def ask_cancel(session: Session, id: UUID) -> Job | None:
    """Flag a job that is not final, and lock it. None: unknown or final."""
    open_ = jobs.c.state.not_in(FINAL_STATES)
    return _one(session, update(jobs).where(jobs.c.id == id, open_).values(cancel_requested=True))


def cancel_idle(session: Session, id: UUID) -> Job | None:
    """Cancel a job that nobody runs. None: somebody does, or it is final."""
    idle = jobs.c.state.in_(("queued", "waiting"))
    job = _one(session, update(jobs).where(jobs.c.id == id, idle).values(_final("cancelled")))
    if job is not None:
        session.execute(delete(outbox).where(outbox.c.job_id == id))
    return job


def open_children(session: Session, id: UUID) -> tuple[UUID, ...]:
    """The job's children that are not final."""
    statement = select(jobs.c.id).where(jobs.c.parent_id == id, jobs.c.state.not_in(FINAL_STATES))
    return tuple(session.execute(statement).scalars())


def lock_reconciler(session: Session) -> bool:
    """Be the only reconciler until the end of the transaction; False: another one is."""
    return bool(session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": RECONCILER_KEY}).scalar_one())


def expired(session: Session, *, limit: int = 100) -> tuple[Job, ...]:
    """Running jobs whose lease has run out, locked; those that somebody is writing to are left for the next time."""
    statement = (
        select(jobs)
        .where(jobs.c.state == "running", jobs.c.lease_until < now())
        .order_by(jobs.c.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return tuple(Job(**row) for row in session.execute(statement).mappings())


def attend(session: Session) -> tuple[tuple[Job, int, int], ...]:
    """The waiting jobs, locked, with how many of their children are final and how many there are.

    One that somebody else has locked is left for the next time: its family may be being cancelled.
    """
    parents = text("SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id FOR UPDATE SKIP LOCKED")
    ids = session.execute(parents).scalars().all()
    if not ids:
        return ()
    child = jobs.alias()
    # A statement of its own: it sees what was committed before the locks were taken.
    statement = (
        select(jobs, func.count(child.c.id).filter(child.c.state.in_(FINAL_STATES)), func.count(child.c.id))
        .outerjoin(child, child.c.parent_id == jobs.c.id)
        .where(jobs.c.id.in_(ids))
        .group_by(jobs.c.id)
        .order_by(jobs.c.submitted_at, jobs.c.id)
    )
    width = len(jobs.c)
    columns = [column.name for column in jobs.c]
    return tuple(
        (Job(**dict(zip(columns, row[:width], strict=True))), row[width], row[width + 1])
        for row in session.execute(statement)
    )


def wake(session: Session, id: UUID) -> Job | None:
    """Queue a waiting job. None: it does not wait."""
    return _one(session, update(jobs).where(jobs.c.id == id, jobs.c.state == "waiting").values(_QUEUED))


def show(session: Session, id: UUID, progress: Document) -> None:
    """Keep the progress of a waiting job."""
    session.execute(update(jobs).where(jobs.c.id == id, jobs.c.state == "waiting").values(progress=progress))


def strand(session: Session, alive: Collection[Worker], *, grace_seconds: float) -> tuple[Job, ...]:
    """Mark the jobs that have been queued for longer than the grace and that none of these workers can take.

    Returns those that were not marked before.
    """
    able: list[ColumnElement[bool]] = [
        and_(
            jobs.c.queue == any_(_texts(worker.queues)),
            or_(jobs.c.device == "auto", jobs.c.device == any_(_texts(worker.devices))),
        )
        for worker in alive
    ]
    statement = (
        update(jobs)
        .where(
            jobs.c.state == "queued",
            ~jobs.c.stranded,
            jobs.c.queued_at < now() - seconds(grace_seconds),
            ~or_(literal(False), *able),
        )
        .values(stranded=True)
        .returning(jobs)
    )
    return tuple(Job(**row) for row in session.execute(statement).mappings())


# Seconds that a lease has had a GPU; one that ran out, until then.
_GPU_SECONDS = case(
    (jobs.c.on_gpu, func.greatest(func.extract("epoch", func.least(now(), jobs.c.lease_until) - jobs.c.claimed_at), 0)),
    else_=0,
)
_QUEUED: dict[str, Any] = {"state": "queued", "lease_until": None, "worker_id": None, "queued_at": now()}


def _final(state: JobState) -> dict[str, Any]:
    return {"state": state, "lease_until": None, "stranded": False, "finished_at": now()}


def _held(id: UUID, fence: int) -> Update:
    return update(jobs).where(jobs.c.id == id, jobs.c.fence == fence, jobs.c.state == "running")


def _one(session: Session, statement: Update) -> Job | None:
    row = session.execute(statement.returning(jobs)).mappings().one_or_none()
    return None if row is None else Job(**row)


def _ended(session: Session, statement: Update) -> Job | None:
    """Make the update that ends a lease, and account for the GPU that it had."""
    job = _one(session, statement.values(gpu_seconds=jobs.c.gpu_seconds + _GPU_SECONDS))
    if job is not None and job.on_gpu:
        before = select(func.coalesce(func.sum(gpu_leases.c.seconds), 0)).where(gpu_leases.c.job_id == job.id)
        seconds = func.greatest(job.gpu_seconds - before.scalar_subquery(), 0)
        row = {"job_id": job.id, "fence": job.fence, "owner": job.owner, "seconds": seconds}
        session.execute(insert(gpu_leases).values(row))
    return job


def _texts(values: Collection[str]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Text))
