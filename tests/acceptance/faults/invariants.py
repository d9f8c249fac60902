"""What has to hold when all jobs are over, whatever happened before: one check for every fault.

Each rule is a query or a walk that yields a sentence for each breach.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.catalogue import Database
from app.experiment import FINAL_STATES

QUERIES: Mapping[str, str] = {
    "a job is not final": "SELECT id, state, attempt FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')",
    "an epoch was told more or less than once": """
        SELECT job_id, phase, epoch, count(*) FROM (
            SELECT job_id, data->>'phase' AS phase, (data->>'epoch')::int AS epoch FROM job_events
            WHERE kind = 'progress' AND data->>'step' IS NULL
            UNION ALL SELECT job_id, phase, epoch FROM metrics) AS told
        GROUP BY job_id, phase, epoch HAVING count(*) <> 2""",
    "a step of a final job is still told": """
        SELECT job_id, id FROM job_events WHERE kind = 'progress' AND data->>'step' IS NOT NULL
        AND job_id IN (SELECT id FROM jobs WHERE state IN ('succeeded', 'failed', 'cancelled'))""",
    "a result is recorded twice": """
        SELECT job_id, kind, split, architecture_id, dataset, count(*) FROM evaluations
        GROUP BY job_id, kind, split, architecture_id, dataset, recipe_digest HAVING count(*) > 1""",
    "a job that succeeded has no result": "SELECT id FROM jobs WHERE state = 'succeeded' AND result IS NULL",
    "a tally counted wrong": """
        SELECT id, result->>'total' FROM jobs WHERE kind = 'tally' AND state = 'succeeded'
        AND (result->>'total')::int <> (request->>'epochs')::int * (request->>'steps')::int""",
    "a tally has not its epochs": """
        SELECT jobs.id, count(metrics.epoch) FROM jobs LEFT JOIN metrics ON metrics.job_id = jobs.id
        WHERE jobs.kind = 'tally' AND state = 'succeeded' GROUP BY jobs.id, request->>'epochs'
        HAVING count(metrics.epoch) <> (request->>'epochs')::int""",
    "a tally has not its four results": """
        SELECT jobs.id, count(evaluations.id) FROM jobs LEFT JOIN evaluations ON evaluations.job_id = jobs.id
        WHERE jobs.kind = 'tally' GROUP BY jobs.id, state
        HAVING count(evaluations.id) <> CASE WHEN state = 'succeeded' THEN 4 ELSE 0 END""",
    "the fence is not the number of claims": """
        SELECT jobs.id, fence, count(job_events.id) FROM jobs LEFT JOIN job_events ON job_events.job_id = jobs.id
        AND job_events.kind = 'state' AND data->>'state' = 'running'
        GROUP BY jobs.id, fence HAVING count(job_events.id) <> fence""",
    "a file is of a later fence than its job": """
        SELECT jobs.id FROM jobs JOIN artefacts ON artefacts.job_id = jobs.id WHERE artefacts.fence > jobs.fence""",
    "a final job has a checkpoint": """
        SELECT job_id FROM checkpoints JOIN jobs ON jobs.id = job_id
        WHERE state IN ('succeeded', 'failed', 'cancelled')""",
    "a hint is still owed": "SELECT job_id FROM outbox",
    "an evaluation names weights that are no artefact": """
        SELECT evaluations.id FROM evaluations LEFT JOIN artefacts
        ON artefacts.job_id = evaluations.job_id AND artefacts.name = evaluations.weights
        WHERE weights IS NOT NULL AND artefacts.name IS NULL""",
    "a session idles within a transaction": """
        SELECT pid, state, left(query, 80) FROM pg_stat_activity WHERE datname = current_database()
        AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '3 s'""",
}
"""A query for what must not be, by what it would be."""

FOLLOWERS: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"queued"}),
    "queued": frozenset({"running", "cancelled"}),
    "running": frozenset({"queued", "waiting", *FINAL_STATES}),
    "waiting": frozenset({"queued", "cancelled"}),
}
"""Which states may follow one. After a final one comes none."""


def breaches(database: Database, data_root: Path, submitted: Collection[UUID]) -> tuple[str, ...]:
    """Every breach there is now; empty when all is well."""
    with database.transaction() as session:
        return (
            *accounts(session, submitted),
            *(f"{what}: {tuple(row)}" for what, query in QUERIES.items() for row in session.execute(text(query))),
            *lives(session),
            *files(session, data_root),
        )


def accounts(session: Session, submitted: Collection[UUID]) -> Iterator[str]:
    """Submitted = succeeded + failed + cancelled, by id."""
    known = set(session.execute(text("SELECT id FROM jobs WHERE parent_id IS NULL")).scalars())
    yield from (f"job {id} was accepted and is lost" for id in set(submitted) - known)
    yield from (f"job {id} was made without being submitted" for id in known - set(submitted))
    states = Counter(session.execute(text("SELECT state FROM jobs WHERE parent_id IS NULL")).scalars())
    final = sum(states[state] for state in FINAL_STATES)
    if final != len(set(submitted)):
        yield f"submitted {len(set(submitted))}, but {dict(states)}"


def lives(session: Session) -> Iterator[str]:
    """Each job went from state to state as jobs do, and ended once."""
    told: dict[UUID, list[str]] = {}
    query = "SELECT job_id, data->>'state' FROM job_events WHERE kind = 'state' ORDER BY id"
    for id, state in session.execute(text(query)):
        told.setdefault(id, []).append(state)
    final = {row.id: row.state for row in session.execute(text("SELECT id, state FROM jobs"))}
    for id, state in final.items():
        life = told.get(id, [])
        for before, after in zip([None, *life], life, strict=False):
            if after not in FOLLOWERS.get(before, frozenset()):
                yield f"job {id} went from {before} to {after}: {life}"
        if life[-1:] != [state]:
            yield f"job {id} is {state}, but was last said to be {life[-1:]}"


def files(session: Session, data_root: Path) -> Iterator[str]:
    """Every file has a row, and every row its file with the right bytes."""
    rows = session.execute(
        text("SELECT path, bytes, sha256 FROM artefacts UNION SELECT path, bytes, sha256 FROM checkpoints")
    )
    named = {path: (size, digest) for path, size, digest in rows}
    for path, (size, digest) in named.items():
        try:
            content = (data_root / path).read_bytes()
        except OSError as error:
            yield f"{path} has a row and is not there: {error.strerror}"
            continue
        if (len(content), hashlib.sha256(content).hexdigest()) != (size, digest):
            yield f"{path} has not the bytes that its row says: {len(content)} of {size}"
    for place in ("jobs", "objects", "incoming"):
        for file in (data_root / place).rglob("*"):
            path = str(file.relative_to(data_root))
            if file.is_file() and path not in named:
                yield f"{path} is there and no row names it"
