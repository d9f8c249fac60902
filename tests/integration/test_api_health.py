"""Liveness, readiness, documentation; and what an API process needs to start."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app.api import documentation
from app.architecture.lower.combinators import COMBINATORS
from app.experiment import IMPLIED
from app.main import create_app
from app.settings import Settings

SWAGGER = documentation.STATIC / "swagger"


NOWHERE = "postgresql+psycopg://nobody:secret@127.0.0.1:1/none"


def test_it_lives_and_serves_before_there_is_a_worker(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    ready = api.get("/readyz").json()
    assert ready["status"] == "degraded"
    states = {part["part"]: part["state"] for part in ready["parts"]}
    assert [part for part, state in states.items() if state != "ok"] == ["workers"]
    assert {"database", "broker"} <= states.keys()


def test_it_is_down_without_a_database_and_degraded_without_a_broker(api_settings: Settings) -> None:
    with TestClient(create_app(api_settings.model_copy(update={"database_url": NOWHERE}))) as client:
        answer = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/database"]
    assert "secret" not in answer.text
    with TestClient(create_app(api_settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert {part["part"] for part in answer.json()["parts"] if part["state"] == "degraded"} == {"broker", "workers"}


def test_what_is_fixed_in_a_release_is_listed(api: TestClient) -> None:
    operations = {item["name"]: item for item in api.get("/v1/operations").json()["items"]}
    assert "sep_conv_3x3" in operations
    assert operations["sep_conv_3x3"]["params"]
    domain = operations["sep_conv_3x3"]["domain"]
    assert api.get("/v1/operations", params={"domain": domain}).json()["items"]
    assert api.get("/v1/operations", params={"domain": "nowhere"}).json()["items"] == []


def test_the_records_that_documents_may_build_are_published(api: TestClient) -> None:
    items = api.get("/v1/combinators").json()["items"]
    assert {(item["builds"], item["family"]) for item in items} == {(c.builds, c.family) for c in COMBINATORS}
    free = {item["builds"]: item for item in api.get("/v1/combinators", params={"family": "free"}).json()["items"]}
    assert [name for name, item in free.items() if item["root"]] == ["free"]
    assert {"name": "inner", "holds": "a term", "required": True} in free["residual"]["fields"]
    digits = next(item for item in api.get("/v1/datasets").json()["items"] if item["name"] == "digits")
    assert digits["input"] == {"channels": 1, "height": 8, "width": 8}
    assert sum(digits["splits"].values()) == 1797
    strategy = api.get("/v1/strategies").json()["items"][0]
    assert strategy["name"] == "darts"
    recipes = {(item["kind"], item["name"]): item for item in api.get("/v1/recipes").json()["items"]}
    assert ("training", "digits-quick") in recipes
    assert recipes["search", "darts-cifar"]["fields"]["alpha_betas"] == [0.5, 0.999]
    assert api.get("/v1/workers").json() == {"items": []}


def test_a_listed_recipe_can_be_posted_back(api: TestClient) -> None:
    for recipe in api.get("/v1/recipes").json()["items"]:
        key = "recipe" if recipe["kind"] == "search" else "retrain_recipe"
        body = {"space": "darts", "dataset": "digits", key: recipe["fields"]}
        plan = api.post("/v1/searches", params={"dry_run": True}, json=body)
        assert plan.status_code == 200, plan.text
        chosen = plan.json()["request"][key]
        assert {name: value for name, value in chosen.items() if name not in IMPLIED} == recipe["fields"]


def test_the_documentation_needs_no_other_host(api: TestClient) -> None:
    page = api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    references = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert references
    assert all(reference.startswith("/static/") for reference in references)
    assert not re.search(r"<script(?![^>]*src=)", page.text), "an inline script would be refused by our own policy"
    for reference in references:
        assert api.get(reference).status_code == 200
    assert "http" not in (SWAGGER / "init.js").read_text()
    assert api.get("/openapi.json").status_code == 200


def test_vendored_files_are_what_they_were() -> None:
    vendored = json.loads((SWAGGER / "vendored.json").read_text())
    assert vendored["licence"] == "Apache-2.0"
    for name, digest in vendored["sha256"].items():
        assert hashlib.sha256((SWAGGER / name).read_bytes()).hexdigest() == digest
    ours = {"index.html", "init.js", "vendored.json"}
    assert {path.name for path in SWAGGER.iterdir()} == set(vendored["sha256"]) | ours


PROGRAM = """
import sys, uvicorn
from app.main import create_app
heavy = [name for name in sys.modules if name.partition('.')[0] in ('torch', 'workers')]
assert not heavy, heavy
uvicorn.run(create_app, factory=True, port=int(sys.argv[1]), log_level='warning')
"""


def seconds_to_first_answer(settings: Settings) -> float:
    """Start a process, wait for /healthz, stop it. The seconds are the processor's: it may have to share one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", PROGRAM, str(port)]
    started = time.monotonic()
    process = subprocess.Popen(command, env=settings.environment(), stderr=subprocess.PIPE, text=True)
    try:
        while True:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > started + 30:
                    process.kill()
                    pytest.fail(f"no answer: {process.communicate()[1]}")
                time.sleep(0.02)
        user, system = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        used = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        assert answer.json() == {"status": "ok"}
        process.terminate()
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
        return used
    finally:
        process.kill()
        process.communicate()


def test_a_fresh_process_has_no_torch_and_answers_after_two_seconds_of_work(api_settings: Settings) -> None:
    assert 0 < seconds_to_first_answer(api_settings) < 2
