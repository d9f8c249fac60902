"""Architectures: stored once, whoever meets them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Numeric, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Architecture, Document
from app.catalogue.tables import architectures

ArchitectureSort = Literal["created_at", "params", "macs"]


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


def listing(
    session: Session,
    space_digest: str,
    *,
    sort: ArchitectureSort = "created_at",
    descending: bool = True,
    limit: int = 50,
    after: tuple[datetime | int, str] | None = None,
) -> tuple[Architecture, ...]:
    """One page of the architectures of a space; `after` is the sort value and the id of the last one before."""
    value, id = architectures.c[sort], architectures.c.id
    order = (value.desc(), id.desc()) if descending else (value, id)
    statement = select(architectures).where(architectures.c.space_digest == space_digest).order_by(*order).limit(limit)
    if after is not None:
        place, last = tuple_(value, id), tuple_(*after)
        statement = statement.where(place < last if descending else place > last)
    return tuple(Architecture(**row) for row in session.execute(statement).mappings())


def at_ranks(
    session: Session, space_digest: str, ranks: Collection[int], *, skeleton: Document, input: Document
) -> tuple[Architecture, ...]:
    """The architectures that were first met as the members of these ranks, on this skeleton and this image."""
    wanted = literal([Decimal(rank) for rank in ranks], ARRAY(Numeric))
    statement = select(architectures).where(
        architectures.c.space_digest == space_digest, architectures.c.index == func.any(wanted)
    )
    rows = (Architecture(**row) for row in session.execute(statement.order_by(architectures.c.index)).mappings())
    return tuple(row for row in rows if (row.skeleton, row.input) == (skeleton, input))
