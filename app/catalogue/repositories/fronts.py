"""Pareto fronts of evaluations: every point to which no other is both as small and as accurate.

A front is found class by class, from the smallest size on. Of a class of sizes (`size_class`) only those rows are read
that beat everything smaller: all others are behind already.

    bar of a class = the best accuracy of the classes before it        rows above the bar, in order of size
    on the front   = more accurate than every row before
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, literal_column, or_, select, true
from sqlalchemy.orm import Session

from app.catalogue.repositories.evaluation_query import EvaluationQuery, of_cohorts, within_bounds
from app.catalogue.repositories.rankings import Size, parts_of, rows_of
from app.catalogue.tables import cohorts, evaluations


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
    asked = list(session.scalars(select(cohorts.c.id).where(of_cohorts(wanted)).order_by(cohorts.c.id)))
    if not asked:
        return ()
    ranked = replace(wanted, sort="accuracy", descending=True, after=None)
    parts = parts_of(ranked, asked, size).cte("parts").prefix_with("MATERIALIZED")
    head = rows_of(ranked, parts, size, 1)
    best = (
        select(parts.c.size_class, func.max(head.c.accuracy).label("best"))
        .select_from(parts)
        .join(head, true())
        .group_by(parts.c.size_class)
        .cte("best")
    )
    before: dict[str, Any] = {"rows": (None, -1)}
    bars = (
        select(
            best.c.size_class,
            best.c.best,
            func.max(best.c.best).over(order_by=best.c.size_class, **before).label("bar"),
        )
        .cte("bars")
        .prefix_with("MATERIALIZED")
    )
    e = evaluations.c
    above = (
        select(e.id, e[size].label("size"), e.accuracy)
        .where(
            e.cohort_id == parts.c.cohort_id,
            func.size_class(e[size]) == parts.c.size_class,
            e.accuracy.is_not(None),
            # One comparison, and a question of its own for each class: so that it is a condition of the index.
            e.accuracy > func.coalesce(bars.c.bar, literal_column("'-infinity'::float8")),
            *within_bounds(wanted),
        )
        .offset(0)
        .lateral("above")
    )
    climbing = or_(bars.c.bar.is_(None), bars.c.best > bars.c.bar)
    joined = parts.join(bars, bars.c.size_class == parts.c.size_class).join(above, true())
    rows = select(above.c.id, above.c.size, above.c.accuracy).select_from(joined).where(climbing).subquery("rows")
    order = rows.c.size, rows.c.accuracy.desc(), rows.c.id
    smaller = func.max(rows.c.accuracy).over(order_by=order, **before).label("smaller")
    seen = select(rows, smaller).subquery("seen")
    points = (
        select(seen.c.id, seen.c.size, seen.c.accuracy)
        .where(or_(seen.c.smaller.is_(None), seen.c.accuracy > seen.c.smaller))
        .order_by(seen.c.size)
    )
    return tuple(FrontPoint(id, value, accuracy) for id, value, accuracy in session.execute(points))
