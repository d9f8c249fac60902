"""Readiness beside real engines that are stopped, frozen and started again: down is told from degraded, in time."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from app.api import exposition, keyring, readiness
from app.api.readiness import LIMIT_SECONDS, of_migrations
from app.catalogue import Database, KeyScope, Token, keys, migrate, workers
from app.catalogue.migration import OLDEST_CODE, revisions
from app.embedded import Engines, wait_until
from app.jobs import submit
from app.main import create_app
from app.settings import Settings

NEWEST = list(revisions())[-1]
ALL = ["database", "migrations", "workers", "outbox", "broker", "store"]


@pytest.fixture(scope="module")
def own() -> Iterator[Engines]:
    """Engines that only this module uses, and may stop."""
    path = Path(tempfile.mkdtemp(prefix="cellar-test-ready-", dir="/tmp"))
    path.chmod(0o755)
    with Engines(path / "data", command="pytest", durable=False) as running:
        migrate(running.database_url)
        yield running
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def settings(own: Engines, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        database_url=own.database_url,
        redis_url=own.redis_url,
        data_root=tmp_path_factory.mktemp("data"),
        allowed_hosts=("testserver",),
        reconcile_seconds=3600,
        lease_seconds=3600,
        code_version="0",
    )


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readiness, "KEPT_SECONDS", 0.0)
        patch.setattr(readiness, "STORE_KEPT_SECONDS", 0.0)
        patch.setattr(exposition, "KEPT_SECONDS", 0.0)
        with TestClient(create_app(settings)) as opened:
            yield opened


@pytest.fixture
def session(settings: Settings) -> Iterator[Session]:
    """On one connection. What it does is undone."""
    assert settings.database_url is not None
    database = Database(settings.database_url)
    with database.engine.connect() as connection, Session(connection) as opened:
        yield opened
    with database.transaction() as cleaning:
        cleaning.execute(text("DELETE FROM workers"))
        cleaning.execute(text("DELETE FROM jobs"))
    database.dispose()


def live(session: Session, state: str = "busy") -> None:
    workers.beat(session, id=uuid4(), host="here", pid=1, queues=["cpu"], devices=["cpu"], gpu=None, state=state)
    session.commit()


def wrong(client: TestClient) -> tuple[int, str, list[str]]:
    """Status code, word, and the parts that are not as they should be."""
    answer = client.get("/readyz")
    body = answer.json()
    if answer.status_code == 503:
        return 503, body["type"].rpartition(":")[2], [error["pointer"].removeprefix("/") for error in body["errors"]]
    assert [part["part"] for part in body["parts"]] == ALL
    return answer.status_code, body["status"], [part["part"] for part in body["parts"] if part["state"] != "ok"]


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Processes that live and do not answer."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def family(pid: int | None) -> list[int]:
    """A process and its children."""
    assert pid is not None
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, below)]


def recovers(client: TestClient) -> bool:
    return wait_until(lambda: wrong(client) == (200, "ready", []), 15, pause=0.1)


def test_no_worker_is_degraded_and_one_makes_it_ready(client: TestClient, session: Session) -> None:
    assert wrong(client) == (200, "degraded", ["workers"])
    live(session)
    assert wrong(client) == (200, "ready", [])
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_broker_that_is_stopped_or_frozen_degrades(client: TestClient, own: Engines, session: Session) -> None:
    live(session)
    with frozen(*family(own.valkey.child.pid)):
        began = time.monotonic()
        assert wrong(client) == (200, "degraded", ["broker"])
        assert time.monotonic() - began < LIMIT_SECONDS + 1
    assert recovers(client)
    own.valkey.child.stop(10)
    try:
        assert wrong(client) == (200, "degraded", ["broker"])
        assert 'cellar_part_up{part="broker"} 0.0' in client.get("/metrics").text
    finally:
        own.valkey.start(30)
    assert recovers(client)
    assert 'cellar_part_up{part="broker"} 1.0' in client.get("/metrics").text


def test_a_database_that_is_stopped_or_frozen_is_down(client: TestClient, own: Engines, session: Session) -> None:
    live(session)
    with frozen(*family(own.postgres.child.pid)):
        began = time.monotonic()
        assert wrong(client) == (503, "not-ready", ["database"])
        assert client.get("/metrics").status_code == 200
        assert time.monotonic() - began < 2 * LIMIT_SECONDS + 1
    assert recovers(client)
    session.close()
    own.postgres.child.stop(20)
    try:
        assert wrong(client) == (503, "not-ready", ["database"])
        assert client.get("/healthz").status_code == 200
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert 'cellar_part_up{part="database"} 0.0' in answer.text
        assert "cellar_ready 0.0" in answer.text
        assert "cellar_jobs{" not in answer.text, "what is not known is not told as nothing"
        assert 'cellar_part_up{part="workers"}' not in answer.text
        assert 'cellar_part_up{part="broker"} 1.0' in answer.text
    finally:
        own.postgres.restart(30)
    assert recovers(client)


def test_a_database_that_lets_nobody_in_degrades(client: TestClient, own: Engines, session: Session) -> None:
    live(session)
    for _ in range(20):  # each connection of the pool has its turn, and is opened again after what came before
        assert client.get("/v1/workers").status_code == 200
    refuse = f"ALTER DATABASE {make_url(own.database_url).database} ALLOW_CONNECTIONS "
    other = create_engine(make_url(own.postgres.url("postgres")).set(drivername="postgresql+psycopg"))
    try:
        with other.connect().execution_options(isolation_level="AUTOCOMMIT") as administrator:
            administrator.execute(text(refuse + "false"))
            try:
                # Another thread of this process may just use the one connection that is open.
                assert wait_until(lambda: wrong(client) == (200, "degraded", ["database"]), 10, pause=0.05)
                assert wait_until(lambda: client.get("/v1/workers").status_code == 200, 10, pause=0.05)
            finally:
                administrator.execute(text(refuse + "true"))
    finally:
        other.dispose()
    assert recovers(client)


def test_whoever_may_only_watch_is_told_that_the_database_is_away(
    own: Engines, settings: Settings, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "HELD_SECONDS", -1.0)
    scopes: tuple[list[KeyScope], ...] = (["metrics"], ["metrics", "read"], ["metrics"], ["metrics"])
    tokens = [keys.add(session, owner="ops", scopes=of_one)[1] for of_one in scopes]
    session.commit()
    watcher, reader, stranger, revoked = tokens
    session.close()
    with TestClient(create_app(settings.model_copy(update={"require_keys": True}))) as client:

        def scraped(token: Token) -> int:
            return client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code

        assert [scraped(token) for token in (watcher, reader, revoked)] == [200, 200, 200]
        database = Database(own.database_url)
        with database.transaction() as revoking:
            keys.revoke(revoking, revoked.id)
        database.dispose()
        assert scraped(revoked) == 401
        own.postgres.child.stop(20)
        try:
            assert [scraped(token) for token in (watcher, reader, stranger, revoked)] == [200, 503, 503, 503]
            bearer = {"Authorization": f"Bearer {watcher}"}
            assert 'cellar_part_up{part="database"} 0.0' in client.get("/metrics", headers=bearer).text
            assert client.get("/v1/workers", headers=bearer).status_code == 503, "for /metrics alone"
            monkeypatch.setattr(keyring, "REMEMBERED_SECONDS", -1.0)
            assert scraped(watcher) == 503
        finally:
            own.postgres.restart(30)
        assert wait_until(lambda: scraped(watcher) == 200, 15, pause=0.1)


def test_tables_of_another_version(client: TestClient, session: Session) -> None:
    live(session)
    older = list(revisions())[-2]
    for version, comment, expected in (
        (older, None, (503, "not-ready", ["migrations"])),
        ("9999", NEWEST, (200, "degraded", ["migrations"])),
        ("9999", "9998", (503, "not-ready", ["migrations"])),
    ):
        session.execute(text("UPDATE alembic_version SET version_num = :at"), {"at": version})
        if comment is not None:
            session.execute(text(f"COMMENT ON TABLE alembic_version IS '{OLDEST_CODE}{comment}'"))
        session.commit()
        assert wrong(client) == expected, version
    session.execute(text("UPDATE alembic_version SET version_num = :at"), {"at": NEWEST})
    session.commit()
    assert wrong(client) == (200, "ready", [])


@pytest.mark.parametrize(
    ("revision", "comment", "state"),
    [
        (None, None, "down"),
        (NEWEST, None, "ok"),
        (next(iter(revisions())), None, "down"),
        ("9999", None, "down"),
        ("9999", f"{OLDEST_CODE}{NEWEST}", "degraded"),
        ("9999", f"{OLDEST_CODE}9999", "down"),
    ],
)
def test_what_revisions_mean(revision: str | None, comment: str | None, state: str) -> None:
    assert of_migrations(revision, comment).state == state


def test_a_store_that_cannot_be_written_degrades(client: TestClient, settings: Settings, session: Session) -> None:
    live(session)
    incoming = settings.data_root / "incoming"
    assert wrong(client) == (200, "ready", [])
    assert list(incoming.iterdir()) == [], "a trial leaves nothing"
    assert not (settings.data_root / "trial").exists()
    incoming.rmdir()
    incoming.write_text("in the way")
    try:
        assert wrong(client) == (200, "degraded", ["store"])
    finally:
        incoming.unlink()
    assert wrong(client) == (200, "ready", [])


def test_a_hint_is_owed_only_where_a_worker_is_idle(client: TestClient, session: Session) -> None:
    live(session, "busy")
    submit(session, kind="tally", request={}, owner="ada", queue="gpu")
    submit(session, kind="tally", request={}, owner="ada", queue="cpu")
    session.execute(text("UPDATE outbox SET created_at = now() - interval '1 hour'"))
    session.commit()
    assert wrong(client) == (200, "ready", []), "all who could take it are busy"
    session.execute(text("UPDATE workers SET queues = '{gpu}', state = 'idle'"))
    session.execute(text("UPDATE outbox SET created_at = now()"))
    session.commit()
    assert "outbox" not in wrong(client)[2], "it is owed since a moment ago"
    # The publisher of this process would give it away: nobody's hint is in the way of a worker of another device.
    session.execute(text("SELECT pg_advisory_lock(:key)"), {"key": 0x63656C6C61720002})
    submit(session, kind="tally", request={}, owner="ada", queue="gpu")
    session.execute(text("UPDATE outbox SET created_at = now() - interval '1 hour'"))
    session.commit()
    try:
        assert wrong(client) == (200, "degraded", ["outbox"])
        session.execute(text("UPDATE workers SET queues = '{cpu}', devices = '{cpu}'"))
        session.execute(text("DELETE FROM outbox USING jobs WHERE job_id = id AND queue = 'cpu'"))
        session.commit()
        assert wrong(client) == (200, "ready", []), "the idle one serves another queue"
    finally:
        session.execute(text("SELECT pg_advisory_unlock_all()"))
        session.commit()
