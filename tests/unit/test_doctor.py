"""The doctor on broken machines: each fault is found, with what helps."""

import json
import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

import app.doctor.programs
from app.cli import cli
from app.doctor import CHECKS, Check, Finding, examine
from app.doctor.files import store
from app.doctor.leftovers import Process, abandoned_jobs, abandoned_servers, leftovers, processes
from app.doctor.machine import FEW_BYTES, LEAST_BYTES, data_root, disk, port
from app.doctor.programs import engines, torch, version_of
from app.doctor.servers import broker, broker_findings, client_url, database, skew_finding
from app.embedded import Binaries, EnginesMissing
from app.embedded.ownership import Ownership
from app.settings import VARIABLES, Settings
from app.store import open_store

NOWHERE = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


def settings(root: Path, **given: Any) -> Settings:
    return Settings(data_root=root, code_version="0", **{"port": 0, **given})


def levels(findings: Iterable[Finding]) -> list[str]:
    found = list(findings)
    for finding in found:
        assert (finding.level == "ok") == (not finding.remedy), finding
        assert "\n" not in str(finding)
    return [finding.level for finding in found]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=refuse, args=(other,), daemon=True).start()
        yield other.getsockname()[1]


def refuse(other: socket.socket) -> None:
    try:
        while True:
            other.accept()[0].close()
    except OSError:
        return


def test_a_port_that_is_taken(tmp_path: Path, taken: int) -> None:
    (found,) = port(settings(tmp_path, port=taken))
    assert (found.level, f"port {taken} of 127.0.0.1 cannot be used" in found.says) == ("failure", True)
    assert "--port" in found.remedy


def test_a_port_on_which_cellar_answers(tmp_path: Path) -> None:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status":"ok"}')

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert levels(port(settings(tmp_path, port=server.server_port))) == ["ok"]
        server.shutdown()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["ok"]),
        ({"host": "192.0.2.1"}, ["ok", "failure"]),  # open, and of no machine: reserved for documentation
        ({"host": "0.0.0.0"}, ["ok", "ok"]),
        ({"host": "0.0.0.0", "allow_open": True}, ["warning", "ok"]),
        ({"host": "no such host"}, ["failure"]),
    ],
)
def test_an_address(tmp_path: Path, given: dict[str, Any], expected: list[str]) -> None:
    assert levels(port(settings(tmp_path, **given))) == expected


def urls(root: Path) -> Settings:
    """With servers of its own: a data root then needs no place that the engines' account can reach."""
    return settings(root, database_url=f"postgresql://u:secret@{NOWHERE}/d", redis_url=f"redis://:secret@{NOWHERE}")


def test_a_data_root_that_can_be_made_or_used(tmp_path: Path) -> None:
    assert levels(data_root(urls(tmp_path / "a" / "b"))) == ["ok"]
    assert list(tmp_path.iterdir()) == [], "nothing was made"
    assert levels(data_root(urls(tmp_path))) == ["ok"]


def test_a_data_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        assert levels(data_root(urls(root))) == ["failure"]


def test_a_data_root_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    if os.geteuid() == 0:  # whom no mode keeps out
        monkeypatch.setattr(os, "access", lambda path, wanted: not wanted & os.W_OK)
    for root in (tmp_path, tmp_path / "below"):
        (found,) = data_root(urls(root))
        assert (found.level, f"may not write to {tmp_path}" in found.says) == ("failure", True)
    tmp_path.chmod(0o700)


def test_a_data_root_on_a_disk_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_is = os.statvfs(tmp_path)
    read_only = os.statvfs_result((*as_it_is[:8], as_it_is.f_flag | os.ST_RDONLY, as_it_is.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    assert levels(data_root(urls(tmp_path))) == ["failure"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's engines run as another account")
def test_a_data_root_that_the_engines_cannot_reach(tmp_path: Path) -> None:
    (found,) = data_root(settings(tmp_path / "inside"))
    assert (found.level, "out of reach for the account" in found.says) == ("failure", True)


def test_a_data_root_that_is_open_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "api").mkdir()
    for name in ("postgres.password", "api/secret"):
        (tmp_path / name).write_text("secret")
        (tmp_path / name).chmod(0o644)
    found = list(data_root(urls(tmp_path)))
    assert levels(found) == ["warning", "failure", "failure"]
    assert found[1].remedy == f"chmod 600 {tmp_path / 'postgres.password'}"
    assert stat.S_IMODE((tmp_path / "api" / "secret").stat().st_mode) == 0o644, "it is told, not done"


def test_files_of_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    me = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    (found,) = data_root(urls(tmp_path))
    assert (found.level, f"{tmp_path / 'logs'} belongs to user id {me}" in found.says) == ("failure", True)


@pytest.mark.parametrize(
    ("free", "files", "expected"),
    [
        (FEW_BYTES, -1, ["ok"]),
        (FEW_BYTES - 1, 1_000_000, ["warning"]),
        (LEAST_BYTES - 1, 10, ["failure", "warning"]),
    ],
)
def test_a_full_disk(tmp_path: Path, free: int, files: int, expected: list[str]) -> None:
    assert levels(disk(settings(tmp_path), lambda _: (free, files))) == expected


TORCH = "__version__ = '9.9.9'\nclass cuda:\n    is_available = staticmethod(lambda: {there})\n"
ONE_GPU = (
    "    device_count = staticmethod(lambda: 1)\n    class get_device_properties:\n        name = 'H100'\n        "
)
ONE_GPU += "total_memory = 80 * 2**30\n        def __init__(self, number): pass\n"
VERSION = "class version:\n    cuda = {cuda!r}\n"


@pytest.mark.parametrize(
    ("source", "driver", "expected", "says"),
    [
        (
            TORCH.format(there=True) + ONE_GPU + VERSION.format(cuda="13.0"),
            True,
            ["ok", "ok"],
            "device 0: H100, 80 GiB",
        ),
        (TORCH.format(there=False) + VERSION.format(cuda=None), False, ["ok", "ok"], "workers use the processor"),
        (TORCH.format(there=False) + VERSION.format(cuda=None), True, ["ok", "warning"], "built for processors"),
        (TORCH.format(there=False) + VERSION.format(cuda="13.0"), True, ["ok", "warning"], "finds no device"),
        ("raise ModuleNotFoundError('gone', name='torch')", False, ["warning"], "not installed"),
        ("raise ImportError('libcudart.so.13: cannot open')", False, ["failure"], "libcudart.so.13: cannot open"),
        ("import os\nos.abort()", False, ["failure"], "exit status -6"),
    ],
)
def test_torch_and_its_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, driver: bool, expected: list[str], says: str
) -> None:
    (tmp_path / "torch.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = list(torch(settings(tmp_path), tmp_path if driver else tmp_path / "none"))
    assert levels(found) == expected
    assert says in found[-1].says


def test_engines_that_are_not_needed_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Binaries:
        raise EnginesMissing("the wheels are missing")

    monkeypatch.setattr(app.doctor.programs, "locate", missing)
    assert levels(engines(urls(tmp_path))) == ["ok"]
    (found,) = engines(settings(tmp_path))
    assert (found.level, found.says) == ("failure", "the wheels are missing")
    assert "cellar[embedded]" in found.remedy


@pytest.mark.parametrize(
    ("script", "says"),
    [("#!/bin/sh\necho libssl.so.3: not found >&2\nexit 127\n", "libssl.so.3"), ("\x7fELF of another machine", "Exec")],
)
def test_engines_that_do_not_run(tmp_path: Path, script: str, says: str) -> None:
    program = tmp_path / "postgres"
    program.write_text(script)
    program.chmod(0o755)
    found = version_of("PostgreSQL", program)
    assert (found.level, says in found.says) == ("failure", True), found


def test_a_folder_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(store(settings(tmp_path))) == ["ok"]
    (found,) = store(settings(tmp_path, store_url=f"file://{tmp_path}/files"))
    assert (found.level, found.says) == ("ok", f"{tmp_path}/files can be made")
    assert not (tmp_path / "files").exists()
    (tmp_path / "taken").write_text("")
    (found,) = store(settings(tmp_path, store_url=f"file://{tmp_path}/taken/files"))
    assert (found.level, "is not a directory" in found.says) == ("failure", True)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    (found,) = store(settings(tmp_path))
    assert (found.level, "may not read and write" in found.says) == ("failure", True)


def test_a_bucket_of_files(tmp_path: Path) -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, number = server.get_host_and_port()
    given = {"store_url": "s3://there/cellar", "store_endpoint": f"http://{host}:{number}"}
    given |= {"store_key_id": "key", "store_secret": "hunter2", "store_region": "us-east-1"}
    try:
        place: Any = open_store(settings(tmp_path, **given)).place
        place._files.call_s3("create_bucket", Bucket="there")
        (found,) = store(settings(tmp_path, **given))
        assert (found.level, found.says) == ("ok", "s3://there/cellar can be reached, read and written")
        assert list(place.entries("trial")) == [], "what was tried is gone"
        (found,) = store(settings(tmp_path, **given | {"store_url": "s3://elsewhere/cellar"}))
        assert (found.level, "refuses" in found.says) == ("failure", True)
        assert "CELLAR_STORE_KEY_ID" in found.remedy
    finally:
        server.stop()
    (found,) = store(settings(tmp_path, **given))
    assert (found.level, "out of reach" in found.says) == ("failure", True)
    assert "hunter2" not in str(found)
    assert not list(tmp_path.iterdir()), "nothing is left in the data root"


def test_servers_that_do_not_answer(tmp_path: Path) -> None:
    for check, variable in ((database, "DATABASE_URL"), (broker, "REDIS_URL")):
        (found,) = check(urls(tmp_path))
        assert (found.level, NOWHERE in found.says, variable in found.remedy) == ("failure", True, True)
        assert "secret" not in str(found)
        assert levels(check(settings(tmp_path))) == ["ok"], "nothing runs, and nothing was promised"


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2", "role": "master"}, ["ok"]),
        ({"redis_version": "8.0.1", "role": "slave"}, ["ok", "failure"]),
        ({"redis_version": "6.2.0", "loading": 1, "maxmemory_policy": "allkeys-lru"}, ["warning"] * 3),
    ],
)
def test_brokers(info: dict[str, Any], expected: list[str]) -> None:
    assert levels(broker_findings(info)) == expected


def test_the_broker_s_url() -> None:
    assert client_url("redis+socket:///a/b.sock?virtual_host=3") == "unix:///a/b.sock?db=3"
    assert client_url("rediss://h:1/0") == "rediss://h:1/0"


@pytest.mark.parametrize(("skew", "trip", "level"), [(1.9, 0, "ok"), (-2.5, 0, "warning"), (60, 1, "warning")])
def test_clocks(skew: float, trip: float, level: str) -> None:
    assert levels([skew_finding(skew, trip)]) == [level]


def test_who_owns_the_data_root(tmp_path: Path) -> None:
    assert [f.says for f in leftovers(settings(tmp_path)) if f.check == "owner"] == [f"nobody holds {tmp_path}"]
    ownership = Ownership(tmp_path, "cellar up")
    ownership.take()
    assert levels(f for f in leftovers(settings(tmp_path)) if f.check == "owner") == ["warning"], "it is starting"
    ownership.publish("postgresql+psycopg://u:secret@/d?host=/x", "redis+socket:///x")
    found = next(iter(leftovers(settings(tmp_path))))
    assert (found.level, f"process {os.getpid()} (cellar up)" in found.says) == ("ok", True)
    ownership.release()


def test_what_was_left_behind(tmp_path: Path) -> None:
    home = tmp_path / "postgres"
    running = {
        one.pid: one
        for one in (
            Process(1, 0, "init", "/sbin/init", None),
            Process(10, 1, "postgres", "postgres -D data", home),
            Process(11, 10, "postgres", "postgres: checkpointer", home),
            Process(12, 1, "bash", "bash", home),
            Process(20, 1, "python", "python -P -m workers.run --spare", None),
            Process(30, 1, "python", "python -P -m workers.main", None),
            Process(31, 30, "python", "python -P -m workers.run --spare", None),
        )
    }
    (server,) = abandoned_servers(running, tmp_path)
    assert "kill 10" in server.remedy
    (job,) = abandoned_jobs(running)
    assert job.remedy == "kill 20"


def test_a_real_server_without_an_owner(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    program = tmp_path / "valkey-server"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"], cwd=tmp_path / "valkey") as server:
        assert processes()[server.pid].parent == os.getpid()
        found = [f for f in leftovers(settings(tmp_path)) if f.check == "leftovers"]
        server.kill()
    assert f"kill {server.pid}" in " ".join(f.remedy for f in found)


def test_a_check_that_hangs_or_fails_does_not_keep_the_others(tmp_path: Path) -> None:
    over = threading.Event()

    def hang(_: Settings) -> Iterator[Finding]:
        yield Finding("slow", "ok", "before")
        over.wait(30)

    def fail(_: Settings) -> Iterator[Finding]:
        raise RuntimeError("two\nlines")
        yield

    started = time.monotonic()
    found = examine(settings(tmp_path), [Check("slow", hang, 0.1), Check("bad", fail, 5), CHECKS[2]])
    assert time.monotonic() - started < 5
    over.set()
    assert [f.check for f in found] == ["slow", "slow", "bad", "disk"]
    assert levels(found)[:3] == ["ok", "failure", "failure"]
    assert found[2].says == "RuntimeError: two lines"


Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`cellar doctor` on a data root of its own, with a torch that takes no time."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('gone', name='torch')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:secret@{NOWHERE}/d")

    def invoke(*words: str) -> Any:
        return CliRunner().invoke(cli, ["doctor", "--data-dir", str(tmp_path), "--port", "0", *words])

    return invoke


def test_the_command_fails_on_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://{NOWHERE}")
    result = run("--json")
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert answer["healthy"] is False
    assert {f["check"] for f in answer["findings"] if f["level"] == "failure"} == {"database", "broker"}
    assert all(set(f) == {"check", "level", "says", "remedy"} for f in answer["findings"])


def test_the_command_says_which_setting_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://db")
    result = run()
    assert result.exit_code == 1
    assert result.output.startswith("failure  settings: DATABASE_URL: ")
    assert "Remedy: correct DATABASE_URL" in result.output
