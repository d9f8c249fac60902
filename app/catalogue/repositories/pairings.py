"""Two numbers of each of many architectures: what was measured of them in one place, beside another place or a cost.

On one skeleton and image the results of two places are those of an architecture. Elsewhere the same genotype is another
architecture; there the ranks of the genotypes by which architectures are catalogued say which belong together.

Of very many, those are taken whose keys have the smallest hashes: a sample that no value decides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Float, Numeric, Select, Text, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from app.catalogue.repositories.evaluation_query import EvaluationQuery, of_cohorts
from app.catalogue.tables import architectures, cohorts, evaluations

CostName = Literal["params", "macs"]
Joined = Literal["architecture", "genotype"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPlace:
    """Results that compare, and the number of each that is looked at."""

    query: EvaluationQuery  # names one data set, split, kind and recipe of a space
    skeletons: Sequence[Mapping[str, Any]]  # the ways in which the one skeleton is written
    image: Mapping[str, Any]
    metric: str
    seed: int | None  # None: the mean over all results of an architecture


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers of one thing, and how many results each is the mean of."""

    x: float
    y: float
    several_x: int
    several_y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """All pairs, or a sample of them."""

    pairs: tuple[Pair, ...]
    total: int  # pairs that there are
    of_x: int  # things that have the first number
    of_y: int


def paired(session: Session, x: MeasuredPlace, y: MeasuredPlace, by: Joined, most: int) -> Pairing:
    """Results of two places, by architecture or by genotype.

    Grouped, not joined: what a plan takes the number of rows for does not matter then.
    """
    sides = (_values(place, by).subquery(name) for place, name in ((x, "x"), (y, "y")))
    rows = union_all(
        *(select(side.c.key, side.c.value, side.c.several, literal(i).label("side")) for i, side in enumerate(sides))
    )
    every = rows.subquery("every")

    def of(side: int, name: str) -> ColumnElement[Any]:
        return func.max(every.c[name]).filter(every.c.side == side).label(f"{name}{side}")

    columns = [of(side, name) for side in (0, 1) for name in ("value", "several")]
    keys = select(every.c.key, *columns).group_by(every.c.key).subquery("keys")
    of_sides = [func.count(keys.c[name]).over().label(name) for name in ("value0", "value1")]
    counted = select(keys, *(count.label(f"of{i}") for i, count in enumerate(of_sides))).subquery("counted")
    c = counted.c
    both = c.value0.is_not(None), c.value1.is_not(None)
    found = select(c.value0, c.value1, c.several0, c.several1, func.count().over(), c.of0, c.of1).where(*both)
    pairs = session.execute(found.order_by(func.md5(c.key), c.key).limit(most)).all()
    if not pairs:
        of_x, of_y = (
            session.execute(select(func.count()).select_from(_values(p, by).subquery())).scalar_one() for p in (x, y)
        )
        return Pairing(pairs=(), total=0, of_x=of_x, of_y=of_y)
    total, of_x, of_y = tuple(pairs[0])[4:]
    return Pairing(pairs=tuple(Pair(*row[:4]) for row in pairs), total=total, of_x=of_x, of_y=of_y)


def costed(session: Session, x: MeasuredPlace, cost: CostName, most: int) -> Pairing:
    """Results of a place beside what the architectures cost there."""
    side = _values(x, "architecture").subquery("x")
    both = select(side.c.value, side.c[cost], side.c.several, func.count().over())
    rows = session.execute(both.order_by(func.md5(side.c.key), side.c.key).limit(most)).all()
    total = rows[0][-1] if rows else 0
    pairs = tuple(Pair(a, float(b), n, 1) for a, b, n, _ in rows)
    return Pairing(pairs=pairs, total=total, of_x=total, of_y=total)


def of_ranks(session: Session, x: MeasuredPlace, ranks: Collection[int]) -> Mapping[int, tuple[float, int]]:
    """Results of a place by the rank of the genotype: the value, and of how many it is the mean."""
    asked = literal([str(rank) for rank in ranks], ARRAY(Text))
    side = _values(x, "genotype").subquery("x")
    rows = session.execute(select(side.c.key, side.c.value, side.c.several).where(side.c.key == func.any(asked)))
    return {int(key): (value, several) for key, value, several in rows}


def _values(place: MeasuredPlace, by: Joined) -> Select[Any, Any, Any, Any, Any]:
    """A row for each architecture: its key, the mean, of how many results, and its costs."""
    a, e = architectures.c, evaluations.c
    number = _number(place.metric)
    key = a.id if by == "architecture" else a.index.cast(Numeric).cast(Text)
    statement = (
        select(
            key.label("key"),
            func.avg(number).label("value"),
            func.count().label("several"),
            func.min(a.params).label("params"),
            func.min(a.macs).label("macs"),
        )
        .select_from(evaluations.join(cohorts).join(architectures))
        .where(
            of_cohorts(place.query),
            number.is_not(None),
            a.skeleton.cast(JSONB).in_([literal(dict(one), JSONB) for one in place.skeletons]),
            a.input.cast(JSONB) == literal(dict(place.image), JSONB),
        )
        .group_by(key)
    )
    return statement if place.seed is None else statement.where(e.seed == place.seed)


def _number(metric: str) -> ColumnElement[float]:
    e = evaluations.c
    if metric == "accuracy":
        return e.accuracy
    return func.json_extract_path_text(e.metrics, metric).cast(Float)
