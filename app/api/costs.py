"""What networks cost: members and supernets on a skeleton. Pure questions; domain errors pass through."""

import dataclasses
from dataclasses import asdict, dataclass
from functools import lru_cache

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.membership import given_rank
from app.api.schemas.cost import CostQuestion, CostView, NodeCostView, ReceptiveFieldView
from app.architecture import (
    Cost,
    LoweringError,
    NodeCost,
    ReceptiveField,
    architecture_id,
    cost,
    count,
    lower,
    macs,
    price_of,
)
from app.space import ImageInput, SearchSpace, Skeleton


def costs(space: SearchSpace, question: CostQuestion) -> CostView:
    """What a genotype costs on a skeleton."""
    index = given_rank(space, question.genotype, question.format)
    skeleton, image = chosen_skeleton(space, question.skeleton), chosen_image(space, question.input)
    nodes: tuple[NodeCost, ...] = ()
    field: ReceptiveFieldView | None = None
    wanted = question.by_node if question.receptive_field is None else question.receptive_field
    if question.by_node or wanted:
        total = network_cost(Network(space, space.digest, index, skeleton, image))
        nodes = total.by_node if question.by_node else ()
        field = field_view(total.receptive_field, image) if wanted else None
    else:
        total = price_of(space, skeleton, image, index)
        refuse_giants(total.params, total.macs)
    return CostView(
        space=identity(space),
        index=str(index),
        skeleton=asdict(skeleton),
        input=asdict(image),
        params=total.params,
        macs=total.macs,
        activations=total.activations,
        depth=total.depth,
        receptive_field=field,
        by_node=[
            NodeCostView(name=n.name, op=n.op, params=n.params, macs=n.macs, activations=n.activations) for n in nodes
        ],
    )


def field_view(field: ReceptiveField | None, image: ImageInput) -> ReceptiveFieldView:
    """A receptive field beside the image; None is everything."""
    if field is None:
        return ReceptiveFieldView(height=None, width=None, covers_input=True)
    covers = field.height >= image.height and field.width >= image.width
    return ReceptiveFieldView(height=field.height, width=field.width, covers_input=covers)


@dataclass(frozen=True, slots=True)
class Network:
    """A member on a skeleton. The space itself takes no part in comparisons: its digest does."""

    space: SearchSpace = dataclasses.field(compare=False)
    digest: str
    index: int
    skeleton: Skeleton
    image: ImageInput


@lru_cache(maxsize=64)
def network_cost(network: Network) -> Cost:
    """The cost of a member; the last few are remembered, for questions come in threes: cost, drawing, dry run."""
    space = network.space
    genotype = space.plan.unrank(network.index)
    total = cost(lower(space.grammar, network.skeleton, network.image, space.plan.read(genotype)))
    refuse_giants(total.params, total.macs)
    return total


@lru_cache(maxsize=1024)
def network_identity(network: Network) -> str:
    """The architecture id of a member on a skeleton; what is trained again and again, seed by seed, is remembered."""
    genotype = network.space.plan.unrank(network.index)
    return architecture_id(network.space, network.skeleton, network.image, genotype)


def refuse_giants(params: int, work: int) -> None:
    """Costs travel as JSON numbers: what cannot, no machine could run either."""
    if max(params, work) >= 2**53:
        message = f"the network has {params} params and {work} MACs; at most 2^53 of each can be told"
        raise LoweringError("/skeleton", message)


@dataclass(frozen=True, slots=True)
class Supernet:
    """A space on a skeleton, nothing decided."""

    space: SearchSpace = dataclasses.field(compare=False)
    digest: str
    skeleton: Skeleton
    image: ImageInput


@lru_cache(maxsize=64)
def supernet_cost(supernet: Supernet) -> tuple[int, int]:
    """(params, MACs of one image) of a supernet, every option computed."""
    graph = lower(supernet.space.grammar, supernet.skeleton, supernet.image)
    params, work = count(graph), macs(graph)
    refuse_giants(params, work)
    return params, work
