"""What is fixed in a release: records, strategies, recipes. No I/O."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.schemas.recipe import RecipeList, RecipeView
from app.api.schemas.reference import (
    CombinatorList,
    CombinatorView,
    StrategyList,
)
from app.api.strategies import STRATEGIES
from app.architecture.lower.combinators import COMBINATORS
from app.experiment import IMPLIED, SEARCH_RECIPES, TRAINING_RECIPES, Recipe, SearchRecipe, recipe_digest

router = APIRouter(prefix="/v1", tags=["reference"])


def recipe_view(recipe: Recipe) -> RecipeView:
    """A recipe as it travels, with what may be asked of it."""
    kind = "search" if isinstance(recipe, SearchRecipe) else "training"
    fields = {name: value for name, value in asdict(recipe).items() if name not in IMPLIED}
    return RecipeView(name=recipe.name, kind=kind, digest=recipe_digest(recipe), fields=fields)


@router.get("/combinators")
async def list_combinators(
    family: Annotated[str | None, Query(max_length=64, description="Only records of this family of skeletons")] = None,
) -> CombinatorList:
    """The records that a space's document may build, with their fields: what lowering gives a meaning to."""
    found = [c for c in COMBINATORS if family in (None, c.family)]
    return CombinatorList(items=[CombinatorView.model_validate(c, from_attributes=True) for c in found])


@router.get("/strategies")
async def list_strategies() -> StrategyList:
    """The search strategies: what each does and needs, and its parameters with their bounds."""
    return StrategyList(items=STRATEGIES)


@router.get("/recipes")
async def list_recipes() -> RecipeList:
    """The recipes that have a name; any other can be given as an object."""
    named = [*SEARCH_RECIPES.values(), *TRAINING_RECIPES.values()]
    return RecipeList(items=[recipe_view(recipe) for recipe in named])
