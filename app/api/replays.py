"""Replays: a search's own request once more, and whether both came to the same."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.api.collection import dataset_named
from app.api.dependencies import ServicesHere
from app.api.library import find_space
from app.api.problems import Problem, not_found
from app.api.records import SEARCHES, recorded, request_of
from app.api.schemas.job import JobView
from app.api.schemas.replay import ConditionView, DifferenceView, ReplayView
from app.api.searches import SearchHere
from app.api.statuses import declared
from app.api.submissions import SubmissionHere, submitted
from app.api.views import is_oracle, label_of
from app.catalogue import Job
from app.experiment import CatalogueEvaluator, DiscreteSearchRequest, SearchRequest
from app.experiment.replay import Replayed, replayed

router = APIRouter(prefix="/v1/searches", tags=["experiments"])


@router.post("/{search_id}/replay", status_code=202, response_model=JobView)
def start_replay(services: ServicesHere, job: SearchHere, how: SubmissionHere) -> JSONResponse:
    """Run a search again from its record: the same request to the last field, in a job of its own.

    A search on the catalogue's results sees those of the same moment, as far as the caller may see them. The caller
    must see the space, and the data sets.
    """
    asked = request_of(job)
    assert isinstance(asked, SearchRequest | DiscreteSearchRequest), "searches are asked by these"
    space = find_space(services, f"{asked.space.name}@{asked.space.version}")
    if space.digest != asked.space.digest:
        raise not_found("space", f"{asked.space.name}@{asked.space.version} of digest {asked.space.digest}")
    for reference in datasets_of(asked):
        dataset_named(services, reference)
    again: SearchRequest | DiscreteSearchRequest = replace(asked, replays=str(job.id))
    if isinstance(again, DiscreteSearchRequest) and isinstance(again.evaluator, CatalogueEvaluator):
        again = replace(again, evaluator=replace(again.evaluator, viewer=services.caller.owner))
    return submitted(services, again, how)


def datasets_of(asked: SearchRequest | DiscreteSearchRequest) -> set[str]:
    """References of the data sets whose images a search reads."""
    match asked:
        case SearchRequest():
            return {asked.dataset, asked.retrain_dataset or asked.dataset}
        case DiscreteSearchRequest():
            warm = set[str]() if asked.warm_start is None else {asked.warm_start.evaluator.dataset}
            return warm if isinstance(asked.evaluator, CatalogueEvaluator) else warm | {asked.evaluator.dataset}


@router.get("/{search_id}/replay", responses=declared("no-result"))
def get_replay(services: ServicesHere, job: SearchHere) -> ReplayView:
    """Whether a replay came to exactly what the search came to, and else the first place in which they part.

    Compared are every evaluation or epoch in order, the genotype and the report; times are not. Where they differ, and
    so did code, device, the version of torch, or the results that they were judged by, neither contradicts the other:
    `identical` is null, and `reason` says what it was.
    """
    first = job.request.get("replays")
    if first is None:
        detail = "the search repeats no other one; POST to this path starts a replay of it"
        raise Problem(404, "no-result", "The search has no replay", detail)
    of = recorded(services, UUID(first), SEARCHES, "search")
    found = compared(of, job)
    return ReplayView(
        of=str(of.id),
        replay=str(job.id),
        of_state=of.state,
        state=job.state,
        identical=found.identical,
        reason=found.reason,
        compared=list(found.compared),
        equal_steps=found.evaluations,
        first_difference=None
        if found.difference is None
        else DifferenceView(place=found.difference.place, of=found.difference.of, replay=found.difference.replay),
        conditions=[ConditionView(name=c.name, of=c.of, replay=c.replay, same=c.same) for c in found.conditions],
        oracle=is_oracle(job.request),
        label=label_of(job.request),
        links={"of": f"/v1/searches/{of.id}", "replay": f"/v1/searches/{job.id}"},
    )


def compared(of: Job, replay: Job) -> Replayed:
    """Two searches with their results, as far as both have come to their ends."""
    for name, job in (("search", of), ("replay", replay)):
        if job.state != "succeeded":
            reason = f"the {name} {'has ' if job.final else 'is '}{job.state}: only whole results are compared"
            return Replayed(identical=None, compared=(), evaluations=0, difference=None, conditions=(), reason=reason)
    return replayed(of.kind, of.request, of.result or {}, replay.result or {})
