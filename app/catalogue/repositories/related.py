"""Searches that belong together: replays of one, and finished ones of the same space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from app.catalogue.rows import Job
from app.catalogue.tables import jobs
from app.experiment import Queue

QUEUES: tuple[Queue, ...] = ("cpu", "gpu")  # named, as the index of finished jobs begins with state and queue
MOST = 200  # of the latest that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished search or comparison, without what is large in it."""

    id: UUID
    request: Mapping[str, Any]  # without the document of its space
    judged_by: Mapping[str, Any]  # what its report says of that


def replays_of(session: Session, id: UUID, *, viewer: str, limit: int = 10) -> tuple[Job, ...]:
    """The finished replays of a search that the viewer sees, the latest first."""
    repeated = jobs.c.request["replays"].as_string() == str(id)
    newest = jobs.c.submitted_at.desc(), jobs.c.id.desc()
    asked = select(jobs).where(*_seen(("search", "discrete_search"), viewer), repeated)
    return tuple(Job(**row) for row in session.execute(asked.order_by(*newest).limit(limit)).mappings())


def finished_in_space(session: Session, kind: str, digest: str, *, viewer: str) -> tuple[Finished, ...]:
    """Finished discrete searches of a space, or comparisons, that the viewer sees: the latest first."""
    within = ("search",) if kind == "comparison" else ()
    same = jobs.c.request[(*within, "space", "digest")].as_string() == digest
    asked = jobs.c.request.cast(JSONB).op("#-")(literal([*within, "document"], ARRAY(Text)))
    judged = jobs.c.result[("report", "judged_by")]
    newest = jobs.c.submitted_at.desc(), jobs.c.id.desc()
    rows = session.execute(
        select(jobs.c.id, asked, judged).where(*_seen((kind,), viewer), same).order_by(*newest).limit(MOST)
    )
    return tuple(Finished(id=id, request=request, judged_by=judged_by or {}) for id, request, judged_by in rows)


def _seen(kinds: tuple[str, ...], viewer: str) -> tuple[ColumnElement[bool], ...]:
    """Finished jobs of these kinds that the viewer sees."""
    seen = or_(jobs.c.owner == viewer, jobs.c.visibility == "public")
    return jobs.c.state == "succeeded", jobs.c.queue.in_(QUEUES), jobs.c.kind.in_(kinds), seen
