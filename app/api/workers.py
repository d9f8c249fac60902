"""Workers: who is alive, and what they can take."""

from fastapi import APIRouter

from app.api.dependencies import ServicesHere
from app.api.schemas.job import WorkerList
from app.api.views import worker_view
from app.catalogue import workers

router = APIRouter(prefix="/v1/workers", tags=["jobs"])


@router.get("")
def list_workers(services: ServicesHere) -> WorkerList:
    """The workers that have reported themselves lately."""
    within = services.settings.lease_seconds
    with services.database.transaction() as session:
        alive = workers.alive(session, within_seconds=within)
    return WorkerList(items=[worker_view(row) for row in alive])
