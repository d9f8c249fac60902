"""Where memory is short a batch is computed in parts: the same gradients, and it is told."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.architecture import lower
from app.experiment import DATASETS, SearchRecipe, TrainingRecipe
from app.space import CellSkeleton, EdgeCellSkeleton
from app.space.zoo import darts, nasbench201
from workers.data import load
from workers.network import Network
from workers.strategies.darts import Darts, SecondOrderDarts
from workers.supernet import SupernetFit, relax
from workers.supernet.weights import Draws, uniform_weights
from workers.training import Trainer, evaluate
from workers.training.determinism import deterministic, seeded
from workers.training.micro_batches import MemoryShortage, MicroBatches, out_of_memory

CPU = torch.device("cpu")
RECIPE = TrainingRecipe(
    name="t", epochs=2, batch_size=50, learning_rate=0.05, drop_path=0.3, cutout=2, crop_padding=1, label_smoothing=0.1
)
SEARCH = SearchRecipe(
    name="t", epochs=1, batch_size=64, learning_rate=0.1, alpha_learning_rate=0.1, crop_padding=1, flip=False
)


class Plain(nn.Module):
    """Logits without anything that looks at a batch as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Short(nn.Module):
    """A network in a memory that holds so many images, found out after all was computed."""

    def __init__(self, inner: nn.Module, most: int, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.inner, self.most, self.error = inner, most, error
        self.seen: list[int] = []

    def forward(self, x: Tensor, *weights: Draws) -> Any:
        found = self.inner(x, *weights)
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.error()
        return found


def cuda_error() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def cpu_error() -> Exception:
    text = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes. Error code 12"
    return RuntimeError(f"[enforce fail at alloc_cpu.cpp:124] err == 0. {text}")


def trainer(network: nn.Module, notes: list[str] | None = None, recipe: TrainingRecipe = RECIPE) -> Trainer:
    note = [].append if notes is None else notes.append
    return Trainer(network, recipe, load("digits"), seed=0, device=CPU, note=note)


def made(network: Callable[[], nn.Module]) -> nn.Module:
    with seeded(0, "network"):
        return network()


@pytest.mark.parametrize("error", [cuda_error, cpu_error, lambda: MemoryError()])
def test_gradients_in_parts_are_those_of_the_batch(exactly: None, error: Callable[[], Exception]) -> None:
    notes: list[str] = []
    network = Short(made(Plain), 16, error)
    whole, short = trainer(made(Plain)), trainer(network, notes)
    for fit in (whole, short):
        fit.advance()
        fit.advance()
    assert network.seen == [50, 25, 12, 13, 12, 13, 12, 13, 12, 13]  # 50 images in 1, 2 and 4 parts, then 4 at once
    assert notes == [
        "out of memory at 50 images: computing 25 at a time; batch statistics are of 25 images from now on",
        "out of memory at 25 images: computing 13 at a time; batch statistics are of 13 images from now on",
    ]
    for (name, p), q in zip(whole.network.named_parameters(), network.inner.parameters(), strict=True):
        torch.testing.assert_close(q, p, rtol=1e-12, atol=1e-13, msg=name)
    assert short.metrics() == pytest.approx(whole.metrics(), rel=1e-12)
    assert short.tally.images == 100


def test_a_batch_is_computed_again_from_the_same_pixels_and_draws() -> None:
    """An attempt that failed leaves nothing: as if there had been so many parts from the start."""
    space = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect"))
    edges = [{"input": 0, "op": "sep_conv_3x3"}, {"input": 1, "op": "skip_connect"}]
    decided = space.plan.read({"normal": {"node2": edges}, "reduce": {"node2": edges}})
    graph = lower(space.grammar, CellSkeleton(channels=2, num_cells=3), DATASETS["digits"].input, decided)

    class Dropping(Short):
        """Drop path at work from the first step on."""

        def __init__(self, most: int) -> None:
            inner = Network(graph)
            super().__init__(inner, most, cuda_error)
            inner.drop_path, inner.generator = 0.5, torch.Generator().manual_seed(0)

    with deterministic(True):
        short, parted = (trainer(made(lambda most=most: Dropping(most))) for most in (25, 50))
        for fit in (short, parted):
            fit.micro_batches = MicroBatches(lambda text: None, (fit.network.inner.generator,))
        parted.micro_batches.parts = 2
        for fit in (short, parted):
            fit.advance()
            fit.advance()
    assert short.micro_batches.parts == 2
    for (name, p), q in zip(parted.network.named_parameters(), short.network.parameters(), strict=True):
        assert torch.equal(p, q), name


def test_the_number_of_parts_goes_into_the_checkpoint() -> None:
    short = trainer(Short(made(Plain), 30, cuda_error))
    short.advance()
    tensors, record = short.state()
    assert record["parts"] == 2
    resumed = trainer(Short(made(Plain), 50, cuda_error))
    resumed.restore(tensors, record)
    assert resumed.micro_batches.parts == 2
    del record["parts"]  # as it was written before there were parts
    resumed.restore(tensors, record)
    assert resumed.micro_batches.parts == 1


def test_when_nothing_fits_the_error_says_what_was_tried() -> None:
    with pytest.raises(MemoryShortage, match=r"even at 5, 3, 2, 1 image at a time"):
        trainer(Short(made(Plain), 0, cuda_error), recipe=replace(RECIPE, batch_size=5)).advance()


class OneValue(nn.Module):
    """Batch statistics of one value a channel: of a single image there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def test_one_image_that_cannot_be_normalised_is_told_apart() -> None:
    with pytest.raises(MemoryShortage, match=r"at 4, 2 images at a time; one alone: Expected more than 1 value"):
        trainer(Short(made(OneValue), 1, cuda_error), recipe=replace(RECIPE, batch_size=4)).advance()


def test_other_errors_pass_at_once() -> None:
    network = Short(made(Plain), 10, lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        trainer(network).advance()
    assert network.seen == [50]
    assert not out_of_memory(KeyError("DefaultCPUAllocator"))


def test_a_split_is_judged_alike_in_little_memory(exactly: None) -> None:
    fit, images = trainer(made(Plain)), load("digits")
    short = Short(fit.network, 60, cuda_error)
    found, expected = (
        evaluate(network, network, images, "selection", fit.feed.normalisation, CPU) for network in (short, fit.network)
    )
    assert max(n for n in short.seen if n <= 60) > 30
    assert found.metrics() == pytest.approx(expected.metrics(), rel=1e-12)


# -- searches

SPACE = nasbench201()
GRAPH = lower(SPACE.grammar, EdgeCellSkeleton(channels=2, num_cells=1, affine=False), DATASETS["digits"].input)
RELAXED = relax(SPACE.plan, GRAPH.open)


class Frozen(Network):
    """Normalises by its running statistics, so that images do not look at each other."""

    def train(self, mode: bool = True) -> "Frozen":
        super().train(False)
        return self


class Teaching(Darts):
    """First order, and the uniform mixture learns from what the present one answers."""

    def students(self) -> Sequence[Draws]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (uniform_weights(RELAXED, self.alpha.like),)


def exact(*given: Any, **named: Any) -> SecondOrderDarts:
    return SecondOrderDarts(*given, **named, exact=True)


def search(strategy: Callable[..., Any], most: int, notes: list[str]) -> SupernetFit:
    with seeded(0, "supernet"):
        network = Short(Frozen(GRAPH), most, cpu_error)
    chosen = strategy(RELAXED, SEARCH, seed=0, device=CPU)
    return SupernetFit(network, chosen, SEARCH, load("digits"), seed=0, device=CPU, note=notes.append)


@pytest.mark.parametrize("strategy", [Darts, Teaching, SecondOrderDarts, exact])
def test_a_search_in_parts_is_the_search(exactly: None, strategy: Callable[..., Any]) -> None:
    notes: list[str] = []
    whole, short = search(strategy, 64, notes), search(strategy, 40, notes)
    for fit in (whole, short):
        fit.advance()
        fit.advance()
    assert notes == [
        "out of memory at 64 images: computing 32 at a time; batch statistics are of 32 images from now on"
    ]
    assert short.micro_batches.parts == 2
    # Adam divides by the gradient's own size, and a central difference by a hundredth
    within = 1e-6 if strategy is SecondOrderDarts else 1e-9
    for (path, a), b in zip(whole.strategy.settled().items(), short.strategy.settled().values(), strict=True):
        torch.testing.assert_close(b, a, rtol=within, atol=within, msg=path)
    for p, q in zip(whole.network.parameters(), short.network.parameters(), strict=True):
        torch.testing.assert_close(q, p, rtol=within, atol=within)
    assert short.metrics() == pytest.approx(whole.metrics(), rel=1e-8)
    assert short.architecture_tally.images == 128


def test_a_search_may_end_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SEARCH", replace(SEARCH, batch_size=620))
    fit = search(Darts, 620, [])
    while fit.epoch < fit.epochs:
        fit.advance()
    again = search(Darts, 620, [])
    again.recipe = replace(SEARCH, epochs=3)
    again.restore(*fit.state())
    assert again.epochs == 3
    again.finish()
    assert again.epochs == 1
    resumed = search(Darts, 620, [])
    resumed.recipe = again.recipe
    resumed.restore(*again.state())
    assert resumed.epochs == 1


# -- a memory that is really short

IN_LITTLE = """
import resource, torch
from torch import nn
from app.experiment import TrainingRecipe
from workers.data import load
from workers.training import Trainer, evaluate

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.widen, self.norm, self.head = nn.Conv2d(1, 512, 3, padding=1), nn.BatchNorm2d(512), nn.Linear(512, 10)
    def forward(self, x):
        return self.head(self.norm(self.widen(x)).relu().mean((2, 3)))

torch.set_num_threads(1)
images = load("digits")
recipe = TrainingRecipe(name="t", epochs=1, batch_size=512, cutout=0, crop_padding=0, flip=False)
warm = Trainer(Wide(), TrainingRecipe(name="t", epochs=1, batch_size=8), images, seed=0, device=torch.device("cpu"))
warm.advance()
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = held + 160 * 2**20  # 512 images are 64 MiB after each of three operations, and gradients beside them
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
fit = Trainer(Wide(), recipe, images, seed=0, device=torch.device("cpu"), note=lambda text: print(text, flush=True))
while fit.epoch < fit.epochs:
    fit.advance()
print("ended", fit.steps, fit.tally.images)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_training_ends_in_a_memory_that_does_not_hold_its_batch() -> None:
    told = subprocess.run([sys.executable, "-c", IN_LITTLE], capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, told.stderr
    first, *_, last = told.stdout.splitlines()
    assert first.startswith("out of memory at 512 images: computing 256 at a time")
    assert last == "ended 2 1024"
