"""How jobs change hands. Each function is one conditional statement; no row back means that it was not the time.

A *lease* is a job and a fence: the worker that holds it runs the job until `lease_until`. The fence grows with every
claim, so whoever was stopped for too long and wakes up carries an old one.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, and_, any_, delete, exists, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from app.catalogue.repositories.clock import now, seconds
from app.catalogue.rows import Document, Job, Worker
from app.catalogue.tables import jobs, outbox
from app.experiment import FINAL_STATES, Device, JobState, Queue

RECONCILER_KEY = 0x63656C6C61720003


def claim(
    session: Session, *, worker_id: UUID, queues: Collection[Queue], devices: Collection[Device], lease_seconds: float
) -> Job | None:
    """Take the best queued job that these queues and devices allow, or None.

    The highest priority first; then the owner with the fewest running jobs; of those, the one whose last job was
    claimed the longest ago; then the oldest job.
    """
    takeable = and_(
        jobs.c.state == "queued",
        jobs.c.queue == any_(_texts(queues)),
        or_(jobs.c.device == "auto", jobs.c.device == any_(_texts(devices))),
    )
    # Once an owner, not once a job: an owner may have ten thousand jobs queued.
    owners = select(jobs.c.owner).where(takeable).distinct().cte("owners")
    had, has = jobs.alias("had"), jobs.alias("has")
    served = select(func.max(had.c.claimed_at)).where(had.c.owner == owners.c.owner).scalar_subquery()
    running = (
        select(func.count())
        .select_from(has)
        .where(has.c.owner == owners.c.owner, has.c.state == "running")
        .scalar_subquery()
    )
    shares = select(owners.c.owner, running.label("running"), served.label("served")).cte("shares")
    best = (
        select(jobs.c.id)
        .join(shares, shares.c.owner == jobs.c.owner)
        .where(takeable)
        .order_by(
            jobs.c.priority.desc(),
            shares.c.running,
            shares.c.served.nulls_first(),
            jobs.c.submitted_at,
            jobs.c.id,
        )
        .limit(1)
        .with_for_update(skip_locked=True, of=jobs)
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
    return _one(session, _held(id, fence).values(**_QUEUED, attempt=attempt))


def suspend(session: Session, id: UUID, fence: int) -> Job | None:
    """Give the lease back until every child is final; the attempt does not count."""
    values = {"state": "waiting", "lease_until": None, "worker_id": None, "attempt": jobs.c.attempt - 1}
    return _one(session, _held(id, fence).values(values))


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
    return _one(session, _held(id, fence).values(**_final(state), result=result, error=error))


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


def wake_parents(session: Session) -> tuple[Job, ...]:
    """Queue the waiting jobs whose children are all final."""
    child = jobs.alias()
    unfinished = exists().where(child.c.parent_id == jobs.c.id, child.c.state.not_in(FINAL_STATES))
    statement = update(jobs).where(jobs.c.state == "waiting", ~unfinished).values(_QUEUED).returning(jobs)
    return tuple(Job(**row) for row in session.execute(statement).mappings())


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


_QUEUED: dict[str, Any] = {"state": "queued", "lease_until": None, "worker_id": None, "queued_at": now()}


def _final(state: JobState) -> dict[str, Any]:
    return {"state": state, "lease_until": None, "stranded": False, "finished_at": now()}


def _held(id: UUID, fence: int) -> Update:
    return update(jobs).where(jobs.c.id == id, jobs.c.fence == fence, jobs.c.state == "running")


def _one(session: Session, statement: Update) -> Job | None:
    row = session.execute(statement.returning(jobs)).mappings().one_or_none()
    return None if row is None else Job(**row)


def _texts(values: Collection[str]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Text))
