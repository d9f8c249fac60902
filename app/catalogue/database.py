"""The connection to PostgreSQL: one pool a process, and `transaction()`, which is the only commit there is."""

import select
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60  # no statement of ours takes seconds; one that does must not hold a pool slot for ever

SILENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}
"""libpq's parameters: a server that has not even acknowledged for 30 s is gone. A host without power never says so."""

IDLE_SECONDS = 60  # within a transaction: a process that sleeps there must not keep its locks for ever


class Database:
    """A pool of connections to one PostgreSQL database. Safe to share between threads, not between processes."""

    def __init__(self, url: str, *, pool_size: int = 10, watch_seconds: int | None = None) -> None:
        """
        Args:
            url: of the database.
            pool_size: connections that are kept; as many more are opened while they are needed.
            watch_seconds: for whoever watches the service: each transaction connects anew, so that neither a pool that
                is exhausted nor a connection that has died is in the way, and the server has so many seconds to
                connect, and for a statement.
        """
        self.url = make_url(url).set(drivername="postgresql+psycopg")
        pooled: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": pool_size,
            "pool_timeout": 10,
        }
        self.engine: Engine = create_engine(
            self.url,
            **(pooled if watch_seconds is None else {"poolclass": NullPool}),
            connect_args=SILENCE
            | {
                "connect_timeout": watch_seconds or CONNECT_SECONDS,
                "options": f"-c statement_timeout={watch_seconds or STATEMENT_SECONDS}s "
                f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s -c timezone=UTC",
            },
        )

        event.listen(self.engine, "checkout", self._refuse_dead)

    def _refuse_dead(self, connection: Any, *_: object) -> None:
        """Have a connection replaced that ended in the pool, as all do when the server restarts.

        A server that ends a connection says so, and on one that nobody uses nothing else is ever said: only where
        there is something to read is the server asked whether it is still there.
        """
        try:
            if readable(connection.fileno()):
                self.engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """A session whose work is committed at the end, or rolled back if anything raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def listen(self, *channels: str) -> Generator[psycopg.Connection[Any]]:
        """A connection of its own, outside the pool, that hears the channels' notifications."""
        pooled = self.engine.raw_connection()
        connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
        pooled.detach()
        try:
            connection.autocommit = True
            for channel in channels:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            yield connection
        finally:
            connection.close()

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def readable(descriptor: int) -> bool:
    """Whether something has come, or the other side has gone."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))
