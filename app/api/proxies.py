"""Zero-cost proxies: which there are, and what profiles computed of them."""

from itertools import chain
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi.responses import StreamingResponse

from app.api.dependencies import ServicesHere
from app.api.problems import not_found
from app.api.profiles import CSV, line
from app.api.schemas.proxy import NeedView, ProxyList, ProxyView, ScoreLinks, ScoresView, ScoreView
from app.api.schemas.space import SpaceIdentity
from app.api.searches import part_of
from app.api.statuses import declared
from app.catalogue import Job, jobs
from app.experiment.proxies import NEEDS, PROXIES

router = APIRouter(prefix="/v1", tags=["profiles"])


@router.get("/proxies")
def list_proxies() -> ProxyList:
    """The zero-cost proxies there are: what each tells, how it is computed, what it needs, and its paper."""
    return ProxyList(
        items=[
            ProxyView(
                name=proxy.name,
                title=proxy.title,
                formula=proxy.formula,
                paper=proxy.paper,
                link=proxy.link,
                needs=[NeedView(name=need, meaning=NEEDS[need]) for need in proxy.needs],
            )
            for proxy in PROXIES.values()
        ]
    )


def scored_at(services: ServicesHere, job_id: Annotated[UUID, Path(description="UUID of the profile")]) -> Job:
    """The profile in the path: a job of that kind that was to compute proxies."""
    with services.database.transaction() as session:
        job = jobs.get(session, job_id, viewer=services.caller.owner)
    if job is None or job.kind != "profile" or not job.request.get("proxies"):
        raise not_found("profile with proxies", job_id)
    return job


ScoredHere = Annotated[Job, Depends(scored_at)]


@router.get("/jobs/{job_id}/proxies", responses=declared("no-result"))
def get_scores(job: ScoredHere) -> ScoresView:
    """The zero-cost proxies that a profile computed, and on what."""
    found: dict[str, Any] = part_of(job, "proxies")
    result, space = job.result or {}, SpaceIdentity(**job.request["space"])
    return ScoresView(
        job=str(job.id),
        space=space,
        proxies=found["names"],
        dataset=found["dataset"],
        split=found["split"],
        images=found["images"],
        seed=found["seed"],
        skeleton=found["skeleton"],
        input=found["input"],
        device=result["device"],
        torch_version=result["torch_version"],
        code_version=result["code_version"],
        items=[score_view(space, row) for row in found["architectures"]],
    )


@router.get("/jobs/{job_id}/proxies.csv", response_class=StreamingResponse, responses=CSV | declared("no-result"))
def export_scores(job: ScoredHere) -> StreamingResponse:
    """One line an architecture: its id, its rank, and each proxy, empty where that is not defined."""
    found: dict[str, Any] = part_of(job, "proxies")
    names: list[str] = found["names"]
    rows = ([row["architecture_id"], row["index"], *map(row["values"].get, names)] for row in found["architectures"])
    headers = {"Content-Disposition": 'attachment; filename="proxies.csv"'}
    lines = map(line, chain([["architecture_id", "index", *names]], rows))
    return StreamingResponse(lines, media_type="text/csv", headers=headers)


def score_view(space: SpaceIdentity, row: dict[str, Any]) -> ScoreView:
    """The proxies of one architecture as they travel."""
    here = f"/v1/spaces/{space.name}@{space.version}/members/{row['index']}"
    return ScoreView(**row, links=ScoreLinks(member=here, cost=f"{here}/cost"))
