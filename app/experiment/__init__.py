"""What can be asked and measured: jobs, recipes, evaluations, reports. Pure data."""

from app.experiment.counting import uncountable
from app.experiment.dataset import DATASETS, SPLITS, Dataset, Split
from app.experiment.job import (
    FINAL_STATES,
    CountRequest,
    Device,
    Discretisation,
    EvaluationKind,
    JobKind,
    JobResult,
    JobState,
    MeasuredCount,
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
    "DATASETS",
    "FINAL_STATES",
    "SEARCH_RECIPES",
    "SPLITS",
    "TRAINING_RECIPES",
    "Accuracy",
    "CountRequest",
    "Dataset",
    "DecisionSummary",
    "Device",
    "Discretisation",
    "DiscretisationReport",
    "EvaluationKind",
    "JobKind",
    "JobResult",
    "JobState",
    "MeasuredCount",
    "MeasuredEvaluation",
    "Precision",
    "Queue",
    "Recipe",
    "SearchRecipe",
    "SearchRequest",
    "SpaceVersion",
    "Split",
    "Strategy",
    "TrainingRecipe",
    "TrainingRequest",
    "recipe_digest",
    "uncountable",
]
