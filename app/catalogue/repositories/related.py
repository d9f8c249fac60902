"""Searches that belong together: replays of one, and finished ones of the same space."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.catalogue.rows import Job
from app.catalogue.tables import jobs
from app.experiment import Queue

QUEUES: tuple[Queue, ...] = ("cpu", "gpu")  # named, as the index of finished jobs begins with state and queue
MOST = 200  # of the latest that are looked at


def replays_of(session: Session, id: UUID, *, viewer: str, limit: int = 10) -> tuple[Job, ...]:
    """The finished replays of a search that the viewer sees, the latest first."""
    repeated = jobs.c.request["replays"].as_string() == str(id)
    return _finished(session, ("search", "discrete_search"), repeated, viewer=viewer, limit=limit)


def finished_in_space(session: Session, kind: str, digest: str, *, viewer: str) -> tuple[Job, ...]:
    """Finished discrete searches of a space, or comparisons, that the viewer sees: the latest first."""
    request: Any = jobs.c.request["search"] if kind == "comparison" else jobs.c.request
    same = request["space"]["digest"].as_string() == digest
    return _finished(session, (kind,), same, viewer=viewer, limit=MOST)


def _finished(
    session: Session, kinds: tuple[str, ...], wanted: ColumnElement[bool], *, viewer: str, limit: int
) -> tuple[Job, ...]:
    seen = or_(jobs.c.owner == viewer, jobs.c.visibility == "public")
    of_kind = jobs.c.state == "succeeded", jobs.c.queue.in_(QUEUES), jobs.c.kind.in_(kinds)
    newest = jobs.c.submitted_at.desc(), jobs.c.id.desc()
    rows = session.execute(select(jobs).where(*of_kind, seen, wanted).order_by(*newest).limit(limit)).mappings()
    return tuple(Job(**row) for row in rows)
