"""Replays over HTTP: the same request again, run by a worker's own code, and compared."""

from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from sqlalchemy import text

from app.catalogue import Database, jobs
from app.experiment import ORACLE, DiscreteSearchRequest, SearchRequest
from app.settings import Settings
from tests.integration.recorded import run_next, search, submitted, table

# Ranks of NAS-Bench-201 that no two of are isomorphic.
RANKS = tuple(range(7000, 7800, 4))


@pytest.fixture(scope="module", autouse=True)
def tabulated(api_database: Database) -> None:
    for split in ("selection", "test"):
        table(api_database, {rank: {"accuracy": 60 + rank % 37} for rank in RANKS}, split=split)


def replay_of(api: TestClient, id: str) -> str:
    answer = api.post(f"/v1/searches/{id}/replay")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return answer.json()["id"]


def compared(api: TestClient, id: str) -> dict:
    answer = api.get(f"/v1/searches/{id}/replay")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("strategy", "parameters"), [("random", {}), ("evolution", {"population": 4, "tournament": 2})]
)
def test_a_replay_is_the_same_request_and_comes_to_the_same(
    api: TestClient, api_settings: Settings, api_database: Database, strategy: str, parameters: dict
) -> None:
    request = search(api_database, strategy=strategy, parameters=parameters, seed=3, repeats=True, budget=300, batch=7)
    first = submitted(api_database, request)
    run_next(api_settings, api_database, first)
    # What comes after the moment of the search is not seen by its replay.
    again = replay_of(api, first)
    with api_database.transaction() as session:
        row = jobs.get(session, UUID(again))
    assert row is not None
    asked = TypeAdapter(DiscreteSearchRequest).validate_python(dict(row.request))
    assert asked.replays == first
    assert {**dict(row.request), "replays": None} == dict(api_request(api_database, first))
    waiting = compared(api, again)
    assert (waiting["identical"], waiting["state"]) == (None, "queued")
    assert waiting["reason"] == "the replay is queued: only whole results are compared"
    run_next(api_settings, api_database, again)
    found = compared(api, again)
    assert found["identical"] is True, found
    assert (found["of"], found["replay"], found["equal_steps"], found["first_difference"]) == (first, again, 300, None)
    assert found["compared"] == ["report/judged_by", "trajectory", "genotype", "report"]
    assert all(condition["same"] for condition in found["conditions"])
    assert (found["oracle"], found["label"]) == (False, None)


def api_request(database: Database, id: str) -> dict:
    with database.transaction() as session:
        row = jobs.get(session, UUID(id))
    assert row is not None
    return dict(row.request)


def test_a_record_that_was_changed_is_found_out(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    first = submitted(api_database, search(api_database, seed=5, budget=300, repeats=True, split="test"))
    run_next(api_settings, api_database, first)
    again = replay_of(api, first)
    run_next(api_settings, api_database, again)
    genuine = compared(api, again)
    assert (genuine["identical"], genuine["oracle"], genuine["label"]) == (True, True, ORACLE)
    result = dict(record_of(api_database, first))
    kept = [n for n, step in enumerate(result["trajectory"]) if step["values"] is not None][-1]
    result["trajectory"][kept]["values"]["accuracy"] += 0.01
    with api_database.transaction() as session:
        changed = text("UPDATE jobs SET result = CAST(:result AS json) WHERE id = :id")
        session.execute(changed, {"result": TypeAdapter(dict).dump_json(result).decode(), "id": first})
    found = compared(api, again)
    assert found["identical"] is False
    assert found["equal_steps"] == kept
    assert found["first_difference"]["place"] == f"/trajectory/{kept}/values/accuracy"
    assert found["first_difference"]["of"] == pytest.approx(found["first_difference"]["replay"] + 0.01)


def record_of(database: Database, id: str) -> dict:
    with database.transaction() as session:
        row = jobs.get(session, UUID(id))
    assert row is not None
    assert row.result is not None
    return dict(row.result)


def test_a_supernet_search_is_replayed_too(api: TestClient, api_database: Database) -> None:
    first = api.post("/v1/searches", json={"space": "darts", "dataset": "digits", "seed": 4}).json()
    again = replay_of(api, first["id"])
    asked = TypeAdapter(SearchRequest).validate_python(api_request(api_database, again))
    assert (asked.replays, asked.seed) == (first["id"], 4)
    found = compared(api, again)
    assert (found["identical"], found["of_state"]) == (None, "queued")
    assert found["reason"] == "the search is queued: only whole results are compared"
    for id in (first["id"], again):
        assert api.post(f"/v1/jobs/{id}/cancel").status_code == 200
    assert compared(api, again)["reason"] == "the search has cancelled: only whole results are compared"


def test_what_repeats_nothing_has_no_comparison(api: TestClient, api_database: Database) -> None:
    id = submitted(api_database, search(api_database))
    answer = api.get(f"/v1/searches/{id}/replay")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:cellar:problem:no-result")
    assert "POST to this path" in answer.json()["detail"]
    api.post(f"/v1/jobs/{id}/cancel")


def test_a_key_makes_one_replay(api: TestClient, api_database: Database) -> None:
    first = submitted(api_database, search(api_database))
    headers = {"Idempotency-Key": "once"}
    one, two = (api.post(f"/v1/searches/{first}/replay", headers=headers).json()["id"] for _ in range(2))
    assert one == two
    for id in (first, one):
        api.post(f"/v1/jobs/{id}/cancel")


def test_others_searches_are_not_there(api: TestClient, api_database: Database) -> None:
    foreign = submitted(api_database, search(api_database))
    with api_database.transaction() as session:
        session.execute(text("UPDATE jobs SET owner = 'else' WHERE id = :id"), {"id": foreign})
    for id in (foreign, str(uuid4())):
        assert api.post(f"/v1/searches/{id}/replay").status_code == 404
        assert api.get(f"/v1/searches/{id}/replay").status_code == 404


def test_a_public_search_is_replayed_by_what_the_caller_sees(api: TestClient, api_database: Database) -> None:
    first = submitted(api_database, search(api_database), visibility="public")
    with api_database.transaction() as session:
        owned = "UPDATE jobs SET owner = 'else', request = jsonb_set(request::jsonb, '{evaluator,viewer}', '\"else\"')"
        session.execute(text(f"{owned} WHERE id = :id"), {"id": first})
    again = replay_of(api, first)
    assert api_request(api_database, again)["evaluator"]["viewer"] == "local"
    api.post(f"/v1/jobs/{again}/cancel")


def test_a_private_space_of_others_is_not_searched_again(api: TestClient, api_database: Database) -> None:
    first = submitted(api_database, search(api_database), visibility="public")
    with api_database.transaction() as session:
        named = "UPDATE jobs SET request = jsonb_set(request::jsonb, '{space,name}', '\"theirs\"') WHERE id = :id"
        session.execute(text(named), {"id": first})
    answer = api.post(f"/v1/searches/{first}/replay")
    assert answer.status_code == 404
    assert "theirs" in answer.json()["detail"]
