"""Architectures: stored once, whoever meets them."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Architecture, Document
from app.catalogue.tables import architectures


def ensure(
    session: Session,
    *,
    id: str,
    space: Document,
    index: int,
    genotype: Any,
    skeleton: Document,
    input: Document,
    params: int,
    macs: int,
) -> tuple[Architecture, bool]:
    """The architecture of this id, and whether it is new. `space` is `{"name", "version", "digest"}`.

    An isomorphic genotype that was met before keeps its place: the stored row is the first one's.
    """
    statement = (
        insert(architectures)
        .values(
            {
                "id": id,
                "space_name": space["name"],
                "space_version": space["version"],
                "space_digest": space["digest"],
                "index": index,
                "genotype": genotype,
                "skeleton": skeleton,
                "input": input,
                "params": params,
                "macs": macs,
            }
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(architectures)
    )
    row = session.execute(statement).mappings().one_or_none()
    if row is not None:
        return Architecture(**row), True
    stored = session.execute(select(architectures).where(architectures.c.id == id)).mappings().one()
    return Architecture(**stored), False


def get(session: Session, id: str) -> Architecture | None:
    """The architecture of this id."""
    row = session.execute(select(architectures).where(architectures.c.id == id)).mappings().one_or_none()
    return None if row is None else Architecture(**row)


def get_many(session: Session, ids: Collection[str]) -> Mapping[str, Architecture]:
    """Those of these ids that exist."""
    statement = select(architectures).where(architectures.c.id.in_(ids))
    return {row["id"]: Architecture(**row) for row in session.execute(statement).mappings()}
