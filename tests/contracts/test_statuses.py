"""The statuses of every route: docs/api.md has those of the OpenAPI, and no request is answered with another."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from app.api.examples import MINE
from app.api.middleware import MAX_BODY_BYTES
from app.api.openapi import operations
from app.api.problems import TYPE_PREFIX
from app.api.statuses import PROBLEM_TYPES, may_be_known
from app.main import create_app
from app.routes import guide
from app.settings import Settings

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
Route = tuple[str, str, Json]
NOBODY = {"space": "no_such_space", "index": "9" * 3000, "name": "no_such_operation"}
NO_ID = str(UUID(int=0))


@pytest.fixture(scope="module")
def schema(api: TestClient) -> Json:
    return api.get("/openapi.json").json()


@pytest.fixture(scope="module")
def routes(schema: Json) -> list[Route]:
    found = [(method.upper(), path, operation) for method, path, operation in operations(schema)]
    assert len(found) > 70
    return found


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], NO_ID), path)


def body_of(operation: Json) -> Json | None:
    """The first body that the OpenAPI shows."""
    if "requestBody" not in operation:
        return None
    return next(iter(operation["requestBody"]["content"]["application/json"]["examples"].values()))["value"]


def query_of(operation: Json) -> Json:
    """What has to be asked."""
    needed = [p for p in operation.get("parameters", ()) if p["in"] == "query" and p.get("required")]
    return {parameter["name"]: parameter["example"] for parameter in needed}


def as_documented(route: Route, answer: Any) -> int:
    """The status of an answer, which is one that the route lists, with a problem that it lists."""
    method, path, operation = route
    status = answer.status_code
    assert str(status) in operation["responses"], f"{method} {path} answers {status}: {answer.text[:500]}"
    if status >= 400:
        slug = answer.json()["type"].removeprefix(TYPE_PREFIX)
        assert slug in operation["responses"][str(status)]["x-problem-types"], f"{method} {path} {status} {slug}"
    return status


def test_the_guide_is_that_of_the_openapi(api: TestClient, schema: Json) -> None:
    written = (ROOT / "docs" / "api.md").read_text()
    assert written == guide(schema) + "\n", "run python -m app.routes > docs/api.md"
    for method, path, _ in operations(schema):
        assert written.count(f"\n| `{method.upper()} {path}` | ") == 1


def test_every_problem_in_the_code_is_in_the_table() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "app" / "api").rglob("*.py"))
    raised = {(slug, int(status)) for status, slug in re.findall(r'Problem\(\s*(\d{3}), "([a-z-]+)"', source)}
    titled = {(slug, int(status)) for status, slug in re.findall(r'(\d{3}): \("([a-z-]+)", "', source)}
    assert len(raised) > 10
    assert raised | titled == {(slug, status) for slug, (status, _) in PROBLEM_TYPES.items()}


def test_what_is_nowhere(api: TestClient, routes: list[Route]) -> None:
    for route in routes:
        method, path, operation = route
        if "{" in path:
            answer = api.request(method, filled(path, NOBODY), params=query_of(operation), json=body_of(operation))
            assert as_documented(route, answer) == 404, path
        answer = api.request("DELETE", filled(path, NOBODY))
        assert answer.status_code == 405
        assert answer.json()["type"] == TYPE_PREFIX + "method-not-allowed"
        assert method in answer.headers["allow"]


def test_what_is_refused_by_its_headers(api: TestClient, routes: list[Route]) -> None:
    for route in routes:
        method, path, _ = route
        headers = {"Content-Length": str(MAX_BODY_BYTES + 1), "Content-Type": "application/json"}
        assert as_documented(route, api.request(method, filled(path, NOBODY), headers=headers, content=b"{}")) == 413
        assert as_documented(route, api.request(method, filled(path, NOBODY), headers={"Host": "evil.example"})) == 400


def test_what_is_wrong_with_a_body(api: TestClient, routes: list[Route], known: dict[str, str]) -> None:
    asked = [route for route in routes if "requestBody" in route[2]]
    assert len(asked) > 30
    for route in asked:
        method, path, _ = route
        place = filled(path, known)
        json, text = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}
        assert as_documented(route, api.request(method, place, content=b"a=1", headers=text)) == 415
        assert as_documented(route, api.request(method, place, json={"nonsense": 1})) == 422
        assert as_documented(route, api.request(method, place, json=[])) == 422
        assert as_documented(route, api.request(method, place, content=b"\xff{", headers=json)) in (400, 422)


def test_what_is_wrong_with_a_parameter(api: TestClient, routes: list[Route], known: dict[str, str]) -> None:
    refused = 0
    for route in routes:
        method, path, operation = route
        for parameter in operation.get("parameters", ()):
            kinds = str(parameter["schema"])
            if parameter["in"] == "query" and any(kind in kinds for kind in ("'integer'", "'boolean'", "'enum'")):
                query = query_of(operation) | {parameter["name"]: "nonsense"}
                answer = api.request(method, filled(path, known), params=query, json=body_of(operation))
                refused += as_documented(route, answer) == 422
    assert refused > 30


def test_what_is_as_it_was(api: TestClient, routes: list[Route], known: dict[str, str]) -> None:
    there = 0
    for route in routes:
        method, path, operation = route
        if method == "GET" and "events" not in path:
            asked = api.get(filled(path, known), params=query_of(operation), headers={"If-None-Match": "*"})
            status = as_documented(route, asked)
            assert status == 404 or (status == 304) == may_be_known("get", operation), path
            there += status == 304
    assert there > 25


def test_what_is_in_conflict(api: TestClient, routes: list[Route]) -> None:
    by_name = {(method, path): (method, path, operation) for method, path, operation in routes}
    keyed = [r for r in routes if "idempotency-conflict" in r[2]["responses"].get("422", {}).get("x-problem-types", ())]
    assert {path for _, path, _ in keyed} >= {"/v1/searches", "/v1/trainings", "/v1/transfers", "/v1/profiles"}
    search = by_name["POST", "/v1/searches"]
    for seed, status in ((1, 202), (2, 422)):
        body = {"space": "darts", "dataset": "digits", "seed": seed}
        assert as_documented(search, api.post("/v1/searches", json=body, headers={"Idempotency-Key": "k"})) == status
    register = by_name["POST", "/v1/spaces"]
    assert as_documented(register, api.post("/v1/spaces", json=MINE)) in (200, 201)
    other = MINE | {"visibility": "public"}
    assert as_documented(register, api.post("/v1/spaces", json=other)) == 409


@pytest.fixture(scope="module")
def without_database(api_settings: Settings) -> Iterator[TestClient]:
    """An application whose database nobody answers for; nothing runs in its background."""
    app = create_app(api_settings.model_copy(update={"database_url": "postgresql+psycopg://u:p@127.0.0.1:1/none"}))
    yield TestClient(app, raise_server_exceptions=False)
    app.state.services.offload.close()


def test_what_needs_the_database(without_database: TestClient, routes: list[Route]) -> None:
    for route in routes:
        method, path, operation = route
        ids = {"architecture_id": "0" * 32, "key_id": "0" * 12}  # well formed: any other is known to be nobody's
        place = filled(path, {"space": "registered_one", "index": "1", "name": "mbconv", **ids})
        answer = without_database.request(method, place, params=query_of(operation), json=body_of(operation))
        status = as_documented(route, answer)
        if "503" not in operation["responses"]:
            assert status == 200, path
        elif "{" in path:
            assert status == 503, path
        else:
            assert status in (503, 422, 200), path
