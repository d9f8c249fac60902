"""One version replaces another while jobs run: the next version's migration, the old processes on its tables, both
versions side by side, and the old one gone. No request fails meanwhile and no step of a job is lost or done twice.

The next version is this one with one more migration, found before ours on its path.
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.catalogue import Database, jobs, migration
from app.embedded import Engines, wait_until
from app.jobs import submit
from app.listener import listen
from app.supervisor import NEWER_TABLES

HANDLERS = Path(__file__).parent / "handlers"
HEAD = list(migration.revisions())[-1]
NEXT = f'''
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("rack", sa.Text(), nullable=True))
    op.add_column("workers", sa.Column("rack", sa.Text(), server_default="first", nullable=False))
    op.create_table("racks", sa.Column("name", sa.Text(), primary_key=True))
    op.create_index("ix_jobs_rack", "jobs", ["rack"])
'''
STEPS = {"epochs": 20, "steps": 3, "seconds": 0.1}  # six seconds


@pytest.fixture
def empty_url(engines: Engines) -> Iterator[str]:
    """A database with nothing in it."""
    with psycopg.connect(engines.postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE rolling")
        yield engines.postgres.url("rolling")
        connection.execute("DROP DATABASE rolling WITH (FORCE)")


class Caller(threading.Thread):
    """Somebody who asks without a pause, of whichever API is said to take requests."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.answered, self.refused = url, 0, list[str]()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            try:
                answer = httpx.get(f"{self.url}/v1/jobs", timeout=10)
                self.answered += answer.is_success
                if not answer.is_success:
                    self.refused.append(answer.text)
            except httpx.HTTPError as error:
                self.refused.append(repr(error))

    def end(self) -> None:
        self._ended.set()
        self.join(10)


@pytest.fixture
def next_version(open_directory: Path) -> Path:
    """The directory from which Python takes the next version's migrations."""
    shutil.copytree(migration.migrations_path(), open_directory / "next" / "migrations")
    (open_directory / "next" / "migrations" / "versions" / "9999_next.py").write_text(NEXT)
    return open_directory / "next"


def test_a_job_goes_on_while_the_tables_change_and_its_worker_starts_again(
    workplace: Any, cellar: Callable[..., Any], next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = workplace.worker("--no-spare")
    id = workplace.submit(STEPS | {"epochs": 8})
    workplace.until(lambda: len(workplace.epochs(id)) >= 1)
    with monkeypatch.context() as patch:
        patch.setattr(migration, "migrations_path", lambda: next_version / "migrations")
        assert migration.migrate(workplace.database.url.render_as_string(hide_password=False))
    at = len(workplace.epochs(id))
    workplace.until(lambda: len(workplace.epochs(id)) > at, seconds=10)
    worker.terminate()
    assert worker.wait(30) == 0
    assert workplace.job(id).state == "queued"
    again = cellar("worker", environment=workplace._environment)
    job = workplace.until_final(id)
    assert NEWER_TABLES in again.output
    assert (job.state, job.attempt, job.result["total"]) == ("succeeded", 1, 24), "no step is lost or done twice"
    again.process.terminate()
    assert again.process.wait(30) == 0


@pytest.mark.slow
def test_one_version_replaces_another_while_jobs_run(
    cellar: Callable[..., Any], empty_url: str, redis_url: str, open_directory: Path, next_version: Path
) -> None:
    data = open_directory / "data"
    data.mkdir()
    old = {
        "DATABASE_URL": empty_url,
        "REDIS_URL": redis_url,
        "CELLAR_DATA_ROOT": str(data),
        "CELLAR_LEASE_SECONDS": "3",
        "CELLAR_RECONCILE_SECONDS": "0.5",
        "CELLAR_EXTRA_KINDS": json.dumps({"tally": "lifecycle_handlers:count"}),
        "PYTHONPATH": str(HANDLERS),
    }
    new = old | {"PYTHONPATH": os.pathsep.join([str(next_version), str(HANDLERS)])}

    def command(environment: dict[str, str], *words: str) -> str:
        ran = cellar(*words, environment=environment)
        assert ran.process.wait(60) == 0, ran.output
        return ran.output

    def api(environment: dict[str, str]) -> tuple[Any, str]:
        with listen("127.0.0.1", 0, allow_open=False) as probe:
            port = probe.getsockname()[1]
        started, url = cellar("api", "--port", str(port), environment=environment), f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/readyz").is_success
            except httpx.HTTPError:
                return False

        assert wait_until(answers, 60, pause=0.1), started.output
        return started, url

    def worker(environment: dict[str, str]) -> Any:
        started = cellar("worker", environment=environment)

        def lives() -> bool:
            with psycopg.connect(empty_url.replace("+psycopg", "")) as connection:
                row = connection.execute("SELECT 1 FROM workers WHERE pid = %s", [started.process.pid]).fetchone()
                return row is not None or started.process.poll() is not None

        assert wait_until(lives, 60, pause=0.1), started.output
        assert started.process.poll() is None, started.output
        return started

    def stop(tree: Any) -> None:
        tree.process.terminate()
        assert tree.process.wait(30) == 0, tree.output

    def add() -> Any:
        with database.transaction() as session:
            return submit(session, kind="tally", request=STEPS, queue="cpu", owner="local").job.id

    def epoch(id: Any) -> int:
        with database.transaction() as session:
            found = jobs.get(session, id)
        assert found is not None
        return -1 if found.progress is None else found.progress["epoch"]

    def tables() -> tuple[object, ...]:
        with psycopg.connect(empty_url.replace("+psycopg", "")) as connection:
            row = connection.execute("SELECT version_num, to_regclass('racks')::text FROM alembic_version").fetchone()
            assert row is not None
            return row

    assert "up to date" in command(old, "migrate")
    assert tables() == (HEAD, None)
    database = Database(empty_url, pool_size=2)
    (old_api, url), old_worker = api(old), worker(old)
    caller = Caller(url)
    caller.start()

    # The next version's migration, in the middle of a job: the old processes go on.
    first = add()
    assert wait_until(lambda: epoch(first) >= 1, 30, pause=0.05), old_worker.output
    assert "up to date" in command(new, "migrate")
    assert tables() == ("9999", "racks")
    second = add()
    at = epoch(first)
    assert wait_until(lambda: epoch(first) > at, 10, pause=0.05), "the job did not go on"
    assert old_worker.process.poll() is None

    # Old processes may start on the newer tables: one that dies now is no outage, and a rollback is possible.
    stop(old_worker)
    old_worker = worker(old)
    assert NEWER_TABLES in old_worker.output
    assert NEWER_TABLES in command(old, "migrate")
    assert tables() == ("9999", "racks")
    restarted_api, restarted_url = api(old)
    assert NEWER_TABLES in restarted_api.output
    caller.url = restarted_url
    stop(old_api)

    # Both versions side by side, then the next one alone.
    new_worker, (new_api, new_url) = worker(new), api(new)
    assert NEWER_TABLES not in new_api.output + new_worker.output
    caller.url = new_url
    stop(restarted_api)
    stop(old_worker)
    third = add()
    for id in (first, second, third):
        assert wait_until(lambda id=id: httpx.get(f"{new_url}/v1/jobs/{id}").json()["state"] == "succeeded", 60)
        job = httpx.get(f"{new_url}/v1/jobs/{id}").json()
        assert job["result"]["total"] == STEPS["epochs"] * STEPS["steps"], "no step is lost or done twice"
        assert job["attempt"] == 1, "an orderly interruption is no attempt"
    caller.end()
    assert caller.refused == []
    assert caller.answered > 20
    stop(new_worker)
    stop(new_api)
    database.dispose()
