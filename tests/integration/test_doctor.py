"""The doctor beside real servers: healthy ones, an empty database, an old one, one from the future, one in the way."""

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import psycopg
import pytest

from app.catalogue import Database, keys
from app.catalogue.migration import LOCK_KEY
from app.doctor import CHECKS, Finding, examine, servers
from app.embedded import Engines
from app.settings import Settings


@pytest.fixture
def at(tmp_path: Path, redis_url: str) -> Callable[[str], Settings]:
    def settings(url: str) -> Settings:
        return Settings(data_root=tmp_path, database_url=url, redis_url=redis_url, port=0, code_version="0")

    return settings


def level_of(findings: Iterable[Finding], check: str) -> tuple[str, str]:
    (found,) = [finding for finding in findings if finding.check == check]
    return found.level, found.says


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")


def test_healthy_servers(at: Callable[[str], Settings], database_url: str) -> None:
    found = [*servers.database(at(database_url)), *servers.broker(at(database_url))]
    assert {finding.level for finding in found} == {"ok"}, found
    assert {finding.check for finding in found} == {"database", "migrations", "clock", "locks", "broker"}
    assert any("Valkey 9." in finding.says for finding in found)


def test_tables_of_another_version(at: Callable[[str], Settings], database_url: str) -> None:
    with psycopg.connect(libpq(database_url), autocommit=True) as connection:
        for change, level, says in (
            ("UPDATE alembic_version SET version_num = '0001'", "failure", "are at revision 0001"),
            ("UPDATE alembic_version SET version_num = '9999'", "warning", "at revision 9999, of a newer version"),
            ("COMMENT ON TABLE alembic_version IS 'oldest code: 9999'", "failure", "does not know"),
            ("COMMENT ON TABLE alembic_version IS NULL", "failure", "does not know"),
            ("DROP TABLE alembic_version", "failure", "no tables of Cellar"),
        ):
            connection.execute(change.encode())
            found = level_of(servers.database(at(database_url)), "migrations")
            assert found[0] == level
            assert says in found[1]


def test_keys(at: Callable[[str], Settings], database_url: str, database: Database) -> None:
    asking = at(database_url).model_copy(update={"require_keys": True})

    def found() -> Finding:
        (one,) = [finding for finding in servers.database(asking) if finding.check == "keys"]
        return one

    assert found().level == "warning"
    assert "none is valid" in found().says
    with database.transaction() as session:
        ended = keys.add(session, owner="ada", scopes=["read"])[0]
        keys.revoke(session, ended.id)
    assert "none is valid" in found().says
    with database.transaction() as session:
        keys.add(session, owner="ada", scopes=["read"])
        keys.add(session, owner="ada", scopes=["read"], lasts_seconds=30 * 86400)
    assert (found().level, "2 are valid" in found().says) == ("ok", True)
    with database.transaction() as session:
        ending = keys.add(session, owner="ben", scopes=["read"], lasts_seconds=2 * 86400)[0]
        keys.add(session, owner="ben", scopes=["read"], lasts_seconds=3 * 86400)
    assert found().level == "warning"
    assert f"2 of 4 keys end within 7 days, the first, {ending.id} of ben, on 20" in found().says
    assert ending.id in found().remedy
    assert not [finding for finding in servers.database(at(database_url)) if finding.check == "keys"]


def test_a_clock_that_is_wrong(
    at: Callable[[str], Settings], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ahead, level in ((0, "ok"), (servers.SKEW_SECONDS + 3, "warning"), (-servers.SKEW_SECONDS - 3, "warning")):

        class Clock(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None, ahead: float = ahead) -> datetime:
                return datetime.now(tz) + timedelta(seconds=ahead)

        monkeypatch.setattr(servers, "datetime", Clock)
        assert level_of(servers.database(at(database_url)), "clock")[0] == level
        monkeypatch.undo()


def test_whoever_keeps_others_waiting(
    at: Callable[[str], Settings], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.doctor.servers.IDLE_SECONDS", -1)
    with psycopg.connect(libpq(database_url)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        found = [finding for finding in servers.database(at(database_url)) if finding.check == "locks"]
        assert {finding.level for finding in found} == {"warning"}
        pid = connection.info.backend_pid
        assert [f"session {pid} holds the lock" in finding.says for finding in found] == [True, False]
        assert f"session {pid} has left a transaction open" in found[1].says


def test_it_finds_embedded_servers_and_leaves_no_trace(engines: Engines) -> None:
    root = engines.data_root

    def files() -> dict[Path, tuple[float, float, int]]:
        found = (root, *root.glob("*"), *(root / "api").glob("*"))
        kept = {path: path.stat() for path in found if path.name not in ("logs", "run", "postgres", "valkey")}
        return {path: (status.st_mtime, status.st_ctime, status.st_mode) for path, status in kept.items()}

    before = files()
    found = examine(
        Settings(data_root=root, port=0, code_version="0"), [check for check in CHECKS if check.name != "torch"]
    )
    missing = "migrations"  # nobody has migrated the database that the engines start with
    assert [str(f) for f in found if f.level != "ok" and f.check not in (missing, "disk")] == []
    assert [f.check for f in found if "answers" in f.says] == ["database", "broker"]
    assert [f"process {os.getpid()} (pytest)" in f.says for f in found if f.check == "owner"] == [True]
    assert files() == before


def test_a_password_that_is_wrong(at: Callable[[str], Settings], database_url: str) -> None:
    name, _, rest = database_url.partition("@")
    wrong = name.rpartition(":")[0] + ":wrong@" + rest
    (found,) = servers.database(at(wrong))
    assert found.level == "failure"
    assert "password authentication failed" in found.says
    assert "wrong" not in found.says


def test_nothing_is_written_to_the_database(at: Callable[[str], Settings], database_url: str) -> None:
    def written() -> int:
        with psycopg.connect(libpq(database_url), autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NULL, txid_current()").fetchone()
            assert row is not None
            return row[1]

    before = written()
    list(servers.database(at(database_url)))
    assert written() == before + 1, "only the question itself took a number"
