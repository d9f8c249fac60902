"""What a genotype costs on several skeletons and images: a pure question."""

from dataclasses import asdict

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.costs import refuse_giants
from app.api.membership import given_rank
from app.api.problems import fault_view, problem_of, unprocessable
from app.api.schemas.transfer import PlaceBody, PlacedCostView, PlacedView, TransferCostView, TransferQuestion
from app.architecture import LoweringError, Price, price_of
from app.space import Fault, ImageInput, SearchSpace, Skeleton

_PARTS = ("/skeleton", "/input")  # of a place; other pointers are into the genotype


def placed(space: SearchSpace, question: TransferQuestion) -> TransferCostView:
    """The cost in every place; a place without a network says why, and the others are answered all the same."""
    index = given_rank(space, question.genotype, question.format)
    places = question.places or [PlaceBody(skeleton=name) for name in space.skeletons]
    if not places:
        raise unprocessable("/places", f"the space {space.name} has no named skeletons; give places")
    first: Price | None = None
    found: list[PlacedView] = []
    for i, place in enumerate(places):
        skeleton = chosen_skeleton(space, place.skeleton, f"/places/{i}/skeleton")
        image = chosen_image(space, place.input)
        price, fault = priced(space, skeleton, image, index, f"/places/{i}")
        if i == 0:
            first = price
        name = next((name for name, known in space.skeletons.items() if known is skeleton), None)
        found.append(
            PlacedView(
                name=name,
                skeleton=asdict(skeleton),
                input=asdict(image),
                cost=None if price is None else placed_cost(price, first),
                fault=None if fault is None else fault_view(fault),
            )
        )
    return TransferCostView(space=identity(space), index=str(index), places=found)


def priced(
    space: SearchSpace, skeleton: Skeleton, image: ImageInput, index: int, pointer: str
) -> tuple[Price, None] | tuple[None, Fault]:
    """The price of a member, or why it has none, with a pointer that starts at the place's own."""
    try:
        price = price_of(space, skeleton, image, index)
        refuse_giants(price.params, price.macs)
    except LoweringError as error:
        problem = problem_of(error)
        assert problem is not None, "the table has a row for it"
        (fault,) = problem.errors
        inside = fault.pointer.startswith(_PARTS)
        return None, Fault((pointer if inside else "") + fault.pointer, fault.message, fault.value, fault.allowed)
    return price, None


def placed_cost(price: Price, first: Price | None) -> PlacedCostView:
    """A price beside that of the first place."""
    return PlacedCostView(
        params=price.params,
        macs=price.macs,
        activations=price.activations,
        depth=price.depth,
        params_ratio=price.params / first.params if first and first.params else None,
        macs_ratio=price.macs / first.macs if first and first.macs else None,
    )
