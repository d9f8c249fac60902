"""What the catalogue knows of the architectures of a space: results that compare, on one skeleton and image."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Text, cast, func, select
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
    same = c.dataset, c.split, c.kind, c.recipe_digest
    measured = (
        select(*same, e.architecture_id, func.min(c.recipe_name).label("recipe_name"), func.count().label("n"))
        .join_from(evaluations, cohorts, c.id == e.cohort_id)
        .where(of_cohorts(wanted))
        .group_by(*same, e.architecture_id)
        .subquery("measured")
    )
    m = measured.c
    # As text: to compare documents takes longer than all else, and those of a place are written alike.
    place = cast(a.skeleton, Text), cast(a.input, Text)
    found = (
        select(
            m.dataset,
            m.split,
            m.kind,
            m.recipe_digest,
            func.min(m.recipe_name).label("recipe_name"),
            place[0].label("skeleton"),
            place[1].label("input"),
            func.count().label("architectures"),
            cast(func.sum(m.n), BigInteger).label("evaluations"),
        )
        .join_from(measured, architectures, a.id == m.architecture_id)
        .group_by(m.dataset, m.split, m.kind, m.recipe_digest, *place)
    )
    merged: dict[str, KnownResults] = {}
    for row in session.execute(found).mappings():
        one = KnownResults(**{**row, "skeleton": json.loads(row["skeleton"]), "input": json.loads(row["input"])})
        key = json.dumps([one.dataset, one.split, one.kind, one.recipe_digest, one.skeleton, one.input], sort_keys=True)
        if (other := merged.get(key)) is not None:
            both = one.architectures + other.architectures, one.evaluations + other.evaluations
            one = replace(other, architectures=both[0], evaluations=both[1])
        merged[key] = one
    return tuple(sorted(merged.values(), key=_first))


def _first(one: KnownResults) -> tuple[int, str, str, str, str]:
    return -one.architectures, one.dataset, one.split, one.kind, one.recipe_digest


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
