"""How Alembic reaches the database: on the connection it is given, or, from its command line, by the settings."""

from alembic import context
from sqlalchemy import Connection, create_engine, make_url, pool

from app.catalogue.migration import note_oldest_code
from app.catalogue.tables import metadata


def run(connection: Connection) -> None:
    """Run the revisions asked for on a connection."""
    context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
        note_oldest_code(connection)


def command_line() -> None:
    """Run them on the database that the settings name."""
    from app.settings import load_settings

    url = load_settings().database_url
    if url is None:
        raise SystemExit("set DATABASE_URL to the database that Alembic is to work on")
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        run(connection)
        connection.commit()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    command_line()
