"""What was measured of each architecture over several seeds: never across recipes, data sets, splits or kinds.

A page is one of architectures: first their ids are found, in order, then what each of them has is summed up.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, Text, Uuid, distinct, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import Session

from app.catalogue.repositories.evaluation_query import EvaluationQuery, of_cohorts, within_bounds
from app.catalogue.rows import EvaluationKind
from app.catalogue.tables import architectures, cohorts, evaluations
from app.experiment import Split

SHOWN = 20  # seeds that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Results of one architecture that compare."""

    architecture_id: str
    space_name: str
    space_version: int
    space_digest: str
    index: int
    params: int
    macs: int
    dataset: str
    split: Split
    kind: EvaluationKind
    recipe_name: str
    recipe_digest: str
    evaluations: int
    seeds: int  # different ones
    named: list[int]  # the smallest of them
    mean: float
    deviation: float | None  # of a sample; None of a single result
    minimum: float
    maximum: float


def summarised(
    session: Session, wanted: EvaluationQuery, metric: str, *, after: str | None, most: int
) -> tuple[tuple[Summary, ...], str | None]:
    """The next architectures that have the metric, by their ids, each with all its groups; and the id to go on after,
    if there are more."""
    a, c, e = architectures.c, cohorts.c, evaluations.c
    # By their ids: the planner knows how many rows of a cohort there are, and walks no million for those of a rare one.
    asked = list(session.scalars(select(c.id).where(of_cohorts(wanted))))
    if not asked:
        return (), None
    number = _number(metric)
    among = e.cohort_id == func.any(literal(asked, ARRAY(Uuid)))
    clauses = [among, *within_bounds(wanted), number.is_not(None)]
    ids = select(e.architecture_id).distinct().where(*clauses)
    if after is not None:
        ids = ids.where(e.architecture_id > after)
    found = list(session.scalars(ids.order_by(e.architecture_id).limit(most + 1)))
    page = found[:most]
    if not page:
        return (), None
    own = a.id, a.space_name, a.space_version, a.space_digest, a.index, a.params, a.macs
    key = c.dataset, c.split, c.kind, c.recipe_digest
    seeds = func.array_agg(aggregate_order_by(distinct(e.seed), e.seed.asc()))
    statement = (
        select(
            a.id.label("architecture_id"),
            *own[1:],
            *key,
            func.min(c.recipe_name).label("recipe_name"),
            func.count().label("evaluations"),
            func.count(distinct(e.seed)).label("seeds"),
            seeds.label("named"),
            func.avg(number).label("mean"),
            func.stddev_samp(number).label("deviation"),
            func.min(number).label("minimum"),
            func.max(number).label("maximum"),
        )
        .select_from(evaluations.join(cohorts).join(architectures))
        .where(e.architecture_id == func.any(literal(page, ARRAY(Text))), *clauses)
        .group_by(a.id, *key)
        .order_by(a.id, *key)
    )
    rows: list[Any] = list(session.execute(statement).mappings())
    summaries = tuple(Summary(**dict(row) | {"named": row["named"][:SHOWN]}) for row in rows)
    return summaries, page[-1] if len(found) > most else None


def _number(metric: str) -> ColumnElement[float]:
    e = evaluations.c
    if metric == "accuracy":
        return e.accuracy
    return func.json_extract_path_text(e.metrics, metric).cast(Float)
