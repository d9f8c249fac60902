"""Whether this process lives, whether the service can do its work, and what it counts."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from app.api.dependencies import ServicesHere
from app.api.problems import Problem
from app.api.readiness import Part, State
from app.api.schemas.model import Output
from app.api.statuses import declared
from app.space import Fault

router = APIRouter(tags=["health"])


class HealthView(Output):
    """The process answers."""

    status: str = Field(description="`ok`")


class PartView(Output):
    """One part of the service."""

    part: Part = Field(description="which one")
    state: State = Field(description="`ok`, or `degraded`: jobs may have to wait")
    finding: str = Field(description="what was found, in words")


class ReadyView(Output):
    """Requests are answered. Where jobs may have to wait, a part says why."""

    status: str = Field(description="`ready`, or `degraded` where a part is")
    parts: list[PartView] = Field(description="every part")


@router.get("/healthz")
async def get_health() -> HealthView:
    """Whether this process lives. Touches nothing else."""
    return HealthView(status="ok")


@router.get("/readyz", responses=declared("not-ready"))
async def get_readiness(services: ServicesHere) -> ReadyView:
    """Whether this process can serve. 503: the database is away, or its tables are not those that this version needs.

    Answers within a few seconds whatever hangs; findings are kept for two.
    """
    findings = await services.readiness.findings()
    wrong = tuple(Fault(f"/{found.part}", found.says) for found in findings if found.state != "ok")
    if any(found.state == "down" for found in findings):
        detail = "; ".join(f"{fault.pointer.removeprefix('/')}: {fault.message}" for fault in wrong)
        raise Problem(503, "not-ready", "The service is not ready", detail, wrong, {"Retry-After": "2"})
    parts = [PartView(part=found.part, state=found.state, finding=found.says) for found in findings]
    return ReadyView(status="degraded" if wrong else "ready", parts=parts)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(services: ServicesHere) -> Response:
    """What this process counts, and how the service stands, as Prometheus reads it. 200 also without a database."""
    return Response(await services.exposition.text(), media_type=CONTENT_TYPE_LATEST)
