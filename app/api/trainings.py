"""Trainings: one architecture from scratch under a recipe."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from app.api.costs import network_identity
from app.api.dependencies import ServicesHere
from app.api.experiments import planned_training, training_request
from app.api.library import find_space
from app.api.phases import phases_of_training
from app.api.schemas.evaluation import EvaluationView
from app.api.schemas.experiment import PlanView, TrainingBody
from app.api.schemas.job import JobView
from app.api.submissions import DryRun, Force, SubmissionHere, plan, submitted
from app.catalogue import Evaluation, evaluations
from app.experiment import recipe_digest

router = APIRouter(prefix="/v1/trainings", tags=["experiments"])


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={200: {"model": EvaluationView | PlanView, "description": "Measured already, or a dry run"}},
)
def start_training(
    services: ServicesHere,
    body: TrainingBody,
    how: SubmissionHere,
    dry_run: DryRun = False,
    force: Force = False,
) -> JSONResponse:
    """Train an architecture from scratch: 202 with a job, or 200 with what was measured already."""
    space = find_space(services, body.space)
    request, network = training_request(services, space, body)
    identity = None if force else network_identity(network)  # before a connection is taken: it takes milliseconds

    def known(session: Session) -> Evaluation | None:
        """What was measured already, whoever asked for it then, as far as the caller may see it."""
        if identity is None:
            return None
        return evaluations.find_measured(
            session,
            architecture_id=identity,
            recipe_digest=recipe_digest(request.recipe),
            dataset=request.dataset,
            seed=request.seed,
            viewer=services.caller.owner,
        )

    if not dry_run:
        return submitted(services, request, how, known)
    with services.database.transaction() as session:
        measured = known(session)
    link = None if measured is None else f"/v1/evaluations/{measured.id}"
    return plan(
        services, space, request, planned_training(request, network), phases_of_training(request, network), link
    )
