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
            WHERE kind = 'progress' AND data->>'step' IS NULL AND data->>'phase' <> 'children'
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
        AND (result->>'total')::int
        <> (request->>'epochs')::int * (request->>'steps')::int * greatest((request->>'parts')::int, 1)""",
    "a tally has not its epochs": """
        SELECT jobs.id, count(metrics.epoch) FROM jobs LEFT JOIN metrics ON metrics.job_id = jobs.id
        WHERE jobs.kind = 'tally' AND state = 'succeeded' AND (request->>'parts')::int = 0 GROUP BY jobs.id
        HAVING count(metrics.epoch) <> (request->>'epochs')::int""",
    "a tally has not its four results": """
        SELECT jobs.id, count(evaluations.id) FROM jobs LEFT JOIN evaluations ON evaluations.job_id = jobs.id
        WHERE jobs.kind = 'tally' GROUP BY jobs.id
        HAVING count(evaluations.id)
        <> CASE WHEN state = 'succeeded' AND (request->>'parts')::int = 0 THEN 4 ELSE 0 END""",
    "a parent that succeeded has not one child for each of its parts": """
        SELECT parent.id, count(child.id) FROM jobs parent LEFT JOIN jobs child ON child.parent_id = parent.id
        WHERE parent.state = 'succeeded' AND (parent.request->>'parts' <> '0' OR parent.request->>'fan_out' = 'true')
        GROUP BY parent.id HAVING count(child.id) <> coalesce(
            (parent.request->>'parts')::int, 2 * json_array_length(parent.request->'genotypes'))""",
    "a child ended after its parent had succeeded": """
        SELECT parent.id, child.id, child.state FROM jobs parent JOIN jobs child ON child.parent_id = parent.id
        WHERE parent.state = 'succeeded' AND child.finished_at > parent.finished_at""",
    "GPU-seconds are not the sum of those of the leases": """
        SELECT jobs.id, gpu_seconds, sum(seconds) FROM jobs LEFT JOIN gpu_leases ON gpu_leases.job_id = jobs.id
        GROUP BY jobs.id HAVING abs(gpu_seconds - coalesce(sum(seconds), 0)) > 1e-6 OR gpu_seconds < 0""",
    "a lease had a GPU and has no account, or the other way round": """
        SELECT coalesce(gpu_leases.job_id, lease_ledger.job_id), coalesce(gpu_leases.fence, lease_ledger.fence)
        FROM gpu_leases FULL JOIN (SELECT * FROM lease_ledger WHERE on_gpu) AS lease_ledger USING (job_id, fence)
        WHERE gpu_leases.job_id IS NULL OR lease_ledger.job_id IS NULL""",
    "a lease had a GPU for another time than its account says": """
        SELECT job_id, fence, gpu_leases.seconds, lease_ledger.seconds FROM gpu_leases
        JOIN lease_ledger USING (job_id, fence) WHERE abs(gpu_leases.seconds - lease_ledger.seconds) > 0.5""",
    "a lease did not end, or is not the only one of its fence": """
        SELECT jobs.id, jobs.fence, count(seconds) FROM jobs LEFT JOIN lease_ledger ON job_id = jobs.id
        GROUP BY jobs.id HAVING count(seconds) <> jobs.fence""",
    "a fence or GPU-seconds fell": "SELECT job_id, fence FROM lease_ledger WHERE fell",
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

DOUBLED = ("an epoch was told", "a result is recorded twice", "a lease did not end")
"""How breaches begin that something was done twice."""

LEDGER = """
    CREATE TABLE lease_ledger (
        job_id uuid, fence bigint, on_gpu boolean, since timestamptz DEFAULT clock_timestamp(), seconds float,
        fell boolean DEFAULT false, PRIMARY KEY (job_id, fence));
    CREATE FUNCTION write_lease_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.state = 'running' AND OLD.state <> 'running' THEN
            INSERT INTO lease_ledger VALUES (NEW.id, NEW.fence, NEW.on_gpu);
        ELSIF OLD.state = 'running' AND (NEW.state <> 'running' OR NEW.fence <> OLD.fence) THEN
            UPDATE lease_ledger SET
                seconds = extract(epoch FROM greatest(least(clock_timestamp(), OLD.lease_until) - since, interval '0'))
                WHERE job_id = OLD.id AND fence = OLD.fence AND seconds IS NULL;
        END IF;
        UPDATE lease_ledger SET fell = true
            WHERE job_id = OLD.id AND (NEW.fence < OLD.fence OR NEW.gpu_seconds < OLD.gpu_seconds);
        RETURN NEW;
    END $$;
    CREATE TRIGGER lease_ledger AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION write_lease_ledger();
"""
"""A second account of leases, which the tables' owner keeps without asking the service: how each ended, and when."""

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
