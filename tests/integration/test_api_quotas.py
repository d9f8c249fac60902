"""Quotas over HTTP: one's own limits, refusals that say when to come again, priorities, families of jobs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from app.api import submissions
from app.catalogue import Database, Quota, jobs, quotas
from app.jobs import ChildJob, attend, claim, fan_out, submit, suspend

SEARCH = {"space": "darts", "dataset": "digits"}
HOW_SHOWN: dict[str, dict[str, str]] = {
    "default": {},
    "private": {"visibility": "private"},
    "public": {"visibility": "public"},
}


@pytest.fixture(autouse=True)
def _no_job_waits(api: TestClient, api_database: Database) -> Iterator[None]:
    """No limits of one's own and nothing queued, before and after."""
    yield
    with api_database.transaction() as session:
        quotas.put(session, "local", Quota())
    for job in api.get("/v1/jobs", params={"state": ["queued", "waiting"], "limit": 200}).json()["items"]:
        api.post(f"/v1/jobs/{job['id']}/cancel")


def limit(database: Database, **limits: Any) -> None:
    with database.transaction() as session:
        quotas.put(session, "local", Quota(**limits))


def start(api: TestClient, key: str | None = None, **how: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.post("/v1/searches", json=SEARCH, headers=headers, params=how)


def test_a_submission_above_the_quota_is_refused_and_an_accepted_one_is_answered_again(
    api: TestClient, api_database: Database
) -> None:
    limit(api_database, queued_jobs=1)
    accepted = start(api, "first")
    assert accepted.status_code == 202
    refused = start(api, "second")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    problem = refused.json()
    assert problem["type"] == "urn:cellar:problem:quota-exceeded"
    assert [(fault["pointer"], fault["value"]) for fault in problem["errors"]] == [("queued-jobs", 1)]
    assert start(api, "first").json()["id"] == accepted.json()["id"]
    told = api.get("/v1/quota").json()
    assert (told["owner"], told["limits"]["queued_jobs"], told["used"]["queued_jobs"]) == ("local", 1, 1)
    api.post(f"/v1/jobs/{accepted.json()['id']}/cancel")
    assert start(api, "second").status_code == 202, "a refusal does not take the key"


def test_a_full_queue_refuses_everybody(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    limits_of = submissions.limits_of
    monkeypatch.setattr(submissions, "limits_of", lambda *of: replace(limits_of(*of), all_queued_jobs=1))
    assert start(api, "only").status_code == 202
    refused = start(api)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    assert refused.json()["type"] == "urn:cellar:problem:queue-full"
    assert start(api, "only").status_code == 202, "what was accepted is answered again"


@pytest.mark.parametrize(("what", "resource"), [("gpu_hours", "gpu-hours"), ("storage_bytes", "storage-bytes")])
def test_what_is_used_up_refuses_further_jobs(
    api: TestClient, api_database: Database, what: str, resource: str
) -> None:
    limit(api_database, **{what: 0})
    refused = start(api)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [resource]


def test_a_priority_is_within_the_owners_range(api: TestClient, api_database: Database) -> None:
    assert start(api, priority=10).json()["priority"] == 10
    assert start(api, priority=-100).json()["priority"] == -100
    refused = start(api, priority=11)
    assert refused.status_code == 422
    assert refused.json()["errors"][0] == {
        "pointer": "priority",
        "message": "the highest priority of 'local' is 10",
        "value": 11,
        "allowed": ["at most 10"],
    }
    limit(api_database, priority=50)
    assert start(api, priority=50).json()["priority"] == 50
    assert start(api, priority=101).status_code == 422


def test_a_job_is_shown_as_the_submitter_says(api: TestClient, api_database: Database) -> None:
    told = {shown: start(api, **how).json() for shown, how in HOW_SHOWN.items()}
    assert {shown: job["visibility"] for shown, job in told.items()} == {
        "default": "private",
        "private": "private",
        "public": "public",
    }
    with api_database.transaction() as session:
        seen = {shown: jobs.get(session, UUID(job["id"]), viewer="somebody") for shown, job in told.items()}
    assert [shown for shown, job in seen.items() if job is not None] == ["public"]
    refused = start(api, visibility="team")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/visibility")


def test_a_data_set_may_be_urgent(api: TestClient) -> None:
    body = {"name": "urgent", "path": "urgent.npz"}
    assert api.post("/v1/datasets", json=body, params={"priority": 7}).json()["priority"] == 7
    refused = api.post("/v1/datasets", json=body, params={"priority": 11})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "priority")


def test_a_parent_and_its_children_are_seen_together(api: TestClient, api_database: Database) -> None:
    with api_database.transaction() as session:
        parent = submit(session, kind="transfer", request={}, owner="local", queue="cpu").job
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
        assert taken is not None
        asked = {name: ChildJob(kind="training", request={}) for name in ("source-0", "target-0")}
        made, _ = fan_out(session, taken.lease, asked)
    with api_database.transaction() as session:
        suspend(session, taken.lease)
        attend(session)
    seen = api.get(f"/v1/jobs/{parent.id}").json()
    assert (seen["state"], seen["children"], seen["parent"], seen["name"]) == ("waiting", {"queued": 2}, None, None)
    assert (seen["progress"]["epoch"], seen["progress"]["epochs"]) == (0, 2)
    found = api.get(seen["links"]["children"]).json()["items"]
    assert {job["name"]: job["id"] for job in found} == {name: str(job.id) for name, job in made.items()}
    assert {job["parent"] for job in found} == {str(parent.id)}
    assert api.get(found[0]["links"]["parent"]).json()["id"] == str(parent.id)
    assert api.get("/v1/quota").json()["used"]["queued_jobs"] == 0, "children are no submissions"
    api.post(f"/v1/jobs/{parent.id}/visibility", json={"visibility": "public"})
    assert {job["visibility"] for job in api.get(seen["links"]["children"]).json()["items"]} == {"public"}
    api.post(f"/v1/jobs/{parent.id}/cancel")
    with api_database.transaction() as session:
        assert {job.state for job in jobs.children(session, parent.id)} == {"cancelled"}
