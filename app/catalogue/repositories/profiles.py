"""Profiles: measured latencies and memories, and the lookup tables that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Profile, Visibility
from app.catalogue.tables import architectures, profiles
from app.experiment import Direction, Precision, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileQuery:
    """Which measurements, the newest first. None of a field means any value of it."""

    viewer: str  # sees their own and what is public
    device: str | None = None
    target: Target | None = None
    operation: str | None = None
    architecture_id: str | None = None
    job_id: UUID | None = None
    direction: Direction | None = None
    precision: Precision | None = None
    batch_size: int | None = None
    limit: int = 50
    after: tuple[datetime, UUID] | None = None  # of the last row of the page before


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupTable:
    """Measurements that go together: one device, one number of threads, one torch, one kind of pass."""

    device: str
    device_type: Literal["cpu", "cuda"]
    threads: int
    torch_version: str
    batch_size: int
    precision: Precision
    direction: Direction
    operations: int  # distinct ones
    architectures: int
    entries: int
    first: datetime
    last: datetime


TABLE = (
    profiles.c.device,
    profiles.c.device_type,
    profiles.c.threads,
    profiles.c.torch_version,
    profiles.c.batch_size,
    profiles.c.precision,
    profiles.c.direction,
)


def record(session: Session, *, job_id: UUID, owner: str, visibility: Visibility, rows: Sequence[Any]) -> None:
    """Write what a job measured; a row that the job has already stays as it is."""
    written: list[dict[str, Any]] = [
        {**row, "id": uuid4(), "job_id": job_id, "owner": owner, "visibility": visibility} for row in rows
    ]
    for start in range(0, len(written), 500):
        statement = insert(profiles).values(written[start : start + 500])
        session.execute(statement.on_conflict_do_nothing(index_elements=["job_id", "target", "key"]))


def get(session: Session, id: UUID, *, viewer: str) -> Profile | None:
    """The measurement of this id, if the viewer may see it."""
    row = session.execute(select(profiles).where(profiles.c.id == id, _visible(viewer))).mappings().one_or_none()
    return None if row is None else Profile(**row)


def query(session: Session, wanted: ProfileQuery) -> tuple[Profile, ...]:
    """One page, the newest first."""
    p = profiles.c
    exact = {
        p.device: wanted.device,
        p.target: wanted.target,
        p.operation: wanted.operation,
        p.architecture_id: wanted.architecture_id,
        p.job_id: wanted.job_id,
        p.direction: wanted.direction,
        p.precision: wanted.precision,
        p.batch_size: wanted.batch_size,
    }
    clauses = [_visible(wanted.viewer), *(column == value for column, value in exact.items() if value is not None)]
    if wanted.after is not None:
        clauses.append(tuple_(p.created_at, p.id) < tuple_(*wanted.after))
    statement = select(profiles).where(and_(*clauses)).order_by(p.created_at.desc(), p.id.desc()).limit(wanted.limit)
    return tuple(Profile(**row) for row in session.execute(statement).mappings())


def lookup_tables(session: Session, *, viewer: str, device: str | None = None) -> tuple[LookupTable, ...]:
    """Every lookup table, the one that was last measured for first."""
    p = profiles.c

    def distinct(target: Target) -> ColumnElement[int]:
        return func.count(p.key.distinct()).filter(p.target == target)

    statement = (
        select(
            *TABLE,
            distinct("operation").label("operations"),
            distinct("architecture").label("architectures"),
            distinct("entry").label("entries"),
            func.min(p.created_at).label("first"),
            func.max(p.created_at).label("last"),
        )
        .where(_visible(viewer), *(() if device is None else (p.device == device,)))
        .group_by(*TABLE)
        .order_by(func.max(p.created_at).desc(), *TABLE)
    )
    return tuple(LookupTable(**row) for row in session.execute(statement).mappings())


def entry_latencies(session: Session, table: LookupTable, *, viewer: str) -> Mapping[str, float]:
    """The latest median of every entry of a table, in milliseconds."""
    p = profiles.c
    statement = (
        select(p.key, p.median_ms)
        .where(_of(table), p.target == "entry", _visible(viewer))
        .ext(distinct_on(p.key))
        .order_by(p.key, p.created_at.desc(), p.id)
    )
    return {row.key: row.median_ms for row in session.execute(statement)}


def whole_latencies(
    session: Session, table: LookupTable, *, viewer: str, space: str | None = None
) -> tuple[tuple[Mapping[str, int], float], ...]:
    """(entries, milliseconds) of every architecture that was measured whole for a table, each as last measured.

    `space` is the digest of the space that they are to be of.
    """
    p = profiles.c
    clauses = [_of(table), p.target == "architecture", _visible(viewer)]
    if space is not None:
        clauses.append(architectures.c.space_digest == space)
    statement = (
        select(p.entries, p.median_ms)
        .select_from(profiles.join(architectures))
        .where(*clauses)
        .ext(distinct_on(p.key))
        .order_by(p.key, p.created_at.desc(), p.id)
    )
    return tuple([(row.entries, row.median_ms) for row in session.execute(statement)])


def _of(table: LookupTable) -> ColumnElement[bool]:
    return and_(*(column == getattr(table, column.name) for column in TABLE))


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(profiles.c.owner == viewer, profiles.c.visibility == "public")
