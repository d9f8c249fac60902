"""`cellar quotas`: limits of one owner, set, shown and written down."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.catalogue import Database, Quota, quotas
from app.cli import cli
from app.jobs import submit

Run = Callable[..., Result]


@pytest.fixture
def run(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False).replace("+psycopg", ""))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path))
    return lambda *words: CliRunner().invoke(cli, ["quotas", *words])


def test_limits_are_set_one_by_one_and_shown_with_what_is_used(run: Run, database: Database) -> None:
    with database.transaction() as session:
        submit(session, kind="count", request={}, owner="ada", queue="cpu")
    assert run("set", "ada", "--queued-jobs", "5").exit_code == 0
    set_ = run("set", "ada", "--gpu-hours", "1.5", "--priority", "20")
    assert set_.exit_code == 0, set_.output
    with database.transaction() as session:
        assert quotas.of_owner(session, "ada") == Quota(queued_jobs=5, gpu_hours=1.5, priority=20)
    expected = (
        "ada               queued jobs 1 of 5; GPU hours in 30 days 0.00 of 1.5; bytes 0 of unlimited; "
        "priority up to 20\n"
    )
    assert set_.output == run("show").output == run("show", "ada").output == expected
    assert run("show", "bob").output.startswith("bob               queued jobs 0 of 20000; ")
    assert run("set", "ada", "--reset", "--storage-bytes", "7").exit_code == 0
    with database.transaction() as session:
        assert quotas.of_owner(session, "ada") == Quota(storage_bytes=7)


@pytest.mark.parametrize(
    "words", [["set", "ada"], ["set", "ada", "--priority", "101"], ["set", "ada", "--gpu-hours=-1"]]
)
def test_what_sets_nothing_or_cannot_be_is_refused(run: Run, words: list[str]) -> None:
    assert run(*words).exit_code != 0
