"""Fixtures that need real engines: one PostgreSQL and one Valkey for each pytest process, a fresh database a test."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from app.embedded import Engines

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from app.catalogue import Database
    from app.settings import Settings


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """An empty directory that every account can reach, as `tmp_path` is not when root runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="cellar-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Embedded PostgreSQL and Valkey of this pytest process (under xdist: of this worker), on their own data root."""
    path = Path(tempfile.mkdtemp(prefix="cellar-test-engines-", dir="/tmp"))
    path.chmod(0o755)
    with Engines(path / "data", command="pytest", durable=False) as running:
        yield running
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def new_database(engines: Engines) -> Iterator[Callable[[], str]]:
    """Call it for the SQLAlchemy URL of a fresh database, cloned from one that was migrated once."""
    from app.catalogue import migrate

    with psycopg.connect(_libpq(engines.postgres.url("postgres")), autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_cellar")
        migrate(engines.postgres.url("template_cellar"))
        numbers = count()

        def clone() -> str:
            name = f"test_{next(numbers)}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template_cellar STRATEGY FILE_COPY")
            return engines.postgres.url(name)

        yield clone


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """SQLAlchemy URL of a fresh, migrated database of this test's own."""
    return new_database()


@pytest.fixture
def database(database_url: str) -> Iterator["Database"]:
    """The catalogue's `Database` on a fresh database."""
    from app.catalogue import Database

    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def redis_url(engines: Engines) -> str:
    """Broker URL of this test session's Valkey; shared by the tests of one pytest process."""
    return engines.redis_url


@pytest.fixture(scope="module")
def api_settings(
    new_database: Callable[[], str], engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> "Settings":
    """Settings of an API process of this test module, on a fresh database."""
    from app.settings import Settings

    return Settings(
        database_url=new_database(),
        redis_url=engines.redis_url,
        data_root=tmp_path_factory.mktemp("data"),
        allowed_hosts=("testserver",),
        reconcile_seconds=3600.0,
    )


@pytest.fixture(scope="module")
def api(api_settings: "Settings") -> Iterator["TestClient"]:
    """A client of the API in this process; everything that the application starts is running."""
    from fastapi.testclient import TestClient

    from app.main import create_app

    with TestClient(create_app(api_settings)) as client:
        yield client


@pytest.fixture(scope="module")
def api_database(api_settings: "Settings") -> Iterator["Database"]:
    """The catalogue behind `api`."""
    from app.catalogue import Database

    assert api_settings.database_url is not None
    opened = Database(api_settings.database_url)
    yield opened
    opened.dispose()


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
