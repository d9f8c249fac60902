"""A training whose files go to a bucket: a killed worker's checkpoint comes from there, and so do the weights."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer

from app.catalogue import artefacts
from app.main import create_app
from app.settings import Settings
from app.store import StoredFile, open_store

pytestmark = pytest.mark.slow
BUCKET = "cellar-test"


@pytest.fixture
def settings(workplace: Any, tmp_path: Path) -> Iterator[Settings]:
    """Of an API with a data root of its own: what it and the workers share is the database and the bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = Settings(
        database_url=workplace.database.url.render_as_string(hide_password=False),
        redis_url=workplace.redis_url,
        data_root=tmp_path,
        allowed_hosts=("testserver",),
        store_url=f"s3://{BUCKET}/cellar",
        store_endpoint=f"http://{host}:{port}",
        store_key_id="key",
        store_secret="secret",
        store_region="us-east-1",
    )
    place: Any = open_store(settings).place
    place._files.call_s3("create_bucket", Bucket=BUCKET)
    workplace._environment |= {
        name: value for name, value in settings.environment().items() if name.startswith("CELLAR_STORE_")
    }
    yield settings
    server.stop()


def test_a_killed_workers_checkpoint_and_the_artefact_are_in_the_bucket(workplace: Any, settings: Settings) -> None:
    worker = workplace.worker("--no-spare")
    id = workplace.submit({"epochs": 5, "steps": 4, "seconds": 0.1})
    workplace.until(lambda: len(workplace.epochs(id)) >= 2)
    worker.kill()
    worker.wait()
    store = open_store(settings)
    assert {entry.path.split("/")[1] for entry in store.entries("jobs")} == {str(id)}
    assert list((workplace.data_root).glob("jobs/**/*")) == []
    workplace.worker("--no-spare")
    job = workplace.until_final(id)
    assert (job.state, job.result["total"], job.attempt) == ("succeeded", 20, 2)
    assert any(e.kind == "note" and "resumed after epoch" in e.data["text"] for e in workplace.events(id))
    with workplace.database.transaction() as session:
        (row,) = artefacts.of_job(session, id)
    kept = store.open(StoredFile(path=row.path, bytes=row.bytes, sha256=row.sha256))
    assert json.loads(kept.read_text())["total"] == 20
    workplace.until(lambda: not list(store.entries("jobs")), seconds=10)


def test_trained_weights_are_exported_from_the_bucket(workplace: Any, settings: Settings) -> None:
    with TestClient(create_app(settings)) as api:
        genotype = api.post("/v1/spaces/chain/sample", json={"count": 1, "seed": 1}).json()["items"][0]["genotype"]
        started = api.post(
            "/v1/trainings",
            json={
                "space": "chain",
                "genotype": genotype,
                "dataset": "digits",
                "recipe": {"epochs": 1},
                "device": "cpu",
            },
        )
        assert started.status_code == 202, started.text
        workplace.worker("--no-spare")
        id = started.json()["id"]
        workplace.until(lambda: api.get(f"/v1/jobs/{id}").json()["state"] == "succeeded", seconds=120)
        (found, *_) = api.get("/v1/evaluations").json()["items"]
        weights = api.get(found["links"]["weights"])
        assert weights.status_code == 200
        assert weights.headers["etag"] == f'"{hashlib.sha256(weights.content).hexdigest()}"'
        part = api.get(found["links"]["weights"], headers={"Range": "bytes=8-99"})
        assert (part.status_code, part.content) == (206, weights.content[8:100])
        assert api.get(found["links"]["weights"], headers={"If-None-Match": weights.headers["etag"]}).status_code == 304
        assert api.get(found["links"]["export"]).status_code == 200
