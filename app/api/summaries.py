"""Mean and deviation over seeds: what was measured of an architecture more than once."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query

from app.api.cursors import read_cursor, write_cursor
from app.api.dependencies import Cursor, PageLimit, ServicesHere
from app.api.evaluations import filters
from app.api.schemas.space import SpaceIdentity
from app.api.schemas.summary import SummaryLinks, SummaryPage, SummaryView
from app.catalogue import EvaluationQuery
from app.catalogue.repositories.summaries import Summary, summarised

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])

Metric = Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="What is summed up")]


@router.get("/summary")
def summarise(
    services: ServicesHere,
    wanted: Annotated[EvaluationQuery, Depends(filters)],
    metric: Metric = "accuracy",
    limit: PageLimit = 50,
    cursor: Cursor = None,
) -> SummaryPage:
    """Each architecture with mean, deviation and n over its seeds, apart by data set, split, kind and recipe.

    A page has `limit` architectures, in the order of their ids. Results that do not compare are never put together.
    """
    scope = f"summary {metric} {replace(wanted, limit=0, after=None)}"
    after = None if cursor is None else read_cursor(services.secret, scope, cursor)["id"]
    with services.database.transaction() as session:
        found, last = summarised(session, wanted, metric, after=after, most=limit)
    return SummaryPage(
        items=[summary_view(row, metric) for row in found],
        next=None if last is None else write_cursor(services.secret, scope, {"id": last}),
    )


def summary_view(row: Summary, metric: str) -> SummaryView:
    """A summary as it travels."""
    same = {
        "architecture": row.architecture_id,
        "dataset": row.dataset,
        "split": row.split,
        "kind": row.kind,
        "recipe": row.recipe_digest,
    }
    return SummaryView(
        architecture_id=row.architecture_id,
        space=SpaceIdentity(name=row.space_name, version=row.space_version, digest=row.space_digest),
        index=str(row.index),
        params=row.params,
        macs=row.macs,
        dataset=row.dataset,
        split=row.split,
        kind=row.kind,
        recipe=row.recipe_name,
        recipe_digest=row.recipe_digest,
        metric=metric,
        evaluations=row.evaluations,
        n=row.seeds,
        seeds=row.named,
        mean=row.mean,
        deviation=row.deviation,
        minimum=row.minimum,
        maximum=row.maximum,
        links=SummaryLinks(
            architecture=f"/v1/architectures/{row.architecture_id}", evaluations=f"/v1/evaluations?{urlencode(same)}"
        ),
    )
