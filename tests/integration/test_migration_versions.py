"""Versions side by side: what an older one does on tables that a newer one has made."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from app.catalogue import NewerTables, migrate, migration
from app.supervisor import NEWER_TABLES, ServiceError, migrate_database

HEAD = list(migration.revisions())[-1]
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
{needs}

def upgrade() -> None:
    op.add_column("jobs", sa.Column("rack", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "rack")
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The same database, looked at from outside."""
    opened = create_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def upgraded(
    database_url: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[object, ...]]:
    """Have the next version upgrade the database; what it has made of it."""

    def upgrade(needs: str) -> tuple[object, ...]:
        newer = tmp_path / "newer"
        shutil.copytree(migration.migrations_path(), newer)
        (newer / "versions" / "9999_next.py").write_text(NEXT.format(head=HEAD, needs=needs))
        with monkeypatch.context() as patch:
            patch.setattr(migration, "migrations_path", lambda: newer)
            assert migrate(database_url)
        return state(engine)

    return upgrade


def state(engine: Engine) -> tuple[object, ...]:
    with engine.connect() as connection:
        columns = tuple(column["name"] for column in inspect(connection).get_columns("jobs"))
        at = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        return at, connection.execute(text(migration.COMMENT)).scalar_one(), columns


def test_the_oldest_code_of_the_tables_of_today(engine: Engine) -> None:
    known = migration.revisions()
    assert state(engine)[:2] == (HEAD, f"oldest code: {known[HEAD]}")
    assert list(known) == sorted(known), "in the order in which they are applied"
    assert all(oldest <= revision for revision, oldest in known.items())


def test_an_older_version_leaves_newer_tables_alone_and_works(
    database_url: str, engine: Engine, upgraded: Callable[[str], tuple[object, ...]]
) -> None:
    made = upgraded("")
    assert made[:2] == ("9999", f"oldest code: {migration.revisions()[HEAD]}")
    assert "rack" in made[2]
    said: list[str] = []
    assert not migrate(database_url)
    migrate_database(database_url, said.append)
    assert said == [NEWER_TABLES]
    assert state(engine) == made


@pytest.mark.parametrize(
    ("needs", "forgotten", "says"),
    [
        ('oldest_code = "9999"', False, "revision 9999 and need code of revision 9999 or later"),
        ("", True, "revision 9999 and need newer code"),
    ],
)
def test_an_older_version_refuses_tables_that_need_newer_code(
    database_url: str,
    engine: Engine,
    upgraded: Callable[[str], tuple[object, ...]],
    needs: str,
    forgotten: bool,
    says: str,
) -> None:
    made = upgraded(needs)
    if forgotten:  # by a tool that copied the tables without their comments
        with engine.begin() as connection:
            connection.execute(text("COMMENT ON TABLE alembic_version IS NULL"))
        made = state(engine)
    with pytest.raises(NewerTables, match=says):
        migrate(database_url)
    with pytest.raises(ServiceError, match=f"{says}; this version knows revisions up to {HEAD}"):
        migrate_database(database_url)
    assert state(engine) == made
