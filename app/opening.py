"""The catalogue for a command: of the engines that run already, or of engines that are started for it."""

from collections.abc import Generator
from contextlib import contextmanager

from app.embedded import NotRunning, attach
from app.settings import Settings
from app.supervisor import Service, migrate_database


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
