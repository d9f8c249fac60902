"""Rows of the catalogue by the hundred thousand: COPY into a staging table, then one insert of what is sound and new.

A call is one transaction's work and can be made again: what is there already is counted and left as it is. What is
refused is reported with its place in the input, and keeps nothing else from being written.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from sqlalchemy.orm import Session

from app.catalogue.rows import Visibility

REPORTED = 100  # refusals that are named one by one

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureRow:
    """An architecture to be imported; whoever calls has computed its id and its costs."""

    id: str
    space_name: str
    space_version: int
    space_digest: str
    index: int
    genotype: Any  # JSON
    skeleton: Mapping[str, Any]
    input: Mapping[str, int]
    params: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """An evaluation to be imported; params and macs are its architecture's."""

    architecture_id: str
    kind: str
    dataset: str
    split: str
    recipe_name: str
    recipe_digest: str
    recipe: str  # JSON text: the same for very many rows
    seed: int
    metrics: Mapping[str, float]
    seconds: float
    device: str
    torch_version: str
    code_version: str
    job_id: UUID | None = None  # None: that of the import


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not written."""

    row: int  # its place in the input, from 0
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of the rows of one import: written + known + refused = rows."""

    rows: int
    written: int
    known: int  # there already, or twice in the input
    refused: int
    refusals: tuple[Refusal, ...]  # the first of them


ARCHITECTURES_STAGED: LiteralString = """
CREATE TEMPORARY TABLE staged (
    row bigint, id text, space_name text, space_version integer, space_digest text, index numeric, genotype json,
    skeleton json, input json, params numeric, macs numeric, reason text
) ON COMMIT DROP
"""
ARCHITECTURES_JUDGED: LiteralString = """
UPDATE staged SET reason = CASE
    WHEN id !~ '^[0-9a-f]{32}$' THEN format('id: %s is not 32 hexadecimal digits', to_json(id))
    WHEN index < 0 THEN format('index: %s is negative', index)
    WHEN params < 0 OR params >= 2::numeric ^ 63 THEN format('params: %s is not in [0, 2^63)', params)
    ELSE format('macs: %s is not in [0, 2^63)', macs)
END
WHERE id !~ '^[0-9a-f]{32}$' OR index < 0 OR params < 0 OR macs < 0 OR greatest(params, macs) >= 2::numeric ^ 63
"""
ARCHITECTURES_WRITTEN: LiteralString = """
INSERT INTO architectures
    (id, space_name, space_version, space_digest, index, genotype, skeleton, input, params, macs)
SELECT id, space_name, space_version, space_digest, index, genotype, skeleton, input, params, macs
FROM staged WHERE reason IS NULL ORDER BY row ON CONFLICT (id) DO NOTHING
"""

EVALUATIONS_STAGED: LiteralString = """
CREATE TEMPORARY TABLE staged (
    row bigint, job_id uuid, architecture_id text, kind text, dataset text, split text, recipe_name text,
    recipe_digest text, recipe json, seed numeric, metrics json, accuracy float, seconds float, device text,
    torch_version text, code_version text, reason text
) ON COMMIT DROP
"""
EVALUATIONS_JUDGED: LiteralString = """
UPDATE staged SET reason = CASE
    WHEN kind NOT IN ('inherited', 'trained', 'baseline')
        THEN format('kind: %s is none of inherited, trained, baseline', to_json(kind))
    WHEN split NOT IN ('weights', 'architecture', 'selection', 'test')
        THEN format('split: %s is none of weights, architecture, selection, test', to_json(split))
    WHEN seed < 0 OR seed >= 2::numeric ^ 63 THEN format('seed: %s is not in [0, 2^63)', seed)
    WHEN accuracy NOT BETWEEN 0 AND 100 THEN format('accuracy: %s is not in [0, 100] percent', accuracy)
    WHEN seconds NOT BETWEEN 0 AND 1e15 THEN format('seconds: %s is not in [0, 1e15]', seconds)
    ELSE format('architecture_id: there is no architecture %s', to_json(architecture_id))
END
WHERE kind NOT IN ('inherited', 'trained', 'baseline')
    OR split NOT IN ('weights', 'architecture', 'selection', 'test')
    OR seed < 0 OR seed >= 2::numeric ^ 63
    OR accuracy NOT BETWEEN 0 AND 100
    OR seconds NOT BETWEEN 0 AND 1e15
    OR NOT EXISTS (SELECT FROM architectures WHERE id = architecture_id)
"""
EVALUATIONS_WRITTEN: LiteralString = """
INSERT INTO evaluations (
    id, architecture_id, job_id, kind, dataset, split, recipe_name, recipe_digest, recipe, seed, metrics, accuracy,
    params, macs, device, torch_version, code_version, seconds, provenance, owner, visibility
)
SELECT gen_random_uuid(), architecture_id, job_id, kind, dataset, split, recipe_name, recipe_digest, recipe, seed,
    metrics, accuracy, params, macs, device, torch_version, code_version, seconds, %s, %s, %s
FROM staged JOIN architectures ON architectures.id = architecture_id
WHERE reason IS NULL ORDER BY row
ON CONFLICT (job_id, kind, split, architecture_id, dataset, recipe_digest) DO NOTHING
"""


def import_architectures(session: Session, rows: Iterable[ArchitectureRow]) -> ImportReport:
    """Write the architectures that are not there yet."""

    def values(number: int, row: ArchitectureRow) -> Values:
        genotype, skeleton, image = json.dumps(row.genotype), json.dumps(row.skeleton), json.dumps(row.input)
        space = row.space_name, row.space_version, row.space_digest
        return (number, row.id, *space, row.index, genotype, skeleton, image, row.params, row.macs, None)

    staged = (values(number, row) for number, row in enumerate(rows))
    return written(session, ARCHITECTURES_STAGED, ARCHITECTURES_JUDGED, ARCHITECTURES_WRITTEN, staged)


def import_evaluations(
    session: Session,
    rows: Iterable[EvaluationRow],
    *,
    job_id: UUID,
    owner: str,
    visibility: Visibility = "private",
    provenance: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Write the evaluations that their jobs have not written yet."""

    def values(number: int, row: EvaluationRow) -> Values:
        recipe = row.recipe_name, row.recipe_digest, row.recipe
        # JSON has no other numbers; an accuracy that is none is refused below.
        metrics = {name: value for name, value in row.metrics.items() if math.isfinite(value)}
        measured = row.seed, json.dumps(metrics), row.metrics.get("accuracy"), row.seconds
        by = row.device, row.torch_version, row.code_version
        of = row.job_id or job_id, row.architecture_id, row.kind, row.dataset, row.split
        return (number, *of, *recipe, *measured, *by, None)

    staged = (values(number, row) for number, row in enumerate(rows))
    given = json.dumps(dict(provenance or {})), owner, visibility
    return written(session, EVALUATIONS_STAGED, EVALUATIONS_JUDGED, EVALUATIONS_WRITTEN, staged, given)


def written(
    session: Session,
    table: LiteralString,
    judgement: LiteralString,
    insertion: LiteralString,
    rows: Iterable[Values],
    given: Values = (),
) -> ImportReport:
    """Stage the rows, judge them, write those that nothing is wrong with."""
    connection = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
    count = 0
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.staged")
        cursor.execute(table)
        with cursor.copy("COPY staged FROM STDIN") as copy:
            for values in rows:
                copy.write_row(values)
                count += 1
        cursor.execute("ANALYZE staged")
        refused = cursor.execute(judgement).rowcount
        new = cursor.execute(insertion, given or None).rowcount
        cursor.execute("SELECT row, reason FROM staged WHERE reason IS NOT NULL ORDER BY row LIMIT %s", (REPORTED,))
        refusals = tuple(Refusal(row, reason) for row, reason in cursor.fetchall())
    return ImportReport(rows=count, written=new, known=count - refused - new, refused=refused, refusals=refusals)
