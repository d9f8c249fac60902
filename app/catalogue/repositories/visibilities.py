"""Who may see what there is already: changed by its owner, with everything that belongs to it."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.catalogue.rows import Visibility
from app.catalogue.tables import evaluations, jobs, profiles, spaces


def of_job(session: Session, id: UUID, *, visibility: Visibility) -> None:
    """Show or hide a job and its children with what they have measured; what they measure later follows them."""
    one = select(jobs.c.id).where(jobs.c.id == id).cte("family", recursive=True)
    family = one.union_all(select(jobs.c.id).join(one, jobs.c.parent_id == one.c.id))
    every = select(family.c.id)
    session.execute(update(jobs).where(jobs.c.id.in_(every)).values(visibility=visibility))
    for table in (evaluations, profiles):
        session.execute(update(table).where(table.c.job_id.in_(every)).values(visibility=visibility))


def publish_space(session: Session, id: UUID) -> None:
    """Show a space to everyone. There is no way back: what others have measured in it names it."""
    session.execute(update(spaces).where(spaces.c.id == id).values(visibility="public"))
