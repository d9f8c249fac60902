"""Metrics: one row a job, phase and epoch."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Metric
from app.catalogue.tables import metrics


def record(session: Session, job_id: UUID, phase: str, epoch: int, values: Mapping[str, float]) -> bool:
    """Write the row unless there is one; says whether it was written."""
    statement = (
        insert(metrics)
        .values({"job_id": job_id, "phase": phase, "epoch": epoch, "values": dict(values)})
        .on_conflict_do_nothing()
        .returning(metrics.c.epoch)
    )
    return session.execute(statement).scalar_one_or_none() is not None


def of_job(session: Session, job_id: UUID, phase: str | None = None) -> tuple[Metric, ...]:
    """The job's metrics in the order in which they were measured."""
    statement = select(metrics).where(metrics.c.job_id == job_id)
    if phase is not None:
        statement = statement.where(metrics.c.phase == phase)
    ordered = statement.order_by(metrics.c.created_at, metrics.c.epoch)
    return tuple(Metric(**row) for row in session.execute(ordered).mappings())
