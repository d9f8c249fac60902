"""Evaluations: recorded exactly once, and never ranked across recipes by accident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, RowMapping, Select, Text, Uuid, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from app.catalogue.repositories.evaluation_query import EvaluationQuery, of_cohorts, within_bounds
from app.catalogue.repositories.rankings import places
from app.catalogue.rows import Architecture, Document, Evaluation, EvaluationKind, Visibility
from app.catalogue.tables import architectures, cohorts, evaluations

OWN = tuple(f.name for f in fields(Evaluation) if f.name != "architecture")


@dataclass(frozen=True, slots=True)
class Mixture:
    """In what evaluations differ that makes their accuracies mean different things; each sorted, each once."""

    recipes: tuple[tuple[str, str], ...]  # name and digest
    datasets: tuple[str, ...]
    splits: tuple[str, ...]


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
    return get_many(session, places(session, wanted))


def get_many(session: Session, ids: Sequence[UUID]) -> tuple[Evaluation, ...]:
    """The evaluations of these ids, in this order; whoever asks has seen to it that they may be seen."""
    rows = session.execute(_joined().where(evaluations.c.id == func.any(literal(list(ids), ARRAY(Uuid))))).mappings()
    found = {row["id"]: _evaluation(row) for row in rows} if ids else {}
    return tuple(found[id] for id in ids if id in found)


def of_architectures(
    session: Session, ids: Sequence[str], wanted: EvaluationQuery, each: int
) -> Mapping[str, list[Evaluation]]:
    """What was measured of these architectures, of each at most so many and the newest first; those without any are
    left out. Of the question, the order and the place of the page mean nothing here."""
    asked = select(func.unnest(literal(list(ids), ARRAY(Text))).label("id")).subquery("asked")
    newest = (
        select(evaluations.c.id)
        .join(cohorts)
        .where(evaluations.c.architecture_id == asked.c.id, of_cohorts(wanted), *within_bounds(wanted))
        .order_by(evaluations.c.created_at.desc(), evaluations.c.id.desc())
        .limit(each)
        .lateral()
    )
    rows = session.scalars(select(newest.c.id).select_from(asked).join(newest, true())).all()
    found: dict[str, list[Evaluation]] = {}
    for row in get_many(session, rows):
        found.setdefault(row.architecture_id, []).append(row)
    return found


def mixture(session: Session, wanted: EvaluationQuery) -> Mixture:
    """The recipes, data sets and splits among the evaluations asked for: two of a kind do not compare."""
    c = cohorts.c
    some = select(evaluations.c.id).where(evaluations.c.cohort_id == c.id, *within_bounds(wanted))
    found = session.execute(
        select(c.recipe_name, c.recipe_digest, c.dataset, c.split).where(of_cohorts(wanted), some.exists()).distinct()
    ).all()
    names: dict[str, str] = {}
    for name, digest, *_ in sorted(tuple(row) for row in found):
        names.setdefault(digest, name)
    return Mixture(
        recipes=tuple((name, digest) for digest, name in names.items()),
        datasets=tuple(sorted({dataset for *_, dataset, _ in found})),
        splits=tuple(sorted({split for *_, split in found})),
    )


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
        .select_from(evaluations.join(cohorts))
        .where(of_cohorts(wanted), *within_bounds(wanted), e.accuracy.is_not(None))
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
    return Evaluation(**{name: row[name] for name in OWN}, architecture=architecture)


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(evaluations.c.owner == viewer, evaluations.c.visibility == "public")
