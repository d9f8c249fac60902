"""Trainings: one architecture from scratch under a recipe."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.api.costs import Network
from app.api.dependencies import IdempotencyKey, Priority, ServicesHere
from app.api.experiments import planned_training, training_request
from app.api.library import find_space
from app.api.schemas.evaluation import EvaluationView
from app.api.schemas.experiment import PlanView, TrainingBody
from app.api.schemas.job import JobView
from app.api.services import Services
from app.api.submissions import DryRun, Force, plan, submitted, written
from app.api.views import evaluation_view
from app.architecture import architecture_id
from app.catalogue import Evaluation, evaluations
from app.experiment import TrainingRequest, recipe_digest

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
    idempotency_key: IdempotencyKey = None,
    priority: Priority = 0,
    dry_run: DryRun = False,
    force: Force = False,
) -> JSONResponse:
    """Train an architecture from scratch: 202 with a job, or 200 with what was measured already."""
    space = find_space(services, body.space)
    request, network = training_request(services, space, body)
    known = None if force else measured(services, request, network)
    if dry_run:
        link = None if known is None else f"/v1/evaluations/{known.id}"
        return plan(services, space, request, planned_training(request, network), link)
    return submitted(services, request, idempotency_key, priority) if known is None else written(evaluation_view(known))


def measured(services: Services, request: TrainingRequest, network: Network) -> Evaluation | None:
    """What this training has measured already, whoever asked for it then, as far as the caller may see it."""
    genotype = network.space.plan.unrank(network.index)
    with services.database.transaction() as session:
        return evaluations.find_measured(
            session,
            architecture_id=architecture_id(network.space, network.skeleton, network.image, genotype),
            recipe_digest=recipe_digest(request.recipe),
            dataset=request.dataset,
            seed=request.seed,
            viewer=services.caller.owner,
        )
