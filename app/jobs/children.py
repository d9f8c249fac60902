"""Jobs that a job submits and waits for. Each has a name within its parent, and is made once under it.

    fan_out   the children of these names, made where they are not there yet
    family    how they ended

A parent that waits is woken as soon as all of them are final (`reconciliation.attend`). One that ends takes with it
whatever still runs for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.catalogue import Job, jobs
from app.jobs.lifecycle import Lease, hold
from app.jobs.submission import submit


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildJob:
    """What a parent asks for."""

    kind: str
    request: Mapping[str, Any]


def fan_out(session: Session, lease: Lease, wanted: Mapping[str, ChildJob]) -> tuple[dict[str, Job], bool]:
    """The children of these names, in this order, and whether the parent is to be cancelled.

    They inherit the parent's owner, visibility, priority, queue and device. A name that is taken is answered by the
    child that has it, whatever was asked of it then. Raises LeaseLost.
    """
    parent = hold(session, lease)
    there = {child.name: child for child in jobs.children(session, parent.id)}
    missing = [name for name in wanted if name not in there]
    for name in missing:
        submit(
            session,
            kind=wanted[name].kind,
            request=wanted[name].request,
            owner=parent.owner,
            queue=parent.queue,
            device=parent.device,
            priority=parent.priority,
            visibility=parent.visibility,
            parent_id=parent.id,
            name=name,
        )
    if missing:
        there = {child.name: child for child in jobs.children(session, parent.id)}
    return {name: there[name] for name in wanted}, parent.cancel_requested
