"""Published tables that were imported: finished jobs, which their evaluations belong to.

A job is a series: what a table has of one seed. Where it has several results of an architecture for a seed, which
isomorphic genotypes may have, each further one is in a further series.

A table's identity says what it is: the file, and what its numbers are taken to be. An owner imports it once.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from app.catalogue.repositories.clock import now
from app.catalogue.rows import Visibility
from app.catalogue.tables import jobs

KIND = "table"


def imported(session: Session, *, owner: str, identity: str) -> tuple[UUID, ...]:
    """The jobs of a table that this owner has imported; none of one that is new.

    Until the transaction ends nobody else imports it for this owner.
    """
    key = f"{KIND} {owner} {identity}"
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    same = jobs.c.request["identity"].as_string() == identity
    found = select(jobs.c.id).where(jobs.c.owner == owner, jobs.c.kind == KIND, same)
    return tuple(session.execute(found.order_by(jobs.c.submitted_at, jobs.c.id)).scalars())


def unhurried(session: Session) -> None:
    """Let the statements of this transaction take as long as they take: millions of rows are one of them."""
    session.execute(text("SET LOCAL statement_timeout = 0"))


def record(
    session: Session, *, owner: str, visibility: Visibility, request: Mapping[str, Any], result: Mapping[str, Any]
) -> UUID:
    """Write the job of a series of a table, which is done as soon as the transaction is."""
    id = uuid4()
    values = {
        "id": id,
        "kind": KIND,
        "queue": "cpu",
        "device": "cpu",
        "state": "succeeded",
        "priority": 0,
        "owner": owner,
        "visibility": visibility,
        "request": dict(request),
        "result": dict(result),
        "started_at": now(),
        "finished_at": now(),
    }
    session.execute(insert(jobs).values(values))
    return id
