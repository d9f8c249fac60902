"""Pareto fronts across searches: the evaluations to which no other is both as small and as accurate.

The hypervolume of a front is the area that its points dominate, up to a reference that is worse than all of them:

    sum over the points, by rising size, of (accuracy - the one before) (largest size - size)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from app.api.dependencies import ServicesHere
from app.api.evaluations import CSV, AcrossRecipes, filters, refuse_mixtures
from app.api.schemas.pareto import AreaView, FrontView, PointView, ReferenceView
from app.api.services import Services
from app.api.statuses import declared
from app.api.tabulated import table_response
from app.api.views import evaluation_view
from app.catalogue import Evaluation, EvaluationQuery, evaluations
from app.catalogue.repositories.fronts import FrontPoint, front
from app.catalogue.repositories.rankings import places

router = APIRouter(prefix="/v1", tags=["evaluations"])

SizeName = Literal["params", "macs"]
Across = Annotated[SizeName, Query(description="The cost, which shall be small")]
Upwards = Annotated[Literal["accuracy"], Query(description="The quality, which shall be large")]
FrontLimit = Annotated[int, Query(ge=1, le=1000, description="At most so many points, the smallest first")]
Filters = Annotated[EvaluationQuery, Depends(filters)]
LargestSize = Annotated[
    int | None,
    Query(ge=0, lt=2**63, description="Size of the hypervolume's reference; default: the largest that is asked about"),
]
LeastAccuracy = Annotated[
    float | None,
    Query(ge=0, le=100, description="Its accuracy in percent; default: the least that is asked about"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The reference of a hypervolume, as far as the request gives it."""

    size: int | None
    accuracy: float | None


async def reference_of(reference_x: LargestSize = None, reference_y: LeastAccuracy = None) -> Given:
    """What the query string says of the reference."""
    return Given(size=reference_x, accuracy=reference_y)


Reference = Annotated[Given, Depends(reference_of)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The first points of a front, how many it has, and the area up to each of all, with its reference."""

    rows: tuple[Evaluation, ...]
    total: int
    areas: tuple[float, ...]
    size: int
    accuracy: float


@router.get("/pareto", responses=declared("mixed-results"))
def get_front(
    services: ServicesHere,
    wanted: Filters,
    given: Reference,
    x: Across = "macs",
    y: Upwards = "accuracy",
    across_recipes: AcrossRecipes = False,
    limit: FrontLimit = 200,
) -> FrontView:
    """The exact Pareto front of all evaluations that the filters leave: cost small, accuracy high.

    It is refused where it would mix recipes, data sets or splits, as a ranking is. Of evaluations with equal cost and
    accuracy one is a point. The hypervolume is that of the whole front, also where `limit` cuts the points off.
    """
    found = front_of(services, wanted, x, limit, given, across_recipes=across_recipes)
    points = [
        PointView(x=getattr(row, x), y=row.accuracy or 0.0, evaluation=evaluation_view(row)) for row in found.rows
    ]
    area = (
        AreaView(value=found.areas[-1], reference=ReferenceView(x=found.size, y=found.accuracy))
        if found.areas
        else None
    )
    return FrontView(x=x, y=y, points=points, total=found.total, complete=found.total == len(points), hypervolume=area)


@router.get("/pareto.csv", response_class=StreamingResponse, responses=CSV | declared("mixed-results"))
def export_front(
    services: ServicesHere,
    wanted: Filters,
    given: Reference,
    x: Across = "macs",
    y: Upwards = "accuracy",
    across_recipes: AcrossRecipes = False,
    limit: FrontLimit = 1000,
) -> StreamingResponse:
    """The exact Pareto front as comma-separated values, one line an evaluation, the smallest cost first.

    Beside the columns of evaluations each line has the hypervolume of the front up to it, and the reference of that.
    """
    found = front_of(services, wanted, x, limit, given, across_recipes=across_recipes)
    beside = [
        {"hypervolume": area, f"reference_{x}": found.size, "reference_accuracy": found.accuracy}
        for area in found.areas[: len(found.rows)]
    ]
    return table_response(found.rows, f"pareto-{x}-{y}", "csv", beside)


def front_of(
    services: Services, wanted: EvaluationQuery, x: SizeName, limit: int, given: Given, *, across_recipes: bool
) -> Front:
    """A front and its hypervolume. Raises a Problem where it would mix recipes."""
    with services.database.transaction() as session:
        if not across_recipes:
            refuse_mixtures(session, wanted)
        points = front(session, wanted, x)
        size, accuracy = given.size, given.accuracy
        if points and size is None:
            size = getattr(extreme(session, replace(wanted, sort=x, descending=True)), x)
        if points and accuracy is None:
            accuracy = extreme(session, replace(wanted, sort="accuracy", descending=False)).accuracy
        rows = evaluations.get_many(session, [point.id for point in points[:limit]])
    reference = size or 0, accuracy or 0.0
    areas = areas_of(points, *reference)
    return Front(rows=rows, total=len(points), areas=areas, size=reference[0], accuracy=reference[1])


def extreme(session: Session, wanted: EvaluationQuery) -> Evaluation:
    """The first evaluation in an order, by its index; there is one, as there is a front."""
    (row,) = evaluations.get_many(session, places(session, replace(wanted, limit=1, after=None)))
    return row


def areas_of(points: Sequence[FrontPoint], size: int, accuracy: float) -> tuple[float, ...]:
    """The area that a front dominates up to each of its points, which rise in size and in accuracy. A point that is no
    better than the reference adds none."""
    heights = pairwise((accuracy, *(max(accuracy, point.accuracy) for point in points)))
    strips = ((high - low) * max(0, size - point.size) for (low, high), point in zip(heights, points, strict=True))
    return tuple(accumulate(strips))
