"""Transfer over HTTP: costs in several places at once, and transfers as jobs."""

from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from app.api.examples import DARTS_V2, TINY
from app.catalogue import Database, jobs
from app.experiment import TRAINING_RECIPES, TransferRequest
from app.jobs import claim, finish, submit
from app.space.zoo import ZOO

Json = dict[str, Any]
IMAGENET = {"skeleton": "imagenet", "input": {"channels": 3, "height": 224, "width": 224}}
WIDE = {"family": "edge_cells", "channels": 8, "num_cells": 2}
QUICK = {name: value for name, value in asdict(TRAINING_RECIPES["digits-quick"]).items() if value is not None}
BODY: Json = {
    "space": "nasbench201",
    "sample": {"count": 3, "seed": 5},
    "source": {"dataset": "digits"},
    "target": {"dataset": "digits", "skeleton": WIDE, "recipe": {"epochs": 3}},
}


def posted(api: TestClient, space: str, body: Json) -> Json:
    answer = api.post(f"/v1/spaces/{space}/transfer", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def faults(answer: Any) -> list[tuple[str, Any]]:
    assert answer.status_code == 422, answer.text
    return [(fault["pointer"], fault["allowed"]) for fault in answer.json()["errors"]]


# -- costs


def test_the_published_costs_of_darts_v2_come_in_one_call(api: TestClient) -> None:
    answer = posted(api, "darts", {"genotype": DARTS_V2, "places": [{"skeleton": "cifar"}, IMAGENET]})
    cifar, imagenet = answer["places"]
    assert (cifar["skeleton"]["channels"], cifar["skeleton"]["num_cells"]) == (36, 20)
    assert (cifar["cost"]["params"], cifar["cost"]["macs"]) == (3_349_342, 528_359_040)
    assert (imagenet["skeleton"]["channels"], imagenet["skeleton"]["num_cells"]) == (48, 14)
    assert (imagenet["cost"]["params"], imagenet["cost"]["macs"]) == (4_718_752, 529_911_552)
    assert (cifar["cost"]["params_ratio"], cifar["cost"]["macs_ratio"]) == (1.0, 1.0)
    assert imagenet["cost"]["params_ratio"] == pytest.approx(4_718_752 / 3_349_342)
    assert imagenet["cost"]["macs_ratio"] == pytest.approx(529_911_552 / 528_359_040)
    assert [place["name"] for place in answer["places"]] == ["cifar", "imagenet"]


@pytest.mark.parametrize("space", [*ZOO])
def test_every_named_skeleton_is_answered_as_by_cost(api: TestClient, space: str) -> None:
    genotype = ZOO[space].plan.unrank(0)
    if ZOO[space].constraints:
        genotype = api.post(f"/v1/spaces/{space}/sample", json={"count": 1}).json()["items"][0]["genotype"]
    answer = posted(api, space, {"genotype": genotype})
    assert [place["name"] for place in answer["places"]] == list(ZOO[space].skeletons)
    place = answer["places"][-1]
    alone = api.post(f"/v1/spaces/{space}/cost", json={"genotype": genotype, "skeleton": "small", "by_node": False})
    if place["cost"] is None:
        assert faults(alone)[0][0] == place["fault"]["pointer"].removeprefix(f"/places/{len(answer['places']) - 1}")
    else:
        shared = ("params", "macs", "activations", "depth")
        assert {k: place["cost"][k] for k in shared} == {k: alone.json()[k] for k in shared}
        assert place["fault"] is None


def test_a_place_without_a_network_says_why_and_the_others_are_answered(api: TestClient) -> None:
    family = {"skeleton": {"family": "chain"}}
    answer = posted(api, "darts", {"genotype": DARTS_V2, "places": [family, {"skeleton": "small"}]})
    refused, small = answer["places"]
    assert refused["cost"] is None
    assert refused["name"] is None
    fault = refused["fault"]
    assert (fault["pointer"], fault["value"], fault["allowed"]) == ("/places/0/skeleton/family", "chain", ["cells"])
    assert small["cost"]["params"] > 0
    assert small["cost"]["params_ratio"] is None, "there is nothing to compare with"


def test_what_is_no_question_is_refused_at_its_place(api: TestClient) -> None:
    asked = "/v1/spaces/darts/transfer"
    misspelt = {"genotype": DARTS_V2, "places": [{}, {"skeleton": "imagnet"}]}
    assert faults(api.post(asked, json=misspelt)) == [("/places/1/skeleton", [*ZOO["darts"].skeletons])]
    assert faults(api.post(asked, json={"genotype": DARTS_V2, "places": []}))[0][0] == "/places"
    assert faults(api.post(asked, json={"genotype": {}}))[0][0].startswith("/genotype")
    batch = {"items": [{"genotype": DARTS_V2, "places": [{"skeleton": "small"}]}, {"genotype": None}]}
    good, bad = api.post(f"{asked}/batch", json=batch).json()["items"]
    assert (good["status"], bad["status"]) == (200, 422)
    assert faults(api.post(f"{asked}/batch", json={"items": batch["items"] * 11}))[0][0] == "/items"
    wide = {"genotype": None, "places": [{"skeleton": "small"}] * 11}
    assert api.post(f"{asked}/batch", json={"items": [wide] * 4}).status_code == 200
    (many,) = api.post(f"{asked}/batch", json={"items": [wide] * 5}).json()["errors"]
    assert (many["pointer"], many["message"]) == ("/items", "the items have 55 places; at most 50 in all")


# -- trainings


def stored(database: Database, job: Json) -> TransferRequest:
    """The request of a job as a worker reads it."""
    with database.transaction() as session:
        row = jobs.get(session, UUID(job["id"]))
    assert row is not None
    return TypeAdapter(TransferRequest).validate_python(dict(row.request))


def test_a_transfer_is_a_job_with_every_default_chosen(api: TestClient, api_database: Database) -> None:
    answer = api.post("/v1/transfers", json=BODY)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["state"], job["queue"]) == ("transfer", "queued", "cpu")
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    request, space = stored(api_database, job), ZOO["nasbench201"]
    assert request.source.skeleton == space.skeletons["small"]
    assert request.source.recipe == TRAINING_RECIPES["digits-quick"]
    assert (request.target.skeleton.channels, request.target.recipe.epochs) == (8, 3)
    assert request.origins == ("sampled",) * 3
    assert len({space.plan.rank(g) for g in request.genotypes}) == 3  # pyright: ignore[reportArgumentType]
    seen = api.get(f"/v1/transfers/{job['id']}").json()
    assert (seen["state"], seen["architectures"], seen["target"]["skeleton"]["channels"]) == ("queued", 3, 8)
    report = api.get(seen["links"]["report"])
    assert report.status_code == 404
    assert "the transfer is queued" in report.json()["detail"]
    assert api.post(f"/v1/jobs/{job['id']}/cancel").status_code in (200, 202)
    assert api.get(f"/v1/transfers/{job['id']}").json()["state"] == "cancelled"
    assert [item["id"] for item in api.get("/v1/jobs", params={"kind": "transfer"}).json()["items"]] == [job["id"]]


def test_a_key_makes_one_transfer_and_a_dry_run_none(api: TestClient) -> None:
    headers = {"Idempotency-Key": "one-transfer"}
    first, second = (api.post("/v1/transfers", json=BODY, headers=headers).json()["id"] for _ in range(2))
    assert first == second
    before = api.get("/v1/jobs").json()
    plan = api.post("/v1/transfers", params={"dry_run": True}, json=BODY).json()
    assert api.get("/v1/jobs").json() == before
    assert plan["epochs"] == 3 * (15 + 3)
    assert len(plan["architectures"]) == 3
    one = plan["architectures"][0]
    genotype = ZOO["nasbench201"].plan.unrank(int(one["index"]))
    grey = {"channels": 1, "height": 8, "width": 8}
    both = {"genotype": genotype, "places": [{"skeleton": "small", "input": grey}, {"skeleton": WIDE, "input": grey}]}
    there = [place["cost"] for place in posted(api, "nasbench201", both)["places"]]
    assert [one["source"], one["target"]] == there
    images = 640 + 480
    macs = sum(images * (15 * a["source"]["macs"] + 3 * a["target"]["macs"]) for a in plan["architectures"])
    assert plan["training_macs"] == str(macs)


def search_of(database: Database, space: str, genotype: Any, *, done: bool = True) -> str:
    """A search of a space, finished with this genotype."""
    with database.transaction() as session:
        request = {"space": dict(zip(("name", "version", "digest"), (space, 1, ZOO[space].digest), strict=True))}
        job = submit(session, kind="search", request=request, owner="local", queue="cpu", priority=100).job
    if done:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
            assert taken is not None
            assert taken.job.id == job.id
            finish(session, taken.lease, {"genotype": genotype})
    return str(job.id)


def test_what_a_search_found_joins_the_set(api: TestClient, api_database: Database) -> None:
    space = ZOO["nasbench201"]
    found, given = space.plan.unrank(4242), space.plan.unrank(7)
    search = search_of(api_database, "nasbench201", found)
    body = BODY | {"genotypes": [given], "search": search}
    job = api.post("/v1/transfers", json=body).json()
    request = stored(api_database, job)
    assert request.origins == ("given", "search", "sampled", "sampled", "sampled")
    assert request.genotypes[:2] == (given, found)
    assert api.get(f"/v1/transfers/{job['id']}").json()["links"]["search"] == f"/v1/searches/{search}"
    body |= {"genotypes": [found], "sample": {"count": 1}}
    assert stored(api_database, api.post("/v1/transfers", json=body).json()).origins == ("given", "sampled")
    other = search_of(api_database, "darts", DARTS_V2)
    running = search_of(api_database, "nasbench201", found, done=False)
    for wrong, why in (
        (other, "another space"),
        (running, "queued"),
        (job["id"], "no such"),
        (str(uuid4()), "no such"),
    ):
        answer = api.post("/v1/transfers", json=BODY | {"search": wrong})
        assert faults(answer)[0][0] == "/search"
        assert why in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"sample": None}, "/genotypes"),
        ({"sample": {"count": 1}}, "/sample/count"),
        ({"sample": {"count": 65}}, "/sample/count"),
        ({"genotypes": [ZOO["nasbench201"].plan.unrank(1)] * 2}, "/genotypes/1"),
        ({"genotypes": [{}]}, "/genotypes/0/0->1"),
        ({"genotypes": [DARTS_V2]}, "/genotypes/0/normal"),
        ({"source": {"dataset": "nowhere"}}, "/source/dataset"),
        ({"target": {"dataset": "nowhere"}}, "/target/dataset"),
        ({"target": {"dataset": "digits"}}, "/target"),
        ({"target": {"dataset": "digits", "recipe": {**QUICK, "name": "quick-by-another-name"}}}, "/target"),
        ({"target": {"dataset": "digits", "recipe": "nowhere"}}, "/target/recipe"),
        ({"target": {"dataset": "digits", "skeleton": "nowhere"}}, "/target/skeleton"),
        ({"target": {"dataset": "digits", "skeleton": TINY}}, "/target/skeleton/family"),
        ({"search": "nowhere"}, "/search"),
        ({"document": {}}, "/document"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(api: TestClient, change: Json, pointer: str) -> None:
    assert pointer in [place for place, _ in faults(api.post("/v1/transfers", json=BODY | change))]


def test_a_small_space_says_that_it_holds_no_more(api: TestClient) -> None:
    chain = {
        "record": "chain",
        "fields": {"layers": {"repeat": {"choice": ["conv_3x3", "skip_connect"]}, "lengths": [2]}},
    }
    document = {
        "name": "four-members",
        "grammar": {"start": "chain", "rules": {"chain": chain}},
        "skeletons": {"small": {"family": "chain", "channels": 4, "reductions": []}},
    }
    assert api.post("/v1/spaces", json=document).status_code == 201
    body = BODY | {"space": "four-members", "target": {"dataset": "digits", "recipe": {"epochs": 1}}}
    answer = api.post("/v1/transfers", json=body | {"sample": {"count": 5}})
    assert [place for place, _ in faults(answer)] == ["/sample/count"]
    assert "only" in answer.json()["detail"]


def test_an_unknown_transfer_is_a_404(api: TestClient) -> None:
    training = api.post("/v1/trainings", json={"space": "darts", "dataset": "digits", "genotype": DARTS_V2}).json()[
        "id"
    ]
    for identity in (str(uuid4()), training):
        assert api.get(f"/v1/transfers/{identity}").status_code == 404
        assert api.get(f"/v1/transfers/{identity}/report").status_code == 404
