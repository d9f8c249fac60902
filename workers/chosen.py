"""The genotype that a search over a supernet ends with, and the random ones beside it: valid, and within its bounds."""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from torch import Tensor

from app.architecture import judge_of, lower
from app.architecture.bounded import COSTS, Meter
from app.experiment import SearchRequest
from app.space import Genotype, ImageInput, SearchSpace
from app.space.errors import Unmet
from app.space.validity import valid_ranks
from workers.session import RequestError
from workers.supernet.budgeted import within
from workers.supernet.discretise import genotype_of, plain
from workers.training.determinism import stream_seed

TRIES = 1000  # random genotypes that are drawn for one other than what was found


@dataclass(frozen=True, slots=True)
class Chosen:
    """What weights stand for."""

    genotype: Genotype
    budget: dict[str, object] | None  # the bounds, whether it is the best within them, its score and costs
    heaviest: bool  # whether every decision takes the heaviest of its options


def chosen(request: SearchRequest, space: SearchSpace, image: ImageInput, weights: Mapping[str, Tensor]) -> Chosen:
    """The genotype that weights (O,) stand for, on the retrain skeleton and its images.

    Raises Unattainable where no genotype keeps to the bounds, RequestError where a latency is missing.
    """
    heaviest = genotype_of(space.plan, weights, request.discretisation)
    if not (request.bounds.any or space.constraints or judge_of(space)):
        return Chosen(heaviest, None, heaviest=True)
    try:
        found = within(
            space,
            request.retrain_skeleton,
            image,
            plain(weights),
            request.discretisation,
            request.bounds,
            latencies=request.bound_latencies,
            factor=request.latency_factor,
        )
    except KeyError as missing:
        raise RequestError(f"the latencies lack {missing.args[0]}") from missing
    told = {"optimal": found.optimal, "score": found.score, "unbounded": found.unbounded, "costs": dict(found.costs)}
    budget = asdict(request.bounds) | told if request.bounds.any else None
    return Chosen(found.genotype, budget, heaviest=found.genotype == heaviest)


def another(
    request: SearchRequest, space: SearchSpace, image: ImageInput, found: Genotype, seed: int
) -> Genotype | None:
    """A valid genotype within the bounds, drawn uniformly from those other than what was found; None where none is
    met."""
    rng, judge = random.Random(stream_seed(seed, "baseline")), judge_of(space)
    affordable = _affordable(request, space, image)
    for _ in range(TRIES if space.plan.size > 1 else 0):
        try:
            ((rank,), _) = valid_ranks(space, rng, 1, judge)
        except Unmet:
            return None
        genotype = space.plan.unrank(rank)
        if genotype != found and affordable(rank):
            return genotype
    return None


def _affordable(request: SearchRequest, space: SearchSpace, image: ImageInput) -> Callable[[int], bool]:
    """Whether the member of a rank keeps to the bounds."""
    limits = {name: limit for name in COSTS if (limit := getattr(request.bounds, f"max_{name}")) is not None}
    if not limits:
        return lambda rank: True
    skeleton = request.retrain_skeleton
    graph = lower(space.grammar, skeleton, image)
    meter = Meter(space, skeleton, image, graph, request.bound_latencies or {}, request.latency_factor)

    def affordable(rank: int) -> bool:
        costs = meter.of(rank, list(limits))
        return all(costs[name] <= limit for name, limit in limits.items())

    return affordable
