"""Zero-cost proxies over HTTP: which there are, what may be asked for, and what a worker computed."""

import csv
import io
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from app.architecture import architecture_id
from app.catalogue import Database, JobQuery, jobs
from app.experiment import PROXIES, ProfileRequest, WantedProxies
from app.settings import Settings
from app.space import EdgeCellSkeleton, ImageInput
from app.space.zoo import ZOO
from tests.integration.recorded import run_next

SPACE = ZOO["nasbench201"]
SMALL = ImageInput(channels=1, height=8, width=8)
BODY: dict[str, Any] = {
    "space": "nasbench201",
    "members": ["13835", "0"],
    "proxies": ["synflow", "jacov"],
    "images": 16,
    "device": "cpu",
    "threads": 1,
}


def request_of(database: Database, job_id: str) -> ProfileRequest:
    with database.transaction() as session:
        job = jobs.get(session, UUID(job_id))
    assert job is not None
    return TypeAdapter(ProfileRequest).validate_python(job.request)


def faults(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["message"]) for error in answer.json()["errors"]]


def test_every_proxy_is_listed_with_what_it_needs(api: TestClient) -> None:
    items = api.get("/v1/proxies").json()["items"]
    assert [item["name"] for item in items] == list(PROXIES)
    by_name = {item["name"]: item for item in items}
    assert [need["name"] for need in by_name["snip"]["needs"]] == ["images", "labels", "classes"]
    assert by_name["params"]["needs"] == []
    assert by_name["naswot"]["link"] == "https://arxiv.org/abs/2006.04647"
    assert all(need["meaning"] for item in items for need in item["needs"])


def test_a_profile_of_proxies_has_every_default_chosen(api: TestClient, api_database: Database) -> None:
    answer = api.post("/v1/profiles", json={"space": "nasbench201", "members": ["5"], "proxies": ["zen", "zen"]})
    assert answer.status_code == 202
    request = request_of(api_database, answer.json()["id"])
    assert request.proxies == WantedProxies(names=("zen",), dataset="digits", images=64, seed=0)
    assert (request.whole, request.entries) == (False, False), "latencies were not asked for"
    assert request.skeleton == EdgeCellSkeleton(channels=8, num_cells=1, num_classes=10)
    assert request.input == SMALL
    both = api.post("/v1/profiles", json=BODY | {"whole": True})
    assert request_of(api_database, both.json()["id"]).whole
    operation = {"operation": "skip_connect", "channels": 4}
    also = api.post("/v1/profiles", json=BODY | {"operations": [operation]})
    request = request_of(api_database, also.json()["id"])
    assert (request.whole, request.entries) == (True, True), "operations have nothing but latencies"


def test_a_dry_run_says_what_would_be_computed(api: TestClient) -> None:
    plan = api.post("/v1/profiles?dry_run=true", json=BODY).json()
    assert (plan["proxies"], plan["scored"]) == (["synflow", "jacov"], 2)
    assert (plan["architectures"], plan["operations"], plan["entries"], plan["samples"]) == (0, 0, [], 0)
    assert plan["request"]["proxies"]["images"] == 16
    assert plan["seconds"] is None
    assert plan["seconds_basis"].startswith("nothing is reckoned of proxies")
    without = {"space": "nasbench201", "members": ["5"]}
    assert api.post("/v1/profiles?dry_run=true", json=without).json()["proxies"] == []


@pytest.mark.parametrize(
    ("changed", "pointer", "message"),
    [
        ({"proxies": ["synflow", "magic"]}, "/proxies/1", "synflow"),
        ({"proxies": ["synflow"], "images": 641}, "/images", "has 640 images"),
        ({"images": 0}, "/images", "greater than or equal to 1"),
        ({"dataset": "cifar11"}, "/dataset", "no data set 'cifar11'"),
        ({"input": {"channels": 3, "height": 32, "width": 32}}, "/input", "those of digits"),
        ({"space": "detection_head", "members": ["0"]}, "/dataset", "boxes"),
        ({"space": None, "members": []}, "", "nothing is to be measured"),
        (
            {"space": None, "members": [], "operations": [{"operation": "skip_connect", "channels": 4}]},
            "/proxies",
            "proxies are of networks",
        ),
        ({"members": [], "every": True}, "/proxies", "proxies are of networks"),
        ({"proxies": [], "dataset": "digits"}, "/dataset", "only proxies read images"),
        ({"proxies": [], "whole": False, "entries": False}, "/whole", "nothing is to be measured"),
        ({"skeleton": "huge"}, "/skeleton", "no skeleton 'huge'"),
        ({"members": ["15625"]}, "/members/0", "no member has this rank"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_its_place(
    api: TestClient, changed: dict[str, Any], pointer: str, message: str
) -> None:
    ((found, told), *_) = faults(api.post("/v1/profiles", json=BODY | changed))
    assert found == pointer
    assert message in told or message in str(api.post("/v1/profiles", json=BODY | changed).json())


def test_unknown_proxies_are_answered_with_the_known_ones(api: TestClient) -> None:
    problem = api.post("/v1/profiles", json=BODY | {"proxies": ["magic"]}).json()
    assert all(name in str(problem["errors"]) for name in PROXIES)


def test_a_worker_computes_and_the_job_shows(api: TestClient, api_database: Database, api_settings: Settings) -> None:
    with api_database.transaction() as session:
        earlier = jobs.query(session, JobQuery(viewer="local", states=("queued",), limit=100))
    for other in earlier:
        api.post(f"/v1/jobs/{other.id}/cancel")
    job = api.post("/v1/profiles", json=BODY | {"seed": 3}).json()["id"]
    early = api.get(f"/v1/jobs/{job}/proxies")
    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (404, "no-result")
    assert "Retry-After" in early.headers
    run_next(api_settings, api_database, job)

    told = api.get(f"/v1/jobs/{job}/proxies").json()
    assert {k: told[k] for k in ("job", "proxies", "dataset", "split", "images", "seed")} == {
        "job": job,
        "proxies": ["synflow", "jacov"],
        "dataset": "digits",
        "split": "weights",
        "images": 16,
        "seed": 3,
    }
    alive, dead = told["items"]
    skeleton = EdgeCellSkeleton(channels=8, num_cells=1)
    assert alive["architecture_id"] == architecture_id(SPACE, skeleton, SMALL, SPACE.plan.unrank(13_835))
    assert (alive["index"], dead["index"]) == ("13835", "0")
    assert alive["values"]["synflow"] > 0
    assert alive["reasons"] == {}
    assert dead["values"]["jacov"] is None
    assert "image" in dead["reasons"]["jacov"]
    assert api.get(alive["links"]["cost"]).status_code == 200

    rows = list(csv.reader(io.StringIO(api.get(f"/v1/jobs/{job}/proxies.csv").text)))
    assert rows[0] == ["architecture_id", "index", "synflow", "jacov"]
    assert rows[1] == [alive["architecture_id"], "13835", *(str(alive["values"][n]) for n in ("synflow", "jacov"))]
    assert rows[2][3] == ""


def test_other_jobs_have_no_proxies(api: TestClient) -> None:
    job = api.post("/v1/profiles", json={"operations": [{"operation": "skip_connect", "channels": 4}]}).json()["id"]
    for path in (f"/v1/jobs/{job}/proxies", f"/v1/jobs/{uuid4()}/proxies.csv"):
        assert api.get(path).status_code == 404
