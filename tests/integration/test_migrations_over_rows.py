"""Every migration over rows: tables filled at each revision come to the newest one and back with their rows unchanged,
and a change after which the code of the revision before would fail is stated by its migration.

Nothing here names a revision but the lists of exceptions: a new migration and a new table are tested as they come.
"""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.catalogue import migration
from app.catalogue.tables import metadata
from app.embedded import Engines
from tests.integration.test_migrations import differences

Row = dict[str, Any]
REVISIONS = list(migration.revisions())
HEAD = REVISIONS[-1]
OURS = "table_schema = current_schema() AND table_name <> 'alembic_version'"

# What a type alone does not say. The first row of a table has NULL wherever it may; the second has all that it can.
VALUES: dict[str, Any] = {
    "owner": "ada",
    "visibility": "private",
    "attempt": 1,
    "fence": 7,
    "architectures.id": "0123456789abcdef0123456789abcde{n}",
    "architectures.index": 2**80,
    "jobs.device": "auto",
    "jobs.queue": "cpu",
    "jobs.state": "queued",
    "jobs.error": None,
    "jobs.lease_until": None,
    "jobs.finished_at": None,
    "job_events.kind": "note",
    "evaluations.kind": "trained",
    "split": "test",
    "workers.state": "idle",
    "keys.id": "0123456789a{n}",
    "keys.scopes": ["read", "admin"],
    "audit.outcome": "done",
    "quotas.owner": "owner-{n}",
    "datasets.digest": "{n}" * 64,
    "profiles.target": ("operation", "architecture"),
    "profiles.direction": "forward",
    "device_type": "cpu",
    "paces.subject": "network",
    "profiles.minimum_ms": 1.0,
    "profiles.q1_ms": 2.0,
    "profiles.median_ms": 3.0,
    "profiles.q3_ms": 4.0,
}

# Changes that look as if the code of the revision before would fail, and why it does not.
HARMLESS = {
    ("0004", "UNIQUE uq_evaluations_job_id_kind_split_architecture_id is gone"): "a wider one takes its place",
    ("0004", "UNIQUE uq_evaluations_result is new"): "the narrower one held already",
    ("0009", "evaluations.cohort_id must be given"): "a trigger gives it",
}


class Ladder:
    """A database for each revision, copied from one that climbs all of them."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.owner = psycopg.connect(self.libpq("postgres"), autocommit=True)
        self.names = {revision: f"at_{revision}" for revision in REVISIONS}
        self.owner.execute("CREATE DATABASE climbing")
        for revision, name in self.names.items():
            self.move("climbing", revision)
            self.owner.execute(f"CREATE DATABASE {name} TEMPLATE climbing STRATEGY FILE_COPY".encode())

    def libpq(self, name: str) -> str:
        return self.engines.postgres.url(name).replace("+psycopg", "")

    def move(self, name: str, revision: str) -> list[object]:
        """Upgrade or downgrade, as the revision lies; the differences from the code's tables then."""
        engine = create_engine(self.engines.postgres.url(name), poolclass=NullPool)
        with engine.connect() as connection:
            at = migration._revision(connection)
            connection.rollback()
            turn = command.upgrade if at is None or at < revision else command.downgrade
            turn(migration.alembic_config(connection), revision)
            return differences(connection)

    def close(self) -> None:
        for name in ("climbing", *self.names.values()):
            self.owner.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        self.owner.close()


@pytest.fixture(scope="module")
def ladder(engines: Engines) -> Iterator[Ladder]:
    made = Ladder(engines)
    yield made
    made.close()


def rows_of(connection: psycopg.Connection[Any], query: str) -> list[Row]:
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(query.encode()).fetchall()


def columns(connection: psycopg.Connection[Any]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for column in rows_of(
        connection,
        "SELECT table_name, column_name, data_type, is_nullable = 'YES' AS nullable, "
        "column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS' AS given, "
        "is_identity = 'YES' OR is_generated = 'ALWAYS' AS made "
        f"FROM information_schema.columns WHERE {OURS} ORDER BY table_name, ordinal_position",
    ):
        found.setdefault(column["table_name"], []).append(column)
    return found


def references(connection: psycopg.Connection[Any]) -> list[Row]:
    """Foreign keys: of which table, to which, and the pairs of columns."""
    return rows_of(
        connection,
        "SELECT k.conrelid::regclass::text AS table, k.confrelid::regclass::text AS target, "
        "array_agg(ARRAY[here.attname::text, there.attname::text]) AS pairs FROM pg_constraint k "
        "CROSS JOIN unnest(k.conkey, k.confkey) AS pair (here, there) "
        "JOIN pg_attribute here ON here.attrelid = k.conrelid AND here.attnum = pair.here "
        "JOIN pg_attribute there ON there.attrelid = k.confrelid AND there.attnum = pair.there "
        "WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace "
        "GROUP BY k.oid ORDER BY cardinality(k.conkey)",
    )


def value_of(column: Row, n: int) -> Any:
    """A value by name, else by type; of row 1 or 2."""
    table, name = column["table_name"], column["column_name"]
    for known in (f"{table}.{name}", name):
        if known in VALUES:
            value = VALUES[known]
            value = value[n - 1] if isinstance(value, tuple) else value
            return value.replace("{n}", str(n)) if isinstance(value, str) else value
    if column["nullable"] and n == 1:
        return None
    match column["data_type"]:
        case "text" | "character varying":
            return f"{name}-{n}"
        case "uuid":
            return f"00000000-0000-4000-8000-{n:012}"
        case "integer" | "bigint" | "numeric":
            return n
        case "double precision":
            return n + 0.1
        case "boolean":
            return n == 2
        case "timestamp with time zone":
            return f"2026-01-0{n} 00:00:00.123456+00"
        case "json":
            return f'{{"second": {n}, "first": [1.0, null]}}'
        case "jsonb":
            return f'{{"n": {n}}}'
        case "ARRAY":
            return [f"{name}-{n}"]
        case other:
            raise AssertionError(f"say in VALUES what {table}.{name} of type {other} may hold")


def fill(connection: psycopg.Connection[Any]) -> None:
    """Two rows in every table."""
    tables, keys = columns(connection), references(connection)
    order = TopologicalSorter({name: set[str]() for name in tables})
    for key in keys:
        if key["table"] != key["target"]:
            order.add(key["table"], key["target"])
    done: dict[tuple[str, int], Row] = {}
    for table in order.static_order():
        for n in (1, 2):
            row = {column["column_name"]: value_of(column, n) for column in tables[table] if not column["made"]}
            for key in (key for key in keys if key["table"] == table):
                target = done.get((key["target"], n - 1 if key["target"] == table else n))
                if table == "profiles" and n == 1 and key["target"] == "architectures":
                    target = None  # an operation is measured there, and no architecture
                for here, there in key["pairs"]:
                    optional = next(c["nullable"] for c in tables[table] if c["column_name"] == here)
                    row[here] = None if target is None or (optional and n == 1) else target[there]
            done[table, n] = row
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            )
            connection.execute(insert, list(row.values()))


def contents(connection: psycopg.Connection[Any], tables: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these columns as text, in the order of the text."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, names in tables.items():
        wanted = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        query = sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier(table))
        found[table] = sorted(connection.execute(query).fetchall(), key=str)
    return found


@pytest.mark.parametrize("revision", REVISIONS)
def test_rows_go_up_and_down_unchanged(ladder: Ladder, revision: str) -> None:
    name = ladder.names[revision]
    with psycopg.connect(ladder.libpq(name)) as connection:
        fill(connection)
        kept = {table: [column["column_name"] for column in found] for table, found in columns(connection).items()}
        before = contents(connection, kept)
    assert {len(rows) for rows in before.values()} <= {2, 4}, "4 where a trigger adds rows of its own"
    assert ladder.move(name, HEAD) == [], "not the tables of the code"
    with psycopg.connect(ladder.libpq(name)) as connection:
        assert set(columns(connection)) == set(metadata.tables)
        assert contents(connection, kept) == before
    if revision != HEAD:
        ladder.move(name, revision)
    with psycopg.connect(ladder.libpq(name)) as connection:
        assert {table: [c["column_name"] for c in found] for table, found in columns(connection).items()} == kept
        assert contents(connection, kept) == before


def shape(connection: psycopg.Connection[Any]) -> tuple[dict[str, Row], dict[str, Row]]:
    """Columns and constraints by name."""
    listed = {f"{c['table_name']}.{c['column_name']}": c for found in columns(connection).values() for c in found}
    constraints = rows_of(
        connection,
        "SELECT conname AS name, conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS says, "
        "ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns "
        "FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND conrelid <> 0 "
        "AND contype IN ('c', 'u', 'f', 'p') AND conrelid::regclass::text <> 'alembic_version'",
    )
    return listed, {found["name"]: found for found in constraints}


def breaking(before: tuple[dict[str, Row], dict[str, Row]], after: tuple[dict[str, Row], dict[str, Row]]) -> list[str]:
    """What the code of the revision before may stumble over: it reads and writes the columns of then."""
    (columns_then, rules_then), (columns_now, rules_now) = before, after
    tables = {column["table_name"] for column in columns_then.values()}
    found: list[str] = []
    for name, column in columns_then.items():
        now = columns_now.get(name)
        if now is None:
            found.append(f"{name} is gone")
        elif now["data_type"] != column["data_type"]:
            found.append(f"{name} is {now['data_type']}, and was {column['data_type']}")
        elif column["nullable"] and not now["nullable"]:
            found.append(f"{name} may no longer be NULL")
        elif column["given"] and not now["given"]:
            found.append(f"{name} has no default any more")
    for name, column in columns_now.items():
        fresh = name not in columns_then and column["table_name"] in tables
        if fresh and not column["nullable"] and not column["given"]:
            found.append(f"{name} must be given")
    for name, rule in rules_now.items():
        word = kind(rule)
        if name in rules_then and rules_then[name]["says"] != rule["says"]:
            found.append(f"{word} {name} has changed")
        # One over a new column binds nobody who leaves it NULL.
        if (
            name not in rules_then
            and {f"{rule['table']}.{column}" for column in rule["columns"]} <= columns_then.keys()
        ):
            found.append(f"{word} {name} is new")
    for name, rule in rules_then.items():
        if name not in rules_now and kind(rule) in ("UNIQUE", "PRIMARY KEY"):
            found.append(f"{kind(rule)} {name} is gone")  # whoever inserts may ask for its conflicts
    return found


def kind(rule: Row) -> str:
    """Such as FOREIGN KEY."""
    return rule["says"].partition(" (")[0]


def test_a_migration_that_older_code_stumbles_over_says_so(ladder: Ladder) -> None:
    shapes: list[tuple[dict[str, Row], dict[str, Row]]] = []
    for name in ladder.names.values():
        with psycopg.connect(ladder.libpq(name)) as connection:
            shapes.append(shape(connection))
    found = {
        (revision, change)
        for revision, before, after in zip(REVISIONS[1:], shapes, shapes[1:], strict=False)
        for change in breaking(before, after)
        if migration.revisions()[revision] != revision
    }
    assert found == HARMLESS.keys(), "state `oldest_code` in the migration, or here why it is harmless"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER TABLE workers ADD COLUMN rack text", []),
        ("ALTER TABLE workers ADD COLUMN rack text NOT NULL DEFAULT ''", []),
        ("ALTER TABLE workers ADD COLUMN rack text UNIQUE", []),
        ("CREATE TABLE racks (name text PRIMARY KEY)", []),
        ("ALTER TABLE workers ADD COLUMN rack text NOT NULL", ["workers.rack must be given"]),
        ("ALTER TABLE workers DROP COLUMN gpu", ["workers.gpu is gone"]),
        ("ALTER TABLE workers RENAME COLUMN gpu TO device", ["workers.gpu is gone"]),
        ("ALTER TABLE workers ALTER gpu SET NOT NULL", ["workers.gpu may no longer be NULL"]),
        ("ALTER TABLE workers ALTER started_at DROP DEFAULT", ["workers.started_at has no default any more"]),
        ("ALTER TABLE workers ALTER pid TYPE bigint", ["workers.pid is bigint, and was integer"]),
        ("ALTER TABLE workers ADD CONSTRAINT small CHECK (pid < 9)", ["CHECK small is new"]),
        ("ALTER TABLE workers ADD CONSTRAINT one UNIQUE (host, pid)", ["UNIQUE one is new"]),
        ("ALTER TABLE workers DROP CONSTRAINT pk_workers", ["PRIMARY KEY pk_workers is gone"]),
        (
            "ALTER TABLE workers DROP CONSTRAINT ck_workers_state, ADD CONSTRAINT ck_workers_state CHECK (state <> '')",
            ["CHECK ck_workers_state has changed"],
        ),
    ],
)
def test_what_older_code_stumbles_over_is_found(ladder: Ladder, change: str, found: list[str]) -> None:
    with psycopg.connect(ladder.libpq("climbing")) as connection:
        before = shape(connection)
        connection.execute(change.encode())
        assert breaking(before, shape(connection)) == found
        connection.rollback()
