"""Every route of the OpenAPI, without a key, with bad ones, with too small a one, and with somebody else's ids."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.api.callers import SCOPES
from app.api.examples import MINE
from app.api.openapi import operations
from app.api.scopes import NEEDED
from app.catalogue import Database, KeyScope, audit, jobs, keys
from app.embedded import Engines
from app.jobs import submit
from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]
Route = tuple[str, str, Json]
PLACES = {"space": "darts", "index": "1", "name": "digits"}
EVERY: list[KeyScope] = list(SCOPES)
CHALLENGE = 'Bearer realm="cellar"'


@pytest.fixture(scope="module")
def settings(new_database: Callable[[], str], engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        database_url=new_database(),
        redis_url=engines.redis_url,
        data_root=tmp_path_factory.mktemp("data"),
        allowed_hosts=("testserver",),
        require_keys=True,
        reconcile_seconds=3600.0,
        refused_rate="100000/minute",
        cors_origins=("https://lab.example.org",),
    )


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def catalogue(settings: Settings) -> Iterator[Database]:
    assert settings.database_url is not None
    opened = Database(settings.database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def key_of(catalogue: Database) -> Callable[..., dict[str, str]]:
    def make(owner: str, *scopes: KeyScope) -> dict[str, str]:
        with catalogue.transaction() as session:
            _, token = keys.add(session, owner=owner, scopes=scopes or EVERY)
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture(scope="module")
def routes(guarded: TestClient) -> list[Route]:
    found = operations(guarded.get("/openapi.json").json())
    listed = [(method.upper(), path, operation) for method, path, operation in found]
    assert len(listed) > 80
    return listed


def place(path: str, **ids: str) -> str:
    """The path with values in place of its parameters; an id that nothing has where none is given."""
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1]) or PLACES.get(match[1]) or str(uuid4()), path)


def ask(client: TestClient, route: Route, headers: dict[str, str], **ids: str) -> Any:
    method, path, operation = route
    query = {
        p["name"]: p["example"] for p in operation.get("parameters", ()) if p["in"] == "query" and p.get("required")
    }
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = next((shown["value"] for shown in content.get("examples", {}).values()), {} if content else None)
    return client.request(method, place(path, **ids), params=query, json=body, headers=headers)


def test_every_route_says_what_a_key_needs(routes: list[Route]) -> None:
    served = {f"{method} {path}" for method, path, _ in routes}
    assert served - set(NEEDED) == set(), "name the scope of these routes in app/api/scopes.py"
    for method, path, operation in routes:
        needed = NEEDED[f"{method} {path}"]
        assert operation["security"] == ([] if needed == "public" else [{"key": [needed]}])


def test_without_a_key_and_with_bad_ones(
    guarded: TestClient, routes: list[Route], key_of: Callable[..., dict[str, str]], catalogue: Database
) -> None:
    revoked = key_of("mallory")
    id = revoked["Authorization"].split("_")[1]
    stranger = f"Bearer cellar_{id}_{'0' * 64}"  # the id of a key that there is, with another secret
    with catalogue.transaction() as session:
        keys.revoke(session, id)
    bad = {
        "garbage": {"Authorization": "Bearer garbage"},
        "another scheme": {"Authorization": "Basic Y2VsbGFyOmNlbGxhcg=="},
        "unknown": {"Authorization": f"Bearer cellar_{'0' * 12}_{'0' * 64}"},
        "wrong secret": {"Authorization": stranger},
        "revoked": revoked,
    }
    for number, route in enumerate(routes):
        public = NEEDED[f"{route[0]} {route[1]}"] == "public"
        answer = ask(guarded, route, {})
        if public:
            assert answer.status_code == 200
            continue
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, CHALLENGE), route[:2]
        assert answer.json()["type"] == "urn:cellar:problem:unauthenticated"
        for name in ("garbage", "revoked", list(bad)[number % len(bad)]):
            answer = ask(guarded, route, bad[name])
            assert answer.status_code == 401, f"{name}: {route[:2]}"
            assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
            assert "0" * 64 not in answer.text


def test_a_scope_too_few(
    guarded: TestClient, routes: list[Route], key_of: Callable[..., dict[str, str]], catalogue: Database
) -> None:
    all_but = {scope: key_of("bob", *(other for other in EVERY if other != scope)) for scope in EVERY}
    alone = {scope: key_of("bob", scope) for scope in EVERY}
    for route in routes:
        needed = NEEDED[f"{route[0]} {route[1]}"]
        if needed != "public":
            answer = ask(guarded, route, all_but[needed])
            assert answer.status_code == 403, route[:2]
            assert f'scope="{needed}"' in answer.headers["www-authenticate"]
            if route[0] == "GET" and "events" not in route[1]:
                assert ask(guarded, route, alone[needed]).status_code not in (401, 403), route[:2]
    with catalogue.transaction() as session:
        refused = audit.listing(session, outcome="refused", action="scope.missing")
    assert 0 < len(refused) <= 60, "a process writes so many a minute"
    assert {entry.owner for entry in refused} == {"bob"}


def test_ids_of_somebody_else(
    guarded: TestClient, routes: list[Route], key_of: Callable[..., dict[str, str]], catalogue: Database
) -> None:
    alice, bob = key_of("alice"), key_of("bob")
    assert guarded.post("/v1/spaces", json=MINE, headers=alice).status_code == 201
    found: dict[str, dict[str, str]] = {"alice": {"space": MINE["name"]}, "nobody": {}}
    with catalogue.transaction() as session:
        for kind in ("search", "transfer", "training"):
            job = submit(session, kind=kind, request={}, owner="alice", queue="cpu", device="cpu").job
            found["alice"][{"training": "job"}.get(kind, kind) + "_id"] = str(job.id)
            assert jobs.get(session, job.id, viewer="bob") is None
    asked = 0
    for route in routes:
        method, path, _ = route
        own = [name for name in re.findall(r"\{(\w+)\}", path) if name in found["alice"]]
        if not own or NEEDED[f"{method} {path}"] == "admin":
            continue
        answer = ask(guarded, route, bob, **found["alice"])
        assert answer.status_code in (404, 422), route[:2]
        if answer.status_code == 422:  # a space that is not there is said of the body's other parts at the same time
            assert "{space}" in path
        asked += 1
    assert asked > 40
    for path in ("/v1/jobs", "/v1/spaces", "/v1/evaluations"):
        assert "alice" not in guarded.get(path, headers=bob).text
    names = [item["name"] for item in guarded.get("/v1/spaces", headers=alice).json()["items"]]
    assert MINE["name"] in names
    assert len(guarded.get("/v1/jobs", headers=alice).json()["items"]) == 3
    assert guarded.get("/v1/jobs", headers=bob).json()["items"] == []


def test_pages_of_configured_origins(guarded: TestClient, key_of: Callable[..., dict[str, str]]) -> None:
    origin, asked = {"Origin": "https://lab.example.org"}, "authorization, content-type, idempotency-key"
    preflight = guarded.options(
        "/v1/searches",
        headers=origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://lab.example.org"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert {"Authorization", "Idempotency-Key"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    answer = guarded.get("/v1/jobs", headers=origin | key_of("alice"))
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert {"Location", "Retry-After", "ETag", "X-Request-ID", "RateLimit"} <= exposed
    assert "access-control-allow-credentials" not in answer.headers
    refused = guarded.get("/v1/jobs", headers=origin)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://lab.example.org")
    other = {"Origin": "https://evil.example"}
    assert "access-control-allow-origin" not in guarded.get("/v1/jobs", headers=other | key_of("alice")).headers
    assert guarded.options("/v1/jobs", headers=other | {"Access-Control-Request-Method": "GET"}).status_code == 400
