"""Faults that come and go by themselves: each is done to a live site and undone before it returns.

The soak and the short part choose among them by chance; the slow tests do each of them while jobs run.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from random import Random

import psycopg

from tests.acceptance.faults.proxy import FaultProxy
from tests.acceptance.faults.site import LEASE_SECONDS, Site, end

Disturbance = Callable[[Site, Random], None]


def worker_killed(site: Site, rng: Random) -> None:
    """SIGKILL; another worker takes its place."""
    live = [process for process in site.workers if process.poll() is None]
    if live:
        end(rng.choice(live))
    site.worker()


def worker_drained(site: Site, rng: Random) -> None:
    """SIGTERM; another worker takes its place."""
    live = [process for process in site.workers if process.poll() is None]
    if live:
        end(rng.choice(live), signal.SIGTERM)
    site.worker()


def worker_asleep(site: Site, rng: Random) -> None:
    """SIGSTOP for longer than the lease, then SIGCONT."""
    live = [process for process in site.workers if process.poll() is None]
    for process in live[:1]:
        process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_SECONDS + 1)
        process.send_signal(signal.SIGCONT)


def api_killed(site: Site, rng: Random) -> None:
    """SIGKILL of an API process, its publisher and its reconciler; another one takes its place."""
    for process in site.apis:
        end(process)
    site.apis.clear()
    site.api()


def valkey_killed(site: Site, rng: Random) -> None:
    """SIGKILL; it starts again on its files."""
    restarts = len(site.restarts)
    site.engines.valkey.child.signal(signal.SIGKILL)
    site.until(lambda: len(site.restarts) > restarts and site.engines.valkey.ready)


def valkey_wiped(site: Site, rng: Random) -> None:
    """FLUSHALL."""
    site.valkey_command("FLUSHALL")


def valkey_truncated(site: Site, rng: Random) -> None:
    """SIGKILL, and its append-only file ends in the middle of a command."""
    with site.untended():
        child = site.engines.valkey.child
        child.signal(signal.SIGKILL)
        site.until(lambda: not child.alive)
        for file in (site.directory / "engines" / "valkey" / "appendonlydir").glob("*.incr.aof"):
            size = file.stat().st_size
            with file.open("r+b") as stream:
                stream.truncate(rng.randrange(size // 2, size) if size > 1 else 0)
    site.until(lambda: site.engines.valkey.ready)


def valkey_paused(site: Site, rng: Random) -> None:
    """CLIENT PAUSE for longer than clients wait for an answer."""
    assert site.valkey_command("CLIENT", "PAUSE", "7000", "ALL") == b"+OK\r\n"
    time.sleep(7.5)


def valkey_out_of_memory(site: Site, rng: Random) -> None:
    """maxmemory of a byte: every write is refused."""
    assert site.valkey_command("CONFIG", "SET", "maxmemory", "1") == b"+OK\r\n"
    time.sleep(3)
    assert site.valkey_command("CONFIG", "SET", "maxmemory", "0") == b"+OK\r\n"


def valkey_without_replicas(site: Site, rng: Random) -> None:
    """Too few replicas: every write is refused."""
    assert site.valkey_command("CONFIG", "SET", "min-replicas-to-write", "1") == b"+OK\r\n"
    time.sleep(3)
    assert site.valkey_command("CONFIG", "SET", "min-replicas-to-write", "0") == b"+OK\r\n"


def valkey_read_only(site: Site, rng: Random) -> None:
    """A replica of nobody: reads are answered, writes refused."""
    assert site.valkey_command("REPLICAOF", "127.0.0.1", "1") == b"+OK\r\n"
    time.sleep(3)
    assert site.valkey_command("REPLICAOF", "NO", "ONE") == b"+OK\r\n"


def postmaster_killed(site: Site, rng: Random) -> None:
    """SIGKILL of PostgreSQL's first process; it recovers from its log."""
    restarts = len(site.restarts)
    site.engines.postgres.child.signal(signal.SIGKILL)
    site.until(lambda: len(site.restarts) > restarts and site.engines.postgres.ready)


def backends_terminated(site: Site, rng: Random) -> None:
    """pg_terminate_backend of every session, three times."""
    for _ in range(3):
        with contextlib.suppress(psycopg.Error):
            site.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        time.sleep(rng.uniform(0.1, 0.5))


def statements_cancelled(site: Site, rng: Random) -> None:
    """Every statement is cancelled, as by a statement timeout, for two seconds in which all wait for a lock."""
    with psycopg.connect(site.engines.database_url.replace("+psycopg", "")) as holding:
        holding.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        for _ in range(10):
            time.sleep(0.2)
            site.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state = 'active' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
            )
        holding.rollback()


def database_slow(site: Site, rng: Random) -> None:
    """Each piece of data to and from PostgreSQL takes a tenth of a second."""
    site.postgres.slow(latency=0.05, rate=200_000)
    time.sleep(4)
    site.postgres.heal()


def cut_thrice(proxy: FaultProxy, rng: Random) -> None:
    """Every connection is closed in order, three times."""
    for _ in range(3):
        proxy.cut()
        time.sleep(rng.uniform(0.1, 0.7))


def reset_thrice(proxy: FaultProxy, rng: Random) -> None:
    """Every connection is reset, three times, and then none is accepted for a second."""
    for _ in range(3):
        proxy.reset()
        time.sleep(rng.uniform(0.1, 0.7))
    proxy.refuse()
    time.sleep(1)
    proxy.heal()


def database_cut(site: Site, rng: Random) -> None:
    """Connections to PostgreSQL are closed."""
    cut_thrice(site.postgres, rng)


def database_reset(site: Site, rng: Random) -> None:
    """Connections to PostgreSQL are reset."""
    reset_thrice(site.postgres, rng)


def database_silent(site: Site, rng: Random) -> None:
    """Nothing passes to or from PostgreSQL for longer than the lease; then the connections are reset."""
    site.postgres.silence()
    time.sleep(LEASE_SECONDS + 1)
    site.postgres.heal()


def broker_slow(site: Site, rng: Random) -> None:
    """Each piece of data to and from Valkey takes a fifth of a second."""
    site.valkey.slow(latency=0.2, rate=20_000)
    time.sleep(4)
    site.valkey.heal()


def broker_cut(site: Site, rng: Random) -> None:
    """Connections to Valkey are closed."""
    cut_thrice(site.valkey, rng)


def broker_reset(site: Site, rng: Random) -> None:
    """Connections to Valkey are reset."""
    reset_thrice(site.valkey, rng)


def broker_silent(site: Site, rng: Random) -> None:
    """Nothing passes to or from Valkey for longer than clients wait; then the connections are reset."""
    site.valkey.silence()
    time.sleep(8)
    site.valkey.heal()


DISTURBANCES: Mapping[str, Disturbance] = {
    act.__name__: act
    for act in (
        worker_killed,
        worker_drained,
        worker_asleep,
        api_killed,
        valkey_killed,
        valkey_wiped,
        valkey_truncated,
        valkey_paused,
        valkey_out_of_memory,
        valkey_without_replicas,
        valkey_read_only,
        postmaster_killed,
        backends_terminated,
        statements_cancelled,
        database_slow,
        database_cut,
        database_reset,
        database_silent,
        broker_slow,
        broker_cut,
        broker_reset,
        broker_silent,
    )
}
