"""Keys in time: how long one opens, how often, and what is written down of it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.api.access import Visit
from app.api.examples import MINE
from app.api.keyring import HELD_SECONDS, KeyRing
from app.api.rates import Rate, Windows, counted_as
from app.catalogue import Database, Token, audit, evaluations, jobs, keys
from app.experiment import DATASETS, recipe_digest
from app.experiment.recipe import TRAINING_RECIPES
from app.jobs import submit
from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]


def bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def guarded(api_settings: Settings) -> Iterator[TestClient]:
    asking = api_settings.model_copy(update={"require_keys": True, "key_rate": "40/hour", "refused_rate": "5/hour"})
    with TestClient(create_app(asking)) as client:
        yield client


@pytest.fixture
def key_of(api_database: Database) -> Callable[..., Token]:
    def make(owner: str, **rest: Any) -> Token:
        with api_database.transaction() as session:
            return keys.add(session, owner=owner, scopes=["read", "submit", "write", "admin"], **rest)[1]

    return make


def opened(ring: KeyRing, token: Token) -> bool:
    return asyncio.run(ring.opened(token)) is not None


def test_no_secret_is_kept(api_database: Database, key_of: Callable[..., Token]) -> None:
    token = key_of("alice", title="for the night")
    assert Token.read(str(token)) == token
    assert token.secret not in repr(token)
    with api_database.transaction() as session:
        row = session.execute(
            text("SELECT to_jsonb(keys)::text FROM keys WHERE id = :id"), {"id": token.id}
        ).scalar_one()
    assert token.secret not in row
    assert token.sha256 in row
    for wrong in (
        "",
        "cellar_",
        f"cellar_{token.id}",
        f"{token} ",
        f"cellar_{token.id}_{token.secret}0",
        str(token).upper(),
    ):
        assert Token.read(wrong) is None


def test_a_revoked_key_opens_nothing_after_the_bound(api_database: Database, key_of: Callable[..., Token]) -> None:
    time = [0.0]
    ring, token = KeyRing(api_database, clock=lambda: time[0]), key_of("alice")
    assert opened(ring, token)
    with api_database.transaction() as session:
        keys.revoke(session, token.id)
    time[0] = HELD_SECONDS
    assert opened(ring, token), "another process may not know it yet"
    time[0] = HELD_SECONDS + 0.001
    assert not opened(ring, token)
    assert not opened(KeyRing(api_database), token)


def test_a_ring_holds_so_many_keys_and_none_that_opened_nothing(
    api_database: Database, key_of: Callable[..., Token]
) -> None:
    ring, tokens = KeyRing(api_database, capacity=2), [key_of("alice") for _ in range(3)]
    assert all(opened(ring, token) for token in tokens)
    assert [ring.at_hand(token) is not None for token in tokens] == [False, True, True]
    assert not opened(ring, Token.new())
    assert not opened(ring, Token.new(tokens[2].id))
    assert ring.at_hand(tokens[2]) is not None


def test_a_rotated_key_has_two_secrets_for_a_while(api_database: Database, key_of: Callable[..., Token]) -> None:
    first = key_of("alice")

    def rotate(overlap: float) -> Token:
        with api_database.transaction() as session:
            rotated = keys.rotate(session, first.id, overlap_seconds=overlap)
        assert rotated is not None
        return rotated[1]

    def good(*tokens: Token) -> list[bool]:
        with api_database.transaction() as session:
            return [keys.opened(session, token) is not None for token in tokens]

    second = rotate(3600)
    assert good(first, second) == [True, True]
    third = rotate(3600)
    assert good(first, second, third) == [False, True, True], "only the last one has an overlap"
    fourth = rotate(0)
    assert good(third, fourth) == [False, True]
    with api_database.transaction() as session:
        keys.revoke(session, first.id)
        assert keys.rotate(session, first.id, overlap_seconds=0) is None
    assert good(fourth) == [False]


def test_an_expired_key(api_database: Database, key_of: Callable[..., Token], guarded: TestClient) -> None:
    token = key_of("alice", lasts_seconds=3600.0)
    with api_database.transaction() as session:
        assert keys.opened(session, token) is not None
        session.execute(text("UPDATE keys SET expires_at = clock_timestamp() WHERE id = :id"), {"id": token.id})
        assert keys.opened(session, token) is None
    assert guarded.get("/v1/keys/me", headers=bearer(token)).status_code == 401


def test_keys_over_http(guarded: TestClient, key_of: Callable[..., Token]) -> None:
    admin = bearer(key_of("ops"))
    body = {"owner": "vision", "scopes": ["read"], "title": "a dashboard", "days": 30}
    made = guarded.post("/v1/keys", json=body, headers=admin)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    key = made.json()
    theirs = {"Authorization": f"Bearer {key['key']}"}
    me = guarded.get("/v1/keys/me", headers=theirs).json()
    assert (me["owner"], me["scopes"], me["key"]["id"]) == ("vision", ["read"], key["id"])
    shown = guarded.get(f"/v1/keys/{key['id']}", headers=admin).json()
    assert shown["state"] == "valid"
    assert "key" not in shown
    rotated = guarded.post(f"/v1/keys/{key['id']}/rotate", json={"overlap_hours": 1}, headers=admin).json()
    renewed = {"Authorization": f"Bearer {rotated['key']}"}
    assert [guarded.get("/v1/keys/me", headers=h).status_code for h in (theirs, renewed)] == [200, 200]
    assert guarded.post(f"/v1/keys/{key['id']}/revoke", headers=admin).json()["state"] == "revoked"
    # At once where it was revoked.
    assert [guarded.get("/v1/keys/me", headers=h).status_code for h in (theirs, renewed)] == [401, 401]
    refused = guarded.post(f"/v1/keys/{key['id']}/rotate", json={}, headers=admin)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:cellar:problem:key-ended")
    pages, cursor = [], None
    while cursor or not pages:
        pages.append(
            guarded.get(
                "/v1/keys", params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2}, headers=admin
            ).json()
        )
        cursor = pages[-1]["next"]
    ids = [item["id"] for page in pages for item in page["items"]]
    assert len(ids) == len(set(ids)) > 3
    entries = guarded.get("/v1/audit", params={"limit": 200}, headers=admin).json()["items"]
    assert {"key.add", "key.rotate", "key.revoke", "key.show"} <= {entry["action"] for entry in entries}
    mine = [entry for entry in entries if entry["subject"] == f"/v1/keys/{key['id']}"]
    assert [entry["action"] for entry in mine] == ["key.revoke", "key.rotate", "key.add"]
    assert {entry["owner"] for entry in mine} == {"ops"}
    assert made.headers["x-request-id"] == mine[-1]["request_id"]
    assert rotated["key"].rpartition("_")[2] not in str(entries)


def test_a_key_that_asks_too_often(guarded: TestClient, key_of: Callable[..., Token]) -> None:
    hasty, patient = bearer(key_of("hasty")), bearer(key_of("patient"))
    left = [guarded.get("/v1/strategies", headers=hasty).headers["ratelimit"] for _ in range(40)]
    assert left[0].startswith('"key";r=39;t=')
    assert left[-1].startswith('"key";r=0;t=')
    refused = guarded.get("/v1/strategies", headers=hasty)
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:cellar:problem:rate-limited")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["ratelimit-policy"] == '"key";q=40;w=3600'
    assert guarded.get("/v1/strategies", headers=patient).status_code == 200
    assert guarded.get("/healthz", headers=hasty).status_code == 200


def test_an_address_that_guesses(api_settings: Settings, api_database: Database, key_of: Callable[..., Token]) -> None:
    asking = api_settings.model_copy(update={"require_keys": True, "refused_rate": "3/hour"})
    good, other = bearer(key_of("alice")), bearer(key_of("alice"))
    with TestClient(create_app(asking)) as client:
        assert client.get("/v1/strategies", headers=good).status_code == 200
        answers = [client.get("/v1/strategies", headers=bearer(Token.new())).status_code for _ in range(5)]
        assert answers == [401, 401, 401, 429, 429]
        assert client.get("/v1/strategies", headers=good).status_code == 200, "who is known already stays so"
        assert client.get("/v1/strategies", headers=other).status_code == 429, "nobody new is looked up from there"


def test_windows_are_bounded_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    windows, now = Windows(capacity=3), [1000.0]
    monkeypatch.setattr("app.api.rates.time.time", lambda: now[0])
    assert [windows.incr(name, 60) for name in ("a", "b", "c", "a", "d")] == [1, 1, 1, 2, 1]
    assert [windows.get(name) for name in "abcd"] == [2, 0, 1, 1]
    rate = Rate("key", "2/minute")
    assert [rate.hit("x").passed for _ in range(3)] == [True, True, False]
    now[0] += 61
    assert rate.hit("x").passed
    assert windows.get("a") == 0
    assert counted_as("2001:db8::1") == counted_as("2001:db8::ffff:2") != counted_as("2001:db8:0:1::1")
    assert counted_as("::ffff:192.0.2.1") == "192.0.2.1"
    assert counted_as(None) == counted_as("testclient") == "unknown"


def test_a_stream_ends_with_its_key(
    api_database: Database, key_of: Callable[..., Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, token, sent, now = KeyRing(api_database), key_of("alice"), [], [0.0]
    monkeypatch.setattr("app.api.access.time.monotonic", lambda: now[0])
    piece = {"type": "http.response.body", "body": b"event", "more_body": True}

    async def keep(message: Any) -> None:
        sent.append(message)

    async def follow() -> None:
        visit = Visit(ring, token, keep, {"RateLimit": "x"})
        await visit.send({"type": "http.response.start", "status": 200, "headers": []})
        await visit.send(dict(piece))
        now[0] += HELD_SECONDS + 1
        await visit.send(dict(piece))
        with api_database.transaction() as session:
            keys.revoke(session, token.id)
        ring.forget(token.id)
        now[0] += HELD_SECONDS + 1
        with pytest.raises(OSError, match="not valid any more"):
            await visit.send(dict(piece))
        assert visit.ended

    asyncio.run(follow())
    assert [message.get("more_body") for message in sent] == [None, True, True, False]
    assert (b"vary", b"Authorization") in [(n.lower(), v) for n, v in sent[0]["headers"]]


def test_without_keys_nobody_else_is_passed_on(api: TestClient) -> None:
    assert api.get("/v1/keys/me").json() == {
        "owner": "local",
        "scopes": ["admin", "metrics", "read", "submit", "write"],
        "key": None,
    }
    refused = api.get("/v1/jobs", headers={"X-Forwarded-For": "192.0.2.7"})
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:cellar:problem:unauthenticated")
    assert "CELLAR_REQUIRE_KEYS" in refused.json()["detail"]


def test_what_one_shows_is_seen_and_not_touched(
    guarded: TestClient, key_of: Callable[..., Token], api_database: Database
) -> None:
    alice, bob = bearer(key_of("alice")), bearer(key_of("bob"))
    body = {"space": "nasbench201", "dataset": "digits", "genotype": guarded_genotype(guarded, alice), "seed": 3}
    made = guarded.post("/v1/trainings", json=body, headers=alice)
    assert made.status_code == 202, made.text
    place, id = made.headers["location"], UUID(made.json()["id"])
    measure(api_database, guarded, alice, body, id)
    assert guarded.get(place, headers=bob).status_code == 404
    assert guarded.post(f"{place}/visibility", json={"visibility": "public"}, headers=bob).status_code == 404
    # What alice has measured is answered to her, and unknown to bob.
    dry = {"dry_run": True}
    assert guarded.post("/v1/trainings", json=body, params=dry, headers=alice).json()["measured"] is not None
    assert guarded.post("/v1/trainings", json=body, params=dry, headers=bob).json()["measured"] is None
    assert guarded.post(f"{place}/visibility", json={"visibility": "public"}, headers=alice).status_code == 200
    assert guarded.post("/v1/trainings", json=body, params=dry, headers=bob).json()["measured"] is not None
    assert guarded.get(place, headers=bob).status_code == 200
    refused = guarded.post(f"{place}/cancel", headers=bob)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:cellar:problem:forbidden")
    with api_database.transaction() as session:
        assert jobs.get(session, id).state == "queued"  # pyright: ignore[reportOptionalMemberAccess]
    assert guarded.post(f"{place}/cancel", headers=alice).json()["state"] == "cancelled"
    with api_database.transaction() as session:
        done = [entry.action for entry in audit.listing(session, owner="alice") if entry.subject == place]
    assert done == ["job.cancel", "job.show", "job.submit"]


def guarded_genotype(client: TestClient, headers: dict[str, str]) -> Any:
    sampled = client.post("/v1/spaces/nasbench201/sample", json={"count": 1, "seed": 1}, headers=headers)
    return sampled.json()["items"][0]["genotype"]


def measure(database: Database, client: TestClient, headers: dict[str, str], body: Json, job_id: UUID) -> None:
    """An evaluation of this training, as a worker would record it."""
    with database.transaction() as session:
        asked = jobs.get(session, job_id).request  # pyright: ignore[reportOptionalMemberAccess]
    known = {
        "space": body["space"],
        "genotype": body["genotype"],
        "skeleton": asked["skeleton"],
        "input": asdict(DATASETS["digits"].input),
    }
    made = client.post("/v1/architectures", json=known, headers=headers)
    assert made.status_code in (200, 201), made.text
    with database.transaction() as session:
        job = jobs.get(session, job_id)
        assert job is not None
        recipe = job.request["recipe"]
        assert evaluations.record(
            session,
            architecture_id=job.request.get("architecture_id") or made.json()["id"],
            job_id=job_id,
            kind="trained",
            dataset="digits",
            split="test",
            recipe_name=recipe["name"],
            recipe_digest=recipe_digest(TRAINING_RECIPES[recipe["name"]]),
            recipe=recipe,
            seed=3,
            metrics={"accuracy": 91.0},
            params=1,
            macs=1,
            device="cpu",
            torch_version="2",
            code_version="1",
            seconds=1.0,
            owner="alice",
        )


def test_a_space_is_shown_for_good(guarded: TestClient, key_of: Callable[..., Token]) -> None:
    alice, bob = bearer(key_of("alice")), bearer(key_of("bob"))
    place = guarded.post("/v1/spaces", json=MINE, headers=alice).headers["location"]
    kept = guarded.get(place, headers=alice).headers
    assert kept["cache-control"].startswith("private")
    assert "Authorization" in kept["vary"]
    assert guarded.get(place, headers=bob).status_code == 404
    assert guarded.post(f"{place}/visibility", json={"visibility": "private"}, headers=alice).status_code == 422
    assert (
        guarded.post(f"{place}/visibility", json={"visibility": "public"}, headers=alice).json()["visibility"]
        == "public"
    )
    assert guarded.get(place, headers=bob).status_code == 200
    assert guarded.post(f"{place}/visibility", json={"visibility": "public"}, headers=bob).status_code == 403


def test_submit_belongs_to_its_owner(api_database: Database) -> None:
    with api_database.transaction() as session:
        job = submit(session, kind="training", request={}, owner="alice", queue="cpu").job
        assert jobs.get(session, job.id, viewer="bob") is None
        assert jobs.get(session, job.id, viewer="") is None
