"""A killed training that goes on from its checkpoint ends with the same bits as one that was left alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from app.architecture import lower
from app.experiment import DATASETS, TrainingRecipe
from app.space import CellSkeleton
from app.space.zoo import darts
from workers.data import load
from workers.network import Network
from workers.training import CheckpointError, Trainer, checkpoint, drive, evaluate
from workers.training.determinism import deterministic, seeded

CPU = torch.device("cpu")
RECIPE = TrainingRecipe(
    name="test",
    epochs=3,
    batch_size=320,
    learning_rate=0.1,
    warmup_epochs=1,
    drop_path=0.3,
    cutout=2,
    crop_padding=1,
    label_smoothing=0.1,
    deterministic=True,
)


class TwoHeads(nn.Module):
    """Logits, and an auxiliary head's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.branch = nn.Conv2d(8, 8, 3, padding=1)
        self.heads = nn.ModuleList([nn.Linear(8 * 16, 10), nn.Linear(8, 10)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        x = x + self.branch(x)
        return self.heads[0](nn.functional.avg_pool2d(x, 2).flatten(1)), self.heads[1](x.mean((2, 3)))


def discrete_cell() -> nn.Module:
    """A small network of DARTS cells, where drop path has something to drop."""
    space = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect", "max_pool_3x3"))
    edges = [{"input": 0, "op": "sep_conv_3x3"}, {"input": 1, "op": "skip_connect"}]
    decided = space.plan.read({"normal": {"node2": edges}, "reduce": {"node2": edges}})
    return Network(lower(space.grammar, CellSkeleton(channels=4, num_cells=3), DATASETS["digits"].input, decided))


def trainer(seed: int = 0, recipe: TrainingRecipe = RECIPE, network: Callable[[], nn.Module] = TwoHeads) -> Trainer:
    with seeded(seed, "network"):
        made = network()
    return Trainer(made, recipe, load("digits"), seed=seed, device=CPU)


def final_state(fit: Trainer) -> dict[str, Tensor]:
    while fit.epoch < fit.epochs:
        fit.advance()
    return fit.state()[0]


@pytest.mark.parametrize("network", [TwoHeads, discrete_cell])
@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_resume_is_exact_to_the_bit(tmp_path: Path, stop_after: int, network: Callable[[], nn.Module]) -> None:
    with deterministic(True):
        whole = final_state(trainer(network=network))
        first = trainer(network=network)
        assert first.steps == 3
        for _ in range(stop_after):
            first.advance()
        checkpoint.save(tmp_path / "c", *first.state())
        second = trainer(network=network)
        with torch.no_grad():
            for parameter in second.network.parameters():
                parameter.zero_()  # nothing may survive but what the checkpoint holds
        second.restore(*checkpoint.load(tmp_path / "c"))
        assert second.metrics() == first.metrics()
        resumed = final_state(second)
    assert whole.keys() == resumed.keys()
    assert any("momentum_buffer" in name for name in whole)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_the_seed_decides_everything() -> None:
    with deterministic(True):
        one, same, other = (final_state(trainer(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not torch.equal(one["model/branch.weight"], other["model/branch.weight"])


def test_drop_path_follows_the_schedule_and_its_generator() -> None:
    no_path = replace(RECIPE, drop_path=0.0)
    with deterministic(True):
        with_path, without = (final_state(trainer(recipe=r, network=discrete_cell)) for r in (RECIPE, no_path))
        fit = trainer(network=discrete_cell)
        before = fit.drop_path_generator.get_state()
        probabilities = []
        for _ in range(3):
            for _ in range(3):
                fit.advance()
            probabilities.append(fit.network.drop_path)
    assert probabilities == pytest.approx([0.0, 0.1, 0.2])
    assert not torch.equal(before, fit.drop_path_generator.get_state())
    name = "model/parts.head/linear.weight"
    assert not torch.equal(with_path[name], without[name])


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    fit = trainer()
    fit.advance()
    tensors, record = fit.state()
    tensors["model/branch.weight"] = torch.zeros(2)
    with pytest.raises(CheckpointError, match=r"branch\.weight"):
        trainer().restore(tensors, record)


def test_training_learns_digits() -> None:
    fit = trainer(
        recipe=TrainingRecipe(
            name="t", epochs=6, batch_size=64, learning_rate=0.05, drop_path=0.0, cutout=0, crop_padding=0, flip=False
        )
    )
    final_state(fit)
    images = load("digits")
    accuracy = evaluate(fit.network, fit.network, images, "test", fit.feed.normalisation, CPU).accuracy
    assert accuracy > 90.0


@pytest.mark.parametrize("nesterov", [False, True])
def test_two_steps_by_hand(nesterov: bool) -> None:
    """Loss with smoothing and auxiliary head, clipping, SGD with momentum and decay: against plain formulas."""
    recipe = TrainingRecipe(
        name="t", epochs=1, batch_size=560, learning_rate=0.1, drop_path=0.0, cutout=0, crop_padding=0, flip=False,
        label_smoothing=0.1, auxiliary_weight=0.5, gradient_clip=0.01, momentum=0.9, nesterov=nesterov,
        weight_decay=0.02,
    )  # fmt: skip
    fit = trainer(recipe=recipe)
    before = {name: p.detach().clone() for name, p in fit.network.named_parameters()}
    twin = TwoHeads()
    twin.load_state_dict(fit.network.state_dict())
    batches = [fit.feed.batch(0), fit.feed.batch(1)]
    velocity = {name: torch.zeros_like(p) for name, p in before.items()}
    for x, labels in batches:
        logits, auxiliary = twin(x)
        loss = sum(
            weight * nn.functional.cross_entropy(z, labels, label_smoothing=0.1)
            for weight, z in ((1.0, logits), (0.5, auxiliary))
        )
        gradients = torch.autograd.grad(loss, list(twin.parameters()))  # pyright: ignore[reportArgumentType]
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))  # pyright: ignore[reportArgumentType]
        with torch.no_grad():
            for (name, p), g in zip(twin.named_parameters(), gradients, strict=True):
                slope = g * min(1.0, 0.01 / float(norm)) + 0.02 * p
                velocity[name] = 0.9 * velocity[name] + slope
                p -= 0.1 * (slope + 0.9 * velocity[name] if nesterov else velocity[name])
        fit.advance()
    for name, p in fit.network.named_parameters():
        torch.testing.assert_close(p, dict(twin.named_parameters())[name], rtol=1e-4, atol=1e-6)
        assert not torch.equal(p, before[name])


class Log:
    """Remembers what it is told, and asks to stop after so many questions."""

    def __init__(self, folder: Path, stop_after: int = 10**9, reason: Literal["cancel", "drain"] = "drain") -> None:
        self.folder, self.left, self.reason = folder, stop_after, reason
        self.lines: list[tuple[object, ...]] = []

    def report(
        self,
        phase: str,
        epoch: int,
        epochs: int,
        metrics: Mapping[str, float],
        *,
        step: int | None = None,
        steps: int | None = None,
    ) -> None:
        if step is None:
            self.lines.append(("report", phase, epoch, epochs, dict(metrics)))

    def checkpoint(self, phase: str, epoch: int, write: Callable[[Path], None]) -> None:
        write(self.folder / "last")
        self.lines.append(("checkpoint", phase, epoch))

    def should_stop(self) -> Literal["cancel", "drain"] | None:
        self.left -= 1
        return self.reason if self.left <= 0 else None


def test_drive_reports_then_checkpoints_each_epoch(tmp_path: Path) -> None:
    fit, log = trainer(), Log(tmp_path)
    write = checkpoint.save
    assert drive(fit, "train", log, lambda file: write(file, *fit.state()), lambda: {"extra": float(fit.epoch)}) is None
    assert [line[:3] for line in log.lines] == [
        line for e in (1, 2, 3) for line in [("report", "train", e), ("checkpoint", "train", e)]
    ]
    metrics = log.lines[-2][4]
    assert metrics == {**fit.metrics(), "extra": 3.0}
    assert checkpoint.load(tmp_path / "last")[1]["epoch"] == 3


@pytest.mark.parametrize(("reason", "checkpoints"), [("drain", 2), ("cancel", 1)])
def test_drive_stops_after_the_step(tmp_path: Path, reason: Literal["cancel", "drain"], checkpoints: int) -> None:
    fit, log = trainer(), Log(tmp_path, stop_after=4, reason=reason)
    assert drive(fit, "train", log, lambda file: checkpoint.save(file, *fit.state())) == reason
    assert (fit.epoch, fit.step) == (1, 1)
    assert sum(line[0] == "checkpoint" for line in log.lines) == checkpoints
    resumed = trainer()
    resumed.restore(*checkpoint.load(tmp_path / "last"))
    assert (resumed.epoch, resumed.step) == ((1, 1) if reason == "drain" else (1, 0))
