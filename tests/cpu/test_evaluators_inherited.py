"""Inherited weights as evaluations: one supernet, trained once whatever happens, and what its members are worth."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import torch

from app.architecture import cost, lower
from app.experiment import (
    TRAINING_RECIPES,
    DiscreteSearchRequest,
    InheritedEvaluator,
    Pressure,
    SearchRecipe,
    SharingCheck,
    SoughtMetric,
    SpaceVersion,
    recipe_digest,
)
from app.space import EdgeCellSkeleton, ImageInput, space_from_json, space_to_json
from app.space.zoo import ZOO
from workers.data import load
from workers.evaluators.inherited import Inherited
from workers.evaluators.judged import Judged
from workers.evaluators.sharing import sample, sharing
from workers.evaluators.supernet import PHASE, fewer
from workers.fenced import ARTEFACT_NAME
from workers.inheritance import one_hot
from workers.network import Network
from workers.progress import ChildRequest, Ended, Stopped, Waiting
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
    earlier = evaluator(first.next_attempt(tmp_path / "first"))
    judged = [["13835", 50.0, 1.5, 0.25]]  # as an earlier version has it
    earlier.restore({"trained": True, "spent": 0.25, "judged": judged})
    (row,) = earlier.evaluations()
    assert (row.metrics, row.seconds) == ({"accuracy": 50.0, "loss": 1.5, "images": 177.0}, 0.25)
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


def test_a_sandwich_trains_other_weights_and_says_so(memory_progress: Memory, tmp_path: Path) -> None:
    asked = replace(REQUEST, evaluator=replace(REQUEST.evaluator, paths="sandwich"))
    whole = memory_progress(tmp_path / "whole")
    sandwich = evaluator(whole, asked)
    found = sandwich.measure(1, MEMBERS)
    tensors, _ = checkpoint.load(whole.kept["supernet"])
    steps = RECIPE.epochs * sandwich.supernet.feed.steps
    assert int(tensors["strategy/drawn between"]) == 2 * steps, "two between the extremes in every step"
    uniform = evaluator(memory_progress(tmp_path / "uniform"))
    assert [r.values for r in uniform.measure(1, MEMBERS)] != [r.values for r in found]
    (row, *_) = sandwich.evaluations()
    assert row.recipe == replace(RECIPE, strategy="sandwich")
    said, other = sandwich.judged_by(), uniform.judged_by()
    assert said["recipe_digest"] == recipe_digest(row.recipe) != other["recipe_digest"]
    assert said["paths"] != other["paths"]

    first = memory_progress(tmp_path / "first", kill_after=steps // 2 + 2)
    with pytest.raises(memory_progress.killed):
        evaluator(first, asked).measure(1, MEMBERS)
    second = first.next_attempt(tmp_path / "first")
    assert [r.values for r in evaluator(second, asked).measure(1, MEMBERS)] == [r.values for r in found]


class Fanned:
    """A `Progress` that has children too: they wait, or end as they are told to."""

    def __init__(self, progress: Memory, ends: Callable[[str, ChildRequest], Ended] | None = None) -> None:
        self.progress, self.ends = progress, ends
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.progress, name)

    def children(self, asked: Mapping[str, ChildRequest]) -> Mapping[str, Ended]:
        self.asked += asked
        if self.ends is None:
            raise Waiting("none is final")
        return {name: self.ends(name, child) for name, child in asked.items()}


def ended(job_id: UUID, result: Any = None, **how: Any) -> Ended:
    rest: dict[str, Any] = {"state": "succeeded", "error": None, "evaluations": (), "gpu_seconds": 36.0} | how
    return Ended(job_id=job_id, result=result, **rest)


def divided(children: int, check: SharingCheck | None = None) -> DiscreteSearchRequest:
    return replace(REQUEST, evaluator=replace(REQUEST.evaluator, children=children, check=check))


def told(child: ChildRequest) -> list[dict[str, Any]]:
    """What a child may say of its members: an accuracy that tells which of them it is."""
    return [
        Judged(
            rank=int(one.index),
            fidelity=one.fidelity,
            values={"accuracy": float(one.index), "loss": 1.0},
            failure=None,
            whole=one.fidelity is None,
            seconds=0.1,
        ).document()
        for one in child.request.members
    ]


def test_another_attempt_asks_for_the_same_children(memory_progress: Memory, tmp_path: Path) -> None:
    first = Fanned(memory_progress(tmp_path / "first"))
    with pytest.raises(Waiting):
        evaluator(first, divided(2)).measure(9, MEMBERS)
    second = Fanned(first.progress.next_attempt(tmp_path / "first"))
    with pytest.raises(Waiting):
        evaluator(second, divided(2)).measure(9, MEMBERS)
    assert second.asked == first.asked
    assert [name[:-8] for name in first.asked] == ["judging-9-0-", "judging-9-1-"]
    assert all(ARTEFACT_NAME.fullmatch(name) for name in first.asked)
    third = Fanned(first.progress.next_attempt(tmp_path / "first"))
    file = third.kept["supernet"] = tmp_path / "other"
    tensors, record = checkpoint.load(first.progress.kept["supernet"])
    checkpoint.save(file, tensors, {**record, "seconds": 1.5})
    with pytest.raises(Waiting):
        evaluator(third, divided(2)).measure(9, MEMBERS)
    assert not {*third.asked} & {*first.asked}, "another supernet is judged anew"


def test_a_child_without_a_result_fails_its_members_and_no_others(memory_progress: Memory, tmp_path: Path) -> None:
    jobs = [UUID(int=i) for i in (1, 2)]

    def ends(name: str, child: ChildRequest) -> Ended:
        if name.startswith("judging-1-0"):
            return ended(jobs[0], state="failed", error={"detail": "OutOfMemory: 3 GB"})
        return ended(jobs[1], {"members": told(child), "device": "a GPU", "torch_version": "2"})

    inherited = evaluator(Fanned(memory_progress(tmp_path), ends), divided(2))
    lost, *found = inherited.measure(1, MEMBERS)
    assert (lost.values, lost.failure) == (None, "the judging failed: OutOfMemory: 3 GB")
    assert [(r.values or {})["accuracy"] for r in found] == [6_311.0, 14_177.0]
    assert [r.job for r in (lost, *found)] == [str(jobs[0]), str(jobs[1]), str(jobs[1])]
    assert (inherited.evaluations(), inherited.gpu_hours()) == ((), pytest.approx(0.02))
    device = str(inherited.provenance()["device"])
    assert device == f"{inherited.session.device_name}, a GPU"
    later = evaluator(Fanned(inherited.session.progress.next_attempt(tmp_path / "later")), divided(2))
    later.restore(inherited.state())
    assert (later.gpu_hours(), later.provenance()) == (inherited.gpu_hours(), inherited.provenance())


def test_more_children_than_members_are_as_many_as_members(memory_progress: Memory, tmp_path: Path) -> None:
    progress = Fanned(memory_progress(tmp_path), lambda name, child: ended(UUID(int=0), {"members": told(child)}))
    readings = evaluator(progress, divided(64)).measure(1, MEMBERS)
    assert [(r.values or {})["accuracy"] for r in readings] == [float(one.rank) for one in MEMBERS]
    assert len(progress.asked) == 3


def test_what_weights_are_worth_is_told_of_members_that_were_measured_both_ways(
    memory_progress: Memory, tmp_path: Path
) -> None:
    class Measured:
        split = "selection"

        def __init__(self, accuracy: float) -> None:
            self.metrics = {"accuracy": accuracy}

    drawn: list[int] = []

    def ends(name: str, child: ChildRequest) -> Ended:
        if child.kind == "judging":
            return ended(UUID(int=0), {"members": told(child)})
        rank, seed = SPACE.plan.rank(child.request.genotype), child.request.seed
        if rank not in drawn:
            drawn.append(rank)
        if (len(drawn), seed) == (5, 8):
            return ended(UUID(int=rank), state="cancelled")
        # as the inherited weights have it, but for the first, which is worst; seeds differ by 2
        accuracy = -1.0 if len(drawn) == 1 else float(rank)
        return ended(UUID(int=rank), evaluations=(Measured(accuracy + (1 if seed else -1)),))

    check = SharingCheck(members=12, recipe=TRAINING_RECIPES["digits-quick"], seeds=(0, 8))
    inherited = evaluator(Fanned(memory_progress(tmp_path), ends), divided(3, check))
    report = sharing(inherited)
    assert report is not None
    assert [int(one.index) for one in report.pairs] == [rank for rank in drawn if rank != drawn[4]]
    assert report.notes == (f"member {drawn[4]} is left out: a training was cancelled",)
    assert [one.standalone for one in report.pairs] == [-1.0, *map(float, (*drawn[1:4], *drawn[5:]))]
    assert [one.deviation for one in report.pairs] == pytest.approx([2 / 2**0.5] * 11)
    # Eleven in one order but the first, which is moved beneath all: those that were below it each by one place.
    below = sum(rank < drawn[0] for rank in drawn if rank != drawn[4])
    assert below, "this seed's first is not the least, or nothing would be told"
    assert report.spearman.coefficient == pytest.approx(1 - 6 * (below**2 + below) / (11 * (11 * 11 - 1)))
    assert report.kendall.coefficient == pytest.approx(1 - 2 * below / 55)
    assert inherited.gpu_hours() == pytest.approx((3 + 24) * 36 / 3600)
    assert sharing(evaluator(memory_progress(tmp_path / "unasked"))) is None


def test_a_sample_is_uniform_without_any_member_twice() -> None:
    found = sample(SPACE, 300, 7)
    assert len(set(found)) == 300
    assert sample(SPACE, 300, 7) == found != sample(SPACE, 300, 8)
    small = space_from_json(
        {
            "name": "six",
            "grammar": {"start": "a", "rules": {"a": {"record": "x", "fields": {"y": {"choice": [1, 2, 3, 4, 5, 6]}}}}},
            "skeletons": {"one": {"family": "edge_cells"}},
        }
    )
    assert sorted(sample(small, 50, 1)) == list(range(6)), "there are no more"
    firsts = [sample(small, 1, seed)[0] for seed in range(600)]
    counts = [firsts.count(i) for i in range(6)]
    assert sum((count - 100) ** 2 / 100 for count in counts) < 20.5, "chi-squared of 5: one seed in a thousand is above"


def test_what_cannot_be_trained_so_is_refused_before_anything_is(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    pressed = replace(RECIPE, pressure=Pressure(cost="macs", strength=0.1))
    for asked, why in (
        (InheritedEvaluator(dataset="digits", recipe=pressed, skeleton=SKELETON), "members that are drawn cannot heed"),
        (InheritedEvaluator(dataset="digits", recipe=RECIPE, skeleton=replace(SKELETON, num_classes=7)), "7 classes"),
    ):
        with pytest.raises(RequestError, match=why):
            evaluator(progress, replace(REQUEST, evaluator=asked))
