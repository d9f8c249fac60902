"""Transfer jobs from end to end: both places, the report, resumption to the bit, stopping."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import cost, lower
from app.experiment import DATASETS, JobResult, Place, SpaceVersion, TrainingRecipe, TransferRequest
from app.experiment.ranks import kendall, regret
from app.space import EdgeCellSkeleton, InvalidGenotype, space_to_json
from app.space.zoo import nasbench201
from workers import transfer
from workers.progress import Stopped
from workers.session import RequestError
from workers.training import checkpoint

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = nasbench201()
RECIPE = TrainingRecipe(
    name="test",
    epochs=2,
    batch_size=560,
    learning_rate=0.1,
    drop_path=0.0,
    cutout=0,
    crop_padding=1,
    deterministic=True,
)
SOURCE = Place(dataset="digits", skeleton=EdgeCellSkeleton(channels=4, num_cells=1), recipe=RECIPE)
TARGET = Place(
    dataset="digits", skeleton=EdgeCellSkeleton(channels=6, num_cells=1), recipe=replace(RECIPE, epochs=1, flip=False)
)
REQUEST = TransferRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotypes=tuple(SPACE.plan.unrank(i) for i in (3, 7000, 12_345)),
    origins=("given", "search", "sampled"),
    source=SOURCE,
    target=TARGET,
    device="cpu",
)
STEPS = 2 * 2 + 2  # of an architecture: two epochs of two steps there, one here


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def comparable(outcome: JobResult) -> dict[str, Any]:
    """A result without what depends on the clock."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in ("seconds", "gpu_hours")}
        return [timeless(v) for v in value] if isinstance(value, list | tuple) else value

    return timeless(asdict(outcome))


@pytest.fixture(scope="module")
def whole(memory_progress: Memory, tmp_path_factory: pytest.TempPathFactory) -> tuple[JobResult, Any]:
    """An uninterrupted transfer that keeps its weights."""
    progress = memory_progress(tmp_path_factory.mktemp("whole"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_CODE_VERSION", "test")
        patch.setenv("OMP_NUM_THREADS", "1")
        return transfer.run(replace(REQUEST, keep_weights=True), progress), progress


def test_a_transfer_tells_everything(whole: tuple[JobResult, Any]) -> None:
    outcome, progress = whole
    assert progress.order == [
        found for i in range(3) for found in ((f"source-{i}", 1), (f"source-{i}", 2), (f"target-{i}", 1))
    ]
    assert [progress.epochs[f"{side}-{i}", 1]["trainings_done"] for i in range(3) for side in transfer.SIDES] == [
        0.0, 1.0, 2.0, 3.0, 4.0, 5.0
    ]  # fmt: skip
    report = json.loads(json.dumps(outcome.result, allow_nan=False))["report"]
    assert [row["index"] for row in report["rows"]] == ["3", "7000", "12345"]
    assert [row["origin"] for row in report["rows"]] == ["given", "search", "sampled"]
    for row in report["rows"]:
        for side, place in (("source", SOURCE), ("target", TARGET)):
            decided = SPACE.plan.read(row["genotype"])
            price = cost(lower(SPACE.grammar, place.skeleton, DATASETS["digits"].input, decided))
            assert (row[side]["params"], row[side]["macs"]) == (price.params, price.macs)
            assert {s: a["images"] for s, a in row[side]["accuracy"].items()} == {"selection": 177, "test": 500}
    source = [row["source"]["accuracy"]["selection"]["percent"] for row in report["rows"]]
    target = [row["target"]["accuracy"]["test"]["percent"] for row in report["rows"]]
    assert report["accuracy"]["kendall"]["coefficient"] == kendall(source, target)
    assert report["accuracy"]["kendall"]["n"] == 3
    assert report["regret"] == regret(source, target)
    assert {b["predictor"] for b in report["baselines"]} == {"target params", "target macs"}
    assert [top["k"] for top in report["tops"]] == [1]
    assert any("seed" in limit for limit in report["limits"])
    assert any("few" in limit for limit in report["limits"])


def test_everything_measured_is_an_evaluation_of_its_place(whole: tuple[JobResult, Any]) -> None:
    outcome, progress = whole
    rows = outcome.result["report"]["rows"]  # pyright: ignore[reportIndexIssue]
    assert len(outcome.evaluations) == 3 * 2 * 2
    for n, evaluation in enumerate(outcome.evaluations):
        side, i, split = ("source", "target")[n // 6], n % 6 // 2, ("selection", "test")[n % 2]
        place = SOURCE if side == "source" else TARGET
        assert (evaluation.kind, evaluation.split, evaluation.weights) == ("trained", split, f"{side}-{i}")
        assert (evaluation.skeleton, evaluation.recipe) == (place.skeleton, place.recipe)
        assert evaluation.metrics["accuracy"] == rows[i][side]["accuracy"][split]["percent"]
        assert evaluation.seconds > 0
    assert set(progress.kept) == {f"{side}-{i}" for side in transfer.SIDES for i in range(3)}


# Questions: of each architecture two epochs of two steps, then one.
@pytest.mark.parametrize("kill_after", [4, 11, *[pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 6, 18)]])
def test_a_killed_transfer_ends_with_the_same_bits(
    memory_progress: Memory, tmp_path: Path, kill_after: int, whole: tuple[JobResult, Any]
) -> None:
    expected, before = whole
    assert before.questions == 3 * STEPS
    request = replace(REQUEST, keep_weights=True)
    first = memory_progress(tmp_path / "first", kill_after=kill_after)
    with pytest.raises(memory_progress.killed):
        transfer.run(request, first)
    second = first.next_attempt(tmp_path / "second")
    assert comparable(transfer.run(request, second)) == comparable(expected)
    assert second.epochs == before.epochs
    assert kill_after + second.questions <= 3 * STEPS + 2, "an epoch is lost at most"
    for name, file in before.kept.items():
        here, there = (checkpoint.load(f)[0] for f in (file, second.kept[name]))
        assert all(torch.equal(tensor, there[key]) for key, tensor in here.items())


def test_a_drained_transfer_repeats_no_step(
    memory_progress: Memory, tmp_path: Path, whole: tuple[JobResult, Any]
) -> None:
    request = replace(REQUEST, keep_weights=True)
    first = memory_progress(tmp_path / "first", stop_after=9, reason="drain")
    with pytest.raises(Stopped, match="drain"):
        transfer.run(request, first)
    second = first.next_attempt(tmp_path / "second")
    assert comparable(transfer.run(request, second)) == comparable(whole[0])
    assert first.questions + second.questions == 3 * STEPS


def test_a_cancelled_transfer_keeps_the_pairs_so_far(
    memory_progress: Memory, tmp_path: Path, whole: tuple[JobResult, Any]
) -> None:
    with pytest.raises(Stopped) as stopped:
        transfer.run(REQUEST, memory_progress(tmp_path / "late", stop_after=2 * STEPS + 5))
    best = stopped.value.best
    assert best is not None
    assert best.result["stopped_in"] == "target-2"
    report: Any = best.result["report"]
    complete: Any = comparable(whole[0])["result"]["report"]
    assert [row["index"] for row in report["rows"]] == ["3", "7000"]
    for here, there in zip(report["rows"], complete["rows"], strict=False):
        assert here["target"]["accuracy"] == there["target"]["accuracy"]
    assert len(best.evaluations) == 10  # the third architecture was measured on the source too
    assert all(e.weights is None for e in best.evaluations), "weights are kept where this is asked for"
    with pytest.raises(Stopped) as early:
        transfer.run(REQUEST, memory_progress(tmp_path / "early", stop_after=STEPS + 1))
    assert early.value.best is not None
    assert early.value.best.result["report"] is None, "one pair has no order"
    assert len(early.value.best.evaluations) == 4


def test_what_does_not_fit_is_refused_before_any_training(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    wrong = replace(REQUEST, target=replace(TARGET, skeleton=replace(TARGET.skeleton, num_classes=7)))
    with pytest.raises(RequestError, match="7 classes, digits has 10"):
        transfer.run(wrong, progress)
    with pytest.raises(InvalidGenotype):
        transfer.run(replace(REQUEST, genotypes=({},) * 3), progress)
    assert progress.questions == 0
