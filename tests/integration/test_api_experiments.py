"""Searches and trainings: what is accepted, with which defaults, and what is answered instead of a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from app.api.examples import DARTS_V2, TINY
from app.architecture import architecture_id
from app.catalogue import Database, architectures, evaluations, jobs, workers
from app.experiment import (
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    SearchRequest,
    TrainingRequest,
    recipe_digest,
)
from app.space import CellSkeleton, ImageInput, space_to_json
from app.space.zoo import ZOO

QUICK = {"space": "darts", "dataset": "digits"}
TRAINING = QUICK | {"genotype": DARTS_V2, "recipe": "digits-quick", "skeleton": TINY, "seed": 11}


def search_request(database: Database, job: dict) -> SearchRequest:
    """The request of a job as a worker reads it."""
    with database.transaction() as session:
        row = jobs.get(session, UUID(job["id"]))
    assert row is not None
    return TypeAdapter(SearchRequest).validate_python(dict(row.request))


def test_a_search_needs_a_space_and_a_data_set(api: TestClient, api_database: Database) -> None:
    answer = api.post("/v1/searches", json=QUICK)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert (job["kind"], job["state"], job["queue"]) == ("search", "queued", "cpu")
    assert "document" not in job["request"], "name, version and digest say which space"
    request = search_request(api_database, job)
    assert request.document == space_to_json(ZOO["darts"])
    assert request.space.digest == ZOO["darts"].digest
    assert (request.strategy, request.discretisation, request.baseline, request.seed) == ("darts", "darts", True, 0)
    assert isinstance(request.skeleton, CellSkeleton)
    assert request.skeleton.affine is False
    assert request.skeleton.norm_after_pool is True
    assert request.skeleton.num_classes == 10
    assert request.retrain_skeleton == ZOO["darts"].skeletons["small"]
    assert request.recipe == SEARCH_RECIPES["digits-quick"]
    assert request.retrain_recipe == TRAINING_RECIPES["digits-quick"]
    assert api.get(f"/v1/searches/{job['id']}").json()["genotype"] is None


def test_spaces_without_input_choices_are_discretised_by_argmax(api: TestClient) -> None:
    request = api.post("/v1/searches", json=QUICK | {"space": "nasbench201"}).json()["request"]
    assert request["discretisation"] == "argmax"
    assert request["skeleton"]["family"] == "edge_cells"
    assert request["skeleton"]["affine"] is False


def test_larger_images_take_the_published_skeletons(api: TestClient) -> None:
    request = api.post("/v1/searches", json={"space": "darts", "dataset": "fashion_mnist"}).json()["request"]
    assert request["skeleton"]["num_cells"] == 8
    assert request["retrain_skeleton"]["num_cells"] == 20
    assert request["recipe"]["name"] == "darts-cifar"


def test_everything_can_be_given(api: TestClient, api_database: Database) -> None:
    recipe = {"epochs": 3, "alpha_betas": [0.5, 0.9]}
    body = QUICK | {
        "skeleton": TINY | {"num_classes": 77},
        "recipe": recipe,
        "retrain_skeleton": "small",
        "retrain_recipe": {"name": "mine", "epochs": 2},
        "baseline": False,
        "seed": 9,
        "device": "cuda",
        "discretisation": "argmax",
    }
    job = api.post("/v1/searches", json=body).json()
    request = search_request(api_database, job)
    assert request.skeleton == CellSkeleton(channels=8, num_cells=3)  # the classes are the data set's
    assert (request.recipe.epochs, request.recipe.alpha_betas) == (3, (0.5, 0.9))
    assert (request.retrain_recipe.name, request.retrain_recipe.epochs) == ("mine", 2)
    assert (request.baseline, request.seed, request.device, request.discretisation) == (False, 9, "cuda", "argmax")
    assert job["queue"] == "gpu"


def test_what_is_found_can_be_trained_on_another_data_set(api: TestClient, api_database: Database) -> None:
    body = QUICK | {"retrain_dataset": "fashion_mnist"}
    request = search_request(api_database, api.post("/v1/searches", json=body).json())
    assert (request.dataset, request.retrain_dataset) == ("digits", "fashion_mnist")
    assert request.recipe == SEARCH_RECIPES["digits-quick"]
    assert request.retrain_skeleton == ZOO["darts"].skeletons["cifar"], "the skeleton follows the data set"
    assert request.retrain_recipe == TRAINING_RECIPES["darts-cifar"]
    plan = api.post("/v1/searches", params={"dry_run": True}, json=body).json()
    assert [(n["role"], n["images"]) for n in plan["networks"]] == [
        ("supernet", 640),
        ("retrained", 50_000),
        ("baseline", 50_000),
    ]
    same = api.post("/v1/searches", json=QUICK | {"retrain_dataset": "digits"}).json()
    assert search_request(api_database, same).retrain_dataset is None


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"space": "nowhere"}, 404, None),
        ({"dataset": "nowhere"}, 422, "/dataset"),
        ({"dataset": "/etc/passwd"}, 422, "/dataset"),
        ({"recipe": "nowhere"}, 422, "/recipe"),
        ({"recipe": {"epochs": 0}}, 422, "/recipe/epochs"),
        ({"recipe": {"epochs": 10**6}}, 422, "/recipe/epochs"),
        ({"recipe": {"digest": "x"}}, 422, "/recipe/digest"),
        ({"retrain_recipe": "nowhere"}, 422, "/retrain_recipe"),
        ({"retrain_dataset": "nowhere"}, 422, "/retrain_dataset"),
        ({"retrain_skeleton": "nowhere"}, 422, "/retrain_skeleton"),
        ({"retrain_skeleton": {"family": "chain"}}, 422, "/retrain_skeleton/family"),
        ({"skeleton": {"family": "chain"}}, 422, "/skeleton/family"),
        ({"strategy": "magic"}, 422, "/strategy"),
        ({"seed": -1}, 422, "/seed"),
        ({"seed": 2**31}, 422, "/seed"),
        ({"device": "tpu"}, 422, "/device"),
        ({"owner": "root"}, 422, "/owner"),
        ({"document": {}}, 422, "/document"),
    ],
)
def test_what_does_not_fit_is_refused_and_starts_nothing(
    api: TestClient, change: dict, status: int, pointer: str | None
) -> None:
    before = len(api.get("/v1/jobs", params={"limit": 200}).json()["items"])
    answer = api.post("/v1/searches", json=QUICK | change)
    assert answer.status_code == status
    assert pointer is None or pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert len(api.get("/v1/jobs", params={"limit": 200}).json()["items"]) == before


def test_a_space_without_meaning_is_not_searched(api: TestClient) -> None:
    document = {
        "name": "meaningless",
        "grammar": {"start": "a", "rules": {"a": {"record": "mystery", "fields": {"x": {"choice": [1, 2]}}}}},
        "skeletons": {"one": {"family": "cells"}},
    }
    registered = api.post("/v1/spaces", json=document).json()
    assert registered["abilities"]["search"]["able"] is False
    assert "mystery" in registered["abilities"]["search"]["why"]
    answer = api.post("/v1/searches", json=QUICK | {"space": "meaningless"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:cellar:problem:no-network"


def test_a_key_makes_one_job(api: TestClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.post("/v1/searches", json=QUICK, headers=headers)
    second = api.post("/v1/searches", json=QUICK, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    other = api.post("/v1/searches", json=QUICK | {"seed": 4}, headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "urn:cellar:problem:idempotency-conflict"
    assert other.headers["link"] == f"</v1/jobs/{first.json()['id']}>"
    assert api.post("/v1/searches", json=QUICK).json()["id"] != first.json()["id"]
    assert api.post("/v1/searches", json=QUICK, headers={"Idempotency-Key": "x" * 201}).status_code == 422


def test_a_dry_run_starts_nothing_and_invents_no_times(api: TestClient) -> None:
    before = api.get("/v1/jobs").json()
    plan = api.post("/v1/searches", params={"dry_run": True}, json=QUICK)
    assert plan.status_code == 200
    networks = {network["role"]: network for network in plan.json()["networks"]}
    assert set(networks) == {"supernet", "retrained", "baseline"}
    assert networks["supernet"]["params"] > networks["supernet"]["skeleton"]["channels"]
    assert networks["supernet"]["images"] == 640
    assert networks["retrained"]["params"] is None
    assert plan.json()["workers"] == 0
    assert plan.json()["estimate"]["seconds"] is None
    cost = {"genotype": DARTS_V2, "skeleton": TINY, "input": {"channels": 1, "height": 8, "width": 8}}
    exact = api.post("/v1/spaces/darts/cost", json=cost).json()
    training = api.post("/v1/trainings", params={"dry_run": True}, json=TRAINING).json()
    assert (training["networks"][0]["params"], training["networks"][0]["macs"]) == (exact["params"], exact["macs"])
    assert training["measured"] is None
    assert api.get("/v1/jobs").json() == before


@contextmanager
def worker(database: Database, **known: Any) -> Iterator[None]:
    """A live worker."""
    identity = uuid4()
    with database.transaction() as session:
        workers.beat(session, id=identity, host="elsewhere", pid=1, state="busy", **known)
    try:
        yield
    finally:
        with database.transaction() as session:
            workers.leave(session, identity)


def test_a_gpu_is_taken_where_a_live_worker_has_one(api: TestClient, api_database: Database) -> None:
    def queues() -> dict[str, str]:
        bodies = {device: QUICK | {"device": device} for device in ("auto", "cpu", "cuda")}
        return {device: api.post("/v1/searches", json=body).json()["queue"] for device, body in bodies.items()}

    with worker(api_database, queues=["gpu", "cpu"], devices=["cpu"], gpu=None):
        assert queues() == {"auto": "cpu", "cpu": "cpu", "cuda": "gpu"}
        dry = QUICK | {"device": "cuda"}
        assert api.post("/v1/searches", params={"dry_run": True}, json=dry).json()["workers"] == 0
    with worker(api_database, queues=["gpu", "cpu"], devices=["cuda", "cpu"], gpu="GPU-1"):
        assert queues() == {"auto": "gpu", "cpu": "cpu", "cuda": "gpu"}
        assert [item["gpu"] for item in api.get("/v1/workers").json()["items"]] == ["GPU-1"]
        plan = api.post("/v1/searches", params={"dry_run": True}, json=QUICK).json()
        assert (plan["queue"], plan["workers"]) == ("gpu", 1)
    assert queues() == {"auto": "cpu", "cpu": "cpu", "cuda": "gpu"}


def test_what_was_measured_is_not_trained_again(api: TestClient, api_database: Database) -> None:
    named = {"Idempotency-Key": "measured-meanwhile"}
    started = api.post("/v1/trainings", json=TRAINING, headers=named)
    assert started.status_code == 202
    stored = {"document": {}} | started.json()["request"]
    request = TypeAdapter(TrainingRequest).validate_python(stored)
    space, image = ZOO["darts"], ImageInput(channels=1, height=8, width=8)
    identity = architecture_id(space, request.skeleton, image, DARTS_V2)
    with api_database.transaction() as session:
        job = jobs.query(session, jobs.JobQuery(viewer="local", kind="training", limit=1))[0]
        architectures.ensure(
            session,
            id=identity,
            space=space.identity,
            index=space.plan.rank(DARTS_V2),
            genotype=DARTS_V2,
            skeleton=job.request["skeleton"],
            input={"channels": 1, "height": 8, "width": 8},
            params=1,
            macs=2,
        )
        evaluations.record(
            session,
            architecture_id=identity,
            job_id=job.id,
            kind="trained",
            dataset="digits",
            split="test",
            recipe_name=request.recipe.name,
            recipe_digest=recipe_digest(request.recipe),
            recipe=job.request["recipe"],
            seed=request.seed,
            metrics={"accuracy": 97.5},
            params=1,
            macs=2,
            device="cpu",
            torch_version="2.13.0",
            code_version="test",
            seconds=1.0,
            owner="local",
        )
    stored = api.post("/v1/trainings", json=TRAINING)
    assert stored.status_code == 200
    assert (stored.json()["accuracy"], stored.json()["split"], stored.json()["kind"]) == (97.5, "test", "trained")
    again = api.post("/v1/trainings", json=TRAINING, headers=named)
    assert (again.status_code, again.json()["id"]) == (202, started.json()["id"]), "a key answers what it made"
    dry = api.post("/v1/trainings", params={"dry_run": True}, json=TRAINING).json()
    assert api.get(dry["measured"]).json() == stored.json()
    assert api.post("/v1/trainings", params={"force": True}, json=TRAINING).status_code == 202
    assert api.post("/v1/trainings", json=TRAINING | {"seed": 12}).status_code == 202
    assert api.post("/v1/trainings", json=TRAINING | {"recipe": {"epochs": 2}}).status_code == 202


@pytest.mark.parametrize("part", ["", "/report", "/trajectory"])
def test_an_unknown_search_is_a_404(api: TestClient, part: str) -> None:
    training = api.post("/v1/trainings", json=TRAINING | {"seed": 1}).json()["id"]
    for identity in ("00000000-0000-0000-0000-000000000000", training):
        assert api.get(f"/v1/searches/{identity}{part}").status_code == 404
    assert api.get(f"/v1/searches/nowhere{part}").status_code == 422


@pytest.mark.parametrize("part", ["report", "trajectory"])
def test_a_result_that_is_to_come_is_a_404_that_says_so(api: TestClient, part: str) -> None:
    search = api.post("/v1/searches", json=QUICK).json()["id"]
    answer = api.get(f"/v1/searches/{search}/{part}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:cellar:problem:no-result"
    assert "queued" in answer.json()["detail"]
    assert answer.headers["retry-after"]


DENSE = [("autodeeplab", "digit_scenes", 11), ("nas_fpn", "digit_boxes", 10), ("detection_head", "digit_boxes", 10)]


@pytest.mark.parametrize(("space", "dataset", "classes"), DENSE)
def test_networks_learn_from_data_sets_of_their_task(api: TestClient, space: str, dataset: str, classes: int) -> None:
    abilities = api.get(f"/v1/spaces/{space}").json()["abilities"]
    assert all(abilities[what]["able"] for what in ("cost", "supernet", "train", "search"))
    drawn = api.post(f"/v1/spaces/{space}/sample", json={"count": 1, "seed": 0}).json()
    genotype = drawn["items"][0]["genotype"]
    asked = {"space": space, "dataset": dataset}
    searched = api.post("/v1/searches?dry_run=true", json=asked)
    assert searched.status_code == 200, searched.text
    request = searched.json()["request"]
    assert {request[name]["num_classes"] for name in ("skeleton", "retrain_skeleton")} == {classes}
    assert request["retrain_recipe"]["name"] == f"{dataset}-quick"
    trained = api.post("/v1/trainings?dry_run=true", json=asked | {"genotype": genotype})
    assert trained.status_code == 200, trained.text
    for path, body in (("searches", asked), ("trainings", asked | {"genotype": genotype})):
        answer = api.post(f"/v1/{path}", json=body | {"dataset": "digits"})
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "/dataset"
        assert error["allowed"] == [dataset]
        assert "has one label an image" in error["message"]
    (error,) = api.post("/v1/searches", json=asked | {"retrain_dataset": "digits"}).json()["errors"]
    assert error["pointer"] == "/retrain_dataset"


def test_what_a_task_has_not_is_refused(api: TestClient) -> None:
    body = {"space": "darts", "dataset": "digit_boxes"}
    (error,) = api.post("/v1/searches", json=body).json()["errors"]
    assert (error["pointer"], error["allowed"]) == ("/dataset", ["digits", "fashion_mnist"])
    assert "this data set has boxes for labels" in error["message"]
    body = {"space": "nas_fpn", "dataset": "digit_boxes", "retrain_recipe": "digits-quick"}
    (error,) = api.post("/v1/searches", json=body).json()["errors"]
    assert (error["pointer"], error["value"]) == ("/retrain_recipe/label_smoothing", 0.05)
