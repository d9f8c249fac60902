"""Pages of millions of evaluations: which rows come next, from the indexes alone.

Evaluations are kept by cohort, in which all is equal that a filter may name. A page is merged from the heads of the
cohorts that are asked for: of n rows, the first n lie in the n cohorts whose first rows come first.

    cohorts x (class)  ->  the first row of each  ->  the first n of these  ->  n rows of each  ->  the first n

Within a bound on a size, a cohort of which few rows are that small gives all of these, by the index of that size. Any
other is walked in order; where that is the order of accuracy it is split further into classes of sizes (`size_class`),
so that small networks with high accuracy are not looked for among large ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, Uuid, func, literal, select, true, tuple_, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.catalogue.errors import InvalidCursor
from app.catalogue.repositories.evaluation_query import EvaluationQuery, is_narrow, of_cohorts, within_bounds
from app.catalogue.tables import cohorts, evaluations

Size = Literal["params", "macs"]

FEW = 1000  # rows of a cohort that are sorted at once instead of being looked for in order
MANY_COHORTS = 200  # from here on cohorts are not split into classes: there would be tens of thousands of parts


def places(session: Session, wanted: EvaluationQuery) -> list[UUID]:
    """The ids of one page, in order. Rows without the value that sorts are left out.

    Raises InvalidCursor when `after` holds a value of another type than the sort's.
    """
    if wanted.after is not None and isinstance(wanted.after[0], datetime) != (wanted.sort == "created_at"):
        raise InvalidCursor(f"a page sorted by {wanted.sort} cannot start after {wanted.after[0]!r}")
    if is_narrow(wanted):
        rows = select(evaluations.c.id).join(cohorts).where(of_cohorts(wanted), *rest_of(wanted))
        return list(session.scalars(rows.order_by(*order_of(wanted)).limit(wanted.limit)))
    left = list(session.scalars(select(cohorts.c.id).where(of_cohorts(wanted)).order_by(cohorts.c.id)))
    sizes, rows = bounded(wanted), list[Select[Any, Any]]()
    for size in sizes:
        few = few_within(session, wanted, left, size)
        left = [cohort for cohort in left if cohort not in few]
        if some := [cohort for cohort, count in few.items() if count]:
            rows.append(gathered(wanted, some, size))
    if left:
        classed = sizes and wanted.sort == "accuracy" and len(left) < MANY_COHORTS
        split = tightest(session, wanted, left, sizes) if classed else None
        rows.append(merged(wanted, left, split))
    if not rows:
        return []
    found = union_all(*rows).subquery()
    return list(session.scalars(select(found.c.id).order_by(*order_of(wanted, found.c)).limit(wanted.limit)))


def among(asked: Sequence[UUID]) -> Subquery:
    """These cohorts as rows to be joined with: one column, `cohort_id`."""
    return select(func.unnest(literal(list(asked), ARRAY(Uuid))).label("cohort_id")).subquery("asked")


def rest_of(wanted: EvaluationQuery) -> Sequence[ColumnElement[bool]]:
    """What is asked of the rows of a cohort: bounds, a value that sorts, a place after the page before."""
    column = evaluations.c[wanted.sort]
    clauses = [*within_bounds(wanted), column.is_not(None)]
    if wanted.after is not None:
        value, id = wanted.after
        place, last = tuple_(column, evaluations.c.id), tuple_(value, id)
        clauses.append(place < last if wanted.descending else place > last)
    return clauses


def order_of(wanted: EvaluationQuery, columns: Any = evaluations.c) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The order of a page."""
    value, id = columns[wanted.sort], columns["id"]
    return (value.desc(), id.desc()) if wanted.descending else (value.asc(), id.asc())


def bounded(wanted: EvaluationQuery) -> Sequence[Size]:
    """The sizes that have a bound."""
    bounds: Mapping[Size, int | None] = {"params": wanted.max_params, "macs": wanted.max_macs}
    return [size for size, bound in bounds.items() if bound is not None]


def few_within(
    session: Session, wanted: EvaluationQuery, asked: Sequence[UUID], size: Size, few: int | None = None
) -> Mapping[UUID, int]:
    """The cohorts of which at most `few` (FEW) rows are within the bound on a size, and how many these are."""
    cohort, most = among(asked), FEW if few is None else few
    e = evaluations.c
    small = e[size] <= getattr(wanted, f"max_{size}")
    rows = select(e.id).where(e.cohort_id == cohort.c.cohort_id, small).order_by(e[size], e.id).limit(most + 1)
    number = select(func.count()).select_from(rows.correlate(cohort).subquery()).scalar_subquery()
    found = session.execute(select(cohort.c.cohort_id, number)).all()
    return {id: count for id, count in found if count <= most}


def tightest(session: Session, wanted: EvaluationQuery, asked: Sequence[UUID], sizes: Sequence[Size]) -> Size:
    """The size whose bound leaves the smallest share of its classes: the other one refuses few rows in these."""

    def share(size: Size) -> float:
        def classes(bound: int | None) -> int:
            parts = parts_of(replace(wanted, **{f"max_{size}": bound}), asked, size).subquery()
            return session.execute(select(func.count()).select_from(parts)).scalar_one()

        return classes(getattr(wanted, f"max_{size}")) / max(1, classes(None))

    return sizes[0] if len(sizes) == 1 else min(sizes, key=share)


def gathered(wanted: EvaluationQuery, asked: Sequence[UUID], size: Size) -> Select[Any, Any]:
    """All rows that are asked for in these cohorts, by the index of a size that few of them have."""
    cohort = among(asked)
    e = evaluations.c
    mine = select(e.id, e[wanted.sort]).where(e.cohort_id == cohort.c.cohort_id, *rest_of(wanted))
    within = mine.order_by(e[size], e.id).offset(0).lateral()
    return select(within.c.id, within.c[wanted.sort]).select_from(cohort).join(within, true())


def merged(wanted: EvaluationQuery, asked: Sequence[UUID], size: Size | None) -> Select[Any, Any]:
    """The rows of a page, in order."""
    parts = parts_of(wanted, asked, size).cte("parts").prefix_with("MATERIALIZED")
    head = rows_of(wanted, parts, size, 1)
    heads = (
        select(parts)
        .join(head, true())
        .order_by(*order_of(wanted, head.c))
        .limit(wanted.limit)
        .cte("heads")
        .prefix_with("MATERIALIZED")
    )
    rows = rows_of(wanted, heads, size, wanted.limit)
    chosen = select(rows.c.id, rows.c[wanted.sort]).select_from(heads).join(rows, true())
    return chosen.order_by(*order_of(wanted, rows.c)).limit(wanted.limit)


def parts_of(wanted: EvaluationQuery, asked: Sequence[UUID], size: Size | None) -> Select[Any] | Select[Any, Any]:
    """The cohorts, split into the classes of a size from the smallest there is to the bound."""
    cohort = among(asked)
    if size is None:
        return select(cohort.c.cohort_id)
    e = evaluations.c[size]
    mine = evaluations.c.cohort_id == cohort.c.cohort_id
    first = select(e).where(mine).order_by(e, evaluations.c.id).limit(1).correlate(cohort).scalar_subquery()
    last = (
        select(e).where(mine).order_by(e.desc(), evaluations.c.id.desc()).limit(1).correlate(cohort).scalar_subquery()
    )
    bound: int | None = getattr(wanted, f"max_{size}")
    largest = last if bound is None else func.least(last, bound)
    ends = select(func.size_class(first).label("first"), func.size_class(largest).label("last")).lateral()
    classes = select(func.generate_series(ends.c.first, ends.c.last).label("size_class")).lateral()
    return select(cohort.c.cohort_id, classes.c.size_class).select_from(cohort).join(ends, true()).join(classes, true())


def rows_of(wanted: EvaluationQuery, parts: Any, size: Size | None, limit: int) -> FromClause:
    """The first rows of a part."""
    e = evaluations.c
    clauses = [e.cohort_id == parts.c.cohort_id, *rest_of(wanted)]
    if size is not None:
        clauses.append(func.size_class(e[size]) == parts.c.size_class)
    return select(e.id, e[wanted.sort]).where(*clauses).order_by(*order_of(wanted)).limit(limit).lateral()
