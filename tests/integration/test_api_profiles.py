"""Profiles over HTTP: what is accepted, what is stored, what is predicted from it, and what is said of gaps."""

import csv
import io
import json
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from app.api.examples import DARTS_V2, TINY
from app.architecture import lower
from app.architecture.entries import entries
from app.architecture.workload import workload
from app.catalogue import Database, architectures, jobs, profiles
from app.experiment import ProfileRequest
from app.space import CellSkeleton, ImageInput, space_to_json
from app.space.zoo import ZOO

DARTS = ZOO["darts"]
SMALL = {"channels": 1, "height": 8, "width": 8}
NETWORK = {"space": "darts", "genotypes": [DARTS_V2], "skeleton": TINY, "input": SMALL}
OPERATION = {"operation": "sep_conv_3x3", "channels": 4, "size": [8, 8]}
ROW = {
    "target": "entry",
    "operation": "conv",
    "description": {},
    "params": 1,
    "macs": 1,
    "batch_size": 1,
    "precision": "float32",
    "direction": "forward",
    "device": "slide rule",
    "device_type": "cpu",
    "threads": 1,
    "torch_version": "2.13.0",
    "code_version": "test",
    "n": 5,
    "runs": 3,
    "minimum_ms": 0.1,
    "peak_memory_bytes": 1000,
    "memory_method": "by hand",
    "architecture_id": None,
}


def network_entries(index: int) -> dict[str, int]:
    skeleton = CellSkeleton(**{k: tuple(v) if isinstance(v, list) else v for k, v in TINY.items()})
    decided = DARTS.plan.read(DARTS.plan.unrank(index))
    graph = lower(DARTS.grammar, skeleton, ImageInput(**SMALL), decided)
    return {entry.key: n for entry, n in entries(graph).items()}


def store(database: Database, job_id: str, rows: list[dict[str, Any]]) -> None:
    with database.transaction() as session:
        whole = [ROW | {"q1_ms": row["median_ms"], "q3_ms": row["median_ms"] + 1} | row for row in rows]
        profiles.record(session, job_id=UUID(job_id), owner="local", visibility="private", rows=whole)


def submitted(api: TestClient, body: dict[str, Any] | None = None) -> str:
    answer = api.post("/v1/profiles", json=body or {"operations": [OPERATION]})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def test_a_profile_is_a_job_with_every_default_chosen(api: TestClient, api_database: Database) -> None:
    key = {"Idempotency-Key": "profile-once"}
    body = NETWORK | {"operations": [OPERATION, OPERATION], "members": ["42"], "device": "cpu"}
    answer = api.post("/v1/profiles", json=body, headers=key)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["state"], job["queue"]) == ("profile", "queued", "cpu")
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert "document" not in job["request"]
    assert api.post("/v1/profiles", json=body, headers=key).json()["id"] == job["id"]
    assert api.post("/v1/profiles", json=NETWORK, headers=key).status_code == 422
    with api_database.transaction() as session:
        row = jobs.get(session, UUID(job["id"]))
    assert row is not None
    request = TypeAdapter(ProfileRequest).validate_python(dict(row.request))
    assert request.document == space_to_json(DARTS)
    assert [o.operation for o in request.operations] == ["sep_conv_3x3"], "the same twice is one"
    assert request.operations[0].width == 4
    assert request.genotypes[1] == DARTS.plan.unrank(42)
    assert request.input == ImageInput(**SMALL)


def test_a_dry_run_says_what_would_be_measured(api: TestClient) -> None:
    before = len(api.get("/v1/jobs?kind=profile").json()["items"])
    plan = api.post("/v1/profiles?dry_run=true", json=NETWORK | {"operations": [OPERATION], "rounds": 7}).json()
    known = network_entries(DARTS.plan.rank(DARTS_V2))
    assert (plan["kind"], plan["operations"], plan["architectures"]) == ("profile", 1, 1)
    assert set(known) < set(plan["entries"])
    assert plan["samples"] == (2 + len(plan["entries"])) * 7
    assert plan["space"]["digest"] == DARTS.digest
    assert (plan["seconds"], plan["known"]) == (None, 0)
    assert "no profile" in plan["seconds_basis"]
    bare = api.post("/v1/profiles?dry_run=true", json={"operations": [OPERATION], "entries": False}).json()
    assert (bare["entries"], bare["samples"], bare["space"]) == ([], 15, None)
    assert len(api.get("/v1/jobs?kind=profile").json()["items"]) == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"operations": [OPERATION], "space": "darts"}, "/genotypes"),
        ({"genotypes": [DARTS_V2]}, "/space"),
        (NETWORK | {"whole": False, "entries": False}, "/whole"),
        ({"operations": [OPERATION, OPERATION | {"operation": "magic"}]}, "/operations/1/operation"),
        ({"operations": [OPERATION | {"stride": 3}]}, "/operations/0/stride"),
        (NETWORK | {"genotypes": [DARTS_V2, {"normal": {}}]}, "/genotypes/1/normal/node2"),
        (NETWORK | {"members": [str(DARTS.plan.size)]}, "/members/0"),
        (NETWORK | {"skeleton": "huge"}, "/skeleton"),
        ({"operations": [OPERATION | {"channels": 4096, "size": [1024, 1024]}], "batch_size": 1024}, "/operations/0"),
    ],
)
def test_what_cannot_be_measured_is_pointed_at(api: TestClient, body: dict[str, Any], pointer: str) -> None:
    answer = api.post("/v1/profiles", json=body)
    assert answer.status_code == 422, answer.text
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


def test_all_that_members_of_a_space_may_need_is_measured_once(api: TestClient, api_database: Database) -> None:
    space = ZOO["nasbench201"]
    graph = lower(space.grammar, space.skeletons["small"], ImageInput(**SMALL))
    keys = {entry.key for *_, entry in workload(graph)}
    body = {"space": "nasbench201", "every": True, "skeleton": "small", "input": SMALL, "threads": 1, "device": "cpu"}
    plan = api.post("/v1/profiles?dry_run=true", json=body).json()
    assert (set(plan["entries"]), plan["known"], plan["architectures"]) == (keys, 0, 0)
    unheard = api.post("/v1/profiles", json=body | {"lacked_by": "sundial"})
    assert unheard.status_code == 422
    assert unheard.json()["errors"][0]["pointer"] == "/lacked_by"

    job, first = submitted(api), sorted(keys)[:5]
    store(api_database, job, [{"key": k, "entries": {k: 1}, "median_ms": 1.0, "device": "sundial"} for k in first])
    assert "sundial" in api.post("/v1/profiles", json=body | {"lacked_by": "moondial"}).json()["errors"][0]["allowed"]
    rest = api.post("/v1/profiles?dry_run=true", json=body | {"lacked_by": "sundial"}).json()
    assert (set(rest["entries"]), rest["known"]) == (keys - set(first), 5)
    assert rest["request"]["known"]["torch_version"] == ROW["torch_version"]
    started = api.post("/v1/profiles", json=body | {"lacked_by": "sundial"}).json()
    with api_database.transaction() as session:
        row = jobs.get(session, UUID(started["id"]))
    assert row is not None
    request = TypeAdapter(ProfileRequest).validate_python(dict(row.request))
    assert request.every
    assert request.known is not None
    assert set(request.known.keys) == set(first)

    later = submitted(api)
    store(api_database, later, [{"key": k, "entries": {k: 1}, "median_ms": 1.0, "device": "sundial"} for k in keys])
    done = api.post("/v1/profiles", json=body | {"lacked_by": "sundial"})
    assert done.status_code == 422
    assert "has all of it" in done.json()["detail"]


def test_a_search_that_pays_for_latency_takes_the_times_along(api: TestClient, api_database: Database) -> None:
    body: dict[str, Any] = {"space": "nasbench201", "dataset": "digits"}
    pressure = {"cost": "latency_ms", "strength": 0.5}
    homeless = api.post("/v1/searches?dry_run=true", json=body | {"pressure": pressure})
    assert homeless.json()["errors"][0]["pointer"] == "/pressure/device"
    body["pressure"] = pressure | {"device": "hourglass"}
    assert api.post("/v1/searches?dry_run=true", json=body).json()["errors"][0]["pointer"] == "/pressure/device"
    job = submitted(api)
    store(api_database, job, [{"key": "a", "entries": {"a": 1}, "median_ms": 1.0, "device": "hourglass"}])
    gap = api.post("/v1/searches?dry_run=true", json=body)
    assert gap.status_code == 409, gap.text
    _, _, missing = gap.json()["detail"].partition("POST /v1/profiles ")
    entries = api.post("/v1/profiles?dry_run=true", json=json.loads(missing)).json()["entries"]
    store(api_database, job, [{"key": k, "entries": {k: 1}, "median_ms": 2.0, "device": "hourglass"} for k in entries])
    request = api.post("/v1/searches?dry_run=true", json=body).json()["request"]
    assert request["latencies"] == dict.fromkeys(entries, 2.0)
    assert request["recipe"]["pressure"] == body["pressure"]
    cheap = api.post("/v1/searches?dry_run=true", json=body | {"pressure": {"cost": "macs", "strength": 1}}).json()
    assert (cheap["request"]["latencies"], cheap["request"]["recipe"]["pressure"]["device"]) == ({}, None)


def test_measurements_are_listed_filtered_paged_and_exported(api: TestClient, api_database: Database) -> None:
    job = submitted(api)
    rows = [{"key": f"listed {i}", "entries": {}, "median_ms": 1.0 + i, "device": "abacus"} for i in range(5)]
    rows[0] |= {"target": "operation", "operation": "sep_conv_3x3"}
    store(api_database, job, rows)
    store(api_database, job, rows)  # a step that ran twice
    everything = api.get("/v1/profiles?device=abacus").json()
    assert everything["next"] is None
    items = everything["items"]
    assert sorted(item["key"] for item in items) == [row["key"] for row in rows]
    assert {(item["unit"], item["n"], item["runs"]) for item in items} == {("ms", 5, 3)}
    seen: list[str] = []
    page = api.get("/v1/profiles?device=abacus&limit=2").json()
    while True:
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        page = api.get("/v1/profiles", params={"device": "abacus", "limit": 2, "cursor": page["next"]}).json()
    assert seen == [item["id"] for item in items]
    (one,) = api.get("/v1/profiles?device=abacus&operation=sep_conv_3x3").json()["items"]
    assert api.get(one["links"]["self"]).json() == one
    assert len(api.get(f"/v1/profiles?job={job}&target=entry").json()["items"]) == 4
    assert api.get("/v1/profiles?device=nothing").json()["items"] == []
    assert api.get(f"/v1/profiles/{job}").status_code == 404
    export = api.get("/v1/profiles.csv?device=abacus")
    assert export.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(export.text)))
    assert [line["id"] for line in lines] == seen
    assert {float(line["median_ms"]) for line in lines} == {row["median_ms"] for row in rows}
    assert json.loads(lines[0]["entries"]) == {}
    (table,) = api.get("/v1/profiles/devices?device=abacus").json()["items"]
    assert (table["operations"], table["architectures"], table["entries"]) == (1, 0, 4)


def test_latency_is_the_sum_over_what_is_computed_with_its_error(api: TestClient, api_database: Database) -> None:
    index = DARTS.plan.rank(DARTS_V2)
    question = {"genotype": DARTS_V2, "skeleton": TINY, "input": SMALL, "device": "slide rule"}
    unknown = api.post("/v1/spaces/darts/latency", json=question)
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/device"

    job, counted = submitted(api), network_entries(index)
    keys = sorted(counted)
    store(api_database, job, [{"key": keys[0], "entries": {keys[0]: 1}, "median_ms": 1.0}])
    gap = api.post("/v1/spaces/darts/latency", json=question)
    assert gap.status_code == 409
    assert {fault["value"] for fault in gap.json()["errors"]} == {
        key[:200] + "..." * (len(key) > 200) for key in keys[1:]
    }
    assert "/v1/profiles" in gap.headers["link"]
    _, _, body = gap.json()["detail"].partition("POST /v1/profiles ")
    plan = api.post("/v1/profiles?dry_run=true", json=json.loads(body))
    assert plan.status_code == 200, plan.text
    assert sorted(plan.json()["entries"]) == keys, "what is pointed at fills every gap"

    store(api_database, job, [{"key": key, "entries": {key: 1}, "median_ms": 2.0} for key in keys[1:]])
    later = submitted(api)
    store(api_database, later, [{"key": keys[0], "entries": {keys[0]: 1}, "median_ms": 5.0}])
    total = 5.0 * counted[keys[0]] + 2.0 * sum(counted[key] for key in keys[1:])
    alone = api.post("/v1/spaces/darts/latency", json=question).json()
    assert alone["latency_ms"] == alone["sum_ms"] == pytest.approx(total)
    assert (alone["factor"], alone["error"], alone["index"]) == (1.0, None, str(index))
    assert (alone["computations"], alone["entries"]) == (sum(counted.values()), len(counted))

    # Three architectures as a whole, at 1.5, 2 and 3 times their sums: the factors of the others are 2.5, 2.25, 1.75.
    ids = [f"{n:032x}" for n in range(3)]
    with api_database.transaction() as session:
        for n, id in enumerate(ids):
            space = DARTS.identity
            architectures.ensure(
                session, id=id, space=space, index=n, genotype=n, skeleton={}, input={}, params=1, macs=1
            )
    ratios = dict(zip(ids, (1.5, 2.0, 3.0), strict=True))
    whole = {"target": "architecture", "operation": None, "entries": {keys[1]: 2}}
    store(
        api_database,
        job,
        [whole | {"key": id, "architecture_id": id, "median_ms": 4.0 * ratio} for id, ratio in ratios.items()],
    )
    found = api.post("/v1/spaces/darts/latency", json=question).json()
    assert found["factor"] == 2.0
    assert found["latency_ms"] == pytest.approx(2 * total)
    errors = [abs(2.5 - 1.5) / 1.5, abs(2.25 - 2) / 2, abs(1.75 - 3) / 3]
    assert found["error"]["mape_percent"] == pytest.approx(100 * sum(errors) / 3)
    assert (found["error"]["architectures"], found["error"]["scope"]) == (3, "space")
    assert found["table"]["device"] == "slide rule"

    other = api.post("/v1/spaces/darts/latency", json=question | {"batch_size": 2})
    assert other.status_code == 422
    assert "batch_size" in other.json()["errors"][0]["message"]
