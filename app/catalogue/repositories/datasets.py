"""Registered data sets: what is known of them. Their files are in the data root, by digest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, collate, delete, func, or_, select, text, tuple_
from sqlalchemy.orm import Session

from app.catalogue.errors import NameTaken
from app.catalogue.imagery import datasets
from app.catalogue.rows import Document, Visibility
from app.catalogue.tables import jobs
from app.experiment import DATASETS, Dataset

_DATASET = TypeAdapter(Dataset)
CARRIED = (("data",), ("retrain_data",), ("source", "data"), ("target", "data"))
"""Where the requests of jobs carry a data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredDataset:
    """A data set that a user registered: immutable."""

    id: UUID
    owner: str
    visibility: Visibility
    name: str
    digest: str
    bytes: int  # of its file
    dataset: Dataset
    request: Document  # what it was made from, and how
    job_id: UUID | None  # that made it; None: the command line did
    created_at: datetime


def register(
    session: Session,
    *,
    owner: str,
    visibility: Visibility,
    dataset: Dataset,
    request: Mapping[str, Any],
    job_id: UUID | None = None,
) -> RegisteredDataset:
    """Write a data set, or find it: the same content under the same name is the same. Raises NameTaken."""
    assert dataset.stored is not None, "only registered ones are written"
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"data of {owner}"})
    known = owned(session, owner, dataset.name)
    if dataset.name in DATASETS or (known is not None and known.digest != dataset.stored.digest):
        raise NameTaken(f"{dataset.name!r} is another data set already; what is registered never changes")
    if known is not None:
        return known
    values = datasets.insert().values(
        id=uuid4(),
        owner=owner,
        visibility=visibility,
        name=dataset.name,
        digest=dataset.stored.digest,
        bytes=dataset.stored.bytes,
        description=asdict(dataset),
        request=dict(request),
        job_id=job_id,
    )
    return _row(session.execute(values.returning(datasets)).mappings().one())


def owned(session: Session, owner: str, name: str) -> RegisteredDataset | None:
    """An owner's own data set of this name."""
    statement = select(datasets).where(datasets.c.owner == owner, datasets.c.name == name)
    row = session.execute(statement).mappings().one_or_none()
    return None if row is None else _row(row)


def find(session: Session, name: str, digest: str = "", *, viewer: str) -> RegisteredDataset | None:
    """The data set of this name, and of a digest that begins so, that the viewer may see: their own first."""
    statement = select(datasets).where(datasets.c.name == name, _visible(viewer))
    if digest:
        statement = statement.where(datasets.c.digest.startswith(digest, autoescape=True))
    order = (datasets.c.owner == viewer).desc(), datasets.c.created_at, datasets.c.id
    row = session.execute(statement.order_by(*order).limit(1)).mappings().one_or_none()
    return None if row is None else _row(row)


def listing(
    session: Session, *, viewer: str, after: tuple[str, UUID] | None = None, limit: int = 200
) -> tuple[RegisteredDataset, ...]:
    """The data sets that the viewer may see, by name, from after a place on."""
    name = collate(datasets.c.name, "C")  # the order in which Python compares names
    statement = select(datasets).where(_visible(viewer))
    if after is not None:
        statement = statement.where(tuple_(name, datasets.c.id) > tuple_(*after))
    rows = session.execute(statement.order_by(name, datasets.c.id).limit(limit)).mappings()
    return tuple(_row(row) for row in rows)


def bytes_of(session: Session, owner: str) -> int:
    """Bytes that an owner's data sets take; a file that two of them share counts once."""
    own = select(datasets.c.digest, datasets.c.bytes).where(datasets.c.owner == owner).distinct().subquery()
    return int(session.execute(select(func.coalesce(func.sum(own.c.bytes), 0))).scalar_one())


def in_use(session: Session, digest: str) -> bool:
    """Whether a job that is not final carries a data set of this digest."""
    places = [jobs.c.request[(*place, "stored", "digest")].as_string() == digest for place in CARRIED]
    final = jobs.c.state.in_(("succeeded", "failed", "cancelled"))
    return session.execute(select(jobs.c.id).where(~final, or_(*places)).limit(1)).first() is not None


def paths_in_use(session: Session) -> frozenset[str]:
    """Paths of uploads that jobs have still to read."""
    final = jobs.c.state.in_(("succeeded", "failed", "cancelled"))
    statement = select(jobs.c.request["path"].as_string()).where(jobs.c.kind.in_(("dataset", "table")), ~final)
    return frozenset(path for path in session.execute(statement).scalars() if path)


def remove(session: Session, row: RegisteredDataset) -> bool:
    """Forget a data set; says whether its file may go too, as no other data set is made of it."""
    session.execute(delete(datasets).where(datasets.c.id == row.id))
    return session.execute(select(datasets.c.id).where(datasets.c.digest == row.digest).limit(1)).first() is None


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(datasets.c.owner == viewer, datasets.c.visibility == "public")


def _row(row: Mapping[Any, Any]) -> RegisteredDataset:
    fields = {name: value for name, value in row.items() if name != "description"}
    return RegisteredDataset(**fields, dataset=_DATASET.validate_python(row["description"]))
