"""Exact counts as jobs: asked for, stored, read by whoever asks next."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database, counts
from app.space import space_from_json, space_to_json
from app.space.zoo import simple_cell

LARGE = simple_cell(6)  # a quick count of its relabellings is not to be had
EXACT = 2_340_626_795_466_156


@pytest.fixture(scope="module")
def large(api: TestClient) -> str:
    answer = api.post("/v1/spaces", json=space_to_json(LARGE) | {"name": "six-nodes"})
    assert answer.status_code == 201, answer.text
    return "six-nodes"


def relabelled(answer: dict) -> dict:
    return next(size for size in answer["unique"] if size["equivalence"] == "relabelling")


def test_what_is_known_at_once_needs_no_job(api: TestClient) -> None:
    answer = api.post("/v1/spaces/nasbench201/count", json={"equivalence": "nats-string"})
    assert answer.status_code == 200
    assert answer.json()["size"]["exact"] == "6466"


def test_an_equivalence_that_the_space_does_not_have_is_pointed_at(api: TestClient) -> None:
    answer = api.post("/v1/spaces/nasbench201/count", json={"equivalence": "motif-renaming"})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/equivalence"
    assert set(fault["allowed"]) == {"relabelling", "pruned-isomorphism", "nats-string", "functional"}


def test_a_long_count_is_a_job_and_its_answer_is_for_everybody(
    api: TestClient, large: str, api_database: Database
) -> None:
    unknown = relabelled(api.get(f"/v1/spaces/{large}@1/size").json())
    assert unknown["exact"] is None
    assert "immutable" not in api.get(f"/v1/spaces/{large}@1/size").headers["cache-control"]

    body, key = {"equivalence": "relabelling"}, {"Idempotency-Key": "count-it-once"}
    answer = api.post(f"/v1/spaces/{large}/count", json=body, headers=key)
    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["queue"], job["state"]) == ("count", "cpu", "queued")
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert "document" not in job["request"]
    assert api.post(f"/v1/spaces/{large}/count", json=body, headers=key).json()["id"] == job["id"]

    with api_database.transaction() as session:
        stored = {"equivalence": "relabelling", "version": 1, "exact": EXACT, "method": "counted by a worker"}
        known = {"digest": LARGE.digest, "surroundings": LARGE.surroundings, "job_id": UUID(job["id"])}
        assert counts.record(session, **stored, **known)
        assert not counts.record(session, **stored, **known)
    same = api.post(f"/v1/spaces/{large}/count", json=body)
    assert same.status_code == 200
    assert same.json()["size"]["exact"] == str(EXACT)

    # The same grammar on other skeletons is another question: an equivalence may look at them.
    other = space_to_json(LARGE) | {"name": "six-more", "skeletons": {}}
    assert api.post("/v1/spaces", json=other).status_code == 201
    assert relabelled(api.get("/v1/spaces/six-more/size").json())["exact"] is None
    again = space_to_json(LARGE) | {"name": "six-again"}
    assert space_from_json(again).surroundings == LARGE.surroundings
    assert api.post("/v1/spaces", json=again).status_code == 201
    size = api.get("/v1/spaces/six-again@1/size")
    assert relabelled(size.json())["exact"] == str(EXACT)
    assert "immutable" in size.headers["cache-control"]


def test_what_no_job_can_count_is_refused_with_the_reason(api: TestClient) -> None:
    # Its nodes do not offer the same operations, so the cells are compared one by one, and they are too many.
    document = space_to_json(LARGE) | {"name": "uneven"}
    node = document["grammar"]["rules"]["cell"]["fields"]["node5"]["fields"]
    node["left"]["fields"]["op"]["choice"].pop()
    assert api.post("/v1/spaces", json=document).status_code == 201
    answer = api.post("/v1/spaces/uneven/count", json={"equivalence": "relabelling"})
    assert answer.status_code == 422
    assert "listing all" in answer.json()["errors"][0]["message"]
