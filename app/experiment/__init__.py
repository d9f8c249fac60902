"""What can be asked and measured: jobs, recipes, evaluations, reports. Pure data."""

from app.experiment.job import (
    FINAL_STATES,
    Device,
    Discretisation,
    JobKind,
    JobResult,
    JobState,
    MeasuredEvaluation,
    Queue,
    SearchRequest,
    SpaceVersion,
    Strategy,
    TrainingRequest,
)
from app.experiment.recipe import (
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    Precision,
    Recipe,
    SearchRecipe,
    TrainingRecipe,
    recipe_digest,
)
from app.experiment.report import Accuracy, DecisionSummary, DiscretisationReport

__all__ = [
    "FINAL_STATES",
    "SEARCH_RECIPES",
    "TRAINING_RECIPES",
    "Accuracy",
    "DecisionSummary",
    "Device",
    "Discretisation",
    "DiscretisationReport",
    "JobKind",
    "JobResult",
    "JobState",
    "MeasuredEvaluation",
    "Precision",
    "Queue",
    "Recipe",
    "SearchRecipe",
    "SearchRequest",
    "SpaceVersion",
    "Strategy",
    "TrainingRecipe",
    "TrainingRequest",
    "recipe_digest",
]
