"""Fixtures on real engines and real processes.

One PostgreSQL and one Valkey for each pytest process, a fresh database for each test, and the command `cellar` as a
process tree that is gone when its test ends.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: two processes with two threads each wait for cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from app.embedded import Engines, wait_until
from app.settings import VARIABLES

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
def database_url(engines: Engines, new_database: Callable[[], str]) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, migrated database of this test's own, which goes with the test."""
    url = new_database()
    yield url
    with psycopg.connect(_libpq(engines.postgres.url("postgres")), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {psycopg.conninfo.conninfo_to_dict(_libpq(url))['dbname']} WITH (FORCE)")


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


class Tree:
    """The command `cellar` as a process of its own, with everything below it."""

    def __init__(
        self, command: list[str], output: Path, *, environment: Mapping[str, str], directory: Path, user: int | None
    ) -> None:
        self._output = output
        inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES.values()}
        with output.open("w") as stream:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env={**inherited, "OMP_NUM_THREADS": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        self.known: dict[int, str] = {}  # everything that was ever seen below it

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text()

    def wait_for(self, said: str, seconds: float = 60) -> None:
        """Wait until it has said this."""
        ended = wait_until(lambda: said in self.output or self.process.poll() is not None, seconds, pause=0.05)
        assert ended, f"it did not say {said!r} in {seconds} s: {self.output}"
        assert said in self.output, f"it ended with {self.process.returncode} and did not say {said!r}: {self.output}"

    @property
    def url(self) -> str:
        """Where its API answers."""
        (line,) = [line for line in self.output.splitlines() if line.split()[:1] == ["API"]]
        return line.split()[1]

    def look(self) -> dict[int, str]:
        """Process ids and command lines of itself and of everything below it."""
        parents: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
            except OSError:  # it ended meanwhile
                continue
        below = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in below} - below:
            below |= more
        found = {pid: line for pid in below if (line := command_line(pid))}
        self.known |= found
        return found

    def one(self, part: str) -> int:
        """Process id of the one process below it whose command line holds `part`."""
        (found,) = [pid for pid, line in self.look().items() if part in line and pid != self.process.pid]
        return found

    def left(self) -> dict[int, str]:
        """What still runs of everything that was ever seen below it."""
        return {pid: line for pid, line in self.known.items() if command_line(pid) == line}

    def end(self) -> None:
        """Kill whatever is left."""
        if self.process.poll() is None:
            self.look()
        for pid in (self.process.pid, *self.left()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)


def command_line(pid: int) -> str:
    """The command line of a process; empty when it has ended, also when nobody has taken note of that."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


@pytest.fixture
def cellar(tmp_path: Path) -> Iterator[Callable[..., Tree]]:
    """Start `cellar` with these arguments; whatever is left of it when the test ends is killed."""
    started: list[Tree] = []

    def start(
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        directory: Path = Path("/"),
        python: Path = Path(sys.executable),
        user: int | None = None,
    ) -> Tree:
        command = [str(python), "-P", "-m", "app.cli", *map(str, arguments)]
        output = tmp_path / f"output-{len(started)}"
        started.append(Tree(command, output, environment=environment or {}, directory=directory, user=user))
        return started[-1]

    yield start
    for tree in started:
        tree.end()
