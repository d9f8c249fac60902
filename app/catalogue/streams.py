"""Every evaluation that is asked for, one after another, however many: read in short transactions, so that whoever
reads them slowly holds nothing in the database, and in bounded memory.

Cohorts are walked beside one another, each by its index, and merged in the order that is asked for. What is written
while a stream runs is in it if its place is still to come; what was there when it began is in it once.
"""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.catalogue.database import Database
from app.catalogue.repositories.evaluation_query import EvaluationQuery, is_narrow, of_cohorts
from app.catalogue.repositories.evaluations import get_many, query
from app.catalogue.repositories.rankings import order_of, rest_of
from app.catalogue.rows import Evaluation
from app.catalogue.tables import cohorts, evaluations

HELD = 4000  # rows of all cohorts together that are in memory at a time
AT_LEAST = 10  # rows of a cohort that are fetched at a time


def every_evaluation(database: Database, wanted: EvaluationQuery) -> Iterator[Evaluation]:
    """The evaluations in order; `limit` and `after` mean nothing here."""
    if is_narrow(wanted):
        return walk(database, wanted, None, HELD)
    with database.transaction() as session:
        asked = list(session.scalars(select(cohorts.c.id).where(of_cohorts(wanted))))
    chunk = max(AT_LEAST, HELD // max(1, len(asked)))

    def place(row: Evaluation) -> Any:
        return getattr(row, wanted.sort), row.id

    walks = (walk(database, wanted, cohort, chunk) for cohort in asked)
    return heapq.merge(*walks, key=place, reverse=wanted.descending)


def walk(database: Database, wanted: EvaluationQuery, cohort: UUID | None, chunk: int) -> Iterator[Evaluation]:
    """The evaluations of one cohort in order; without one, those of a narrow question."""
    asked = replace(wanted, limit=chunk, after=None)
    while True:
        with database.transaction() as session:
            if cohort is None:
                rows = query(session, asked)
            else:
                mine = select(evaluations.c.id).where(evaluations.c.cohort_id == cohort, *rest_of(asked))
                rows = get_many(session, list(session.scalars(mine.order_by(*order_of(asked)).limit(chunk))))
        yield from rows
        if len(rows) < chunk:
            return
        asked = replace(asked, after=(getattr(rows[-1], asked.sort), rows[-1].id))
