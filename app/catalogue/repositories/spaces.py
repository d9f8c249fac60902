"""Search spaces that users registered."""

from uuid import uuid4

from sqlalchemy import ColumnElement, collate, func, or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Document, RegisteredSpace, Visibility
from app.catalogue.tables import spaces


def register(
    session: Session,
    *,
    owner: str,
    name: str,
    digest: str,
    title: str,
    document: Document,
    visibility: Visibility = "private",
) -> tuple[RegisteredSpace, bool]:
    """The owner's space of this name and digest, and whether it is new; another digest makes the next version.

    The document is stored as given: its own `version`, if it carries one, is the caller's to set from the answer.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"space {owner} {name}"})
    latest = select(func.coalesce(func.max(spaces.c.version), 0)).where(spaces.c.owner == owner, spaces.c.name == name)
    statement = (
        insert(spaces)
        .values(
            id=uuid4(),
            owner=owner,
            visibility=visibility,
            name=name,
            version=latest.scalar_subquery() + 1,
            digest=digest,
            title=title,
            document=document,
        )
        .on_conflict_do_nothing(index_elements=["owner", "name", "digest"])
        .returning(spaces)
    )
    row = session.execute(statement).mappings().one_or_none()
    if row is not None:
        return RegisteredSpace(**row), True
    stored = select(spaces).where(spaces.c.owner == owner, spaces.c.name == name, spaces.c.digest == digest)
    return RegisteredSpace(**session.execute(stored).mappings().one()), False


def find(session: Session, name: str, version: int | None = None, *, viewer: str) -> RegisteredSpace | None:
    """The space of this name that the viewer may see, their own first; the newest version unless one is named."""
    statement = select(spaces).where(spaces.c.name == name, _visible(viewer))
    if version is not None:
        statement = statement.where(spaces.c.version == version)
    order = (spaces.c.owner == viewer).desc(), spaces.c.version.desc(), spaces.c.created_at
    row = session.execute(statement.order_by(*order).limit(1)).mappings().one_or_none()
    return None if row is None else RegisteredSpace(**row)


def listing(session: Session, *, viewer: str, limit: int = 200) -> tuple[RegisteredSpace, ...]:
    """Every version of every registered space that the viewer may see, by name and version."""
    statement = select(spaces).where(_visible(viewer)).order_by(spaces.c.name, spaces.c.version).limit(limit)
    return tuple(RegisteredSpace(**row) for row in session.execute(statement).mappings())


def latest(session: Session, *, viewer: str, after: str = "", limit: int = 200) -> tuple[RegisteredSpace, ...]:
    """The newest version of each space that the viewer may see and whose name comes after `after`, by name."""
    name = collate(spaces.c.name, "C")  # the order in which Python compares names
    statement = select(spaces).where(_visible(viewer), name > after).ext(distinct_on(name))
    ordered = statement.order_by(name, (spaces.c.owner == viewer).desc(), spaces.c.version.desc()).limit(limit)
    return tuple(RegisteredSpace(**row) for row in session.execute(ordered).mappings())


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(spaces.c.owner == viewer, spaces.c.visibility == "public")
