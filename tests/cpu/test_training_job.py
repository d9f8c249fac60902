"""Training jobs from end to end."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import cost, lower
from app.experiment import DATASETS, SpaceVersion, TrainingRecipe, TrainingRequest
from app.space import CellSkeleton, InvalidGenotype, space_to_json
from app.space.zoo import darts
from workers import train
from workers.progress import Stopped
from workers.training import checkpoint

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect", "max_pool_3x3"))
EDGES = [{"input": 1, "op": "skip_connect"}, {"input": 0, "op": "sep_conv_3x3"}]
REQUEST = TrainingRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotype={"normal": {"node2": EDGES}, "reduce": {"node2": EDGES}},
    skeleton=CellSkeleton(channels=4, num_cells=3),
    dataset="digits",
    recipe=TrainingRecipe(
        name="test", epochs=2, batch_size=280, learning_rate=0.1, cutout=2, crop_padding=1, deterministic=True
    ),
    device="cpu",
)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as many as torch has now


def test_a_training_tells_everything(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    outcome = train.run(REQUEST, progress)
    assert progress.order == [("train", 1), ("train", 2)]
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    # the genotype's one written order, whatever was asked
    assert [edge["input"] for edge in result["genotype"]["normal"]["node2"]] == [0, 1]
    assert result["code_version"] == "test"
    assert result["torch_version"] == torch.__version__
    assert [(e.kind, e.split) for e in outcome.evaluations] == [("trained", "selection"), ("trained", "test")]
    decided = SPACE.plan.read(result["genotype"])
    price = cost(lower(SPACE.grammar, REQUEST.skeleton, DATASETS["digits"].input, decided))
    for evaluation in outcome.evaluations:
        assert (evaluation.params, evaluation.macs) == (price.params, price.macs)
        assert evaluation.metrics == result["metrics"][evaluation.split]
        assert evaluation.weights == result["weights"] == "trained"
        assert evaluation.recipe == REQUEST.recipe
    tensors, record = checkpoint.load(progress.kept["trained"])
    assert sum(t.numel() for n, t in tensors.items() if "running" not in n) == price.params
    assert record["dataset"] == "digits"


# Questions: 2 epochs of 4 steps.
@pytest.mark.parametrize("kill_after", [1, 4, 5, 8])
def test_a_killed_training_ends_with_the_same_bits(memory_progress: Memory, tmp_path: Path, kill_after: int) -> None:
    whole = memory_progress(tmp_path / "whole")
    expected = train.run(REQUEST, whole)
    assert whole.questions == 8
    first = memory_progress(tmp_path / "first", kill_after=kill_after)
    with pytest.raises(memory_progress.killed):
        train.run(REQUEST, first)
    second = first.next_attempt(tmp_path / "second")
    outcome = train.run(REQUEST, second)
    assert [e.metrics for e in outcome.evaluations] == [e.metrics for e in expected.evaluations]
    assert second.epochs == whole.epochs
    here, there = (checkpoint.load(p.kept["trained"])[0] for p in (whole, second))
    assert all(torch.equal(tensor, there[name]) for name, tensor in here.items())
    assert outcome.result["seconds"] > 0  # pyright: ignore[reportOperatorIssue]


def test_a_training_stops_when_asked(memory_progress: Memory, tmp_path: Path) -> None:
    with pytest.raises(Stopped) as stopped:
        train.run(REQUEST, memory_progress(tmp_path / "cancel", stop_after=3))
    assert stopped.value.reason == "cancel"
    assert stopped.value.best is not None
    assert stopped.value.best.result["stopped_in"] == "train"
    drained = memory_progress(tmp_path / "drain", stop_after=6, reason="drain")
    with pytest.raises(Stopped):
        train.run(REQUEST, drained)
    after = drained.next_attempt(tmp_path / "after")
    train.run(REQUEST, after)
    assert drained.questions + after.questions == 8


def test_an_invalid_genotype_is_refused_with_its_faults(memory_progress: Memory, tmp_path: Path) -> None:
    wrong = {"normal": {"node2": EDGES}, "reduce": {"node2": EDGES[:1]}}
    with pytest.raises(InvalidGenotype, match="/reduce/node2"):
        train.run(replace(REQUEST, genotype=wrong), memory_progress(tmp_path))


def test_bfloat16_on_a_cpu_says_what_it_did(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    train.run(replace(REQUEST, recipe=replace(REQUEST.recipe, epochs=1, precision="bfloat16")), progress)
    assert progress.notes == ["bfloat16 is not native on cpu: computing in float32"]
