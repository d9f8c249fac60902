"""What the catalogue knows of the architectures of a space: results that compare, on one skeleton and image."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, cast, distinct, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.catalogue.repositories.clock import now
from app.catalogue.repositories.evaluation_query import EvaluationQuery, of_cohorts
from app.catalogue.rows import EvaluationKind
from app.catalogue.tables import architectures, cohorts, evaluations

LOOKED_AT = 1_000  # evaluations whose metrics stand for all


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownResults:
    """Results that compare: the same data set, split, kind and recipe, of architectures on one skeleton and image."""

    dataset: str
    split: str
    kind: EvaluationKind
    recipe_name: str
    recipe_digest: str
    skeleton: Mapping[str, Any]
    input: Mapping[str, int]
    architectures: int
    evaluations: int


def known_results(session: Session, wanted: EvaluationQuery) -> tuple[KnownResults, ...]:
    """What there is of a space, as far as the viewer sees it and the query says; the most architectures first.

    Of the query the space, the viewer and what cohorts differ in are looked at. Names of one recipe are one.
    """
    c, e, a = cohorts.c, evaluations.c, architectures.c
    pairs = (
        select(e.cohort_id, e.architecture_id, func.count().label("n"))
        .where(e.cohort_id.in_(select(c.id).where(of_cohorts(wanted))))
        .group_by(e.cohort_id, e.architecture_id)
        .subquery("pairs")
    )
    skeleton, image = a.skeleton.cast(JSONB), a.input.cast(JSONB)
    key = c.dataset, c.split, c.kind, c.recipe_digest, skeleton, image
    of_architectures = func.count(distinct(pairs.c.architecture_id))
    found = (
        select(
            c.dataset,
            c.split,
            c.kind,
            func.min(c.recipe_name).label("recipe_name"),
            c.recipe_digest,
            skeleton.label("skeleton"),
            image.label("input"),
            of_architectures.label("architectures"),
            cast(func.sum(pairs.c.n), BigInteger).label("evaluations"),
        )
        .join_from(pairs, cohorts, c.id == pairs.c.cohort_id)
        .join(architectures, a.id == pairs.c.architecture_id)
        .group_by(*key)
        .order_by(of_architectures.desc(), c.dataset, c.split, c.kind, c.recipe_digest)
    )
    return tuple(KnownResults(**row) for row in session.execute(found).mappings())


def metrics_of(session: Session, wanted: EvaluationQuery, name: str | None = None) -> frozenset[str]:
    """The names of what was measured in these cohorts: in a thousand of their evaluations, and `name` if it is
    anywhere."""
    e = evaluations.c
    rows = select(e.metrics).where(e.cohort_id.in_(select(cohorts.c.id).where(of_cohorts(wanted))))
    some = rows.limit(LOOKED_AT).subquery("some")
    keys = select(func.json_object_keys(some.c.metrics)).distinct()
    found = frozenset(session.scalars(keys))
    if name is None or name in found:
        return found
    held = session.scalars(rows.where(func.json_extract_path_text(e.metrics, name).is_not(None)).limit(1)).first()
    return found if held is None else found | {name}


def moment(session: Session) -> datetime:
    """Now, as the database has it: what is recorded later is told apart from what a search was to see."""
    return session.execute(select(now())).scalar_one()
