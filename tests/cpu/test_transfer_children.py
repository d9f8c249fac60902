"""Transfers that fan out over the queue: the report of the sequential path, and what happens when a training fails."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import torch

from app.catalogue import Database, EvaluationQuery, Job, evaluations, jobs
from app.experiment import Place, SpaceVersion, TrainingRecipe, TransferRequest
from app.jobs import attend, claim, submit
from app.settings import Settings
from app.space import EdgeCellSkeleton, space_to_json
from app.space.zoo import nasbench201
from workers import transfer
from workers.fenced import Stop
from workers.run import plain, run

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = nasbench201()
RECIPE = TrainingRecipe(
    name="test",
    epochs=1,
    batch_size=560,
    learning_rate=0.1,
    drop_path=0.0,
    cutout=0,
    crop_padding=1,
    deterministic=True,
)
SOURCE = Place(dataset="digits", skeleton=EdgeCellSkeleton(channels=4, num_cells=1), recipe=RECIPE)
TARGET = Place(dataset="digits", skeleton=EdgeCellSkeleton(channels=6, num_cells=1), recipe=replace(RECIPE, flip=False))
REQUEST = TransferRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotypes=tuple(SPACE.plan.unrank(i) for i in (3, 7000, 12_345)),
    origins=("given", "search", "sampled"),
    source=SOURCE,
    target=TARGET,
    device="cpu",
)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def drain(database: Database, settings: Settings) -> None:
    """One worker until there is nothing left to do."""
    while True:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        if taken is None:
            return
        assert run(settings, database, taken.lease, Stop()) == 0
        with database.transaction() as session:
            attend(session)


def fan_out(database: Database, root: Path, request: TransferRequest) -> tuple[Job, tuple[Job, ...]]:
    """What becomes of a transfer and its children."""
    settings = Settings(database_url=database.url.render_as_string(hide_password=False), data_root=root)
    with database.transaction() as session:
        made = submit(session, kind="transfer", request=asdict(request), owner="ada", queue="cpu", device="cpu")
    drain(database, settings)
    with database.transaction() as session:
        job, children = jobs.get(session, made.job.id), jobs.children(session, made.job.id)
    assert job is not None
    return job, children


def timeless(report: Any) -> Any:
    return {name: value for name, value in report.items() if name not in ("seconds", "gpu_hours")}


def test_fanned_out_and_one_after_another_give_the_same_report(
    database: Database, memory_progress: Memory, tmp_path: Path
) -> None:
    job, children = fan_out(database, tmp_path / "data", replace(REQUEST, fan_out=True))
    assert job.state == "succeeded"
    assert job.result is not None
    whole = transfer.run(REQUEST, memory_progress(tmp_path / "whole"))
    assert timeless(job.result["report"]) == timeless(plain(whole.result["report"]))
    assert {child.name: child.state for child in children} == {
        f"{side}-{i}": "succeeded" for side in ("source", "target") for i in range(3)
    }
    assert job.result["children"] == {child.name: str(child.id) for child in children}
    assert job.result["weights"] == {}, "weights are kept where this is asked for"
    with database.transaction() as session:
        of_job = [len(found(session, id)) for id in (job.id, *(child.id for child in children))]
    assert of_job == [0] + [2] * 6, "every result is recorded once, by the job that measured it"
    by_hand = sorted((e.split, e.metrics["accuracy"]) for e in whole.evaluations)
    with database.transaction() as session:
        measured = [e for child in children for e in found(session, child.id)]
    assert sorted((e.split, e.metrics["accuracy"]) for e in measured) == by_hand


def found(session: Any, job: UUID) -> Any:
    return evaluations.query(session, EvaluationQuery(viewer="ada", job_id=job))


def test_an_architecture_whose_training_failed_is_left_out_and_said(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import followers

    original, unlucky = followers.candidate, SPACE.plan.unrank(7000)

    def candidate(space: Any, genotype: Any, *rest: Any, **how: Any) -> Any:
        if genotype == unlucky:
            raise ArithmeticError("the loss is gone")
        return original(space, genotype, *rest, **how)

    monkeypatch.setattr(followers, "candidate", candidate)
    job, _ = fan_out(database, tmp_path / "data", replace(REQUEST, fan_out=True))
    assert job.state == "succeeded"
    report: Any = (job.result or {})["report"]
    assert [row["index"] for row in report["rows"]] == ["3", "12345"]
    reason = "failed: ArithmeticError: the loss is gone, so its architecture is left out"
    assert report["notes"] == [f"{side}-1 {reason}" for side in ("source", "target")]
    few = replace(REQUEST, fan_out=True, genotypes=REQUEST.genotypes[:2], origins=REQUEST.origins[:2])
    job, _ = fan_out(database, tmp_path / "data", few)
    assert job.state == "failed"
    assert "1 of 2 architectures were trained on both places: source-1 failed" in (job.error or {})["detail"]
