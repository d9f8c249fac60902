"""Inherited weights as evaluations: one supernet, trained once whatever happens, and what its members are worth."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import cost, lower
from app.experiment import (
    DiscreteSearchRequest,
    InheritedEvaluator,
    Pressure,
    SearchRecipe,
    SoughtMetric,
    SpaceVersion,
    recipe_digest,
)
from app.space import EdgeCellSkeleton, ImageInput, space_to_json
from app.space.zoo import ZOO
from workers.data import load
from workers.evaluators.inherited import Inherited
from workers.evaluators.supernet import PHASE, fewer
from workers.inheritance import one_hot
from workers.network import Network
from workers.progress import Stopped
from workers.session import RequestError
from workers.strategies.discrete import Proposal
from workers.training import checkpoint, evaluate, recalibrate

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = ZOO["nasbench201"]
SKELETON = EdgeCellSkeleton(channels=4, num_cells=1)
IMAGE = ImageInput(channels=1, height=8, width=8)
RECIPE = SearchRecipe(
    name="test", epochs=2, batch_size=128, learning_rate=0.1, crop_padding=1, flip=False, deterministic=True
)
REQUEST = DiscreteSearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="random",
    parameters={},
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=InheritedEvaluator(dataset="digits", recipe=RECIPE, skeleton=SKELETON),
    budget=4,
    skeleton=SKELETON,
    image=IMAGE,
    seed=3,
    device="cpu",
)
MEMBERS = (Proposal(13_835), Proposal(6_311), Proposal(14_177))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which limits the jobs' threads too
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def evaluator(progress: Any, request: DiscreteSearchRequest = REQUEST) -> Inherited:
    return Inherited(request, SPACE, progress)


def test_members_are_worth_what_the_supernet_is_at_their_decisions(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    inherited = evaluator(progress)
    found = inherited.measure(1, MEMBERS)
    assert [name for name, _ in progress.order] == [PHASE] * RECIPE.epochs

    images = load("digits")
    big = Network(lower(SPACE.grammar, SKELETON, IMAGE))
    tensors, _ = checkpoint.load(progress.kept["supernet"])
    checkpoint.restore_module(big, checkpoint.part("model/", tensors))
    feed = inherited.supernet.feed
    for proposal, reading in zip(MEMBERS, found, strict=True):
        weights = one_hot(big.graph, SPACE.plan.read(SPACE.plan.unrank(proposal.rank)))

        def forward(x: torch.Tensor, weights: Any = weights) -> Any:
            return big(x, weights)

        recalibrate(big, forward, islice(feed.plain(128), 16))
        tally = evaluate(big, forward, images, "selection", feed.normalisation, torch.device("cpu"))
        assert reading.values is not None
        assert reading.values["accuracy"] == pytest.approx(tally.accuracy)
        assert reading.values["loss"] == pytest.approx(tally.mean_loss, rel=1e-5)
        assert (reading.several, reading.deviations, reading.job, reading.failure) == (1, None, None, None)
    assert len({reading.values["loss"] for reading in found if reading.values}) == 3, "members differ"
    again = inherited.measure(4, [MEMBERS[2], MEMBERS[0]])
    assert [r.values for r in again] == [found[2].values, found[0].values], "whatever was measured before"


@pytest.mark.parametrize("kill_after", [3, 5, 10])
def test_a_supernet_whose_training_was_killed_is_the_same(
    memory_progress: Memory, tmp_path: Path, kill_after: int
) -> None:
    whole = memory_progress(tmp_path / "whole")
    expected = evaluator(whole).measure(1, MEMBERS)
    first = memory_progress(tmp_path / "first", kill_after=kill_after)
    with pytest.raises(memory_progress.killed):
        evaluator(first).measure(1, MEMBERS)
    second = first.next_attempt(tmp_path / "first")
    assert [r.values for r in evaluator(second).measure(1, MEMBERS)] == [r.values for r in expected]
    here, there = (checkpoint.load(p.kept["supernet"])[0] for p in (whole, second))
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_a_supernet_that_is_drained_goes_on_between_two_steps(memory_progress: Memory, tmp_path: Path) -> None:
    expected = evaluator(memory_progress(tmp_path / "whole")).measure(1, MEMBERS)
    first = memory_progress(tmp_path / "first", stop_after=3, reason="drain")
    with pytest.raises(Stopped) as stopped:
        evaluator(first).measure(1, MEMBERS)
    assert stopped.value.reason == "drain"
    assert first.last is not None
    assert (first.last.phase, first.last.epoch) == (PHASE, 0)
    second = first.next_attempt(tmp_path / "first")
    assert [r.values for r in evaluator(second).measure(1, MEMBERS)] == [r.values for r in expected]


def test_a_later_attempt_takes_the_supernet_that_was_kept(memory_progress: Memory, tmp_path: Path) -> None:
    first = memory_progress(tmp_path / "first")
    before = evaluator(first)
    found = before.measure(1, MEMBERS)
    second = first.next_attempt(tmp_path / "first", kill_after=1)  # a step of training would be its end
    after = evaluator(second)
    after.restore(before.state())
    assert [r.values for r in after.measure(1, MEMBERS[1:])] == [r.values for r in found[1:]]
    assert [e.genotype for e in after.evaluations()] == [SPACE.plan.unrank(MEMBERS[i].rank) for i in (0, 1, 2, 1, 2)]
    third = first.next_attempt(tmp_path / "first")
    third.kept.clear()
    with pytest.raises(RequestError, match="is not there as it was kept"):
        evaluator(third).restore(before.state())


def test_a_fidelity_is_a_number_of_the_same_images(memory_progress: Memory, tmp_path: Path) -> None:
    inherited = evaluator(memory_progress(tmp_path))
    few, more, all_of_them = inherited.measure(1, [Proposal(5, 20), Proposal(5, 60), Proposal(5, 10_000)])
    for reading, number in ((few, 20), (more, 60), (all_of_them, 177)):
        assert reading.values is not None
        hits = reading.values["accuracy"] * number / 100
        assert hits == pytest.approx(round(hits), abs=1e-9)
    assert all_of_them.values == inherited.measure(4, [Proposal(5)])[0].values
    rows = inherited.evaluations()
    assert len(rows) == 2, "what was judged on a part of the split is no result of the split"
    images = load("digits")
    chosen = [set(fewer(images, n, 3).indices["selection"].tolist()) for n in (20, 60, 177)]
    assert [len(c) for c in chosen] == [20, 60, 177]
    assert chosen[0] < chosen[1] < chosen[2] == set(images.indices["selection"].tolist())


def test_rows_for_the_catalogue_say_what_was_measured(memory_progress: Memory, tmp_path: Path) -> None:
    inherited = evaluator(memory_progress(tmp_path))
    (reading,) = inherited.measure(1, [Proposal(12_345)])
    (row,) = inherited.evaluations()
    price = cost(lower(SPACE.grammar, SKELETON, IMAGE, SPACE.plan.read(SPACE.plan.unrank(12_345))))
    assert (row.kind, row.dataset, row.split, row.seed) == ("inherited", "digits", "selection", 3)
    assert row.recipe == replace(RECIPE, strategy="single_path")
    assert recipe_digest(row.recipe) != recipe_digest(RECIPE), "no result of a search by DARTS"
    assert (row.skeleton, row.params, row.macs) == (SKELETON, price.params, price.macs)
    assert row.metrics == {**(reading.values or {}), "images": 177.0}
    assert inherited.gpu_hours() == 0.0
    assert inherited.provenance() == {"device": row.device, "torch_version": torch.__version__}
    assert inherited.judged_by() == {
        "dataset": "digits",
        "split": "selection",
        "images": 177,
        "recipe": "test",
        "recipe_digest": recipe_digest(row.recipe),
        "paths": "one uniformly drawn member a step",
    }


def test_what_cannot_be_trained_so_is_refused_before_anything_is(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    pressed = replace(RECIPE, pressure=Pressure(cost="macs", strength=0.1))
    for asked, why in (
        (InheritedEvaluator(dataset="digits", recipe=pressed, skeleton=SKELETON), "members that are drawn cannot heed"),
        (InheritedEvaluator(dataset="digits", recipe=RECIPE, skeleton=replace(SKELETON, num_classes=7)), "7 classes"),
    ):
        with pytest.raises(RequestError, match=why):
            evaluator(progress, replace(REQUEST, evaluator=asked))
