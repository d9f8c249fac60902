"""What was trained leaves the service as two files that need torch alone, and computes there what it computed here."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
import torch
from fastapi.testclient import TestClient

from app.architecture import cost, lower
from app.catalogue import Database, artefacts
from app.experiment import DATASETS, JobResult, MeasuredEvaluation, SpaceVersion, TrainingRecipe, TrainingRequest
from app.jobs import submit
from app.settings import Settings
from app.space import CellSkeleton, space_to_json
from app.space.zoo import darts
from app.store import open_store
from workers import measured, train
from workers.files import JobFiles
from workers.network import Network
from workers.training import checkpoint

SKELETON = CellSkeleton(channels=2, num_cells=3)
SPACE = replace(
    darts(num_nodes=2, operations=("conv_3x3", "skip_connect", "max_pool_3x3")),
    name="twins",
    skeletons={"small": SKELETON},
    input=DATASETS["digits"].input,
)
A = [{"input": 0, "op": "conv_3x3"}, {"input": 1, "op": "skip_connect"}]
B = [{"input": 0, "op": "max_pool_3x3"}, {"input": 1, "op": "conv_3x3"}]
FIRST: Any = {"normal": {"node2": A, "node3": B}, "reduce": {"node2": A, "node3": A}}
TWIN: Any = {"normal": {"node2": B, "node3": A}, "reduce": {"node2": A, "node3": A}}
RECIPE = TrainingRecipe(name="test", epochs=1, batch_size=560, learning_rate=0.1, crop_padding=1, deterministic=True)
REQUEST = TrainingRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotype=TWIN,
    skeleton=SKELETON,
    dataset="digits",
    recipe=RECIPE,
    device="cpu",
)
ELSEWHERE = """
import sys, torch
sys.path.insert(0, ".")
from exported import Network
network = Network().double().eval()
record = network.load_weights("weights.safetensors")
with torch.no_grad():
    torch.save(network(torch.load("images.pt")), "logits.pt")
assert not {"app", "workers", "safetensors"} & sys.modules.keys(), sys.modules.keys()
print(record["dataset"], *record["metrics"])
"""


@pytest.fixture(scope="module")
def trained(
    api: TestClient,
    api_settings: Settings,
    api_database: Database,
    memory_progress: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], Path]:
    """A twin of what the catalogue holds was trained; its evaluation and its file."""
    assert api.post("/v1/spaces", json=space_to_json(SPACE)).status_code == 201
    known = api.post("/v1/architectures", json={"space": "twins", "genotype": FIRST, "skeleton": "small"}).json()
    progress = memory_progress(tmp_path_factory.mktemp("training"))
    outcome = train.run(REQUEST, progress)
    with api_database.transaction() as session:
        job = submit(session, kind="training", request={"document": REQUEST.document}, owner="local", queue="cpu").job
        files = JobFiles(open_store(api_settings), job.id)
        kept = progress.kept["trained"]
        stored = files.write_artefact("trained", lambda file: file.write_bytes(kept.read_bytes()) and None)
        artefacts.keep(
            session, job_id=job.id, name="trained", fence=1, path=stored.path, bytes=stored.bytes, sha256=stored.sha256
        )
        measured.record(session, job, measured.measure(job, outcome))
    found = api.get(known["links"]["evaluations"]).json()["items"]
    assert [item["split"] for item in found].count("test") == 1
    assert found[0]["genotype"] == known["genotype"] != SPACE.plan.normalise(TWIN)
    return found[0], kept


def test_the_two_files_compute_elsewhere_what_was_trained(
    api: TestClient, trained: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    evaluation, kept = trained
    source, weights = (api.get(evaluation["links"][name]) for name in ("export", "weights"))
    assert source.headers["content-type"].startswith("text/x-python")
    assert source.headers["content-disposition"] == f'attachment; filename="{evaluation["id"]}.py"'
    assert weights.headers["content-type"] == "application/octet-stream"
    assert weights.headers["content-disposition"] == f'attachment; filename="{evaluation["id"]}.safetensors"'
    assert weights.content == kept.read_bytes()
    (tmp_path / "exported.py").write_text(source.text, encoding="utf-8")
    (tmp_path / "weights.safetensors").write_bytes(weights.content)
    images = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.save(images, tmp_path / "images.pt")
    ran = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["digits", "selection", "test"]
    graph = lower(SPACE.grammar, SKELETON, DATASETS["digits"].input, SPACE.plan.read(TWIN))
    ours = Network(graph)
    checkpoint.restore_module(ours, checkpoint.load(kept)[0])
    with torch.no_grad():
        expected = ours.double().eval()(images)
    assert torch.allclose(torch.load(tmp_path / "logits.pt"), expected, rtol=1e-12, atol=1e-12)


def test_the_file_of_its_catalogued_twin_refuses_these_weights_by_name(
    api: TestClient, trained: tuple[dict[str, Any], Path]
) -> None:
    evaluation, kept = trained
    source = api.get(evaluation["links"]["architecture"] + "/export", params={"format": "python"}).text
    found = ModuleType("architecture")
    exec(compile(source, "architecture.py", "exec"), found.__dict__)
    with pytest.raises(ValueError, match=r"tensors do not fit this network, .*node"):
        found.Network().load_weights(kept)


def test_weights_are_known_by_their_tag_and_read_in_parts(
    api: TestClient, trained: tuple[dict[str, Any], Path]
) -> None:
    evaluation, kept = trained
    tag = api.get(evaluation["links"]["weights"]).headers["etag"]
    again = api.get(evaluation["links"]["weights"], headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert api.get(evaluation["links"]["weights"], headers={"If-None-Match": '"other"'}).status_code == 200
    part = api.get(evaluation["links"]["weights"], headers={"Range": "bytes=8-99"})
    assert (part.status_code, part.content) == (206, kept.read_bytes()[8:100])
    assert api.head(evaluation["links"]["weights"]).headers["content-length"] == str(kept.stat().st_size)


def test_weights_that_are_not_kept_here_are_a_404(
    api: TestClient, api_settings: Settings, api_database: Database, trained: tuple[dict[str, Any], Path]
) -> None:
    evaluation, _ = trained
    with api_database.transaction() as session:
        plain = submit(session, kind="training", request={"document": REQUEST.document}, owner="local", queue="cpu").job
        graph = lower(SPACE.grammar, SKELETON, DATASETS["digits"].input, SPACE.plan.read(TWIN))
        total = cost(graph)
        inherited = MeasuredEvaluation(
            genotype=TWIN,
            skeleton=SKELETON,
            kind="inherited",
            dataset="digits",
            split="selection",
            recipe=RECIPE,
            seed=0,
            metrics={"accuracy": 10.0},
            params=total.params,
            macs=total.macs,
            device="cpu",
            torch_version="2",
            code_version="test",
            seconds=1.0,
        )
        measured.record(session, plain, measured.measure(plain, JobResult(result={}, evaluations=(inherited,))))
    bare = api.get("/v1/evaluations", params={"job": str(plain.id)}).json()["items"][0]
    assert bare["links"]["weights"] is None
    assert api.get(bare["links"]["export"]).status_code == 200
    refused = api.get(bare["links"]["export"], params={"format": "safetensors"})
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")
    assert bare["id"] in refused.json()["detail"]
    unknown = api.get(f"/v1/evaluations/{UUID(int=0)}/export")
    assert unknown.status_code == 404
    with api_database.transaction() as session:
        found = artefacts.find(session, UUID(evaluation["links"]["job"].rsplit("/", 1)[1]), "trained")
    assert found is not None
    file = api_settings.data_root / found.path
    whole = file.read_bytes()
    for broken, status, said in ((whole[:-1], 500, found.path), (None, 404, evaluation["id"])):
        file.write_bytes(broken) if broken else file.unlink()
        refused = api.get(evaluation["links"]["weights"])
        assert (refused.status_code, said in refused.json()["detail"]) == (status, True)
        assert api.get(evaluation["links"]["export"]).status_code == status
    file.write_bytes(whole)
    assert api.get(evaluation["links"]["weights"]).status_code == 200
    (api_settings.data_root.parent / "outside").write_bytes(whole)
    with api_database.transaction() as session:
        artefacts.keep(
            session,
            job_id=found.job_id,
            name="trained",
            fence=2,
            path="../outside",
            bytes=len(whole),
            sha256=found.sha256,
        )
    assert api.get(evaluation["links"]["weights"]).status_code == 404
