"""Data sets over HTTP, from the upload to the accuracy: jobs are run as a worker's child runs them."""

import io
import os
import time
import zipfile
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.api.uploads import FORGOTTEN_SECONDS
from app.catalogue import Database, EvaluationQuery, Job, NameTaken, datasets, evaluations, jobs
from app.experiment import SPLITS, Dataset, JobResult
from app.jobs import claim
from app.settings import Settings
from workers import run as child
from workers.data import load
from workers.fenced import Stop

Json = dict[str, Any]
Work = Callable[[Json], Json]
NPZ = {"Content-Type": "application/x-npz"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
SMALL = {"family": "edge_cells", "channels": 4, "num_cells": 3}
RECIPE = {"epochs": 2, "batch_size": 280, "learning_rate": 0.1, "cutout": 2, "crop_padding": 1, "deterministic": True}


@pytest.fixture
def work(api_settings: Settings, api_database: Database, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Run a job that was accepted, and answer how it ended."""
    for name, value in api_settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def worked(accepted: Json) -> Json:
        with api_database.transaction() as session:
            held = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        assert held is not None
        assert str(held.job.id) == accepted["id"], "no other job waits"
        child.run(api_settings, api_database, held.lease, Stop())
        with api_database.transaction() as session:
            ended = jobs.get(session, UUID(accepted["id"]))
        assert ended is not None
        return {"state": ended.state, "result": ended.result, "error": ended.error}

    return worked


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), level).save(file, "PNG")
    return file.getvalue()


def digits() -> bytes:
    """The packaged digits as somebody would export them, split by split."""
    images, arrays = load("digits"), dict[str, Any]()
    for split in SPLITS:
        pixels, labels = images.of(split)
        arrays |= {f"x_{split}": pixels.numpy(), f"y_{split}": labels.numpy()}
    return npz(**arrays)


def upload(api: TestClient, content: bytes, expect: int = 202, headers: Json | None = None, **options: Any) -> Json:
    answer = api.post("/v1/datasets", params=options, content=content, headers=NPZ | (headers or {}))
    assert answer.status_code == expect, answer.text
    return answer.json()


def toy(seed: int = 0, count: int = 60) -> bytes:
    rng = np.random.default_rng(seed)
    return npz(x=rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8), y=np.arange(count) % 3)


def test_digits_that_were_uploaded_are_trained_on_with_the_very_same_accuracy(
    api: TestClient, work: Work, api_database: Database
) -> None:
    accepted = upload(api, digits(), name="my-digits", levels=16, licence="CC BY 4.0", headers={"Idempotency-Key": "d"})
    assert (
        upload(api, digits(), name="my-digits", levels=16, licence="CC BY 4.0", headers={"Idempotency-Key": "d"})["id"]
        == accepted["id"]
    )
    assert work(accepted)["state"] == "succeeded"

    view = api.get("/v1/datasets/my-digits").json()
    assert view["splits"] == {"weights": 640, "architecture": 480, "selection": 177, "test": 500}
    assert (view["input"], view["num_classes"]) == ({"channels": 1, "height": 8, "width": 8}, 10)
    expected = load("digits").normalisation("weights", "architecture")
    assert view["normalisation"]["mean"] == pytest.approx(expected.mean)
    assert view["normalisation"]["deviation"] == pytest.approx(expected.deviation)
    assert view["reference"] == f"my-digits@{view['digest'][:12]}"
    assert api.get(f"/v1/datasets/{view['reference']}").json() == view
    built_in = ["digit_boxes", "digit_scenes", "digits", "fashion_mnist"]
    assert [d["name"] for d in api.get("/v1/datasets").json()["items"]] == [*built_in, "my-digits"]
    with api_database.transaction() as session:
        assert datasets.bytes_of(session, "local") == view["bytes"]
        assert datasets.bytes_of(session, "somebody") == 0

    member = api.get("/v1/spaces/nasbench201/members/777").json()["genotype"]
    asked = {"space": "nasbench201", "genotype": member, "skeleton": SMALL, "recipe": RECIPE, "device": "cpu"}
    found: dict[str, list[Any]] = {}
    for name in ("digits", "my-digits"):
        job = api.post("/v1/trainings", json=asked | {"dataset": name})
        assert job.status_code == 202, job.text
        ended = work(job.json())
        assert ended["state"] == "succeeded", ended["error"]
        items = api.get("/v1/evaluations", params={"job": job.json()["id"]}).json()["items"]
        found[name] = sorted((e["split"], e["metrics"]["accuracy"], e["metrics"]["loss"]) for e in items)
        assert {e["dataset"] for e in items} == {"digits" if name == "digits" else view["reference"]}
    assert found["digits"] == found["my-digits"]
    # And it is known now, under the name and under the reference.
    again = api.post("/v1/trainings", json=asked | {"dataset": view["reference"]})
    assert again.status_code == 200
    assert again.json()["provenance"]["dataset_digest"] == view["digest"]


def test_searches_and_transfers_run_on_it(api: TestClient, work: Work) -> None:
    rng = np.random.default_rng(5)
    content = npz(x=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), y=np.arange(60) % 3)
    assert work(upload(api, content, name="noise"))["state"] == "succeeded"
    reference = api.get("/v1/datasets/noise").json()["reference"]
    short = {"epochs": 1, "batch_size": 12, "crop_padding": 1}
    train = short | {"cutout": 0}
    search = {"space": "nasbench201", "device": "cpu", "dataset": reference, "skeleton": SMALL, "recipe": short}
    search |= {"retrain_dataset": "noise", "retrain_skeleton": SMALL, "retrain_recipe": train, "baseline": False}
    planned = api.post("/v1/searches", json=search, params={"dry_run": True}).json()
    assert [network["images"] for network in planned["networks"]] == [24, 42]
    accepted = api.post("/v1/searches", json=search)
    assert accepted.status_code == 202, accepted.text
    ended = work(accepted.json())
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["result"]["report"]["retrained_on"] == reference
    place = {"skeleton": SMALL, "recipe": train}
    transfer = {"space": "nasbench201", "device": "cpu", "sample": {"count": 2, "seed": 1}}
    transfer |= {"source": place | {"dataset": "noise"}, "target": place | {"dataset": "digits"}}
    accepted = api.post("/v1/transfers", json=transfer)
    assert accepted.status_code == 202, accepted.text
    ended = work(accepted.json())
    assert ended["state"] == "succeeded", ended["error"]
    items = api.get("/v1/evaluations", params={"job": accepted.json()["id"]}).json()["items"]
    assert {item["dataset"] for item in items} == {"digits", reference}
    compared = api.get("/v1/evaluations", params={"dataset": reference, "limit": 200}).json()["items"]
    assert {item["dataset"] for item in compared} == {reference}


def test_what_is_measured_after_a_job_was_shown_is_shown_too(
    api: TestClient, work: Work, api_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = api.get("/v1/spaces/nasbench201/members/777").json()["genotype"]
    asked = {"space": "nasbench201", "genotype": member, "skeleton": SMALL, "device": "cpu", "dataset": "noise"}
    asked |= {"recipe": RECIPE | {"batch_size": 20, "epochs": 1}}
    accepted = api.post("/v1/trainings", json=asked).json()
    measure = child.measure

    def shown_meanwhile(job: Job, outcome: JobResult) -> Any:
        shown = api.post(f"/v1/jobs/{accepted['id']}/visibility", json={"visibility": "public"})
        assert (shown.status_code, job.visibility) == (200, "private")
        return measure(job, outcome)

    monkeypatch.setattr(child, "measure", shown_meanwhile)
    assert work(accepted)["state"] == "succeeded"
    with api_database.transaction() as session:
        seen = evaluations.query(session, EvaluationQuery(viewer="somebody", job_id=UUID(accepted["id"])))
    assert {evaluation.split for evaluation in seen} == {"selection", "test"}


def test_the_default_recipe_suits_the_size_of_the_images(api: TestClient) -> None:
    member = api.get("/v1/spaces/nasbench201/members/777").json()["genotype"]
    asked = {"space": "nasbench201", "genotype": member, "dataset": "noise"}
    planned = api.post("/v1/trainings", json=asked, params={"dry_run": True}).json()
    assert planned["request"]["recipe"]["name"] == "digits-quick"


def test_the_splits_are_drawn_as_asked_and_the_same_upload_is_the_same_data_set(api: TestClient, work: Work) -> None:
    sizes = {"weights": 30, "architecture": 15, "selection": 6, "test": 9}
    assert work(upload(api, toy(), name="drawn", seed=4, **sizes))["state"] == "succeeded"
    view = upload(api, toy(), 200, name="drawn", seed=4, **sizes)
    assert view["splits"] == sizes
    assert (view["input"]["channels"], view["licence"], view["visibility"]) == (3, "", "private")
    conflict = upload(api, toy(), 409, name="drawn", seed=5, **sizes)
    assert conflict["type"].endswith("dataset-exists")
    assert conflict["errors"][0]["pointer"] == "/name"
    assert upload(api, toy(), 409, name="digits")["type"].endswith("dataset-exists")


def test_what_is_wrong_inside_fails_the_job_and_says_where(api: TestClient, work: Work) -> None:
    wrong = work(
        upload(api, npz(x=np.zeros((9, 4, 4), np.uint8), y=np.array([0, 1, 2] * 2 + [0, -1, 2])), name="wrong")
    )
    assert wrong["state"] == "failed"
    assert "y[7]: -1 is not a whole number from 0 to 9999" in wrong["error"]["detail"]
    assert wrong["error"]["errors"] == [{"pointer": "y[7]", "message": "-1 is not a whole number from 0 to 9999"}]
    assert api.get("/v1/datasets/wrong").status_code == 404
    sizes = work(upload(api, toy(), name="wrong", weights=10, architecture=10, selection=10, test=10))
    assert "do not divide 60 images" in sizes["error"]["detail"]
    assert "errors" not in sizes["error"], "it is of no place"
    table = pa.table({"image": [png(0), png(1), b"no image"], "label": [0, 1, 0]})
    pq.write_table(table, buffer := io.BytesIO())
    rows = work(upload(api, buffer.getvalue(), headers=PARQUET, name="wrong"))
    assert rows["error"]["errors"][0]["pointer"] == "'the table, row 2'"
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name, content in (("a/0.png", png(0)), ("b/0.png", png(1)), ("b/1.png", b"no image")):
            archive.writestr(name, content)
    members = work(upload(api, buffer.getvalue(), headers={"Content-Type": "application/zip"}, name="wrong"))
    assert members["error"]["errors"][0]["pointer"] == "'b/1.png'"
    assert members["error"]["errors"][0]["message"].startswith("not a PNG or JPEG image that can be read")


def test_two_jobs_for_one_name_make_one_data_set(api: TestClient, work: Work, api_database: Database) -> None:
    first, second = upload(api, toy(1), name="raced"), upload(api, toy(2), name="raced")
    assert work(first)["state"] == "succeeded"
    lost = work(second)
    assert (lost["state"], lost["error"]["exception"]) == ("failed", "NameTaken")
    with api_database.transaction() as session:
        row = datasets.owned(session, "local", "raced")
        assert row is not None
        other = Dataset(**{f: getattr(row.dataset, f) for f in row.dataset.__dataclass_fields__} | {"name": "digits"})
        with pytest.raises(NameTaken):
            datasets.register(session, owner="x", visibility="private", dataset=other, request={})


@pytest.mark.parametrize(
    ("content", "options", "status", "said"),
    [
        (b"", {"name": "a"}, 422, "the body is empty"),
        (b"PK", {}, 422, "needs a name"),
        (b"PK", {"name": "A b"}, 422, "/name"),
        (b"PK", {"name": "a", "colour": "red"}, 422, "/colour"),
        (b"PK", {"name": "a", "levels": 256}, 422, "/levels"),
        (b"\x89PNG\r\n", {"name": "a"}, 422, "the bytes are not npz: they begin with 89504e47"),
        (b"PK\x03\x04", {"name": "a"}, 422, "not whole: a ZIP archive ends with the list of its members"),
        (b"PAR1\x00PAR", {"name": "a", "format": "parquet"}, 422, "not whole: a Parquet file ends with PAR1"),
    ],
)
def test_uploads_that_are_refused_at_once(
    api: TestClient, api_settings: Settings, content: bytes, options: Json, status: int, said: str
) -> None:
    assert said in str(upload(api, content, status, **options))
    assert not list((api_settings.data_root / "uploads").glob("*.partial"))


def test_an_upload_that_was_cut_off_makes_no_job(api: TestClient) -> None:
    before = api.get("/v1/jobs").json()["items"]
    refused = upload(api, toy()[:-30], 422, name="cut")
    assert refused["errors"][0]["message"].startswith("the file is not whole")
    assert api.get("/v1/jobs").json()["items"] == before


def test_names_in_the_data_root(api: TestClient, api_settings: Settings, work: Work) -> None:
    folder = api_settings.data_root / "datasets"
    folder.mkdir(exist_ok=True)
    (folder / "mine.npz").write_bytes(toy(3))
    (folder / "escape").symlink_to("/etc")
    accepted = api.post("/v1/datasets", json={"name": "by-name", "path": "mine.npz", "visibility": "public"})
    assert accepted.status_code == 202
    assert work(accepted.json())["state"] == "succeeded"
    assert api.get("/v1/datasets/by-name").json()["visibility"] == "public"
    escaped = work(api.post("/v1/datasets", json={"name": "escaped", "path": "escape"}).json())
    assert "is a link, or leads out of the data root" in escaped["error"]["detail"]
    for path in ("../secret", "/etc/passwd", "a/b", "..", ".hidden", ""):
        refused = api.post("/v1/datasets", json={"name": "b", "path": path})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/path"
    both = api.post("/v1/datasets", json={"name": "b", "path": "c"}, params={"seed": 1})
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (422, "/seed")


def test_another_type_and_too_many_bytes(api: TestClient, api_settings: Settings) -> None:
    typed = api.post("/v1/datasets", content=b"x", headers={"Content-Type": "text/csv"}, params={"name": "a"})
    assert typed.status_code == 415
    length = {"Content-Length": str(api_settings.max_upload_bytes + 1)}
    assert api.post("/v1/datasets", content=b"x", headers=NPZ | length, params={"name": "a"}).status_code == 413
    # Other routes, and JSON here, keep the smaller bound.
    long = {"Content-Length": str((1 << 20) + 1)}
    assert (
        api.post("/v1/datasets", content=b"x", headers={"Content-Type": "application/json"} | long).status_code == 413
    )
    assert api.post("/v1/trainings", content=b"x", headers=NPZ | long).status_code == 413


def test_a_body_that_does_not_say_how_long_it_is_ends_at_the_bound(api_settings: Settings) -> None:
    from app.main import create_app

    small = api_settings.model_copy(update={"max_upload_bytes": 3 << 20})
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 64:
            sent += 1
            yield bytes(1 << 20)

    client = TestClient(create_app(small))
    answer = client.post("/v1/datasets", content=endless(), headers=NPZ, params={"name": "a"})
    assert answer.status_code == 413
    assert not list((api_settings.data_root / "uploads").glob("*.partial"))


def test_uploads_that_nobody_wants_any_more_are_removed(api: TestClient, api_settings: Settings, work: Work) -> None:
    folder = api_settings.data_root / "uploads"
    old = time.time() - FORGOTTEN_SECONDS - 10
    wanted = upload(api, toy(8), name="wanted")
    for file in folder.iterdir():
        os.utime(file, (old, old))
    (folder / "cut.partial").write_bytes(b"x")
    os.utime(folder / "cut.partial", (old, old))
    latest = upload(api, toy(9), name="latest")
    assert len(list(folder.iterdir())) == 2
    assert work(wanted)["state"] == work(latest)["state"] == "succeeded"


def test_unknown_data_sets_and_digests(api: TestClient) -> None:
    assert api.get("/v1/datasets/nobody").status_code == 404
    assert api.get("/v1/datasets/digits@00000000").status_code == 404
    refused = api.post("/v1/searches", json={"space": "darts", "dataset": "nobody@00000000"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/dataset")
