"""Comparison of two spaces: sizes, costs of uniform samples within bounded time, and measured accuracies."""

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random

from fastapi import APIRouter

from app.api.answers import chosen_image, chosen_skeleton
from app.api.costs import refuse_giants
from app.api.dependencies import ServicesHere
from app.api.library import find_space
from app.api.problems import Problem, relocated
from app.api.schemas.comparison import (
    AccuracyView,
    ComparedView,
    ComparisonQuestion,
    ComparisonView,
    DistributionView,
    EdgesView,
)
from app.api.services import Services
from app.api.sizes import size_view, stored_counts
from app.architecture import LoweringError, judge_of, price_of
from app.catalogue import EvaluationQuery, evaluations
from app.space import ImageInput, SearchSpace, Skeleton, SpaceError
from app.space.validity import valid_ranks

SECONDS = 5.0  # for pricing the members of one space

router = APIRouter(prefix="/v1", tags=["spaces"])


@dataclass(frozen=True, slots=True)
class Priced:
    """What members cost: (params, MACs) of each, and how that was found or why not."""

    costs: tuple[tuple[int, int], ...]
    how: str


@router.post("/compare")
def compare_spaces(services: ServicesHere, question: ComparisonQuestion) -> ComparisonView:
    """Two spaces side by side: sizes, costs of uniform samples, and accuracies where the catalogue has any."""
    spaces = [find_space(services, reference) for reference in question.spaces]
    skeletons = [chosen(space, question, i) for i, space in enumerate(spaces)]
    images = [chosen_image(space, question.input) for space in spaces]
    priced = [
        priced_sample(space, skeleton, image, question)
        for space, skeleton, image in zip(spaces, skeletons, images, strict=True)
    ]
    numbers = [[n for found in priced for n in column(found, i)] for i in (0, 1)]
    params_edges, macs_edges = (edges(values, question.bins) for values in numbers)
    return ComparisonView(
        seed=question.seed,
        params_edges=params_edges,
        macs_edges=macs_edges,
        spaces=[
            ComparedView(
                sizes=size_view(space, stored_counts(services, space)),
                skeleton=None if skeleton is None else asdict(skeleton),
                input=asdict(image),
                params=distribution(column(found, 0), params_edges),
                macs=distribution(column(found, 1), macs_edges),
                priced=found.how,
                accuracy=accuracies(services, space),
            )
            for space, skeleton, image, found in zip(spaces, skeletons, images, priced, strict=True)
        ],
    )


def chosen(space: SearchSpace, question: ComparisonQuestion, place: int) -> Skeleton | None:
    """The skeleton of one of the two; None where the space has none and none is given."""
    choice = None if question.skeletons is None else question.skeletons[place]
    if choice is None and not space.skeletons:
        return None
    with relocated("/skeleton", f"/skeletons/{place}"):
        return chosen_skeleton(space, choice)


def priced_sample(
    space: SearchSpace, skeleton: Skeleton | None, image: ImageInput, question: ComparisonQuestion
) -> Priced:
    """The costs of uniform valid members, as many as time allows."""
    if skeleton is None:
        return Priced((), "the space has no skeleton, and none was given")
    started, costs, how = time.monotonic(), list[tuple[int, int]](), "each exactly"
    try:
        ranks, _ = valid_ranks(space, Random(question.seed), question.count, judge_of(space))
        for index in ranks:
            if costs and time.monotonic() - started > SECONDS:
                how += f"; {len(costs)} of {question.count} in the {SECONDS:g} s that there are"
                break
            costs.append(told_price(space, skeleton, image, index))
    except (LoweringError, SpaceError, Problem) as error:
        return Priced((), str(error))
    return Priced(tuple(costs), how)


def told_price(space: SearchSpace, skeleton: Skeleton, image: ImageInput, index: int) -> tuple[int, int]:
    """(params, MACs) of a member, where numbers so large can be told."""
    price = price_of(space, skeleton, image, index)
    refuse_giants(price.params, price.macs)
    return price.params, price.macs


def column(priced: Priced, place: int) -> list[int]:
    """All params (0) or MACs (1) of a sample."""
    return [cost[place] for cost in priced.costs]


def edges(values: Sequence[int], bins: int) -> EdgesView | None:
    """Bins that hold all values; logarithmic where they span more than a factor of ten."""
    if not values:
        return None
    low, high = min(values), max(max(values), min(values) + 1)
    if low > 0 and high > 10 * low:
        inner = [low * (high / low) ** (i / bins) for i in range(1, bins)]
        return EdgesView(scale="logarithmic", values=[low, *inner, high])
    inner = [low + (high - low) * i / bins for i in range(1, bins)]
    return EdgesView(scale="linear", values=[low, *inner, high])


def distribution(values: Sequence[int], bins: EdgesView | None) -> DistributionView | None:
    """A sample in numbers."""
    if not values or bins is None:
        return None
    ordered = sorted(values)
    histogram = [0] * (len(bins.values) - 1)
    for value in ordered:
        histogram[min(bisect_right(bins.values, value) - 1, len(histogram) - 1)] += 1
    return DistributionView(
        count=len(ordered),
        mean=sum(ordered) / len(ordered),
        minimum=ordered[0],
        p5=percentile(ordered, 0.05),
        p25=percentile(ordered, 0.25),
        median=percentile(ordered, 0.5),
        p75=percentile(ordered, 0.75),
        p95=percentile(ordered, 0.95),
        maximum=ordered[-1],
        histogram=histogram,
    )


def percentile(ordered: Sequence[int], share: float) -> float:
    """Linear between the two nearest of the ordered values."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def accuracies(services: Services, space: SearchSpace) -> list[AccuracyView]:
    """What was measured of a space, apart by what does not compare."""
    with services.database.transaction() as session:
        found = evaluations.accuracies(session, EvaluationQuery(viewer=services.caller.owner, space=space.digest))
    return [AccuracyView.model_validate(asdict(summary)) for summary in found]
