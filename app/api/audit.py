"""The audit log: who did what when."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.schemas.key import OWNER, AuditEntryView, AuditPage
from app.catalogue import AuditEntry, audit

router = APIRouter(prefix="/v1/audit", tags=["access"])


@router.get("")
def list_audit(
    services: ServicesHere,
    owner: Annotated[str | None, Query(pattern=OWNER, description="Only on behalf of this owner")] = None,
    action: Annotated[
        str | None, Query(pattern=r"^[a-z]{1,40}\.[a-z]{1,40}$", description="Only this, e.g. `job.submit`")
    ] = None,
    outcome: Annotated[Literal["done", "refused"] | None, Query(description="Only what was done, or refused")] = None,
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    """Who did what when, the newest first: keys, spaces, jobs, data sets, exported weights, and refused attempts."""
    scope = f"audit {owner} {action} {outcome}"
    before = None if cursor is None else int(read_cursor(services.secret, scope, cursor)["id"])
    with services.database.transaction() as session:
        found = audit.listing(session, owner=owner, action=action, outcome=outcome, limit=limit + 1, before=before)
    last = found[limit - 1] if len(found) > limit else None
    return AuditPage(
        items=[entry_view(entry) for entry in found[:limit]],
        next=None if last is None else write_cursor(services.secret, scope, {"id": last.id}),
    )


def entry_view(entry: AuditEntry) -> AuditEntryView:
    """An entry as it travels."""
    return AuditEntryView(
        id=entry.id,
        at=entry.at,
        owner=entry.owner,
        key_id=entry.key_id,
        address=entry.address,
        request_id=entry.request_id,
        action=entry.action,
        outcome=entry.outcome,
        subject=entry.subject,
        details=dict(entry.details),
    )
