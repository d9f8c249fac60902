"""What is kept for a while only: the trail of what was done, and nothing that was measured."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, String, Table, delete, exists, literal_column, select, text
from sqlalchemy.orm import Session

from app.catalogue.access import audit
from app.catalogue.allowances import gpu_leases
from app.catalogue.repositories.clock import now, seconds
from app.catalogue.repositories.quotas import DAY
from app.catalogue.tables import idempotency, job_events, jobs, workers
from app.experiment import FINAL_STATES

UPKEEP_KEY = 0x63656C6C61720007


def _of_final(table: Table) -> ColumnElement[bool]:
    """Whether a row's job is final."""
    return exists().where(jobs.c.id == table.c.job_id, jobs.c.state.in_(FINAL_STATES))


TRAIL: Mapping[Table, tuple[ColumnElement[bool], ...]] = {
    audit: (),
    gpu_leases: (),
    workers: (),
    idempotency: (_of_final(idempotency),),
    job_events: (_of_final(job_events),),
}
"""What is forgotten once it is old, and of which rows that is true."""

SINCE = {
    audit: audit.c.at,
    gpu_leases: gpu_leases.c.ended_at,
    workers: workers.c.last_seen,
    idempotency: idempotency.c.created_at,
    job_events: job_events.c.created_at,
}


def forget(session: Session, *, older_than_days: float, limit: int) -> dict[str, int]:
    """Remove up to so many rows of each table that are older; how many went, by table, of those that had any."""
    gone: dict[str, int] = {}
    for table, conditions in TRAIL.items():
        row = literal_column(f"{table.name}.ctid", String)
        old = select(row).where(SINCE[table] < now() - seconds(older_than_days * DAY), *conditions).limit(limit)
        found = session.execute(delete(table).where(row.in_(old)).returning(row)).scalars().all()
        if found:
            gone[table.name] = len(found)
    return gone


def due(session: Session, *, every_hours: float) -> bool:
    """Whether nobody has begun the upkeep in so many hours. The others wait until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPKEEP_KEY})
    since = now() - seconds(every_hours * 3600)
    begun = select(audit.c.id).where(audit.c.action == "upkeep.begin", audit.c.at > since).limit(1)
    return session.execute(begun).first() is None
