"""Jobs that were there before they could have names, GPUs and quotas are the same after."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text

from app.catalogue import migration
from app.embedded import Engines

JOB = """INSERT INTO jobs (id, parent_id, kind, queue, device, state, priority, owner, visibility, request)
    VALUES (:id, :parent, 'training', 'cpu', 'auto', 'queued', 0, 'ada', 'private', '{"n": 1}')"""
PARENT, CHILD, TWIN = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2, 3))


@pytest.fixture
def connection(engines: Engines) -> Iterator[Connection]:
    """A database of its own, of the revision before."""
    with psycopg.connect(engines.postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("CREATE DATABASE of_before")
        engine = create_engine(engines.postgres.url("of_before"))
        with engine.connect() as opened:
            command.upgrade(migration.alembic_config(opened), "0005")
            yield opened
        engine.dispose()
        owner.execute("DROP DATABASE of_before WITH (FORCE)")


def test_jobs_of_the_revision_before_keep_everything_both_ways(connection: Connection) -> None:
    for id, parent in ((PARENT, None), (CHILD, PARENT), (TWIN, PARENT)):
        connection.execute(text(JOB), {"id": id, "parent": parent})
    connection.commit()
    look = text("SELECT id::text, parent_id::text, state, owner, request::text FROM jobs ORDER BY id")
    before = connection.execute(look).all()
    config = migration.alembic_config(connection)
    command.upgrade(config, "0006")
    assert connection.execute(look).all() == before
    fresh = connection.execute(text("SELECT DISTINCT name, on_gpu, gpu_seconds FROM jobs")).all()
    assert [tuple(row) for row in fresh] == [(None, False, 0.0)]
    connection.execute(text("UPDATE jobs SET name = 'a', gpu_seconds = 5 WHERE id = :id"), {"id": CHILD})
    connection.execute(text("INSERT INTO quotas (owner, queued_jobs) VALUES ('ada', 1)"))
    connection.commit()
    command.downgrade(config, "0005")
    assert connection.execute(look).all() == before
