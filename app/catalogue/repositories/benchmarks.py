"""Published tables that were imported: jobs, which their evaluations belong to.

A job is a series: it has one result of an architecture, and a table may have several, for other seeds or, of isomorphic
genotypes, for one. The first series is that of the table's own job, each further one is a child of it.

A table's identity says what it is: the file, and what its numbers are taken to be. An owner imports it once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, insert, or_, select, text, tuple_
from sqlalchemy.orm import Session

from app.catalogue.errors import TableRefused
from app.catalogue.repositories.clock import now
from app.catalogue.repositories.imports import (
    ArchitectureRow,
    EvaluationRow,
    ImportReport,
    import_architectures,
    import_evaluations,
)
from app.catalogue.rows import Job, Visibility
from app.catalogue.tables import evaluations, jobs
from app.experiment import ReadTable
from app.experiment.table import UNKNOWN
from app.space import space_from_json

KIND = "table"


@dataclass(frozen=True, slots=True)
class Written:
    """The jobs that a table's results belong to, in the order of its series, and whether they were there before."""

    jobs: tuple[UUID, ...]
    known: bool

    @property
    def result(self) -> dict[str, Any]:
        """As part of a job's result."""
        return {"known" if self.known else "jobs": [str(id) for id in self.jobs]}


def imported(session: Session, *, owner: str, identity: str) -> tuple[UUID, ...]:
    """The jobs of a table that this owner has imported; none of one that is new.

    Until the transaction ends nobody else imports it for this owner.
    """
    key = f"{KIND} {owner} {identity}"
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    same = jobs.c.result["identity"].as_string() == identity
    found = select(jobs.c.id).where(jobs.c.owner == owner, *_kept(), same)
    return tuple(session.execute(found.order_by(jobs.c.submitted_at, jobs.c.id)).scalars())


def listing(
    session: Session, *, viewer: str, after: tuple[datetime, UUID] | None = None, limit: int = 200
) -> tuple[Job, ...]:
    """The jobs of the tables that the viewer sees, the latest first, from after a place on."""
    statement = select(jobs).where(*_kept(), jobs.c.parent_id.is_(None), _visible(viewer))
    if after is not None:
        statement = statement.where(tuple_(jobs.c.submitted_at, jobs.c.id) < tuple_(*after))
    order = jobs.c.submitted_at.desc(), jobs.c.id.desc()
    return tuple(Job(**row) for row in session.execute(statement.order_by(*order).limit(limit)).mappings())


def find(session: Session, id: UUID, *, viewer: str) -> Job | None:
    """The job of one of them; None where the viewer sees none of this id."""
    statement = select(jobs).where(jobs.c.id == id, *_kept(), jobs.c.parent_id.is_(None), _visible(viewer))
    row = session.execute(statement).mappings().one_or_none()
    return None if row is None else Job(**row)


def keep(
    session: Session, table: ReadTable, *, owner: str, visibility: Visibility, job_id: UUID | None = None
) -> Written:
    """Write all rows of a table in this transaction, or find out that they are there.

    Without a job, one is written too, which is done as soon as the transaction is. Raises TableRefused.
    """
    sha256 = table.request.sha256
    assert sha256 is not None, "whoever reads a table works out its checksum"
    identity = table.request.identity(sha256)
    if known := imported(session, owner=owner, identity=identity):
        return Written(known, known=True)
    # Millions of rows are one statement, which takes as long as it takes.
    session.execute(text("SET LOCAL statement_timeout = 0"))
    ids = (job_id or uuid4(), *(uuid4() for _ in table.report.series[1:]))
    request = {name: value for name, value in asdict(table.request).items() if name != "document"}
    done = Written(ids, known=False)
    if job_id is None:
        result = {"identity": identity, "sha256": sha256, "rows": asdict(table.report)} | done.result
        _record(session, ids[0], owner=owner, visibility=visibility, request=request, result=result)
    for id, (seed, number) in zip(ids[1:], table.report.series[1:], strict=True):
        _record(
            session,
            id,
            owner=owner,
            visibility=visibility,
            request=request | {"seed": seed, "series": number},
            result={"identity": identity},
            parent_id=ids[0],
            name=f"series-{seed}-{number}",
        )
    _whole(import_architectures(session, _architectures(table)))
    report = import_evaluations(
        session,
        _evaluations(table, dict(zip(table.report.series, ids, strict=True))),
        job_id=ids[0],
        owner=owner,
        visibility=visibility,
        provenance={"table": asdict(table.request.table)},
    )
    _whole(report, new=True)
    return done


def _record(
    session: Session,
    id: UUID,
    *,
    owner: str,
    visibility: Visibility,
    request: Mapping[str, Any],
    result: Mapping[str, Any],
    parent_id: UUID | None = None,
    name: str | None = None,
) -> None:
    """Write the job of a series, which is done as soon as the transaction is."""
    values = {
        "id": id,
        "parent_id": parent_id,
        "name": name,
        "kind": KIND,
        "queue": "cpu",
        "device": "cpu",
        "state": "succeeded",
        "priority": 0,
        "owner": owner,
        "visibility": visibility,
        "request": dict(request),
        "result": dict(result),
        "started_at": now(),
        "finished_at": now(),
    }
    session.execute(insert(jobs).values(values))


def _architectures(table: ReadTable) -> Iterator[ArchitectureRow]:
    request = table.request
    space = space_from_json(request.document)
    skeleton, image = asdict(space.skeletons[request.skeleton]), asdict(space.input)
    for row in table.rows():
        if row.first:
            yield ArchitectureRow(
                id=row.architecture,
                space_name=request.space.name,
                space_version=request.space.version,
                space_digest=request.space.digest,
                index=row.index,
                genotype=space.plan.unrank(row.index),
                skeleton=skeleton,
                input=image,
                params=row.params,
                macs=row.macs,
            )


def _evaluations(table: ReadTable, series: Mapping[tuple[int, int], UUID]) -> Iterator[EvaluationRow]:
    request = table.request
    recipe, digest = json.dumps(asdict(request.recipe)), request.recipe.digest
    for row in table.rows():
        yield EvaluationRow(
            job_id=series[row.series],
            architecture_id=row.architecture,
            kind="trained",
            dataset=request.dataset,
            split=request.split,
            recipe_name=request.recipe.name,
            recipe_digest=digest,
            recipe=recipe,
            seed=row.series[0],
            metrics=row.metrics,
            seconds=0.0,
            device=UNKNOWN,
            torch_version=UNKNOWN,
            code_version=UNKNOWN,
        )


def _whole(report: ImportReport, *, new: bool = False) -> None:
    """Raises TableRefused where not every row was written; one that is known is, unless it was to be new."""
    if report.refused or (new and report.known):
        reason = report.refusals[0].reason if report.refusals else "an architecture twice"
        raise TableRefused(f"the catalogue refused {reason}; nothing was written")


def _kept() -> tuple[ColumnElement[bool], ...]:
    """What is so of a table that was written, and not of one that was only read."""
    written = select(evaluations.c.id).where(evaluations.c.job_id == jobs.c.id).exists()
    told = jobs.c.result["identity"].as_string().is_not(None)
    return jobs.c.state == "succeeded", jobs.c.queue == "cpu", jobs.c.kind == KIND, written, told


def _visible(viewer: str) -> ColumnElement[bool]:
    return or_(jobs.c.owner == viewer, jobs.c.visibility == "public")
