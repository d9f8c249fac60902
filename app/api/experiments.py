"""Experiments as they are asked for, made complete: every default chosen, every part checked to fit the others."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from app.api.answers import chosen_skeleton
from app.api.collection import carried
from app.api.costs import Network, Supernet, network_cost, supernet_cost
from app.api.draws import some_rank
from app.api.membership import given_rank
from app.api.memory import training_memory
from app.api.problems import relocated, unprocessable
from app.api.schemas.experiment import PlannedNetwork, SearchBody, SupernetStrategy, TrainingBody
from app.api.schemas.recipe import PressureBody, SearchRecipeChoice, TrainingRecipeChoice
from app.api.schemas.skeleton import SkeletonChoice
from app.api.services import Services
from app.api.tasks import learnable, teaching
from app.architecture import lower
from app.architecture.partial import NoMixture, is_mixed
from app.experiment import (
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    Bounds,
    Dataset,
    Discretisation,
    SearchRecipe,
    SearchRequest,
    SpaceVersion,
    TrainingRecipe,
    TrainingRequest,
    described,
)
from app.space import CellSkeleton, SearchSpace, Skeleton, space_to_json

SMALL_PIXELS = 16  # images up to this size take the space's small skeletons: three halvings leave two pixels
SMALL_SCENE = 64  # the same where networks answer with maps, whose skeletons are made for hundreds of pixels


def search_recipe(choice: SearchRecipeChoice | None, dataset: Dataset) -> SearchRecipe:
    """The recipe that a request names or gives; by default the data set's."""
    if choice is not None and not isinstance(choice, str):
        return choice.recipe()
    name = choice or default_recipe(SEARCH_RECIPES, dataset)
    if name not in SEARCH_RECIPES:
        raise unprocessable("/recipe", f"there is no search recipe {name!r}", name, sorted(SEARCH_RECIPES))
    return SEARCH_RECIPES[name]


def pressed(recipe: SearchRecipe, pressure: PressureBody | None) -> SearchRecipe:
    """The recipe under the pressure that a request gives, if it does."""
    return recipe if pressure is None else replace(recipe, pressure=pressure.pressure())


def training_recipe(choice: TrainingRecipeChoice | None, dataset: Dataset, pointer: str) -> TrainingRecipe:
    """The recipe that a request names or gives; by default the data set's."""
    if choice is not None and not isinstance(choice, str):
        recipe = choice.recipe()
    else:
        name = choice or default_recipe(TRAINING_RECIPES, dataset)
        if name not in TRAINING_RECIPES:
            raise unprocessable(pointer, f"there is no training recipe {name!r}", name, sorted(TRAINING_RECIPES))
        recipe = TRAINING_RECIPES[name]
    learnable(recipe, dataset, pointer)
    return recipe


def default_recipe(recipes: Mapping[str, Any], dataset: Dataset) -> str:
    """The recipe called after the data set, else one for small images, else the one DARTS published for CIFAR."""
    own = next((name for name in recipes if name.partition("-")[0] == dataset.name), None)
    return own or ("digits-quick" if is_small(dataset) else "darts-cifar")


def trained_skeleton(space: SearchSpace, choice: SkeletonChoice | None, dataset: Dataset, pointer: str) -> Skeleton:
    """The skeleton of a network that is trained from scratch, with the data set's classes."""
    if choice is None and is_small(dataset) and "small" in space.skeletons:
        choice = "small"
    return replace(chosen_skeleton(space, choice, pointer), num_classes=dataset.num_classes)


def searched_skeleton(space: SearchSpace, choice: SkeletonChoice | None, dataset: Dataset) -> Skeleton:
    """The skeleton of a supernet. By default normalisation learns nothing, as DARTS searches: a learned scale would
    trade places with the architecture parameters."""
    if choice is None and not is_small(dataset) and "search" in space.skeletons:
        choice = "search"
    skeleton = trained_skeleton(space, choice, dataset, "/skeleton")
    if choice is not None:
        return skeleton
    if isinstance(skeleton, CellSkeleton):
        return replace(skeleton, affine=False, norm_after_pool=True, auxiliary=False)
    return replace(skeleton, affine=False)


def search_request(services: Services, space: SearchSpace, body: SearchBody) -> SearchRequest:
    """A search, complete in itself. Raises where its parts do not fit together."""
    dataset = teaching(services, space, body.dataset)
    with relocated("/dataset", "/retrain_dataset"):
        elsewhere = teaching(services, space, body.retrain_dataset or body.dataset)
    request = SearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy=body.strategy,
        discretisation=body.discretisation or default_discretisation(space),
        skeleton=searched_skeleton(space, body.skeleton, dataset),
        dataset=dataset.reference,
        data=carried(dataset),
        recipe=pressed(search_recipe(body.recipe, dataset), body.pressure),
        retrain_skeleton=trained_skeleton(space, body.retrain_skeleton, elsewhere, "/retrain_skeleton"),
        retrain_recipe=training_recipe(body.retrain_recipe, elsewhere, "/retrain_recipe"),
        retrain_dataset=None if elsewhere == dataset else elsewhere.reference,
        retrain_data=None if elsewhere == dataset else carried(elsewhere),
        baseline=body.baseline,
        seeds=tuple(body.seeds),
        bounds=Bounds(max_params=body.max_params, max_macs=body.max_macs, max_latency_ms=body.max_latency_ms),
        recompute=body.recompute,
        seed=body.seed,
        device=body.device,
    )
    supernet_cost(Supernet(space, space.digest, request.skeleton, dataset.input))
    if body.strategy == "pc_darts" and not is_mixed(lower(space.grammar, request.skeleton, dataset.input)):
        others = [strategy for strategy in get_args(SupernetStrategy) if strategy != body.strategy]
        raise unprocessable("/strategy", str(NoMixture()), body.strategy, others)
    with relocated("/skeleton", "/retrain_skeleton"):
        index = some_rank(space) or 0
        network_cost(Network(space, space.digest, index, request.retrain_skeleton, elsewhere.input))
    return request


def training_request(services: Services, space: SearchSpace, body: TrainingBody) -> tuple[TrainingRequest, Network]:
    """A training, complete in itself, and the network it trains. Raises where its parts do not fit together."""
    dataset = teaching(services, space, body.dataset)
    index = given_rank(space, body.genotype, body.format)
    request = TrainingRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        genotype=space.plan.unrank(index),
        skeleton=trained_skeleton(space, body.skeleton, dataset, "/skeleton"),
        dataset=dataset.reference,
        data=carried(dataset),
        recipe=training_recipe(body.recipe, dataset, "/recipe"),
        recompute=body.recompute,
        processes=body.processes,
        seed=body.seed,
        device=body.device,
    )
    network = Network(space, space.digest, index, request.skeleton, dataset.input)
    network_cost(network)
    return request, network


def planned_search(space: SearchSpace, request: SearchRequest) -> list[PlannedNetwork]:
    """What a search would train, and what is known of it."""
    dataset = described(request.dataset, request.data)
    params, work = supernet_cost(Supernet(space, space.digest, request.skeleton, dataset.input))
    elsewhere = dataset if request.retrain_dataset is None else described(request.retrain_dataset, request.retrain_data)
    splits = elsewhere.splits
    retrained = PlannedNetwork(
        role="retrained",
        skeleton=asdict(request.retrain_skeleton),
        params=None,
        macs=None,
        peak_memory_bytes=None,
        epochs=request.retrain_recipe.epochs,
        images=splits["weights"] + splits["architecture"],
    )
    supernet = PlannedNetwork(
        role="supernet",
        skeleton=asdict(request.skeleton),
        params=params,
        macs=work,
        peak_memory_bytes=None,
        epochs=request.recipe.epochs,
        images=dataset.splits["weights"],
    )
    baseline = [retrained.model_copy(update={"role": "baseline"})] if request.baseline else []
    return [supernet, retrained, *baseline]


def planned_training(request: TrainingRequest, network: Network) -> list[PlannedNetwork]:
    """What a training would train: everything about it is known but its result."""
    dataset, cost = described(request.dataset, request.data), network_cost(network)
    return [
        PlannedNetwork(
            role="architecture",
            skeleton=asdict(request.skeleton),
            params=cost.params,
            macs=cost.macs,
            peak_memory_bytes=training_memory(network, request.recipe),
            epochs=request.recipe.epochs,
            images=dataset.splits["weights"] + dataset.splits["architecture"],
        )
    ]


def is_small(dataset: Dataset) -> bool:
    """Whether images are too small for skeletons made for 32 pixels, or scenes for those of photographs."""
    most = SMALL_PIXELS if dataset.task == "classification" else SMALL_SCENE
    return min(dataset.input.height, dataset.input.width) <= most


def default_discretisation(space: SearchSpace) -> Discretisation:
    """DARTS' own rule where nodes choose among inputs, else the strongest option of each decision."""
    return "darts" if any(decision.kind == "subset" for decision in space.plan.decisions()) else "argmax"
