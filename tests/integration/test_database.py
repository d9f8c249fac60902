"""The pool: connections that have ended are replaced before anybody meets one, and good ones are not asked first."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event, text

from app.catalogue import Database
from tests.acceptance.faults.proxy import FaultProxy


def statements(engine: Engine) -> list[str]:
    """What is sent from now on."""
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: sent.append(statement))
    return sent


def held(database: Database, count: int) -> None:
    """Have so many connections in the pool."""
    for connection in [database.engine.connect() for _ in range(count)]:
        connection.execute(text("SELECT 1"))
        connection.close()


def backend(database: Database) -> int:
    with database.transaction() as session:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_connections_that_the_server_ended_are_replaced_unseen(database: Database, database_url: str) -> None:
    held(database, 5)
    before = {backend(database) for _ in range(10)}
    assert len(before) == 5, "good ones are used again"
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as other:
        ended = other.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone()
    assert ended == (5,)
    after = {backend(database) for _ in range(10)}
    assert not before & after


def test_a_connection_that_has_something_to_say_and_is_well_is_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = backend(database)
    monkeypatch.setattr("app.catalogue.database.readable", lambda _descriptor: True)
    assert backend(database) == before


def test_a_good_connection_is_not_asked_whether_it_is_good(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    held(database, 1)
    pings: list[object] = []
    ping: Callable[[object], bool] = database.engine.dialect.do_ping  # type: ignore[assignment]
    monkeypatch.setattr(database.engine.dialect, "do_ping", lambda c: pings.append(c) or ping(c))
    sent = statements(database.engine)
    with database.transaction() as session:
        session.execute(text("SELECT 2"))
    assert (pings, sent) == ([], ["SELECT 2"])


def test_a_server_that_does_not_even_acknowledge_is_given_up_after_half_a_minute(database: Database) -> None:
    with FaultProxy(Path(str(database.url.query["host"])) / ".s.PGSQL.5432") as proxy:
        url = database.url.set(host="127.0.0.1", port=proxy.port, query={})
        over_tcp = Database(url.render_as_string(hide_password=False), pool_size=1)
        with over_tcp.listen() as connection, socket.socket(fileno=os.dup(connection.fileno())) as there:
            asked = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, 18)  # TCP_USER_TIMEOUT of Linux
            options = [there.getsockopt(socket.IPPROTO_TCP, option) for option in asked]
            assert there.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        over_tcp.dispose()
    assert options == [10, 5, 4, 30_000]
