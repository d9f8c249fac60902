"""The reproducibility checklist that a search fills in by itself, as JSON and as a page to read and to print."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Session

from app.api.dependencies import ServicesHere
from app.api.records import COMPARISON, DISCRETE, request_of
from app.api.replays import compared
from app.api.schemas.checklist import ChecklistView, ItemView
from app.api.searches import SearchHere
from app.api.services import Services
from app.api.views import is_oracle, label_of
from app.catalogue import EvaluationQuery, Job
from app.catalogue.repositories.origins import tables_behind
from app.catalogue.repositories.related import finished_in_space, replays_of
from app.experiment import CatalogueEvaluator, DiscreteSearchRequest, SearchRequest
from app.experiment.checklist import PAPER, VERSION, Compared, Facts, Replay, checklist, counted
from app.experiment.comparable import unlike

TEMPLATES = Path(__file__).resolve().parent.parent / "web" / "templates"

router = APIRouter(prefix="/v1/searches", tags=["experiments"])

pages = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

NOTHING: Mapping[str, Any] = {}  # in place of a space's document, which decides nothing here

PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}
}


@router.get("/{search_id}/checklist")
def get_checklist(services: ServicesHere, job: SearchHere) -> ChecklistView:
    """The reproducibility checklist of the field (arXiv:1909.02453), answered by what is recorded of a search.

    Comparisons, replays and searches with other seeds count as far as the caller sees them. What no record can show is
    said to be unknown.
    """
    return checklist_of(services, job)


@router.get("/{search_id}/checklist.html", response_class=HTMLResponse, responses=PAGE)
def get_checklist_page(services: ServicesHere, job: SearchHere) -> HTMLResponse:
    """The same as a page, to be read, linked to and printed."""
    view = checklist_of(services, job)
    asked = request_of(job)
    assert isinstance(asked, SearchRequest | DiscreteSearchRequest), "searches are asked by these"
    sections = [(title, list(items)) for title, items in groupby(view.items, key=lambda item: item.section)]
    return HTMLResponse(pages.get_template("checklist.html").render(view=view, sections=sections, asked=asked))


def checklist_of(services: Services, job: Job) -> ChecklistView:
    """The checklist of a search as it stands."""
    items = checklist(facts_of(services, job))
    here = f"/v1/searches/{job.id}"
    return ChecklistView(
        search_id=str(job.id),
        state=job.state,
        oracle=is_oracle(job.request),
        label=label_of(job.request),
        paper=PAPER,
        version=VERSION,
        counts=counted(items),
        items=[ItemView.model_validate(asdict(item)) for item in items],
        links={"search": here, "provenance": f"{here}/provenance", "page": f"{here}/checklist.html"},
    )


def facts_of(services: Services, job: Job) -> Facts:
    """What is recorded of a search, and of what is connected with it."""
    asked = request_of(job)
    assert isinstance(asked, SearchRequest | DiscreteSearchRequest), "searches are asked by these"
    viewer = services.caller.owner
    with services.database.transaction() as session:
        replays = [
            Replay(id=str(found.id), identical=compared(job, found).identical)
            for found in replays_of(session, job.id, viewer=viewer)
            if job.state == "succeeded"
        ]
        facts = Facts(id=str(job.id), request=asked, state=job.state, result=job.result or {}, replays=tuple(replays))
        if isinstance(asked, SearchRequest):
            return facts
        return replace(
            facts,
            comparisons=comparisons_with(session, job, asked, viewer),
            seeds=seeds_of(session, job, asked, viewer),
            table=source_of(session, asked, viewer),
        )


def comparisons_with(session: Session, job: Job, asked: DiscreteSearchRequest, viewer: str) -> tuple[Compared, ...]:
    """Finished comparisons on the footing of a search that have its strategy with its parameters."""
    found: list[Compared] = []
    for other in finished_in_space(session, "comparison", asked.space.digest, viewer=viewer):
        search: dict[str, Any] = {**other.request["search"], "document": NOTHING}
        request = COMPARISON.validate_python({**other.request, "search": search})
        member = any((one.strategy, one.parameters) == (asked.strategy, asked.parameters) for one in request.strategies)
        if member and alike(asked, judged_by(job), request.search, other.judged_by):
            found.append(Compared(id=str(other.id), request=request))
    return tuple(found)


def seeds_of(session: Session, job: Job, asked: DiscreteSearchRequest, viewer: str) -> tuple[int, ...]:
    """The seeds of finished searches that differ from one in nothing else."""
    own = {asked.seed} if job.state == "succeeded" else set[int]()
    for other in finished_in_space(session, "discrete_search", asked.space.digest, viewer=viewer):
        request = DISCRETE.validate_python({**other.request, "document": NOTHING})
        same = (request.strategy, request.parameters) == (asked.strategy, asked.parameters)
        if same and alike(asked, judged_by(job), request, other.judged_by):
            own.add(request.seed)
    return tuple(sorted(own))


def alike(
    asked: DiscreteSearchRequest, judged: Mapping[str, Any], other: DiscreteSearchRequest, others: Mapping[str, Any]
) -> bool:
    """Whether searches stand on the same footing; what one was judged by counts where the other says it too."""
    known = {"one": judged, "other": others} if judged and others else {}
    return not unlike({"one": asked, "other": other}, known)


def judged_by(job: Job) -> Mapping[str, Any]:
    """What a report says that its search was judged by; nothing where there is no report."""
    report: Mapping[str, Any] = (job.result or {}).get("report") or {}
    return report.get("judged_by") or {}


def source_of(session: Session, asked: DiscreteSearchRequest, viewer: str) -> str | None:
    """Where the published table is from that judges a search; None where none does, or where several do."""
    evaluator = asked.evaluator
    if not isinstance(evaluator, CatalogueEvaluator):
        return None
    wanted = EvaluationQuery(
        viewer=viewer,
        space=asked.space.digest,
        dataset=evaluator.dataset,
        split=evaluator.split,
        kind=evaluator.evaluation,
        recipe=evaluator.recipe_digest,
    )
    tables = tables_behind(session, wanted, datetime.fromisoformat(evaluator.as_of))
    return tables[0].source if len(tables) == 1 else None
