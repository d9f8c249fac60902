"""Bring a database to the newest revision, one process at a time."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.catalogue.errors import MigrationBusy

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_KEY = 0x63656C6C61720001  # "cellar" and a number
LOCK_SECONDS = 60


def migrations_path() -> Path:
    """The directory of the migrations."""
    return Path(str(files("migrations")))


def alembic_config(connection: Connection) -> "Config":
    """Alembic's settings for running on a connection that is open already."""
    from alembic.config import Config  # here: a fifth of a second that no process but the migrating one needs

    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the database at `url`; processes that start together wait for each other.

    Raises MigrationBusy when another process holds the lock for longer than a minute.
    """
    from alembic import command

    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            _lock(connection)
            try:
                command.upgrade(alembic_config(connection), revision)
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
                connection.commit()
    finally:
        engine.dispose()


def _lock(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
    except OperationalError as error:
        raise MigrationBusy(f"another process has been migrating for more than {LOCK_SECONDS} s") from error
    # A migration must not queue behind a long reader, and every writer behind the migration.
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.commit()
