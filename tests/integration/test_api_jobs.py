"""Jobs over HTTP: listing, one, events as they happen, metrics, cancelling."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database, jobs
from app.jobs import Lease, claim, finish, heartbeat, record_epoch, record_note, record_progress, request_cancel, submit

NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass
class Event:
    """One server-sent event."""

    id: int
    kind: str
    data: dict


def queued(database: Database, kind: str = "search", owner: str = "local") -> UUID:
    with database.transaction() as session:
        return submit(session, kind=kind, request={"seed": 1}, owner=owner, queue="cpu").job.id


def taken(database: Database) -> Lease:
    with database.transaction() as session:
        found = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
    assert found is not None
    return found.lease


def stop(database: Database, job: UUID) -> None:
    """Make a job final, whatever it was."""
    with database.transaction() as session:
        row = jobs.get(session, job)
        if row is not None and row.state == "running":
            finish(session, Lease(job, row.fence), {})
        request_cancel(session, job)


def epoch(number: int) -> dict:
    return {"phase": "search", "epoch": number, "epochs": 3, "step": None, "steps": None, "metrics": {"loss": 1.5}}


def finished(database: Database, epochs: int = 3) -> UUID:
    job = queued(database)
    lease = taken(database)
    assert lease.job_id == job
    for number in range(1, epochs + 1):
        with database.transaction() as session:
            record_epoch(session, lease, epoch(number))
    with database.transaction() as session:
        finish(session, lease, {"genotype": {"a": 1}})
    return job


def events(text: str) -> list[Event]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append(Event(int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture(autouse=True)
def no_job_waits(api: TestClient, api_database: Database) -> None:
    """Each test claims its own job: nothing else may be queued."""
    for job in api.get("/v1/jobs", params={"state": ["queued", "running"], "limit": 200}).json()["items"]:
        api.post(f"/v1/jobs/{job['id']}/cancel")


def test_jobs_are_listed_newest_first_and_page_by_page(api: TestClient, api_database: Database) -> None:
    made = [str(queued(api_database, kind="paged")) for _ in range(5)]
    seen: list[str] = []
    query: dict = {"kind": "paged", "limit": 2}
    while True:
        page = api.get("/v1/jobs", params=query).json()
        seen += [job["id"] for job in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == made[::-1]
    other = api.get("/v1/jobs", params=query | {"kind": "training"})
    assert other.status_code == 422, "a cursor belongs to its listing and filters"


def test_jobs_are_filtered_by_state(api: TestClient, api_database: Database) -> None:
    job = finished(api_database)
    waiting = queued(api_database)
    by_state = {
        state: {item["id"] for item in api.get("/v1/jobs", params={"state": state, "limit": 200}).json()["items"]}
        for state in ("queued", "succeeded")
    }
    assert str(job) in by_state["succeeded"]
    assert by_state["queued"] == {str(waiting)}
    assert api.get("/v1/jobs", params={"state": "lost"}).status_code == 422


def test_a_job_tells_how_it_stands(api: TestClient, api_database: Database) -> None:
    job = api.get(f"/v1/jobs/{finished(api_database)}").json()
    assert job["state"] == "succeeded"
    assert job["result"] == {"genotype": {"a": 1}}
    assert job["progress"] == epoch(3)
    assert job["error"] is None
    assert job["started_at"] <= job["finished_at"]
    for link in ("self", "events", "metrics"):
        assert api.get(job["links"][link]).status_code == 200
    assert api.get(job["links"]["evaluations"]).json() == {"items": [], "next": None}


def test_epochs_become_metrics(api: TestClient, api_database: Database) -> None:
    job = finished(api_database)
    found = api.get(f"/v1/jobs/{job}/metrics").json()
    assert [(item["phase"], item["epoch"], item["values"]) for item in found["items"]] == [
        ("search", number, {"loss": 1.5}) for number in (1, 2, 3)
    ]
    assert api.get(f"/v1/jobs/{job}/metrics", params={"phase": "retrain"}).json()["items"] == []


def test_events_of_a_final_job_are_all_there_and_the_stream_ends(api: TestClient, api_database: Database) -> None:
    job = finished(api_database)
    answer = api.get(f"/v1/jobs/{job}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    found = events(answer.text)
    assert [event.kind for event in found] == ["state", "state", "progress", "progress", "progress", "state"]
    assert [event.data["state"] for event in found if event.kind == "state"] == ["queued", "running", "succeeded"]
    assert found[2].data == epoch(1)
    assert [event.id for event in found] == sorted({event.id for event in found})


def test_a_stream_is_resumed_without_gap_or_repetition(api: TestClient, api_database: Database) -> None:
    job = finished(api_database)
    whole = events(api.get(f"/v1/jobs/{job}/events").text)
    for place in range(len(whole)):
        seen = whole[place].id
        by_query = events(api.get(f"/v1/jobs/{job}/events", params={"after": seen}).text)
        by_header = events(api.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(seen)}).text)
        assert by_query == by_header == whole[place + 1 :]


def test_a_stream_follows_a_running_job_until_it_is_final(api: TestClient, api_database: Database) -> None:
    job = queued(api_database)

    def work() -> None:
        time.sleep(0.3)
        lease = taken(api_database)
        for number in (1, 2):
            time.sleep(0.1)
            with api_database.transaction() as session:
                record_progress(session, lease, epoch(number) | {"step": number})
        with api_database.transaction() as session:
            record_note(session, lease, "nearly there")
        time.sleep(0.1)
        with api_database.transaction() as session:
            finish(session, lease, {})

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        # Whatever goes wrong in the thread, the job becomes final and the stream ends.
        working.add_done_callback(lambda _: stop(api_database, job))
        found = events(api.get(f"/v1/jobs/{job}/events").text)
        working.result()
    assert [event.kind for event in found] == ["state", "state", "progress", "progress", "note", "state"]
    assert found[-1].data["state"] == "succeeded"
    assert found[4].data == {"text": "nearly there"}


@pytest.mark.parametrize("query", [{"after": -1}, {"after": "x"}, {"after": 2**63}])
def test_a_place_in_a_stream_is_a_number(api: TestClient, api_database: Database, query: dict) -> None:
    assert api.get(f"/v1/jobs/{finished(api_database)}/events", params=query).status_code == 422


def test_a_queued_job_is_cancelled_at_once(api: TestClient, api_database: Database) -> None:
    job = queued(api_database)
    cancelled = api.post(f"/v1/jobs/{job}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["state"] == "cancelled"
    assert api.post(f"/v1/jobs/{job}/cancel").json() == cancelled.json()


def test_a_running_job_learns_that_it_is_to_stop(api: TestClient, api_database: Database) -> None:
    job = queued(api_database)
    lease = taken(api_database)
    asked = api.post(f"/v1/jobs/{job}/cancel").json()
    assert (asked["state"], asked["cancel_requested"]) == ("running", True)
    with api_database.transaction() as session:
        assert heartbeat(session, lease, lease_seconds=60) is True
        finish(session, lease, {})


def test_what_belongs_to_another_owner_does_not_exist(api: TestClient, api_database: Database) -> None:
    job = queued(api_database, owner="somebody")
    for method, path in (("GET", ""), ("GET", "/events"), ("GET", "/metrics"), ("POST", "/cancel")):
        assert api.request(method, f"/v1/jobs/{job}{path}").status_code == 404
    assert str(job) not in api.get("/v1/jobs", params={"limit": 200}).text


@pytest.mark.parametrize("part", ["", "/events", "/metrics"])
def test_an_unknown_job_is_a_404(api: TestClient, part: str) -> None:
    answer = api.get(f"/v1/jobs/{NOBODY}{part}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    malformed = api.get(f"/v1/jobs/nowhere{part}")
    assert malformed.status_code == 422
    assert malformed.json()["errors"][0]["pointer"] == "/job_id"
