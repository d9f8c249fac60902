"""Migrations lead from nothing to the metadata and back, one process at a time."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from app.catalogue import MigrationBusy, migrate, migration
from app.catalogue.tables import metadata
from app.embedded import Engines


@pytest.fixture
def empty_url(engines: Engines) -> Iterator[str]:
    """A database with nothing in it."""
    with psycopg.connect(engines.postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS empty_one WITH (FORCE)")
        connection.execute("CREATE DATABASE empty_one")
        yield engines.postgres.url("empty_one")
        connection.execute("DROP DATABASE empty_one WITH (FORCE)")


@pytest.fixture
def connection(empty_url: str) -> Iterator[Connection]:
    engine = create_engine(empty_url)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
    return compare_metadata(context, metadata)


def test_up_down_up_without_drift(connection: Connection) -> None:
    config = migration.alembic_config(connection)
    command.upgrade(config, "head")
    assert differences(connection) == []
    command.downgrade(config, "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    connection.rollback()
    command.upgrade(config, "head")
    assert differences(connection) == []
    assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_the_constraints_that_alembic_does_not_compare_are_there(connection: Connection) -> None:
    command.upgrade(migration.alembic_config(connection), "head")
    found = connection.execute(text("SELECT conname FROM pg_constraint WHERE contype = 'c'")).scalars().all()
    wanted = {
        constraint.name
        for table in metadata.tables.values()
        for constraint in table.constraints
        if str(constraint.name).startswith("ck_")
    }
    assert len(wanted) > 15
    assert wanted <= set(found)


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            migrate(empty_url)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    migrate(empty_url)  # and once more does nothing


def test_a_migration_that_cannot_begin_says_so(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "LOCK_SECONDS", 0.2)
    engine = create_engine(empty_url)
    with engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": migration.LOCK_KEY})
        with pytest.raises(MigrationBusy, match=r"for more than 0\.2 s"):
            migrate(empty_url)
    engine.dispose()
