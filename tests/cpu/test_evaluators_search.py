"""Whole searches by evaluators that compute: through the queue with children, and killed at every step without."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch

from app.catalogue import Database, EvaluationQuery, Job, evaluations, jobs
from app.experiment import (
    DISCRETE_STRATEGIES,
    Bounds,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    SearchRecipe,
    SoughtMetric,
    SpaceVersion,
    TrainingEvaluator,
    TrainingRecipe,
    WarmStart,
)
from app.jobs import attend, claim, submit
from app.settings import Settings
from app.space import EdgeCellSkeleton, ImageInput, space_to_json
from app.space.zoo import nasbench201
from workers.discrete import handler
from workers.fenced import Stop
from workers.run import run

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = nasbench201()
SKELETON = EdgeCellSkeleton(channels=4, num_cells=1)
TRAINING = TrainingRecipe(
    name="test",
    epochs=2,
    batch_size=560,
    learning_rate=0.1,
    drop_path=0.0,
    cutout=0,
    crop_padding=1,
    flip=False,
    deterministic=True,
)
SUPERNET = SearchRecipe(
    name="test", epochs=2, batch_size=320, learning_rate=0.1, crop_padding=1, flip=False, deterministic=True
)
DIGITS = ProxyEvaluator(dataset="digits", images=16)
REQUEST = DiscreteSearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="evolution",
    parameters=DISCRETE_STRATEGIES["evolution"].completed({"population": 2, "tournament": 2}),
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=TrainingEvaluator(dataset="digits", recipe=TRAINING, seeds=(0, 1)),
    budget=4,
    batch=2,
    skeleton=SKELETON,
    image=ImageInput(channels=1, height=8, width=8),
    bounds=Bounds(max_params=15_000),
    seed=3,
    device="cpu",
)
INHERITED = replace(
    REQUEST,
    evaluator=InheritedEvaluator(dataset="digits", recipe=SUPERNET, skeleton=SKELETON),
    warm_start=WarmStart(proxy="synflow", evaluator=DIGITS, candidates=3, kept=2),
)
PROXIES = replace(REQUEST, evaluator=DIGITS, objectives=(SoughtMetric(metric="naswot"),))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def through_the_queue(database: Database, root: Path, request: DiscreteSearchRequest) -> tuple[Job, tuple[Job, ...]]:
    """What becomes of a search and its children, one worker at them until there is nothing left to do."""
    settings = Settings(database_url=database.url.render_as_string(hide_password=False), data_root=root)
    with database.transaction() as session:
        made = submit(session, kind="discrete_search", request=asdict(request), owner="ada", queue="cpu", device="cpu")
    while True:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        if taken is None:
            break
        assert run(settings, database, taken.lease, Stop()) == 0
        with database.transaction() as session:
            attend(session)
    with database.transaction() as session:
        job, children = jobs.get(session, made.job.id), jobs.children(session, made.job.id)
    assert job is not None
    return job, children


def results(job: Job) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    assert job.state == "succeeded", job.error
    assert job.result is not None
    return job.result["report"], job.result["trajectory"]


def test_a_search_by_trainings_has_them_done_by_children(database: Database, tmp_path: Path) -> None:
    job, children = through_the_queue(database, tmp_path / "data", REQUEST)
    report, trajectory = results(job)
    assert (report["evaluations"], report["failed"], report["evaluator"]) == (4, 0, "training")
    assert len(children) == 8
    assert {child.kind for child in children} == {"training"}
    for n, one in enumerate(trajectory, start=1):
        own = [child for child in children if (child.name or "").startswith(f"evaluation-{n}-")]
        assert {child.request["seed"] for child in own} == {0, 1}
        accuracies: list[float] = []
        for child in own:
            assert SPACE.plan.rank(child.request["genotype"]) == int(one["index"])
            with database.transaction() as session:
                rows = evaluations.query(session, EvaluationQuery(viewer="ada", job_id=child.id))
            accuracies += [row.metrics["accuracy"] for row in rows if row.split == "selection"]
        assert one["values"]["accuracy"] == pytest.approx(sum(accuracies) / 2)
        assert (one["several"], one["job"]) == (2, None)
        assert one["values"]["params"] <= 15_000
    best = max(trajectory, key=lambda one: one["values"]["accuracy"])
    assert report["best"]["index"] == best["index"]
    assert job.result is not None
    assert job.result["device"].startswith("cpu")
    assert job.result["torch_version"] == torch.__version__
    again, _ = through_the_queue(database, tmp_path / "data", REQUEST)
    assert results(again)[1] == trajectory


def test_a_training_that_fails_is_a_failed_evaluation(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import followers

    original, made = followers.candidate, list[Any]()

    def candidate(space: Any, genotype: Any, *rest: Any, **how: Any) -> Any:
        if not made or genotype == made[0]:
            made.append(genotype)
            raise ArithmeticError("the loss is gone")
        return original(space, genotype, *rest, **how)

    monkeypatch.setattr(followers, "candidate", candidate)
    one_seed = replace(REQUEST, evaluator=TrainingEvaluator(dataset="digits", recipe=TRAINING), budget=3, batch=3)
    job, children = through_the_queue(database, tmp_path / "data", one_seed)
    report, trajectory = results(job)
    assert report["failed"] == 1
    (failed,) = [one for one in trajectory if one["values"] is None]
    assert failed["failure"] == "seed 0: the training failed: ArithmeticError: the loss is gone"
    assert int(failed["index"]) == SPACE.plan.rank(made[0])
    assert {one["job"] for one in trajectory} == {str(child.id) for child in children}


def test_a_search_by_inherited_weights_records_what_it_judged(database: Database, tmp_path: Path) -> None:
    job, children = through_the_queue(database, tmp_path / "data", INHERITED)
    report, trajectory = results(job)
    assert children == ()
    assert [one["by"] for one in trajectory] == ["warm start", "warm start", "strategy", "strategy"]
    with database.transaction() as session:
        rows = evaluations.query(session, EvaluationQuery(viewer="ada", job_id=job.id))
    by_index = {row.architecture.index: row for row in rows}
    for one in trajectory:
        row = by_index[int(one["index"])]
        assert (row.kind, row.split, row.recipe_name) == ("inherited", "selection", "test")
        assert row.metrics["accuracy"] == one["values"]["accuracy"]
        assert row.params == one["values"]["params"]
    assert report["judged_by"]["paths"] == "one uniformly drawn member a step"


def trajectory_of(request: DiscreteSearchRequest, progress: Any) -> Any:
    return handler.run(request, progress).result["trajectory"]


@pytest.mark.parametrize("request_", [INHERITED, PROXIES], ids=["inherited", "proxies"])
def test_a_search_killed_at_every_step_is_the_one_that_was_not(
    memory_progress: Memory, tmp_path: Path, request_: DiscreteSearchRequest
) -> None:
    whole = memory_progress(tmp_path / "whole")
    expected = trajectory_of(request_, whole)
    assert len(expected) == 4
    for kill_after in range(1, whole.questions + 1):
        first = memory_progress(tmp_path / f"{kill_after}", kill_after=kill_after)
        with pytest.raises(memory_progress.killed):
            handler.run(request_, first)
        assert trajectory_of(request_, first.next_attempt(tmp_path / f"{kill_after}")) == expected


def test_a_supernet_is_trained_on_from_where_it_was_however_often_its_search_is_killed(
    memory_progress: Memory, tmp_path: Path
) -> None:
    long = replace(INHERITED, evaluator=replace(INHERITED.evaluator, recipe=replace(SUPERNET, epochs=4)))
    expected = trajectory_of(long, memory_progress(tmp_path / "whole"))
    progress, attempts = memory_progress(tmp_path / "0", kill_after=6), 0
    while True:  # each lives for one or two epochs, and none for all four
        attempts += 1
        try:
            found = trajectory_of(long, progress)
            break
        except memory_progress.killed:
            folder = tmp_path / f"{attempts}"
            folder.mkdir()
            progress = progress.next_attempt(folder, kill_after=6)
    assert found == expected
    assert attempts > 2
    assert [epoch for phase, epoch in progress.order if phase == "supernet"] == [1, 2, 3, 4]
