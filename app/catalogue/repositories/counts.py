"""Exact numbers of classes: counted once, whoever asks."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Count
from app.catalogue.tables import counts


def record(
    session: Session,
    *,
    digest: str,
    surroundings: str,
    equivalence: str,
    version: int,
    exact: int,
    method: str,
    job_id: UUID,
) -> bool:
    """Write a count unless it is known already; says whether it was written."""
    statement = (
        insert(counts)
        .values(
            digest=digest,
            surroundings=surroundings,
            equivalence=equivalence,
            version=version,
            exact=exact,
            method=method,
            job_id=job_id,
        )
        .on_conflict_do_nothing()
        .returning(counts.c.digest)
    )
    return session.execute(statement).scalar_one_or_none() is not None


def of_space(session: Session, digest: str, surroundings: str) -> tuple[Count, ...]:
    """What has been counted of a space."""
    statement = select(counts).where(counts.c.digest == digest, counts.c.surroundings == surroundings)
    rows = session.execute(statement.order_by(counts.c.equivalence, counts.c.version)).mappings()
    return tuple(Count(**row) for row in rows)
