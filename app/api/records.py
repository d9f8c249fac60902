"""Searches and comparisons by their jobs, whatever decides in them."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from pydantic import TypeAdapter

from app.api.dependencies import ServicesHere
from app.api.problems import not_found
from app.api.services import Services
from app.catalogue import Job, jobs
from app.experiment import ComparisonRequest, DiscreteSearchRequest, SearchRequest

SEARCHES = ("search", "discrete_search")

SUPERNET = TypeAdapter(SearchRequest)
DISCRETE = TypeAdapter(DiscreteSearchRequest)
COMPARISON = TypeAdapter(ComparisonRequest)

Recorded = SearchRequest | DiscreteSearchRequest | ComparisonRequest


def recorded(services: Services, id: UUID, kinds: tuple[str, ...], noun: str) -> Job:
    """A job of one of these kinds. Raises a Problem, 404, where the caller sees none."""
    with services.database.transaction() as session:
        job = jobs.get(session, id, viewer=services.caller.owner)
    if job is None or job.kind not in kinds:
        raise not_found(noun, id)
    return job


def comparison_at(
    services: ServicesHere, comparison_id: Annotated[UUID, Path(description="UUID of the comparison")]
) -> Job:
    """The comparison in the path."""
    return recorded(services, comparison_id, ("comparison",), "comparison")


AnyComparisonHere = Annotated[Job, Depends(comparison_at)]


def request_of(job: Job) -> Recorded:
    """What a job was asked, as a worker reads it."""
    document = dict(job.request)
    match job.kind:
        case "search":
            return SUPERNET.validate_python(document)
        case "comparison":
            return COMPARISON.validate_python(document)
        case _:
            return DISCRETE.validate_python(document)
