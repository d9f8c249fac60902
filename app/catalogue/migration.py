"""Bring a database to the newest revision, one process at a time, and leave the tables of a newer version alone.

While one version replaces another, both work on the tables of the newer one. A migration after which earlier code
would fail says so with a line of its own, `oldest_code = "0011"`: the first revision whose code works on its tables.
What it says holds until a later migration says otherwise. The database keeps it as the comment on Alembic's table,
for code that does not know the migration.
"""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.catalogue.errors import MigrationBusy, NewerTables

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_KEY = 0x63656C6C61720001  # "cellar" and a number
LOCK_SECONDS = 60
OLDEST_CODE = "oldest code: "
"""How the comment on Alembic's table begins; a revision follows."""

COMMENT = "SELECT obj_description('alembic_version'::regclass, 'pg_class')"


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


def revisions() -> dict[str, str]:
    """Every revision that this version knows, the oldest first, with the oldest code that works on its tables."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    with Operations.context(MigrationContext.configure(dialect_name="postgresql")):  # migrations name things at import
        scripts = reversed(list(ScriptDirectory(migrations_path()).walk_revisions()))
    oldest, found = "", dict[str, str]()
    for script in scripts:
        oldest = getattr(script.module, "oldest_code", oldest or script.revision)
        found[script.revision] = oldest
    return found


def fits(comment: str | None) -> bool:
    """Whether tables that this version does not know say that its code works on them; `comment` is theirs."""
    return comment is not None and comment.removeprefix(OLDEST_CODE) in revisions()


def note_oldest_code(connection: Connection) -> None:
    """Have the database say what code its tables need, in the transaction that has changed them."""
    at = _revision(connection)
    if at is None:
        return
    wanted = f"{OLDEST_CODE}{revisions()[at]}"
    if connection.execute(text(COMMENT)).scalar_one() != wanted:
        connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{wanted}'")


def migrate(url: str, revision: str = "head") -> bool:
    """Upgrade the database at `url`; processes that start together wait for each other.

    Returns whether the tables are those of this version. Where they are those of a newer one that this version's code
    works on, nothing is done.

    Raises:
        MigrationBusy: another process holds the lock for longer than a minute.
        NewerTables: the tables are those of a newer version, and need newer code.
    """
    from alembic import command

    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            _lock(connection)
            try:
                if _are_newer(connection):
                    return False
                connection.rollback()  # so that Alembic's transaction is its own
                command.upgrade(alembic_config(connection), revision)
                connection.commit()
                return True
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
                connection.commit()
    finally:
        engine.dispose()


def _are_newer(connection: Connection) -> bool:
    """Whether the tables are those of a newer version. Raises NewerTables where they need newer code."""
    at, known = _revision(connection), revisions()
    if at is None or at in known:
        return False
    comment = connection.execute(text(COMMENT)).scalar_one()
    if fits(comment):
        return True
    needed = "newer code" if comment is None else f"code of revision {comment.removeprefix(OLDEST_CODE)} or later"
    raise NewerTables(
        f"its tables are of revision {at} and need {needed}; this version knows revisions up to {list(known)[-1]}: "
        "start the version that made them, or restore a backup from before the upgrade"
    )


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _lock(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
    except OperationalError as error:
        raise MigrationBusy(f"another process has been migrating for more than {LOCK_SECONDS} s") from error
    # A migration must not queue behind a long reader, and every writer behind the migration.
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.commit()
