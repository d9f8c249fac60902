"""The catalogue for a command: of the engines that run already, or of engines that are started for it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from pydantic import ValidationError

from app.embedded import EnginesError, NotRunning, attach
from app.settings import Settings, load_settings
from app.supervisor import Service, ServiceError, migrate_database

if TYPE_CHECKING:
    from app.catalogue import Database

DataDir = Annotated[Path | None, typer.Option(help="Where everything is kept.")]


def attached(settings: Settings) -> Settings | None:
    """The settings with both URLs: those given, else those of the engines that run; None where none do."""
    if settings.database_url is not None and settings.redis_url is not None:
        return settings
    try:
        runtime = attach(settings.data_root)
    except NotRunning:
        return None
    return settings.model_copy(
        update={
            "database_url": settings.database_url or runtime.database_url,
            "redis_url": settings.redis_url or runtime.redis_url,
        }
    )


@contextmanager
def up_to_date(settings: Settings, command: str) -> Generator[Settings]:
    """The settings with both URLs, of a database whose tables are up to date. Engines that had to be started stop at
    the end.

    Raises:
        EnginesError: an engine does not start.
        ServiceError: the database is out of reach, or refuses.
    """
    found = attached(settings)
    if found is not None:
        assert found.database_url is not None
        migrate_database(found.database_url)
        yield found
    else:
        with Service(settings, api=False, workers=0, command=command) as service:  # it migrates whenever it starts
            yield service.settings


@contextmanager
def catalogue(command: str, data_dir: Path | None) -> Generator[tuple[Settings, "Database"]]:
    """The settings and the catalogue; what goes wrong with them is said and ends the command with status 1."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.catalogue import CatalogueError, Database

    try:
        with up_to_date(load_settings(**({} if data_dir is None else {"data_root": data_dir})), command) as settings:
            assert settings.database_url is not None
            database = Database(settings.database_url, pool_size=1)
            try:
                yield settings, database
            finally:
                database.dispose()
    except ValidationError as error:
        fail("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_url=False)))
    except (EnginesError, ServiceError, CatalogueError, SQLAlchemyError, OSError) as error:
        fail(str(error))


def fail(reason: str) -> NoReturn:
    """Say why, and end the command with status 1."""
    typer.echo(f"cellar: {reason}", err=True)
    raise typer.Exit(1)
