"""Pareto fronts across searches: the evaluations to which no other is both as small and as accurate."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from app.api.dependencies import ServicesHere
from app.api.evaluations import CSV, AcrossRecipes, filters, refuse_mixtures
from app.api.schemas.pareto import FrontView, PointView
from app.api.services import Services
from app.api.statuses import declared
from app.api.tabulated import table_response
from app.api.views import evaluation_view
from app.catalogue import Evaluation, EvaluationQuery, evaluations
from app.catalogue.repositories.fronts import front

router = APIRouter(prefix="/v1", tags=["evaluations"])

SizeName = Literal["params", "macs"]
Across = Annotated[SizeName, Query(description="The cost, which shall be small")]
Upwards = Annotated[Literal["accuracy"], Query(description="The quality, which shall be large")]
FrontLimit = Annotated[int, Query(ge=1, le=1000, description="At most so many points, the smallest first")]
Filters = Annotated[EvaluationQuery, Depends(filters)]


@router.get("/pareto", responses=declared("mixed-results"))
def get_front(
    services: ServicesHere,
    wanted: Filters,
    x: Across = "macs",
    y: Upwards = "accuracy",
    across_recipes: AcrossRecipes = False,
    limit: FrontLimit = 200,
) -> FrontView:
    """The exact Pareto front of all evaluations that the filters leave: cost small, accuracy high.

    It is refused where it would mix recipes, data sets or splits, as a ranking is. Of evaluations with equal cost and
    accuracy one is a point.
    """
    rows, total = front_of(services, wanted, x, limit, across_recipes=across_recipes)
    points = [PointView(x=getattr(row, x), y=row.accuracy or 0.0, evaluation=evaluation_view(row)) for row in rows]
    return FrontView(x=x, y=y, points=points, total=total, complete=total == len(points))


@router.get("/pareto.csv", response_class=StreamingResponse, responses=CSV | declared("mixed-results"))
def export_front(
    services: ServicesHere,
    wanted: Filters,
    x: Across = "macs",
    y: Upwards = "accuracy",
    across_recipes: AcrossRecipes = False,
    limit: FrontLimit = 1000,
) -> StreamingResponse:
    """The exact Pareto front as comma-separated values, one line an evaluation, the smallest cost first."""
    rows, _ = front_of(services, wanted, x, limit, across_recipes=across_recipes)
    return table_response(rows, f"pareto-{x}-{y}", "csv")


def front_of(
    services: Services, wanted: EvaluationQuery, x: SizeName, limit: int, *, across_recipes: bool
) -> tuple[tuple[Evaluation, ...], int]:
    """The evaluations of a front and how many points it has. Raises a Problem where it would mix recipes."""
    with services.database.transaction() as session:
        if not across_recipes:
            refuse_mixtures(session, wanted)
        points = front(session, wanted, x)
        return evaluations.get_many(session, [point.id for point in points[:limit]]), len(points)
