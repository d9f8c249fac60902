"""The log lines of a real run: JSON, one shape, joined from the request to the job's process."""

import io
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from app import log as logs
from app.embedded import Engines, wait_until
from app.space import space_to_json
from app.space.zoo import simple_cell

REQUEST_ID = "a-request-of-ours"
SECRET = "correct-horse-battery"


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_job_can_be_followed_from_its_request_to_its_process(
    new_database: Callable[[], str],
    engines: Engines,
    tmp_path: Path,
    processes: list["subprocess.Popen[bytes]"],
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": new_database(),
        "REDIS_URL": engines.redis_url,
        "CELLAR_DATA_ROOT": str(tmp_path / "data"),
        "CELLAR_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    for name in ("api", "worker"):
        words = ["-m", "app.cli", "api"] if name == "api" else ["-m", "workers.main", "--no-spare"]
        with (tmp_path / f"{name}.log").open("wb") as stream:
            command = [sys.executable, "-P", *words]
            processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stream))
    url = f"http://127.0.0.1:{port}"

    def answered(path: str) -> bool:
        try:
            return httpx.get(url + path).is_success
        except httpx.TransportError:
            return False

    assert wait_until(lambda: answered("/healthz"), 30), (tmp_path / "api.log").read_text()
    key = {"Cookie": f"session={SECRET}"}
    refused = httpx.post(f"{url}/v1/size?token={SECRET}", json={"space": {"name": SECRET}}, headers=key)
    assert refused.status_code >= 400
    space = space_to_json(simple_cell(6)) | {"name": "six"}
    assert httpx.post(f"{url}/v1/spaces", json=space).status_code == 201
    asked = {"json": {"equivalence": "relabelling"}, "headers": {"X-Request-ID": REQUEST_ID}}
    count = httpx.post(f"{url}/v1/spaces/six/count", **asked)
    assert count.status_code == 202, count.text
    job = count.headers["Location"].rpartition("/")[2]
    ran = wait_until(lambda: httpx.get(f"{url}/v1/jobs/{job}").json()["state"] not in ("queued", "running"), 30)
    assert ran, (tmp_path / "worker.log").read_text()
    for process in processes:
        process.terminate()
        process.wait(20)

    api, worker = lines_of(tmp_path / "api.log"), lines_of(tmp_path / "worker.log")
    for line in api + worker:
        assert {"timestamp", "level", "event", "process"} <= line.keys(), line
    assert {line["process"] for line in api} == {"api"}
    assert {line["process"] for line in worker} == {"worker", "job"}
    (submission,) = [line for line in api if line.get("request_id") == REQUEST_ID and line["event"] == "request"]
    assert (submission["method"], submission["status"], submission["owner"]) == ("POST", 202, "local")
    assert "{space}" in submission["route"]
    assert submission["ms"] > 0
    followed = [line for line in worker if line.get("job") == job]
    (claimed,) = [line for line in followed if line["event"] == "job claimed"]
    (ended,) = [line for line in followed if line["process"] == "job" and line["event"] in ("succeeded", "cancelled")]
    assert len(followed) > 2
    for line in followed:
        assert (line["request_id"], line["kind"], line["attempt"], line["fence"]) == (REQUEST_ID, "count", 1, 1), line
    settled = {"job claimed", "job's process ended", "succeeded"}
    assert settled <= {line["event"] for line in followed}
    assert not [line for line in worker if line["event"] in settled and "job" not in line]
    assert claimed["worker"] == ended["worker"]
    assert SECRET not in (tmp_path / "api.log").read_text() + (tmp_path / "worker.log").read_text()


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged while a test runs; the settings of before return."""
    root = logging.getLogger()
    before, level, structure = root.handlers[:], root.level, structlog.get_config()
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.configure(**structure)
    logging.captureWarnings(False)


def test_secrets_are_blotted_out_wherever_they_stand(stream: io.StringIO) -> None:
    logs.configure(stream=stream, process="test")
    log = structlog.get_logger("one")
    log.warning(
        "cannot reach postgresql+psycopg://cellar:hunter2@db:5432/cellar", key="cellar_0123456789ab_s3cr3ts3cr3t"
    )
    logging.getLogger("another").error("refused %s", {"url": "redis://:hunter2@broker/0"})
    try:
        raise ValueError("postgresql://cellar:hunter2@db")
    except ValueError:
        log.exception("failed", inner={"deep": ["cellar_0123456789ab_s3cr3ts3cr3t"]})
    written = stream.getvalue()
    assert "hunter2" not in written
    assert "s3cr3t" not in written
    first, second, third = [json.loads(line) for line in written.splitlines()]
    assert first["key"] == "cellar_0123456789ab_***"
    assert "cellar:***@db:5432" in first["event"]
    assert (second["logger"], second["level"], second["process"]) == ("another", "error", "test")
    assert third["exception"][0]["exc_type"] == "ValueError"


def test_people_on_a_terminal_read_no_json(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    logs.configure(stream=stream)
    structlog.get_logger("one").info("hello", number=3)
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
