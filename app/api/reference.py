"""What is fixed in a release: records, strategies, recipes. No I/O."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.schemas.recipe import RecipeList, RecipeView
from app.api.schemas.reference import (
    CombinatorList,
    CombinatorView,
    ParameterView,
    StrategyList,
    StrategyView,
)
from app.architecture.lower.combinators import COMBINATORS
from app.experiment import SEARCH_RECIPES, TRAINING_RECIPES, Recipe, SearchRecipe, recipe_digest

router = APIRouter(prefix="/v1", tags=["reference"])

DARTS = StrategyView(
    name="darts",
    title="Differentiable search, first order: architecture parameters by gradient on images the weights do not see",
    paper="H. Liu, K. Simonyan and Y. Yang (2019), DARTS: Differentiable Architecture Search, arXiv:1806.09055",
    parameters=[
        ParameterView(
            name="discretisation",
            values=["darts", "argmax"],
            default=None,
            description="`darts`: each node keeps the inputs with the strongest operations other than `none`; "
            "`argmax`: each decision keeps its strongest option. Default: `darts` where nodes choose among inputs",
        ),
        ParameterView(
            name="skeleton",
            values=[],
            default=None,
            description="Skeleton of the supernet: one of the space's names or an object. Default: by image size",
        ),
        ParameterView(
            name="recipe",
            values=sorted(SEARCH_RECIPES),
            default=None,
            description="Search recipe: a name, or every field that differs from the defaults. Default: the data set's",
        ),
        ParameterView(
            name="retrain_skeleton",
            values=[],
            default=None,
            description="Skeleton of the discrete network that is trained from scratch. Default: by image size",
        ),
        ParameterView(
            name="retrain_recipe",
            values=sorted(TRAINING_RECIPES),
            default=None,
            description="Training recipe of that network and of the baseline. Default: the data set's",
        ),
        ParameterView(
            name="baseline",
            values=[True, False],
            default=True,
            description="Whether a random genotype of the space is trained under the same recipe",
        ),
    ],
)


def recipe_view(recipe: Recipe) -> RecipeView:
    """A recipe as it travels."""
    kind = "search" if isinstance(recipe, SearchRecipe) else "training"
    return RecipeView(name=recipe.name, kind=kind, digest=recipe_digest(recipe), fields=asdict(recipe))


@router.get("/combinators")
async def list_combinators(
    family: Annotated[str | None, Query(max_length=64, description="Only records of this family of skeletons")] = None,
) -> CombinatorList:
    """The records that a space's document may build, with their fields: what lowering gives a meaning to."""
    found = [c for c in COMBINATORS if family in (None, c.family)]
    return CombinatorList(items=[CombinatorView.model_validate(c, from_attributes=True) for c in found])


@router.get("/strategies")
async def list_strategies() -> StrategyList:
    """The search strategies and their parameters."""
    return StrategyList(items=[DARTS])


@router.get("/recipes")
async def list_recipes() -> RecipeList:
    """The recipes that have a name; any other can be given as an object."""
    named = [*SEARCH_RECIPES.values(), *TRAINING_RECIPES.values()]
    return RecipeList(items=[recipe_view(recipe) for recipe in named])
