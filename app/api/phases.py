"""What a request would train, phase by phase, as a load of each step. Pure questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from app.api.costs import Network, Supernet, network_cost, supernet_cost
from app.api.memory import training_memory
from app.architecture import judge_of, lower
from app.architecture.extent import extent
from app.experiment import (
    Dataset,
    DiscreteSearchRequest,
    InheritedEvaluator,
    SearchRequest,
    SharingCheck,
    TrainingEvaluator,
    TrainingRecipe,
    TrainingRequest,
    described,
)
from app.experiment.pace import Load
from app.space import ImageInput, SearchSpace, Skeleton
from app.space.errors import Unmet
from app.space.validity import valid_ranks

DRAWN = 5  # members that stand for one that is not decided yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A kind of phase of a job. Of a network that is not decided yet, the smallest and the largest that was drawn."""

    name: str
    loads: tuple[Load, ...]  # ascending; the one in the middle is expected
    steps: int
    times: int = 1


def phases_of_training(request: TrainingRequest, network: Network) -> list[Phase]:
    """The one phase of a training."""
    dataset = described(request.dataset, request.data)
    load = load_of(network, request.recipe, recompute=request.recompute)
    return [Phase(name="architecture", loads=(load,), steps=steps_of(request.recipe, fitted(dataset)))]


def phases_of_search(space: SearchSpace, request: SearchRequest) -> list[Phase]:
    """The supernet, then the trainings from scratch."""
    dataset = described(request.dataset, request.data)
    elsewhere = dataset if request.retrain_dataset is None else described(request.retrain_dataset, request.retrain_data)
    supernet = Supernet(space, space.digest, request.skeleton, dataset.input)
    load = Load(
        subject="supernet",
        strategy=request.strategy,
        macs=supernet_cost(supernet)[1],
        extent=supernet_extent(supernet) * request.recipe.batch_size,
        batch_size=request.recipe.batch_size,
        precision=request.recipe.precision,
        recompute=request.recompute,
    )
    recipe, seeds = request.retrain_recipe, len(request.seeds) or 1
    trained = Phase(
        name="retrained",
        loads=drawn_loads(space, request.retrain_skeleton, elsewhere.input, recipe, recompute=request.recompute),
        steps=steps_of(recipe, fitted(elsewhere)),
        times=seeds * (2 if request.baseline else 1),
    )
    steps = request.recipe.epochs * batches(dataset.splits["weights"], request.recipe.batch_size)
    return [Phase(name="supernet", loads=(load,), steps=steps), trained]


def phases_of_discrete(space: SearchSpace, request: DiscreteSearchRequest, epochs: int) -> list[Phase]:
    """The trainings of a discrete search, or its supernet; none where it trains nothing.

    Args:
        space: that is searched.
        request: complete.
        epochs: of all trainings together.
    """
    match request.evaluator:
        case TrainingEvaluator(recipe=recipe) as evaluator:
            dataset = described(evaluator.dataset, evaluator.data)
            loads = drawn_loads(space, request.skeleton, request.image, recipe)
            steps = batches(fitted(dataset), recipe.batch_size)
            return [Phase(name="trained", loads=loads, steps=steps, times=epochs)]
        case InheritedEvaluator(recipe=recipe) as evaluator:
            dataset = described(evaluator.dataset, evaluator.data)
            supernet = Supernet(space, space.digest, evaluator.skeleton, dataset.input)
            load = Load(
                subject="supernet",
                strategy=evaluator.paths,
                macs=supernet_cost(supernet)[1],
                extent=supernet_extent(supernet) * recipe.batch_size,
                batch_size=recipe.batch_size,
                precision=recipe.precision,
            )
            steps = recipe.epochs * batches(dataset.splits["weights"], recipe.batch_size)
            found = [Phase(name="supernet", loads=(load,), steps=steps)]
            match evaluator.check:
                case SharingCheck() as check:
                    loads = drawn_loads(space, request.skeleton, request.image, check.recipe)
                    steps = steps_of(check.recipe, fitted(dataset))
                    times = check.members * len(check.seeds)
                    found.append(Phase(name="checked", loads=loads, steps=steps, times=times))
                case None:
                    pass
            return found
        case _:
            return []


def load_of(network: Network, recipe: TrainingRecipe, *, recompute: bool = False) -> Load:
    """A step of training one network."""
    return Load(
        subject="network",
        strategy=None,
        macs=network_cost(network).macs,
        extent=training_memory(network, recipe),
        batch_size=recipe.batch_size,
        precision=recipe.precision,
        recompute=recompute,
    )


def drawn_loads(
    space: SearchSpace, skeleton: Skeleton, image: ImageInput, recipe: TrainingRecipe, *, recompute: bool = False
) -> tuple[Load, ...]:
    """Steps of a few members drawn uniformly, the same for the same question; none where none can be drawn."""
    try:
        ranks, _ = valid_ranks(space, Random(0), DRAWN, judge_of(space))
    except Unmet:
        return ()
    networks = [Network(space, space.digest, rank, skeleton, image) for rank in ranks]
    networks.sort(key=lambda network: network_cost(network).macs)
    chosen: Sequence[Network] = [networks[0], networks[len(networks) // 2], networks[-1]]
    return tuple(load_of(network, recipe, recompute=recompute) for network in chosen)


@lru_cache(maxsize=64)
def supernet_extent(supernet: Supernet) -> int:
    """Bytes that the nodes of a supernet put out for one image."""
    return extent(lower(supernet.space.grammar, supernet.skeleton, supernet.image), 1)


def fitted(dataset: Dataset) -> int:
    """Images of an epoch of training from scratch."""
    return dataset.splits["weights"] + dataset.splits["architecture"]


def steps_of(recipe: TrainingRecipe, images: int) -> int:
    """Steps of a training."""
    return recipe.epochs * batches(images, recipe.batch_size)


def batches(images: int, batch_size: int) -> int:
    """Whole batches of an epoch; one where there are fewer images."""
    return max(1, images // batch_size)
