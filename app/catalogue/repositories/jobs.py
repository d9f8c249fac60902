"""Jobs as everyone may ask for them, and how a new one is written. How they change hands is in `leases`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from app.catalogue.rows import Document, Job, Visibility
from app.catalogue.tables import idempotency, jobs, outbox
from app.experiment import Device, JobState, Queue

QUEUED_CHANNEL = "cellar_jobs_queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs, newest first. None of a field means any value of it."""

    viewer: str  # sees their own and what is public
    kind: str | None = None
    states: Collection[JobState] | None = None
    parent_id: UUID | None = None
    limit: int = 50
    after: tuple[datetime, UUID] | None = None  # submission and id of the last row of the page before


def insert_queued(
    session: Session,
    *,
    id: UUID,
    parent_id: UUID | None,
    kind: str,
    queue: Queue,
    device: Device,
    priority: int,
    owner: str,
    visibility: Visibility,
    request_id: str | None,
    request: Document,
    name: str | None = None,
) -> Job:
    """Write a queued job, and in the same transaction that it waits for a hint."""
    values = {
        "id": id,
        "parent_id": parent_id,
        "name": name,
        "kind": kind,
        "queue": queue,
        "device": device,
        "state": "queued",
        "priority": priority,
        "owner": owner,
        "visibility": visibility,
        "request": request,
        "request_id": request_id,
    }
    job = insert(jobs).values(values).returning(jobs).cte("job")
    owed = insert(outbox).from_select([outbox.c.job_id], select(job.c.id)).cte("owed")
    statement = select(job, func.pg_notify(QUEUED_CHANNEL, "")).add_cte(owed)
    row = session.execute(statement).mappings().one()
    return Job(**{column.name: row[column.name] for column in jobs.columns})


def get(session: Session, id: UUID, *, viewer: str | None = None) -> Job | None:
    """The job of this id, if the viewer may see it; no viewer sees all."""
    statement = select(jobs).where(jobs.c.id == id)
    if viewer is not None:
        statement = statement.where(_visible(viewer))
    row = session.execute(statement).mappings().one_or_none()
    return None if row is None else Job(**row)


def query(session: Session, wanted: JobQuery) -> tuple[Job, ...]:
    """One page, newest first."""
    clauses: list[ColumnElement[bool]] = [_visible(wanted.viewer)]
    if wanted.kind is not None:
        clauses.append(jobs.c.kind == wanted.kind)
    if wanted.states is not None:
        clauses.append(jobs.c.state.in_(wanted.states))
    if wanted.parent_id is not None:
        clauses.append(jobs.c.parent_id == wanted.parent_id)
    if wanted.after is not None:
        clauses.append(tuple_(jobs.c.submitted_at, jobs.c.id) < tuple_(*wanted.after))
    order = jobs.c.submitted_at.desc(), jobs.c.id.desc()
    rows = session.execute(select(jobs).where(and_(*clauses)).order_by(*order).limit(wanted.limit)).mappings()
    return tuple(Job(**row) for row in rows)


def children(session: Session, parent_id: UUID) -> tuple[Job, ...]:
    """The job's children, oldest first."""
    statement = select(jobs).where(jobs.c.parent_id == parent_id).order_by(jobs.c.submitted_at, jobs.c.id)
    return tuple(Job(**row) for row in session.execute(statement).mappings())


def count_children(session: Session, ids: Collection[UUID]) -> dict[UUID, dict[JobState, int]]:
    """How many children these jobs have, by state; a job without any is left out."""
    statement = (
        select(jobs.c.parent_id, jobs.c.state, func.count())
        .where(jobs.c.parent_id.in_(ids))
        .group_by(jobs.c.parent_id, jobs.c.state)
    )
    found: dict[UUID, dict[JobState, int]] = {}
    for parent_id, state, count in session.execute(statement):
        found.setdefault(parent_id, {})[state] = count
    return found


def lock(session: Session, id: UUID) -> Job | None:
    """The job of this id, held until the transaction ends."""
    row = session.execute(select(jobs).where(jobs.c.id == id).with_for_update()).mappings().one_or_none()
    return None if row is None else Job(**row)


def nudge(session: Session) -> None:
    """Wake the publisher at commit: a child has ended, or a parent has begun to wait."""
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": QUEUED_CHANNEL})


def owe_hints(session: Session, ids: Collection[UUID]) -> None:
    """Note that these queued jobs wait for a hint, and wake the publisher at commit."""
    if ids:
        rows: list[dict[str, Any]] = [{"job_id": id} for id in ids]
        owed = upsert(outbox).values(rows).on_conflict_do_nothing().cte("owed")
        session.execute(select(func.pg_notify(QUEUED_CHANNEL, "")).add_cte(owed))


def take_key(session: Session, *, owner: str, key: str, fingerprint: str, job_id: UUID) -> bool:
    """Bind an idempotency key to a job that this transaction will write; False: it is bound already.

    Waits for another transaction that is taking the same key.
    """
    statement = (
        upsert(idempotency)
        .values(owner=owner, key=key, fingerprint=fingerprint, job_id=job_id)
        .on_conflict_do_nothing()
        .returning(idempotency.c.key)
    )
    return session.execute(statement).scalar_one_or_none() is not None


def bound(session: Session, *, owner: str, key: str) -> tuple[UUID, str] | None:
    """The job that an idempotency key is bound to, and the fingerprint of the request that bound it."""
    statement = select(idempotency.c.job_id, idempotency.c.fingerprint).where(
        idempotency.c.owner == owner, idempotency.c.key == key
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row[0], row[1])


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(jobs.c.owner == viewer, jobs.c.visibility == "public")
