"""Comparisons whose runs are jobs: parents of parents wait, searches are what they are alone, failures are said."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import torch

from app.catalogue import Database, Job, jobs
from app.experiment import (
    ComparedStrategy,
    ComparisonRequest,
    DiscreteSearchRequest,
    InheritedEvaluator,
    SoughtMetric,
    SpaceVersion,
    TrainingEvaluator,
    TrainingRecipe,
)
from app.experiment.recipe import SEARCH_RECIPES
from app.jobs import attend, claim, request_cancel, submit
from app.settings import Settings
from app.space import EdgeCellSkeleton, ImageInput, space_to_json
from app.space.zoo import nasbench201
from workers.comparison.outcome import search_of
from workers.fenced import Stop
from workers.run import run

SPACE = nasbench201()
TINY = EdgeCellSkeleton(channels=4, num_cells=1)
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
TRAINED = TrainingEvaluator(dataset="digits", recipe=RECIPE)
SHARED = InheritedEvaluator(
    dataset="digits",
    recipe=replace(next(iter(SEARCH_RECIPES.values())), name="test", epochs=1, batch_size=320),
    skeleton=TINY,
)
RANDOM = ComparedStrategy(label="random", strategy="random", parameters={})
CLIMB = ComparedStrategy(label="climb", strategy="local_search", parameters={"starts": 1})


def asked(*strategies: ComparedStrategy, seeds: tuple[int, ...] = (0, 1), **fields: Any) -> ComparisonRequest:
    given: dict[str, Any] = {
        "space": SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
        "document": space_to_json(SPACE),
        "strategy": "random",
        "parameters": {},
        "objectives": (SoughtMetric(metric="accuracy"),),
        "evaluator": TRAINED,
        "budget": 2,
        "skeleton": TINY,
        "image": ImageInput(channels=1, height=8, width=8),
        "device": "cpu",
    }
    search = DiscreteSearchRequest(**(given | fields))
    return ComparisonRequest(search=search, strategies=strategies or (RANDOM, CLIMB), seeds=seeds, device="cpu")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class Queue:
    """One worker, and what is submitted to it."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.settings = Settings(database_url=database.url.render_as_string(hide_password=False), data_root=root)

    def submit(self, kind: str, request: Any) -> UUID:
        with self.database.transaction() as session:
            return submit(session, kind=kind, request=asdict(request), owner="ada", queue="cpu", device="cpu").job.id

    def work(self, most: int = 10_000) -> int:
        """Run up to so many attempts, and say how many there were."""
        for made in range(most):
            with self.database.transaction() as session:
                attend(session)
            with self.database.transaction() as session:
                taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
            if taken is None:
                return made
            assert run(self.settings, self.database, taken.lease, Stop()) == 0
            with self.database.transaction() as session:
                attend(session)
        return most

    def get(self, id: UUID) -> Job:
        with self.database.transaction() as session:
            job = jobs.get(session, id)
        assert job is not None
        return job

    def children(self, id: UUID) -> dict[str, Job]:
        with self.database.transaction() as session:
            return {str(child.name): child for child in jobs.children(session, id)}


@pytest.fixture
def queue(database: Database, tmp_path: Path) -> Queue:
    return Queue(database, tmp_path / "data")


def test_a_comparison_waits_for_searches_that_wait_for_trainings(queue: Queue) -> None:
    request = asked(seeds=(3,))
    id = queue.submit("comparison", request)
    assert queue.work(1) == 1
    assert queue.get(id).state == "waiting"
    searches = queue.children(id)
    assert sorted(searches) == ["0-3", "1-3"]
    assert {child.kind for child in searches.values()} == {"discrete_search"}
    queue.work()
    job = queue.get(id)
    assert job.state == "succeeded", job.error
    report: Any = (job.result or {})["report"]
    assert [(one["label"], one["n"], one["evaluations"]) for one in report["strategies"]] == [
        ("random", 1, 2),
        ("climb", 1, 2),
    ]
    assert report["evaluator"] == "training"
    assert report["environment"]["device"]
    for one, strategy in zip(report["strategies"], request.strategies, strict=True):
        for end in one["runs"]:
            child = queue.get(UUID(end["search"]))
            assert (child.state, child.request["seed"]) == ("succeeded", end["seed"])
            assert child.request["strategy"] == strategy.strategy
            assert end["value"] == (child.result or {})["report"]["best"]["values"]["accuracy"]
            assert len(queue.children(child.id)) == 2, "each of them had its members trained"
    alone = queue.submit("discrete_search", search_of(request, CLIMB, 3))
    queue.work()
    by_itself: Any = queue.get(alone).result
    child: Any = queue.get(UUID(report["strategies"][1]["runs"][0]["search"])).result
    apart = [{**entry, "job": None} for entry in by_itself["trajectory"]]
    assert apart == [{**entry, "job": None} for entry in child["trajectory"]]


@pytest.mark.slow
def test_searches_with_a_supernet_of_their_own_each(queue: Queue) -> None:
    id = queue.submit("comparison", asked(RANDOM, evaluator=SHARED, budget=3))
    queue.work()
    job = queue.get(id)
    assert job.state == "succeeded", job.error
    report: Any = (job.result or {})["report"]
    (random,) = report["strategies"]
    assert (random["n"], random["evaluations"], report["pairs"]) == (2, 6, [])


def test_a_search_that_failed_is_said_and_the_others_compared(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.discrete import handler

    original = handler.Attempt.run

    def unlucky(self: handler.Attempt) -> Any:
        if self.request.strategy == "random" and self.request.seed == 0:
            raise ArithmeticError("the loss is gone")
        return original(self)

    monkeypatch.setattr(handler.Attempt, "run", unlucky)
    id = queue.submit("comparison", asked(budget=1))
    queue.work()
    report: Any = (queue.get(id).result or {})["report"]
    random, climb = report["strategies"]
    assert (random["n"], random["missing"], climb["n"]) == (1, 1, 2)
    assert "random, seed 0: failed: ArithmeticError: the loss is gone" in report["notes"]
    none = queue.submit("comparison", asked(RANDOM, seeds=(0,), budget=1))
    queue.work()
    assert queue.get(none).state == "failed"
    assert "none of 1 searches succeeded: random, seed 0" in (queue.get(none).error or {})["detail"]


def test_cancelling_takes_searches_and_trainings_along_and_keeps_what_has_ended(queue: Queue) -> None:
    id = queue.submit("comparison", asked(RANDOM))
    while not any(child.state == "succeeded" for child in queue.children(id).values()):
        assert queue.work(1) == 1
    with queue.database.transaction() as session:
        request_cancel(session, id)
    queue.work()
    job, searches = queue.get(id), queue.children(id)
    assert job.state == "cancelled"
    assert sorted(child.state for child in searches.values()) == ["cancelled", "succeeded"]
    for child in searches.values():
        assert all(training.final for training in queue.children(child.id).values())
    (done,) = [child for child in searches.values() if child.state == "succeeded"]
    assert job.result is not None
    report: Any = job.result["report"]
    assert [run["search"] for run in report["strategies"][0]["runs"]] == [str(done.id)]
    assert report["notes"][0] == "cancelled after 1 of 2 runs, which are all that is compared"
    assert job.result["stopped_in"] == "compare"


def test_cancelled_before_anything_has_ended_it_keeps_nothing(queue: Queue) -> None:
    id = queue.submit("comparison", asked(RANDOM))
    assert queue.work(1) == 1
    with queue.database.transaction() as session:
        request_cancel(session, id)
    queue.work()
    assert (queue.get(id).state, queue.get(id).result) == ("cancelled", None)
