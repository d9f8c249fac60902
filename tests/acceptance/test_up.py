"""`cellar up` and its processes, as whoever runs them in a terminal meets them."""

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from app.embedded import attach, wait_until

Start = Callable[..., Any]

STOP_SECONDS = 15
"""Within this everything has ended after a signal; it takes about one second when no job runs."""


def get(url: str, seconds: float = 5) -> Any:
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return json.load(answer)


def is_ready(url: str) -> bool:
    try:
        return urllib.request.urlopen(f"{url}/readyz", timeout=2).status == 200
    except OSError:
        return False


def events_of_a_queued_job(url: str) -> Any:
    """The open event stream of a job that no worker takes."""
    body = json.dumps({"space": "darts", "dataset": "digits"}).encode()
    asked = urllib.request.Request(f"{url}/v1/searches", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 202
        job = json.load(answer)
    return urllib.request.urlopen(f"{url}/v1/jobs/{job['id']}/events", timeout=10)


@pytest.fixture
def data_root(open_directory: Path) -> Path:
    return open_directory / "data"


def loaded(pid: int) -> str:
    """Names of the files that a process has mapped, its libraries among them."""
    return Path(f"/proc/{pid}/maps").read_text()


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for this signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(caught >> (number - 1) & 1)


def test_one_service_from_start_to_stop(cellar: Start, data_root: Path) -> None:
    up = cellar("up", "--port", "0", "--data-dir", data_root, "--workers", "2")
    up.wait_for("Ctrl-C stops everything.")
    assert get(f"{up.url}/healthz")
    assert is_ready(up.url)
    for said in (f"{up.url}/docs", str(data_root), str(data_root / "logs"), "workers     2"):
        assert said in up.output
    tree = up.look()
    assert sum("workers.main" in line for line in tree.values()) == 2
    assert "libtorch" not in loaded(up.process.pid) + loaded(up.one("app.cli api")), "torch is for the workers"

    # A second owner is turned away by name; a command that only needs the engines attaches to them.
    second = cellar("up", "--port", "0", "--data-dir", data_root)
    assert second.process.wait(30) == 1
    assert f"in use by process {up.process.pid} (cellar up)" in second.output
    assert str(data_root) in second.output
    migrate = cellar("migrate", "--data-dir", data_root)
    assert migrate.process.wait(30) == 0, migrate.output
    assert attach(data_root).pid == up.process.pid
    assert up.look().keys() >= tree.keys(), "neither disturbed it"

    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(STOP_SECONDS) == 0, up.output
    assert up.left() == {}
    assert up.output.endswith("Stopping ...\nStopped.\n")

    again = cellar("up", "--port", "0", "--data-dir", data_root, "--workers", "0")
    again.wait_for("Ctrl-C stops everything.")
    with events_of_a_queued_job(again.url) as stream:
        assert stream.readline(), "the stream is open, and would be for as long as no worker comes"
        # A terminal sends Ctrl-C to the whole group of its foreground command.
        again.look()
        os.killpg(again.process.pid, signal.SIGINT)
        assert again.process.wait(STOP_SECONDS) == 0
    assert again.left() == {}


def test_a_killed_supervisor_takes_everything_along(cellar: Start, data_root: Path) -> None:
    up = cellar("up", "--port", "0", "--data-dir", data_root)
    up.wait_for("Ctrl-C stops everything.")
    assert {"postgres", "valkey", "api", "workers.main"} <= {
        part
        for part in ("postgres", "valkey", "api", "workers.main")
        if any(part in line for line in up.look().values())
    }
    up.process.send_signal(signal.SIGKILL)
    up.process.wait(10)
    assert wait_until(lambda: not up.left(), 10), up.left()
    again = cellar("up", "--port", "0", "--data-dir", data_root, "--workers", "0")
    again.wait_for("Ctrl-C stops everything.")
    assert is_ready(again.url)


def test_whatever_dies_is_started_again(cellar: Start, data_root: Path) -> None:
    up = cellar("up", "--port", "0", "--data-dir", data_root)
    up.wait_for("Ctrl-C stops everything.")
    parts = ("app.cli api", "workers.main", f"-D {data_root}", "valkey-server")
    before = {part: up.one(part) for part in parts}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def all_back() -> bool:
        try:
            return all(up.one(part) != pid for part, pid in before.items())
        except ValueError:  # none, or the old one and the new one
            return False

    assert wait_until(all_back, 30, pause=0.1), up.output
    assert wait_until(lambda: is_ready(up.url), 30, pause=0.1), up.output
    for name in (
        "api was ended by SIGKILL",
        "worker-1 was ended by SIGKILL",
        "PostgreSQL was ended",
        "Valkey was ended",
    ):
        assert name in up.output
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(STOP_SECONDS) == 0, up.output
    assert up.left() == {}


def test_what_does_not_end_by_itself_is_killed(cellar: Start, data_root: Path, tmp_path: Path) -> None:
    for name in ("app", "workers", "migrations"):  # other projects have such packages, too: not ours
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('this is somebody else')")
    up = cellar("up", "--port", "0", "--data-dir", data_root, directory=tmp_path)
    up.wait_for("Ctrl-C stops everything.")
    up.look()
    for part in ("workers.main", "app.cli api"):
        os.kill(up.one(part), signal.SIGSTOP)
    up.process.send_signal(signal.SIGTERM)
    up.wait_for("Stopping ...")
    up.process.send_signal(signal.SIGTERM)  # whoever asks twice does not want to wait
    assert up.process.wait(4) == 0
    assert wait_until(lambda: not up.left(), 5), up.left()


def test_the_version(cellar: Start) -> None:
    shown = cellar("--version")
    assert shown.process.wait(20) == 0
    assert shown.output == f"cellar {version('cellar')}\n"


def test_a_port_in_use(cellar: Start, data_root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        up = cellar("up", "--port", str(port), "--data-dir", data_root)
        assert up.process.wait(20) == 1
    assert f"port {port} of 127.0.0.1 cannot be used, another program listens there" in up.output
    assert "Traceback" not in up.output
    assert not data_root.exists(), "nothing else was started before"


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["up", "--host", "0.0.0.0"], {}, "CELLAR_ALLOW_OPEN"),
        (["up", "--workers", "-3"], {}, "CELLAR_WORKERS: Input should be greater than or equal to 0, not -3"),
        (["api"], {"DATABASE_URL": "mysql://db"}, "DATABASE_URL: Value error, mysql:// is not PostgreSQL"),
        (
            ["migrate"],
            {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/d", "REDIS_URL": "redis://127.0.0.1:1"},
            "the database (127.0.0.1:1) cannot be brought up to date",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    cellar: Start, data_root: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    refused = cellar(*arguments, "--data-dir", data_root, environment=environment)
    assert refused.process.wait(30) == 1
    assert says in refused.output
    assert "Traceback" not in refused.output
    assert "secret" not in refused.output
    assert not data_root.exists()


def test_the_first_process_owns_the_engines_and_others_attach(cellar: Start, data_root: Path) -> None:
    api = cellar("api", "--port", "0", "--data-dir", data_root)
    api.wait_for("Ctrl-C stops everything.")
    assert attach(data_root).command == "cellar api"
    worker = cellar("worker", "--data-dir", data_root)
    assert wait_until(lambda: "workers.main" in worker.look().get(worker.process.pid, ""), 30)
    assert wait_until(lambda: bool(get(f"{api.url}/v1/workers")["items"]), 30), worker.output
    assert wait_until(lambda: handles(worker.process.pid, signal.SIGTERM), 30)
    worker.look()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(STOP_SECONDS) == 0, worker.output
    assert wait_until(lambda: not worker.left(), 5), worker.left()
    api.process.send_signal(signal.SIGTERM)
    assert api.process.wait(STOP_SECONDS) == 0, api.output


@pytest.fixture
def own_urls(new_database: Callable[[], str], redis_url: str) -> dict[str, str]:
    """Servers that somebody else runs, as in production."""
    return {"DATABASE_URL": new_database().replace("+psycopg", ""), "REDIS_URL": redis_url}


def test_urls_replace_the_engines(cellar: Start, data_root: Path, own_urls: dict[str, str]) -> None:
    up = cellar("up", "--port", "0", "--data-dir", data_root, environment=own_urls)
    up.wait_for("Ctrl-C stops everything.")
    assert is_ready(up.url)
    assert not [line for line in up.look().values() if "postgres -D" in line or "valkey-server" in line]
    assert not (data_root / "postgres").exists()
    assert "embedded, in the data root" not in up.output

    api = cellar("api", "--port", "0", "--data-dir", data_root, environment=own_urls)
    api.wait_for("Application startup complete")
    for tree in (api, up):
        tree.look()
        tree.process.send_signal(signal.SIGTERM)
    for tree in (api, up):
        assert tree.process.wait(STOP_SECONDS) == 0, tree.output
        assert tree.left() == {}
