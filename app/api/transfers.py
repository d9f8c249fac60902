"""Transfer: what a genotype costs in several places, and whether training in one place tells about another."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import JSONResponse

from app.api.answers import identity
from app.api.dependencies import BatchingHere, ServicesHere, SpaceHere
from app.api.library import find_space
from app.api.places import placed, placed_cost
from app.api.problems import not_found
from app.api.schemas.batch import BatchView, TransferBatch
from app.api.schemas.job import JobView
from app.api.schemas.space import SpaceIdentity
from app.api.schemas.transfer import (
    PlannedTransfer,
    TransferBody,
    TransferCostView,
    TransferPlanView,
    TransferQuestion,
    TransferReportView,
    TransferView,
)
from app.api.searches import part_of
from app.api.services import Services
from app.api.statuses import declared
from app.api.submissions import DryRun, SubmissionHere, queue_for, submitted, written
from app.api.transferable import Member, transfer_request
from app.api.views import shown_request
from app.catalogue import Job, jobs
from app.experiment import Place, TransferRequest, described
from app.space import SearchSpace

router = APIRouter(prefix="/v1")


@router.post("/spaces/{space}/transfer", tags=["genotypes"])
def find_costs(space: SpaceHere, question: TransferQuestion) -> TransferCostView:
    """Exact costs of a member on several skeletons and images at once, each beside the first."""
    return placed(space, question)


@router.post("/spaces/{space}/transfer/batch", tags=["genotypes"], response_model=BatchView[TransferCostView])
async def costs_batch(asked: BatchingHere, batch: TransferBatch) -> Response:
    """Costs of up to 20 members in several places each, in order."""
    return await asked(batch.items, placed)


@router.post(
    "/transfers",
    tags=["experiments"],
    status_code=202,
    response_model=JobView,
    responses={200: {"model": TransferPlanView, "description": "A dry run"}},
)
def start_transfer(
    services: ServicesHere,
    body: TransferBody,
    how: SubmissionHere,
    dry_run: DryRun = False,
) -> JSONResponse:
    """Train a set of architectures on a source and a target, and report how alike the orders of accuracies are."""
    space = find_space(services, body.space)
    request, members = transfer_request(services, space, body)
    if dry_run:
        return written(planned_transfer(services, space, request, members))
    return submitted(services, request, how)


def transfer_at(services: ServicesHere, transfer_id: Annotated[UUID, Path(description="UUID of the transfer")]) -> Job:
    """The transfer in the path: a job of that kind."""
    with services.database.transaction() as session:
        job = jobs.get(session, transfer_id, viewer=services.caller.owner)
    if job is None or job.kind != "transfer":
        raise not_found("transfer", transfer_id)
    return job


TransferHere = Annotated[Job, Depends(transfer_at)]


@router.get("/transfers/{transfer_id}", tags=["experiments"])
def get_transfer(job: TransferHere) -> TransferView:
    """A transfer as it stands."""
    here, request = f"/v1/transfers/{job.id}", job.request
    links = {
        "self": here,
        "job": f"/v1/jobs/{job.id}",
        "report": f"{here}/report",
        "evaluations": f"/v1/evaluations?job={job.id}",
    }
    if request["search"] is not None:
        links["search"] = f"/v1/searches/{request['search']}"
    return TransferView(
        id=str(job.id),
        state=job.state,
        space=SpaceIdentity(**request["space"]),
        architectures=len(request["genotypes"]),
        source=request["source"],
        target=request["target"],
        seed=request["seed"],
        links=links,
    )


@router.get("/transfers/{transfer_id}/report", tags=["experiments"], responses=declared("no-result"))
def get_transfer_report(job: TransferHere) -> TransferReportView:
    """Every architecture in both places, rank correlations with their uncertainty, and what they do not say."""
    space = SpaceIdentity(**job.request["space"])
    return TransferReportView(transfer_id=str(job.id), space=space, report=part_of(job, "report"))


def planned_transfer(
    services: Services, space: SearchSpace, request: TransferRequest, members: tuple[Member, ...]
) -> TransferPlanView:
    """What a transfer would train, and what is known of it."""
    with services.database.transaction() as session:
        queue, serving = queue_for(services, session, request.device)
    shown: dict[str, Any] = shown_request(asdict(request))
    images = [training_images(place) for place in (request.source, request.target)]
    return TransferPlanView(
        kind="transfer",
        space=identity(space),
        queue=queue,
        workers=serving,
        architectures=[
            PlannedTransfer(
                index=str(member.index),
                origin=member.origin,
                source=placed_cost(member.source, member.source),
                target=placed_cost(member.target, member.source),
            )
            for member in members
        ],
        epochs=len(members) * (request.source.recipe.epochs + request.target.recipe.epochs),
        training_macs=str(sum(m.source.macs * images[0] + m.target.macs * images[1] for m in members)),
        request=shown,
    )


def training_images(place: Place) -> int:
    """Training images of one training, all epochs together."""
    splits = described(place.dataset, place.data).splits
    return place.recipe.epochs * (splits["weights"] + splits["architecture"])
