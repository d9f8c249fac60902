"""The audit log: who did what when. Only ever added to; what is old is forgotten by command."""

from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.catalogue.access import audit
from app.catalogue.rows import AuditEntry, Outcome


def record(
    session: Session,
    *,
    action: str,
    subject: str | None = None,
    outcome: Outcome = "done",
    owner: str | None = None,
    key_id: str | None = None,
    address: str | None = None,
    request_id: str | None = None,
    **details: Any,
) -> None:
    """Write what was done, in the transaction that does it: both are there or neither is.

    Args:
        session: of that transaction.
        action: e.g. ``job.submit``.
        subject: what it was done to, as a path: ``/v1/jobs/<id>``.
        outcome: whether it was done or refused.
        owner: on whose behalf; None where nobody is known.
        key_id: of the key that was shown.
        address: of the client.
        request_id: of the request.
        details: JSON; never a secret.
    """
    values = {"owner": owner, "key_id": key_id, "address": address, "request_id": request_id}
    session.execute(insert(audit).values(**values, action=action, subject=subject, outcome=outcome, details=details))


def listing(
    session: Session,
    *,
    owner: str | None = None,
    action: str | None = None,
    outcome: Outcome | None = None,
    limit: int = 50,
    before: int | None = None,
) -> tuple[AuditEntry, ...]:
    """One page, the newest first; None of a filter means any value. `before`: the id of the last of the page before."""
    wanted = {audit.c.owner: owner, audit.c.action: action, audit.c.outcome: outcome}
    statement = select(audit).where(*(column == value for column, value in wanted.items() if value is not None))
    if before is not None:
        statement = statement.where(audit.c.id < before)
    rows = session.execute(statement.order_by(audit.c.id.desc()).limit(limit)).mappings()
    return tuple(AuditEntry(**row) for row in rows)
