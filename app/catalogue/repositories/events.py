"""What happened to jobs. An event is written while its job's row is locked, so ids of one job grow as they show."""

from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.catalogue.rows import Document, EventKind, JobEvent
from app.catalogue.tables import job_events

CHANNEL = "cellar_job_events"  # payload: the job's id


def append(session: Session, job_id: UUID, kind: EventKind, data: Document) -> int:
    """Write an event and tell whoever listens, at commit. The caller holds the lock on the job's row."""
    written = insert(job_events).values(job_id=job_id, kind=kind, data=data).returning(job_events.c.id).cte("written")
    number: int = session.execute(select(written.c.id, func.pg_notify(CHANNEL, str(job_id)))).scalar_one()
    return number


def after(session: Session, job_id: UUID, number: int = 0, *, limit: int = 500) -> tuple[JobEvent, ...]:
    """The job's events with ids above `number`, oldest first."""
    statement = (
        select(job_events)
        .where(job_events.c.job_id == job_id, job_events.c.id > number)
        .order_by(job_events.c.id)
        .limit(limit)
    )
    return tuple(JobEvent(**row) for row in session.execute(statement).mappings())


def forget_steps(session: Session, job_id: UUID) -> None:
    """Remove the progress told within epochs: it was for those who watched. What epochs ended with stays."""
    within = job_events.c.data["step"].as_string().is_not(None)
    session.execute(delete(job_events).where(job_events.c.job_id == job_id, job_events.c.kind == "progress", within))
