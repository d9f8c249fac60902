"""The whole database as files and back: one consistent snapshot out, one transaction in.

Rows travel as PostgreSQL's own COPY text, so that no program of the server's version is needed on either side.
"""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import sql

from app.catalogue.database import Database
from app.catalogue.errors import CatalogueError

COLLECTING_KEY = 0x63656C6C61720008  # shared by backups, had alone by whoever removes a stored file
LEFT_OUT = ("alembic_version", "workers")  # the revision is told apart, and workers are processes of one site
BLOCK = 1 << 20  # bytes

Connection = psycopg.Connection[Any]

TABLES = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
       array_agg(a.attname::text) FILTER (WHERE a.attidentity <> '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> ALL (%s)
GROUP BY c.relname ORDER BY c.relname
"""
REFERENCES = """
SELECT f.relname, t.relname FROM pg_constraint k
JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
WHERE k.contype = 'f' AND f.oid <> t.oid AND k.connamespace = current_schema()::regnamespace
"""


class NotEmpty(CatalogueError):
    """Rows were to be restored where there are some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """What a table holds."""

    name: str
    columns: tuple[str, ...]
    rows: int
    bytes: int  # of its file
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A stored file that a row of the snapshot names."""

    path: str
    bytes: int
    sha256: str
    lasting: bool  # an artefact; a checkpoint may be replaced while it is copied


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database as it was at one moment. Nothing that it names is collected while it is open."""

    connection: Connection

    @property
    def revision(self) -> str:
        """Of the tables."""
        return revision_of(self.connection)

    def tables(self) -> tuple[str, ...]:
        """Every table, each after those that it refers to."""
        return tuple(_tables(self.connection))

    def write(self, table: str, file: Path) -> TableRows:
        """Write the rows of a table to a file."""
        columns = _tables(self.connection)[table][0]
        command = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(table), _names(columns))
        digest, size = hashlib.sha256(), 0
        with file.open("wb") as written, self.connection.cursor() as cursor:
            with cursor.copy(command) as copy:
                for block in copy:
                    digest.update(block)
                    size += len(block)
                    written.write(block)
            rows = cursor.rowcount
        return TableRows(name=table, columns=columns, rows=rows, bytes=size, sha256=digest.hexdigest())

    def files(self) -> tuple[NamedFile, ...]:
        """Every stored file that rows name, checkpoints first."""
        query = (
            "SELECT path, bytes, sha256, false FROM checkpoints UNION SELECT path, bytes, sha256, true FROM artefacts "
            "ORDER BY 4, 1"
        )
        return tuple(
            NamedFile(path=path, bytes=size, sha256=sha256, lasting=lasting)
            for path, size, sha256, lasting in self.connection.execute(query)
        )


@contextmanager
def snapshot(database: Database) -> Generator[Snapshot]:
    """Open a snapshot; writers go on meanwhile."""
    with _connection(database) as connection:
        # Before the snapshot is taken: what it names must be there, and stay.
        connection.execute("SELECT pg_advisory_lock_shared(%s)", [COLLECTING_KEY])
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # files are copied meanwhile
        yield Snapshot(connection)


def revision(database: Database) -> str:
    """The revision of the database's tables."""
    with _connection(database) as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str:
    """The revision of the tables."""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row is not None, "a migrated database has a revision"
    return str(row[0])


def running(database: Database) -> tuple[tuple[UUID, int], ...]:
    """Jobs that have a lease, with its fence."""
    with _connection(database) as connection:
        return tuple(connection.execute("SELECT id, fence FROM jobs WHERE state = 'running' ORDER BY id"))


def refuse_rows(database: Database) -> None:
    """Raises NotEmpty unless every table is empty."""
    with _connection(database) as connection:
        _refuse_rows(connection)


def load(database: Database, tables: tuple[tuple[TableRows, Path], ...], *, without: tuple[str, ...]) -> None:
    """Read the rows of every table from its file, all or none; checkpoints whose path is in `without` are left out.

    Raises NotEmpty, and CatalogueError where a table here has other columns or a file other rows.
    """
    with _connection(database) as connection, connection.transaction():
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        _refuse_rows(connection)
        here = _tables(connection)
        given = {table.name: (table, file) for table, file in tables}
        if here.keys() != given.keys():
            raise CatalogueError(f"the tables differ: {sorted(here)} here, {sorted(given)} in the backup")
        for name, (_, identities) in here.items():
            table, file = given[name]
            _load(connection, table, file)
            for column in identities:
                query = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), coalesce(max({}), 1)) FROM {}")
                connection.execute(query.format(sql.Identifier(column), sql.Identifier(name)), [name, column])
        connection.execute("DELETE FROM checkpoints WHERE path = ANY (%s)", [list(without)])


def _load(connection: Connection, table: TableRows, file: Path) -> None:
    name = sql.Identifier(table.name)
    # Triggers have done their work: it is among the rows.
    connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(name, _names(table.columns))
    with connection.cursor() as cursor:
        with file.open("rb") as stream, cursor.copy(command) as copy:
            while block := stream.read(BLOCK):
                copy.write(block)
        if cursor.rowcount != table.rows:
            raise CatalogueError(f"{file} gave {cursor.rowcount} rows of {table.name}, not {table.rows}")
    connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))


def _refuse_rows(connection: Connection) -> None:
    for name in _tables(connection):
        if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(name))).fetchone():
            raise NotEmpty(f"the table {name} has rows")


def _tables(connection: Connection) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Columns and identity columns of every table, in an order in which rows can be written."""
    found = {
        name: (tuple(columns), tuple(identities or ()))
        for name, columns, identities in connection.execute(TABLES, [list(LEFT_OUT)])
    }
    order = TopologicalSorter[str](dict.fromkeys(found, ()))
    for name, referred in connection.execute(REFERENCES):
        if name in found and referred in found:
            order.add(name, referred)
    return {name: found[name] for name in order.static_order()}


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


@contextmanager
def _connection(database: Database) -> Generator[Connection]:
    """A connection of its own, on which statements may take long."""
    pooled = database.engine.raw_connection()
    connection = cast("Connection", pooled.driver_connection)
    pooled.detach()
    try:
        connection.rollback()
        connection.autocommit = True
        connection.execute("SET statement_timeout = 0")
        yield connection
    finally:
        connection.close()
