"""Database and broker, as their clients meet them. Every session with the database is read-only."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import redis

from app.catalogue.migration import COMMENT, LOCK_KEY, LOCK_SECONDS, fits, revisions
from app.doctor.finding import Finding, failure, ok, one_line, warning
from app.embedded import EnginesError, find_runtime
from app.settings import Settings

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 3
TESTED_POSTGRES = 18
TESTED_REDIS = (7, 2)
"""What Valkey, with which the tests run, says of itself as a Redis."""

SKEW_SECONDS = 2.0
IDLE_SECONDS = 60
KEY_DAYS = 7
Row = tuple[Any, ...]


def database(settings: Settings) -> Iterator[Finding]:
    """Whether the database answers, has the tables of this version, agrees on the time, and has nobody in the way."""
    url, remedy = settings.database_url, "start the server, or correct DATABASE_URL"
    if url is None:
        url, remedy = embedded_url(settings, "database"), "restart `cellar up`; its log is in the data root"
    if url is None:
        yield ok("database", "the embedded PostgreSQL does not run; `cellar up` starts it")
        return
    try:
        with psycopg.connect(
            url.replace("postgresql+psycopg://", "postgresql://", 1),
            connect_timeout=CONNECT_SECONDS,
            options=f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_SECONDS}s",
            application_name="cellar doctor",
            autocommit=True,
        ) as connection:
            yield server_finding(connection)
            tables = migrations_finding(connection)
            yield tables
            if settings.asks_for_keys and tables.level != "failure":
                yield keys_finding(connection)
            yield clock_finding(connection)
            yield connections_finding(connection)
            yield from locks_findings(connection)
    except psycopg.Error as error:
        yield failure("database", f"the database ({place(url)}) does not answer: {one_line(error)}", remedy)


def place(url: str) -> str:
    """Where a URL leads, without who asks."""
    return urlsplit(url).netloc.rpartition("@")[2] or "embedded"


def embedded_url(settings: Settings, which: str) -> str | None:
    """The URL of an embedded server that runs; its trouble is for the check of the data root's owner to tell."""
    try:
        runtime = find_runtime(settings.data_root)
    except EnginesError:
        return None
    if runtime is None:
        return None
    return runtime.database_url if which == "database" else runtime.redis_url


def one(connection: psycopg.Connection[Row], query: str, *given: object) -> Row:
    """The one row of a query."""
    row = connection.execute(query.encode(), given or None).fetchone()
    assert row is not None
    return row


def server_finding(connection: psycopg.Connection[Row]) -> Finding:
    """Version and role of the server."""
    number = connection.info.server_version
    version = f"PostgreSQL {number // 10000}.{number % 10000}"
    if one(connection, "SELECT pg_is_in_recovery()")[0]:
        return failure("database", f"{version} is a standby, which takes no writes", "name the primary in DATABASE_URL")
    if number // 10000 < TESTED_POSTGRES:
        return warning(
            "database", f"{version} answers; the tests run on {TESTED_POSTGRES}", f"upgrade it to {TESTED_POSTGRES}"
        )
    return ok("database", f"{version} answers")


def migrations_finding(connection: psycopg.Connection[Row]) -> Finding:
    """Whether the tables are those of this version of the code."""
    known = list(revisions())
    head = known[-1]
    (table,) = one(connection, "SELECT to_regclass('alembic_version')")
    if table is None:
        return failure("migrations", "the database has no tables of Cellar", "cellar migrate")
    rows = connection.execute(b"SELECT version_num FROM alembic_version").fetchall()
    at = ", ".join(sorted(str(row[0]) for row in rows)) or "none"
    if at == head:
        return ok("migrations", f"the tables are at {head}, the newest revision")
    if at in known or at == "none":
        return failure("migrations", f"the tables are at revision {at}, this version needs {head}", "cellar migrate")
    if fits(cast("str | None", one(connection, COMMENT)[0])):
        return warning("migrations", f"the tables are at revision {at}, of a newer version", "upgrade this one too")
    return failure(
        "migrations",
        f"the tables are at revision {at}, which this version (newest: {head}) does not know",
        "install the version of Cellar that made them, or a newer one",
    )


def keys_finding(connection: psycopg.Connection[Row]) -> Finding:
    """Whether anybody has a key that opens something, and keeps it."""
    number, ending, first, owner, moment = one(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE soon), (array_agg(id ORDER BY expires_at) FILTER (WHERE soon))[1], "
        "(array_agg(owner ORDER BY expires_at) FILTER (WHERE soon))[1], min(expires_at) FILTER (WHERE soon) "
        "FROM (SELECT *, expires_at < now() + make_interval(days => %s) AS soon FROM keys "
        "WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())) AS valid",
        KEY_DAYS,
    )
    if not number:
        says = "every request needs a key, and none is valid"
        return warning("keys", says, "cellar keys add --owner NAME --scopes read,submit")
    if ending:
        says = f"{ending} of {number} keys end within {KEY_DAYS} days, the first, {first} of {owner}, on {moment:%F}"
        return warning("keys", says, f"cellar keys rotate {first}, or cellar keys add")
    return ok("keys", f"every request needs a key, and {number} are valid")


def clock_finding(connection: psycopg.Connection[Row]) -> Finding:
    """How far this machine's clock is from the database's, to within half of a round trip."""
    before, started = datetime.now(UTC), time.monotonic()
    (theirs,) = one(connection, "SELECT clock_timestamp()")
    trip = time.monotonic() - started
    return skew_finding((cast("datetime", theirs) - before).total_seconds() - trip / 2, trip)


def skew_finding(skew: float, trip: float) -> Finding:
    """What a difference in seconds means; `trip`: seconds of the question."""
    says = f"this machine's clock is {abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} the database's"
    if abs(skew) > SKEW_SECONDS + trip:
        return warning("clock", says + ": leases are not harmed, logs are hard to read", "synchronise it by NTP")
    return ok("clock", f"this machine and the database agree to {abs(skew):.1f} s")


def connections_finding(connection: psycopg.Connection[Row]) -> Finding:
    """Whether there is room for more clients."""
    used, most = one(
        connection,
        "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity "
        "WHERE backend_type = 'client backend'",
    )
    says = f"{used} of {most} connections to the database are in use"
    if used > 0.9 * most:
        return warning("database", says, "raise max_connections, or run fewer processes")
    return ok("database", says)


def locks_findings(connection: psycopg.Connection[Row]) -> Iterator[Finding]:
    """Sessions that keep others waiting: a migration that does not end, a transaction that was left open."""
    held = connection.execute(
        b"SELECT l.pid, extract(epoch FROM now() - a.query_start)::float FROM pg_locks l JOIN pg_stat_activity a "
        b"USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
        b"AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        b"AND l.classid::bigint = %s AND l.objid::bigint = %s",
        [LOCK_KEY >> 32, LOCK_KEY & 0xFFFFFFFF],
    ).fetchall()
    idle = connection.execute(
        b"SELECT pid, extract(epoch FROM now() - state_change)::float FROM pg_stat_activity "
        b"WHERE datname = current_database() AND state LIKE 'idle in transaction%%' "
        b"AND now() - state_change > make_interval(secs => %s)",
        [IDLE_SECONDS],
    ).fetchall()
    for pid, seconds in held:
        says = f"session {pid} holds the lock of migrations, its last statement began {seconds or 0:.0f} s ago"
        yield warning(
            "locks", says, f"wait; if it takes longer than {LOCK_SECONDS} s: SELECT pg_terminate_backend({pid})"
        )
    for pid, seconds in idle:
        says = f"session {pid} has left a transaction open for {seconds:.0f} s"
        yield warning("locks", says, f"end that program, or SELECT pg_terminate_backend({pid})")
    if not held and not idle:
        yield ok("locks", "no migration and no forgotten transaction keeps others waiting")


def broker(settings: Settings) -> Iterator[Finding]:
    """Whether the broker answers, takes writes, and never throws messages away."""
    url, remedy = settings.redis_url, "start the server, or correct REDIS_URL"
    if url is None:
        url, remedy = embedded_url(settings, "broker"), "restart `cellar up`; its log is in the data root"
    if url is None:
        yield ok("broker", "the embedded Valkey does not run; `cellar up` starts it")
        return
    try:
        client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            client_url(url), socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        )
        with client:
            info: dict[str, Any] = client.info()  # pyright: ignore[reportUnknownMemberType]
    except (redis.RedisError, ValueError, OSError) as error:
        yield failure("broker", f"the broker ({place(url)}) does not answer: {one_line(error)}", remedy)
        return
    yield from broker_findings(info)


def client_url(url: str) -> str:
    """kombu's URL of a unix socket as the client library writes it; every other as it is."""
    if not url.startswith("redis+socket://"):
        return url
    parts = urlsplit(url)
    number = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.netloc}{unquote(parts.path)}?db={number}"


def broker_findings(info: dict[str, Any]) -> Iterator[Finding]:
    """What the server's INFO tells."""
    as_redis = str(info.get("redis_version", "0.0"))
    valkey = info.get("valkey_version")
    version = f"Valkey {valkey}" if valkey else f"Redis {as_redis}"
    if tuple(int(part) for part in as_redis.split(".")[:2]) < TESTED_REDIS:
        yield warning("broker", f"{version} answers, which the tests do not cover", "use Valkey, or Redis 7.2 or newer")
    else:
        yield ok("broker", f"{version} answers")
    if info.get("role", "master") != "master":
        yield failure("broker", f"{version} is a replica, which takes no writes", "name the primary in REDIS_URL")
    if info.get("loading"):
        yield warning("broker", f"{version} is still loading its files", "wait a moment")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        yield warning(
            "broker",
            f"its maxmemory-policy is {policy}: hints of work may be thrown away, and come again seconds later",
            "CONFIG SET maxmemory-policy noeviction",
        )
