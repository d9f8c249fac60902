"""Evaluations: recorded exactly once, and never ranked across recipes by accident."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.errors import InvalidCursor
from app.catalogue.rows import Architecture, Document, Evaluation, EvaluationKind, Visibility
from app.catalogue.tables import architectures, evaluations

Sort = Literal["accuracy", "params", "macs", "created_at"]
SortValue = float | int | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationQuery:
    """Which evaluations, in which order. None of a field means any value of it."""

    viewer: str  # sees their own and what is public
    space: str | None = None  # name or digest
    space_version: int | None = None
    architecture_id: str | None = None
    job_id: UUID | None = None
    dataset: str | None = None
    recipe: str | None = None  # name or digest
    split: str | None = None
    kind: EvaluationKind | None = None
    max_params: int | None = None
    max_macs: int | None = None
    sort: Sort = "created_at"
    descending: bool = True
    limit: int = 50
    after: tuple[SortValue, UUID] | None = None  # sort value and id of the last row of the page before


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeCount:
    """How many evaluations a recipe has among those asked for."""

    name: str
    digest: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracySummary:
    """Accuracies in percent of evaluations that compare: one kind, data set, split and recipe."""

    kind: EvaluationKind
    dataset: str
    split: str
    recipe: str
    recipe_digest: str
    count: int
    minimum: float
    p25: float
    median: float
    p75: float
    maximum: float


def record(
    session: Session,
    *,
    architecture_id: str,
    job_id: UUID,
    kind: EvaluationKind,
    dataset: str,
    split: str,
    recipe_name: str,
    recipe_digest: str,
    recipe: Document,
    seed: int,
    metrics: Mapping[str, float],
    params: int,
    macs: int,
    device: str,
    torch_version: str,
    code_version: str,
    seconds: float,
    owner: str,
    weights: str | None = None,
    provenance: Document | None = None,
    visibility: Visibility = "private",
) -> bool:
    """Write the evaluation unless this job has it already; says whether it was written."""
    statement = (
        insert(evaluations)
        .values(
            id=uuid4(),
            architecture_id=architecture_id,
            job_id=job_id,
            kind=kind,
            dataset=dataset,
            split=split,
            recipe_name=recipe_name,
            recipe_digest=recipe_digest,
            recipe=recipe,
            seed=seed,
            metrics=dict(metrics),
            accuracy=metrics.get("accuracy"),
            params=params,
            macs=macs,
            device=device,
            torch_version=torch_version,
            code_version=code_version,
            seconds=seconds,
            weights=weights,
            provenance=dict(provenance or {}),
            owner=owner,
            visibility=visibility,
        )
        .on_conflict_do_nothing(
            index_elements=["job_id", "kind", "split", "architecture_id", "dataset", "recipe_digest"]
        )
        .returning(evaluations.c.id)
    )
    return session.execute(statement).scalar_one_or_none() is not None


def get(session: Session, id: UUID, *, viewer: str) -> Evaluation | None:
    """The evaluation of this id, if the viewer may see it."""
    row = session.execute(_joined().where(evaluations.c.id == id, _visible(viewer))).mappings().one_or_none()
    return None if row is None else _evaluation(row)


def query(session: Session, wanted: EvaluationQuery) -> tuple[Evaluation, ...]:
    """One page. Rows without the value that sorts (an evaluation without accuracy) are left out.

    Raises InvalidCursor when `after` holds a value of another type than the sort's.
    """
    column = evaluations.c[wanted.sort]
    statement = _joined().where(_matching(wanted), column.is_not(None))
    if wanted.after is not None:
        value, id = wanted.after
        if isinstance(value, datetime) != (wanted.sort == "created_at"):
            raise InvalidCursor(f"a page sorted by {wanted.sort} cannot start after {value!r}")
        place, last = tuple_(column, evaluations.c.id), tuple_(value, id)
        statement = statement.where(place < last if wanted.descending else place > last)
    order = (column.desc(), evaluations.c.id.desc()) if wanted.descending else (column.asc(), evaluations.c.id.asc())
    rows = session.execute(statement.order_by(*order).limit(wanted.limit)).mappings()
    return tuple(_evaluation(row) for row in rows)


def recipes(session: Session, wanted: EvaluationQuery) -> tuple[RecipeCount, ...]:
    """The recipes among the evaluations asked for, the most used first: two of them do not compare."""
    statement = (
        select(func.min(evaluations.c.recipe_name), evaluations.c.recipe_digest, func.count())
        .select_from(evaluations.join(architectures))
        .where(_matching(wanted))
        .group_by(evaluations.c.recipe_digest)
        .order_by(func.count().desc(), evaluations.c.recipe_digest)
    )
    return tuple(RecipeCount(name=n, digest=d, count=c) for n, d, c in session.execute(statement))


def scopes(session: Session, wanted: EvaluationQuery) -> tuple[tuple[str, str], ...]:
    """Every (data set, split) among the evaluations asked for: two of them do not compare either."""
    statement = (
        select(evaluations.c.dataset, evaluations.c.split)
        .select_from(evaluations.join(architectures))
        .where(_matching(wanted))
        .distinct()
        .order_by(evaluations.c.dataset, evaluations.c.split)
    )
    return tuple((dataset, split) for dataset, split in session.execute(statement))


def accuracies(session: Session, wanted: EvaluationQuery) -> tuple[AccuracySummary, ...]:
    """How the accuracies among the evaluations asked for are distributed, apart by what does not compare."""
    e = evaluations.c
    groups = e.kind, e.dataset, e.split, e.recipe_digest
    parts = {"p25": 0.25, "median": 0.5, "p75": 0.75}
    columns = [
        func.min(e.recipe_name).label("recipe"),
        func.count().label("count"),
        func.min(e.accuracy).label("minimum"),
        func.max(e.accuracy).label("maximum"),
        *(func.percentile_cont(part).within_group(e.accuracy.asc()).label(name) for name, part in parts.items()),
    ]
    statement = (
        select(*groups, *columns)
        .select_from(evaluations.join(architectures))
        .where(_matching(wanted), e.accuracy.is_not(None))
        .group_by(*groups)
        .order_by(func.count().desc(), *groups)
    )
    return tuple(AccuracySummary(**row) for row in session.execute(statement).mappings())


def find_measured(
    session: Session, *, architecture_id: str, recipe_digest: str, dataset: str, seed: int, viewer: str
) -> Evaluation | None:
    """What training this architecture so has measured already: on the test split first, then the newest."""
    statement = (
        _joined()
        .where(
            evaluations.c.architecture_id == architecture_id,
            evaluations.c.recipe_digest == recipe_digest,
            evaluations.c.dataset == dataset,
            evaluations.c.seed == seed,
            evaluations.c.kind.in_(("trained", "baseline")),
            _visible(viewer),
        )
        .order_by((evaluations.c.split == "test").desc(), evaluations.c.created_at.desc(), evaluations.c.id)
        .limit(1)
    )
    row = session.execute(statement).mappings().one_or_none()
    return None if row is None else _evaluation(row)


def _joined() -> Select[Any]:
    columns = [column.label(f"architecture__{column.name}") for column in architectures.c]
    return select(evaluations, *columns).select_from(evaluations.join(architectures))


def _evaluation(row: RowMapping) -> Evaluation:
    architecture = Architecture(**{f.name: row[f"architecture__{f.name}"] for f in fields(Architecture)})
    return Evaluation(**{c.name: row[c.name] for c in evaluations.c}, architecture=architecture)


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(evaluations.c.owner == viewer, evaluations.c.visibility == "public")


def _matching(wanted: EvaluationQuery) -> ColumnElement[bool]:
    e, a = evaluations.c, architectures.c
    clauses: list[ColumnElement[bool]] = [_visible(wanted.viewer)]
    if wanted.space is not None:
        clauses.append(or_(a.space_name == wanted.space, a.space_digest == wanted.space))
    if wanted.recipe is not None:
        clauses.append(or_(e.recipe_name == wanted.recipe, e.recipe_digest == wanted.recipe))
    exact = {
        a.space_version: wanted.space_version,
        e.architecture_id: wanted.architecture_id,
        e.job_id: wanted.job_id,
        e.dataset: wanted.dataset,
        e.split: wanted.split,
        e.kind: wanted.kind,
    }
    clauses += [column == value for column, value in exact.items() if value is not None]
    if wanted.max_params is not None:
        clauses.append(e.params <= wanted.max_params)
    if wanted.max_macs is not None:
        clauses.append(e.macs <= wanted.max_macs)
    return and_(*clauses)
