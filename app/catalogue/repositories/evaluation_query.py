"""Which evaluations are asked for, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_

from app.catalogue.rows import EvaluationKind
from app.catalogue.tables import cohorts, evaluations

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


def of_cohorts(wanted: EvaluationQuery) -> ColumnElement[bool]:
    """What is asked of the cohort: everything in which whole cohorts differ, and that the viewer sees them."""
    c = cohorts.c
    clauses: list[ColumnElement[bool]] = [or_(c.owner == wanted.viewer, c.visibility == "public")]
    if wanted.space is not None:
        clauses.append(or_(c.space_name == wanted.space, c.space_digest == wanted.space))
    if wanted.recipe is not None:
        clauses.append(or_(c.recipe_name == wanted.recipe, c.recipe_digest == wanted.recipe))
    exact: dict[Any, object] = {
        c.space_version: wanted.space_version,
        c.dataset: wanted.dataset,
        c.split: wanted.split,
        c.kind: wanted.kind,
    }
    clauses += [column == value for column, value in exact.items() if value is not None]
    return and_(*clauses)


def within_bounds(wanted: EvaluationQuery) -> Sequence[ColumnElement[bool]]:
    """What is asked of each evaluation beside its cohort."""
    e = evaluations.c
    exact: dict[Any, object] = {e.architecture_id: wanted.architecture_id, e.job_id: wanted.job_id}
    clauses: list[ColumnElement[bool]] = [column == value for column, value in exact.items() if value is not None]
    if wanted.max_params is not None:
        clauses.append(e.params <= wanted.max_params)
    if wanted.max_macs is not None:
        clauses.append(e.macs <= wanted.max_macs)
    return clauses


def is_narrow(wanted: EvaluationQuery) -> bool:
    """Whether one architecture or one job is asked about: few rows, found by these."""
    return wanted.architecture_id is not None or wanted.job_id is not None
