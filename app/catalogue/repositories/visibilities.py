"""Who may see what there is already: changed by its owner, with everything that belongs to it."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.catalogue.rows import Visibility
from app.catalogue.tables import evaluations, jobs, profiles, spaces


def of_job(session: Session, id: UUID, *, visibility: Visibility) -> None:
    """Show or hide a job and what it has measured; what it measures later follows the job."""
    session.execute(update(jobs).where(jobs.c.id == id).values(visibility=visibility))
    for table in (evaluations, profiles):
        session.execute(update(table).where(table.c.job_id == id).values(visibility=visibility))


def publish_space(session: Session, id: UUID) -> None:
    """Show a space to everyone. There is no way back: what others have measured in it names it."""
    session.execute(update(spaces).where(spaces.c.id == id).values(visibility="public"))
