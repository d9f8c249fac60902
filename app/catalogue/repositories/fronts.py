"""Pareto fronts of evaluations: every point to which no other is both as small and as accurate.

A front ends with the most accurate evaluation there is: nothing larger is on it. It is found class by class, from the
smallest size up to that one's. Of a class of sizes (`size_class`) only those rows are read that beat everything
smaller: all others are behind already.

    bar of a class = the best accuracy of the classes before it        rows above the bar, in order of size
    on the front   = more accurate than every row before
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal_column, or_, select, true
from sqlalchemy.orm import Session

from app.catalogue.repositories.evaluation_query import EvaluationQuery, is_narrow, of_cohorts
from app.catalogue.repositories.rankings import Size, bounded, few_within, parts_of, places, rest_of, rows_of
from app.catalogue.tables import cohorts, evaluations

BEFORE: dict[str, Any] = {"rows": (None, -1)}  # of a window: all rows before this one


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """An evaluation on a front."""

    id: UUID
    size: int  # params or macs
    accuracy: float  # percent


def front(session: Session, wanted: EvaluationQuery, size: Size) -> tuple[FrontPoint, ...]:
    """The whole front, the smallest first: a size to be small, accuracy to be high.

    Of several evaluations with the same size and accuracy it has the one with the smallest id.
    """
    e = evaluations.c
    ranked = replace(wanted, sort="accuracy", descending=True, limit=1, after=None)
    best = places(session, ranked)
    if not best:
        return ()
    largest = session.execute(select(e[size]).where(e.id == best[0])).scalar_one()
    asked = replace(ranked, **{f"max_{size}": largest})
    rows = (within_few(asked, size) if is_narrow(asked) else above_bars(session, asked, size)).subquery("rows")
    order = rows.c.size, rows.c.accuracy.desc(), rows.c.id
    smaller = func.max(rows.c.accuracy).over(order_by=order, **BEFORE).label("smaller")
    seen = select(rows, smaller).subquery("seen")
    points = (
        select(seen.c.id, seen.c.size, seen.c.accuracy)
        .where(or_(seen.c.smaller.is_(None), seen.c.accuracy > seen.c.smaller))
        .order_by(seen.c.size)
    )
    return tuple(FrontPoint(id, value, accuracy) for id, value, accuracy in session.execute(points))


def within_few(wanted: EvaluationQuery, size: Size) -> Select[Any, Any, Any]:
    """All rows of one architecture or one job."""
    e = evaluations.c
    rows = select(e.id, e[size].label("size"), e.accuracy).select_from(evaluations.join(cohorts))
    return rows.where(of_cohorts(wanted), *rest_of(wanted))


def above_bars(session: Session, wanted: EvaluationQuery, size: Size) -> Select[Any, Any, Any]:
    """The rows of each class of sizes that are more accurate than all in the classes before."""
    asked = list(session.scalars(select(cohorts.c.id).where(of_cohorts(wanted)).order_by(cohorts.c.id)))
    for bound in bounded(wanted):
        none = few_within(session, wanted, asked, bound, 0)
        asked = [cohort for cohort in asked if cohort not in none]
    parts = parts_of(wanted, asked, size).cte("parts").prefix_with("MATERIALIZED")
    head = rows_of(wanted, parts, size, 1)
    best = (
        select(parts.c.size_class, func.max(head.c.accuracy).label("best"))
        .select_from(parts)
        .join(head, true())
        .group_by(parts.c.size_class)
        .cte("best")
    )
    bar = func.max(best.c.best).over(order_by=best.c.size_class, **BEFORE).label("bar")
    bars = select(best.c.size_class, best.c.best, bar).cte("bars").prefix_with("MATERIALIZED")
    e = evaluations.c
    above = (
        select(e.id, e[size].label("size"), e.accuracy)
        .where(
            e.cohort_id == parts.c.cohort_id,
            func.size_class(e[size]) == parts.c.size_class,
            # One comparison, and a question of its own for each class: so that it is a condition of the index.
            e.accuracy > func.coalesce(bars.c.bar, literal_column("'-infinity'::float8")),
            *rest_of(wanted),
        )
        .offset(0)
        .lateral("above")
    )
    climbing = or_(bars.c.bar.is_(None), bars.c.best > bars.c.bar)
    joined = parts.join(bars, bars.c.size_class == parts.c.size_class).join(above, true())
    return select(above.c.id, above.c.size, above.c.accuracy).select_from(joined).where(climbing)
