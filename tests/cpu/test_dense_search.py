"""Searches and trainings of networks that answer with maps, from end to end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from app.experiment import (
    DATASETS,
    DiscreteSearchRequest,
    InheritedEvaluator,
    SearchRecipe,
    SearchRequest,
    SoughtMetric,
    SpaceVersion,
    TrainingRecipe,
)
from app.space import FpnSkeleton, HeadSkeleton, SearchSpace, Skeleton, TrellisSkeleton, space_to_json
from app.space.zoo import autodeeplab, detection_head, nas_fpn
from workers import search
from workers.evaluators.inherited import Inherited
from workers.strategies.discrete import Proposal

Memory = Any  # the class of tests/cpu/conftest.py

RECIPE = SearchRecipe(
    name="test",
    epochs=1,
    batch_size=240,
    learning_rate=0.1,
    alpha_learning_rate=0.05,
    crop_padding=2,
    flip=True,
    deterministic=True,
)
RETRAIN = TrainingRecipe(
    name="test",
    epochs=1,
    batch_size=320,
    learning_rate=0.1,
    drop_path=0.0,
    cutout=0,
    crop_padding=2,
    flip=False,
    deterministic=True,
)
SPACES: dict[str, tuple[SearchSpace, Skeleton, str, str]] = {
    "autodeeplab": (
        autodeeplab(2, (4, 8), num_blocks=2, operations=("none", "skip_connect", "sep_conv_3x3")),
        TrellisSkeleton(channels=2, stem_channels=4, head_channels=4, rate=8, affine=False, num_classes=11),
        "digit_scenes",
        "miou",
    ),
    "nas_fpn": (
        nas_fpn(3, (3, 4)),
        FpnSkeleton(backbone_channels=4, channels=4, head_depth=0, num_anchors=2, affine=False, num_classes=10),
        "digit_boxes",
        "ap50",
    ),
    "detection_head": (
        detection_head((3, 4), (1, 2), operations=("conv_3x3", "sep_conv_3x3"), links=("none", "conv_3x3")),
        HeadSkeleton(backbone_channels=4, channels=4, num_anchors=1, affine=False, num_classes=10),
        "digit_boxes",
        "ap50",
    ),
}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def request(name: str, strategy: str = "darts") -> SearchRequest:
    space, skeleton, dataset, _ = SPACES[name]
    return SearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy=strategy,  # pyright: ignore[reportArgumentType]
        discretisation="argmax",
        skeleton=skeleton,
        dataset=dataset,
        recipe=RECIPE,
        retrain_skeleton=skeleton,
        retrain_recipe=RETRAIN,
        baseline=False,
        device="cpu",
    )


@pytest.mark.parametrize("name", SPACES)
def test_a_search_tells_what_its_task_measures(name: str, memory_progress: Memory, tmp_path: Path) -> None:
    space, _, dataset, measure = SPACES[name]
    progress = memory_progress(tmp_path)
    outcome = search.run(request(name), progress)
    assert progress.order == [("search", 1), ("calibrate", 1), ("retrain", 1)]
    found = progress.epochs["search", 1]
    assert {"weights_loss", "architecture_loss", "weights_accuracy", "architecture_accuracy"} <= found.keys()
    report: Any = outcome.result["report"]
    assert space.plan.check(report["genotype"]) == ()
    trained = {e.split: e for e in outcome.evaluations if e.kind == "trained"}
    assert set(trained) == {"selection", "test"}
    for split, images in DATASETS[dataset].splits.items():
        if split not in trained:
            continue
        evaluation = trained[split]
        assert evaluation.metrics["images"] == images
        assert {"accuracy", "loss", measure} <= evaluation.metrics.keys()
        assert all(0 <= evaluation.metrics[key] <= 100 for key in ("accuracy", measure))
        assert report["retrained"][split]["percent"] == evaluation.metrics["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["darts_second_order", "snas", "gdas", "drnas", "enas"])
@pytest.mark.parametrize("name", SPACES)
def test_every_relaxation_runs_on_networks_that_answer_with_maps(
    name: str, strategy: str, memory_progress: Memory, tmp_path: Path
) -> None:
    space, _, _, measure = SPACES[name]
    outcome = search.run(request(name, strategy), memory_progress(tmp_path))
    assert space.plan.check(outcome.result["genotype"]) == ()
    assert all(measure in e.metrics for e in outcome.evaluations if e.kind == "trained")


@pytest.mark.slow
def test_a_search_that_is_killed_and_resumed_finds_the_same(memory_progress: Memory, tmp_path: Path) -> None:
    whole = search.run(request("nas_fpn"), memory_progress(tmp_path / "whole"))
    first = memory_progress(tmp_path / "first", kill_after=4)
    with pytest.raises(memory_progress.killed):
        search.run(request("nas_fpn"), first)
    assert ("retrain", 1) not in first.order
    again = search.run(request("nas_fpn"), first.next_attempt(tmp_path / "second"))
    assert again.result["genotype"] == whole.result["genotype"]
    assert [e.metrics for e in again.evaluations] == [e.metrics for e in whole.evaluations]


@pytest.mark.slow
@pytest.mark.parametrize("paths", ["uniform", "sandwich"])
@pytest.mark.parametrize("name", SPACES)
def test_members_share_the_weights_of_a_supernet(
    name: str, paths: Literal["uniform", "sandwich"], memory_progress: Memory, tmp_path: Path
) -> None:
    space, skeleton, dataset, _ = SPACES[name]
    asked = DiscreteSearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy="random",
        parameters={},
        objectives=(SoughtMetric(metric="accuracy"),),
        evaluator=InheritedEvaluator(dataset=dataset, recipe=RECIPE, skeleton=skeleton, paths=paths),
        budget=2,
        skeleton=skeleton,
        image=DATASETS[dataset].input,
        device="cpu",
    )
    inherited = Inherited(asked, space, memory_progress(tmp_path))
    ranks = [Proposal(rank) for rank in (0, space.plan.size // 2)]
    for reading in inherited.measure(1, ranks):
        assert reading.values is not None
        assert 0 <= reading.values["accuracy"] <= 100
        assert reading.values["loss"] > 0
