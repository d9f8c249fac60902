"""Queued jobs for which no hint has been published yet, and those whose hint may have been lost."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from app.catalogue.repositories.clock import now, seconds
from app.catalogue.tables import jobs, outbox
from app.experiment import Device, Queue

PUBLISHER_KEY = 0x63656C6C61720002


@dataclass(frozen=True, slots=True)
class Unhinted:
    """A queued job that waits for a hint."""

    job_id: UUID
    queue: Queue
    device: Device


def lock(session: Session) -> bool:
    """Be the only publisher until the end of the transaction; False: another one is."""
    return bool(session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": PUBLISHER_KEY}).scalar_one())


def pending(session: Session, *, limit: int = 200) -> tuple[Unhinted, ...]:
    """The jobs that wait for a hint, in about the order in which they will be claimed."""
    statement = (
        select(jobs.c.id, jobs.c.queue, jobs.c.device)
        .join(outbox, outbox.c.job_id == jobs.c.id)
        .where(jobs.c.state == "queued")
        .order_by(jobs.c.priority.desc(), jobs.c.submitted_at)
        .limit(limit)
    )
    return tuple(Unhinted(*row) for row in session.execute(statement))


def published(session: Session, ids: Collection[UUID]) -> None:
    """Forget the jobs whose hint the broker has taken."""
    if ids:
        session.execute(delete(outbox).where(outbox.c.job_id.in_(ids)))


def lost(session: Session, *, older_than_seconds: float, limit: int = 1000) -> tuple[UUID, ...]:
    """Jobs that have been queued for so long though a hint was published for them.

    Locked, so that none is claimed before its hint is owed again: nobody would ever take that row away.
    """
    statement = (
        select(jobs.c.id)
        .outerjoin(outbox, outbox.c.job_id == jobs.c.id)
        .where(
            jobs.c.state == "queued",
            jobs.c.queued_at < now() - seconds(older_than_seconds),
            outbox.c.job_id.is_(None),
        )
        .order_by(jobs.c.priority.desc(), jobs.c.submitted_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=jobs)
    )
    return tuple(session.execute(statement).scalars())
