"""Errors: always a problem, always with an identity, never with internals."""

import json

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from app.architecture.formats import formats_of
from app.main import accepted_hosts, create_app
from app.settings import Settings
from app.space.skeleton import FAMILIES
from app.space.zoo import ZOO

MEMBERS = {"type", "title", "status", "detail", "errors", "request_id"}
JSON = {"content-type": "application/json"}


def problem(answer) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == MEMBERS
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    return body


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v2/spaces", "/static/../secret", "/v1/spaces/darts/x"])
def test_an_unknown_route_is_a_problem(api: TestClient, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert problem(answer)["type"] == "urn:cellar:problem:not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/v1/spaces", {"GET", "POST"}), ("POST", "/healthz", {"GET"}), ("PUT", "/v1/jobs", {"GET"})],
)
def test_an_unknown_method_is_a_problem_that_names_the_known(
    api: TestClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == 405
    problem(answer)
    assert allowed == set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ("{", JSON),
        ("", JSON),
        ("[]", JSON),
        ("null", JSON),
        ('"text"', JSON),
        ('{"genotype": ' + "9" * 5000 + "}", JSON),
        ('{"genotype": ' + "[" * 100_000 + "}", JSON),
        (b"\xff\xfe", JSON),
    ],
)
def test_a_body_that_is_no_json_object_is_a_problem(api: TestClient, content: str | bytes, headers: dict) -> None:
    answer = api.post("/v1/spaces/darts/validate", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    problem(answer)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_that_is_not_called_json_is_a_problem(api: TestClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = api.post("/v1/spaces/darts/validate", content=b'{"genotype": {}}', headers=headers)
    assert answer.status_code == 415
    assert (kind or "there is no Content-Type") in problem(answer)["detail"]


def test_numbers_that_are_no_json_come_back_as_text(api: TestClient) -> None:
    answer = api.post("/v1/spaces/darts/validate", content='{"genotype": [NaN, -Infinity, 1e999]}', headers=JSON)
    assert answer.status_code == 200
    json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_body_that_is_too_large_is_not_read(api: TestClient) -> None:
    announced = api.post("/v1/spaces/darts/validate", content="x" * ((1 << 20) + 1), headers=JSON)
    assert announced.status_code == 413
    assert str(1 << 20) in problem(announced)["detail"]

    def pieces():
        for _ in range(20):
            yield b" " * (1 << 16)

    unannounced = api.post("/v1/spaces/darts/validate", content=pieces(), headers=JSON)
    assert unannounced.status_code == 413
    problem(unannounced)


def test_every_fault_of_a_body_is_named_at_once(api: TestClient) -> None:
    body = {"genotype": {}, "skeleton": {"family": "cells", "channels": "8", "num_cells": 0}, "x~/y": 1}
    errors = problem(api.post("/v1/spaces/darts/cost", json=body))["errors"]
    assert {e["pointer"] for e in errors} == {"/skeleton/channels", "/skeleton/num_cells", "/x~0~1y"}
    assert all(set(e) == {"pointer", "message", "value", "allowed"} for e in errors)
    assert next(e for e in errors if e["pointer"] == "/skeleton/channels")["value"] == "8"


def test_what_was_allowed_is_listed(api: TestClient) -> None:
    body = {"genotype": {}, "skeleton": {"family": "mystery"}}
    (error,) = problem(api.post("/v1/spaces/darts/cost", json=body))["errors"]
    assert error["pointer"] == "/skeleton"
    assert error["allowed"] == list(FAMILIES)
    (error,) = problem(api.post("/v1/spaces/darts/cost", json={"genotype": {}, "format": "yaml"}))["errors"]
    assert error["pointer"] == "/format"
    assert error["allowed"] == [f.name for f in formats_of(ZOO["darts"])]


def test_what_is_echoed_is_bounded(api: TestClient) -> None:
    body = {"genotype": {}, "skeleton": ["x" * 10_000] * 30}
    answer = api.post("/v1/spaces/darts/cost", json=body)
    assert answer.status_code == 422
    problem(answer)
    assert len(answer.text) < 10_000


def test_a_request_identity_is_kept_if_it_is_harmless(api: TestClient) -> None:
    assert api.get("/healthz", headers={"X-Request-ID": "abc-1.2_3"}).headers["x-request-id"] == "abc-1.2_3"
    for harmful in ("", "a" * 65, "a b", "<script>", "x\ty"):
        given = api.get("/healthz", headers={"X-Request-ID": harmful}).headers["x-request-id"]
        assert given != harmful
        assert len(given) == 32
    assert len({api.get("/healthz").headers["x-request-id"] for _ in range(3)}) == 3


def test_answers_carry_safe_headers(api: TestClient) -> None:
    headers = api.get("/healthz").headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    cross = api.get("/healthz", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in cross.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.", "[::2]"])
def test_a_name_that_is_not_ours_is_refused(api: TestClient, host: str) -> None:
    answer = api.get("/healthz", headers={"Host": host})
    assert answer.status_code == 400
    assert problem(answer)["type"] == "urn:cellar:problem:unknown-host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "testserver"])
def test_our_own_names_are_answered(api: TestClient, host: str) -> None:
    assert api.get("/healthz", headers={"Host": host}).status_code == 200


def test_hosts_are_checked_on_loopback_addresses(api_settings: Settings) -> None:
    open_to_all = api_settings.model_copy(update={"host": "0.0.0.0", "allow_open": True, "allowed_hosts": ()})
    named = open_to_all.model_copy(update={"allowed_hosts": ("nas.example.org",)})
    loopback = api_settings.model_copy(update={"host": "::1", "allowed_hosts": ()})
    assert accepted_hosts(open_to_all) == ()
    assert accepted_hosts(named) == ("nas.example.org",)
    assert accepted_hosts(loopback) == ("localhost", "127.0.0.1", "[::1]")


def test_configured_origins_may_call(api_settings: Settings) -> None:
    settings = api_settings.model_copy(update={"cors_origins": ("https://lab.example.org",)})
    with TestClient(create_app(settings)) as client:
        allowed = client.get("/healthz", headers={"Origin": "https://lab.example.org"})
        other = client.get("/healthz", headers={"Origin": "https://elsewhere.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://lab.example.org"
    assert "access-control-allow-origin" not in other.headers


def test_an_unexpected_error_tells_nothing_but_its_identity(api_settings: Settings) -> None:
    app = create_app(api_settings)

    async def broken(request: Request) -> None:
        raise RuntimeError("the password is hunter2")

    def unreachable() -> None:
        raise OperationalError("SELECT 1", {}, Exception("host db.internal"))

    app.router.add_route("/broken", broken)
    app.add_api_route("/unreachable", unreachable)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken", headers={"X-Request-ID": "mine"})
        down = client.get("/unreachable")
    assert answer.status_code == 500
    assert problem(answer)["request_id"] == "mine"
    assert "hunter2" not in answer.text
    assert down.status_code == 503
    problem(down)
    assert down.headers["retry-after"]
    assert "db.internal" not in down.text


def test_engines_belong_to_whoever_starts_the_process(api_settings: Settings) -> None:
    for missing in ("database_url", "redis_url"):
        with pytest.raises(ValueError, match="must be set"):
            create_app(api_settings.model_copy(update={missing: None}))
