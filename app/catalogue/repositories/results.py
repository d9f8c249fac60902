"""All results that compare: every row of one data set, split, kind and recipe, of architectures of one skeleton.

Of a table of a million rows only what is needed travels: which architecture, and its numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import literal, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.catalogue.rows import EvaluationKind
from app.catalogue.tables import architectures, cohorts, evaluations

FETCHED = 2_000  # rows that travel at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultQuery:
    """Whose results of what. Nothing may be left open: what differs in any of it does not compare."""

    viewer: str  # sees their own and what is public
    space_digest: str
    skeletons: Sequence[Mapping[str, Any]]  # the ways in which the one skeleton is written
    image: Mapping[str, Any]
    dataset: str
    split: str
    kind: EvaluationKind
    recipe_digest: str
    as_of: datetime  # on the database's clock; what was written later is left out


@dataclass(frozen=True, slots=True)
class Result:
    """One result of an architecture."""

    architecture_id: str
    index: int  # of the genotype by which the architecture is catalogued, one of those that give it
    metrics: Mapping[str, float]


def every_result(session: Session, wanted: ResultQuery) -> Iterator[Result]:
    """Every result, architecture by architecture in the order of their ids; rows travel some thousand at a time.

    Several results of an architecture are in no order.
    """
    a, c, e = architectures.c, cohorts.c, evaluations.c
    statement = (
        select(e.architecture_id, a.index, e.metrics)
        .select_from(evaluations.join(cohorts).join(architectures))
        .where(
            or_(c.owner == wanted.viewer, c.visibility == "public"),
            c.space_digest == wanted.space_digest,
            c.dataset == wanted.dataset,
            c.split == wanted.split,
            c.kind == wanted.kind,
            c.recipe_digest == wanted.recipe_digest,
            e.created_at <= wanted.as_of,
            a.space_digest == wanted.space_digest,  # said twice: the few architectures of a space have an index
            a.skeleton.cast(JSONB).in_([literal(dict(one), JSONB) for one in wanted.skeletons]),
            a.input.cast(JSONB) == literal(dict(wanted.image), JSONB),
        )
        .order_by(e.architecture_id.collate("C"))
        .execution_options(yield_per=FETCHED)
    )
    session.execute(text("SET LOCAL statement_timeout = 0"))  # millions of rows are put in order by one statement
    for id, index, metrics in session.execute(statement):
        yield Result(id, index, metrics)
