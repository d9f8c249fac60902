"""The same laws on a CUDA device. Run with `-m gpu` where there is one."""

import random
from dataclasses import replace

import pytest
import torch

from app.architecture import lower
from app.experiment import SEARCH_RECIPES, TRAINING_RECIPES
from app.space import CellSkeleton, SearchSpace
from app.space.zoo import ZOO, darts
from workers.data import load
from workers.inheritance import inherit, one_hot
from workers.network import Network
from workers.strategies.darts import Darts
from workers.supernet import DARTSCell, SupernetFit, relax
from workers.training import evaluate
from workers.training.determinism import deterministic, generator, seeded
from workers.training.discrete import candidate

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
SPACE = ZOO["darts"]
SEARCHED = CellSkeleton(channels=8, num_cells=3, affine=False, norm_after_pool=True)
TRAINED = CellSkeleton(channels=8, num_cells=3)


def supernet_fit(
    device: torch.device, notes: list[str] | None = None, space: SearchSpace = SPACE, **changes: object
) -> SupernetFit:
    images = load("digits")
    graph = lower(space.grammar, SEARCHED, images.dataset.input)
    with seeded(0, "supernet"):
        network = Network(graph)
    recipe = replace(SEARCH_RECIPES["digits-quick"], **changes)
    strategy = Darts(relax(space.plan, graph.open), recipe, seed=0, device=device)
    note = [].append if notes is None else notes.append
    return SupernetFit(network, strategy, recipe, images, seed=0, device=device, note=note)


def test_a_cell_is_the_same_on_cpu_and_cuda() -> None:
    cell = DARTSCell(4).double()
    s0, s1 = torch.randn(2, 2, 4, 8, 8, generator=generator(0, "s"), dtype=torch.float64)
    weights = {e: torch.randn(8, generator=generator(1, e), dtype=torch.float64).softmax(0) for e in cell.edges}
    expected = cell(s0, s1, weights)
    found = cell.to(CUDA)(s0.to(CUDA), s1.to(CUDA), {e: w.to(CUDA) for e, w in weights.items()})
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-10, atol=1e-10)


def test_supernet_at_one_hot_weights_is_the_genotype_on_cuda() -> None:
    images = load("digits")
    graph = lower(SPACE.grammar, SEARCHED, images.dataset.input)
    big = Network(graph).double().to(CUDA)
    x = torch.randn(4, 1, 8, 8, generator=generator(0, "x"), dtype=torch.float64).to(CUDA)
    for genotype in SPACE.plan.sample(random.Random(0), 3):
        decided = SPACE.plan.read(genotype)
        small = Network(lower(SPACE.grammar, SEARCHED, images.dataset.input, decided)).double().to(CUDA)
        inherit(small, big, decided)
        torch.testing.assert_close(big(x, one_hot(graph, decided)), small(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_search_learns_on_cuda(precision: str) -> None:
    notes: list[str] = []
    fit = supernet_fit(CUDA, notes, precision=precision)
    while fit.epoch < fit.epochs:
        fit.advance()
    assert notes == []
    assert fit.feed.pixels.device.type == "cuda"
    assert fit.metrics()["weights_accuracy"] > 80.0
    assert all(a.device.type == "cuda" for a in fit.strategy.draw().values())


def test_deterministic_steps_repeat_to_the_bit_on_cuda() -> None:
    # without max pooling, whose backward adds in any order on CUDA
    space = darts(operations=("skip_connect", "sep_conv_3x3", "dil_conv_5x5"))
    with deterministic(True):
        states = []
        for _ in range(2):
            fit = supernet_fit(CUDA, space=space, alpha_warmup_epochs=0)
            for _ in range(3):
                fit.advance()
            states.append(fit.state()[0])
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_genotype_trains_on_cuda(precision: str) -> None:
    images = load("digits")
    (genotype,) = SPACE.plan.sample(random.Random(0), 1)
    recipe = replace(TRAINING_RECIPES["digits-quick"], precision=precision, drop_path=0.1, cutout=2)
    trainer = candidate(SPACE, genotype, TRAINED, recipe, images, seed=0, device=CUDA).trainer
    while trainer.epoch < trainer.epochs:
        trainer.advance()
    tally = evaluate(trainer.network, trainer.network, images, "test", trainer.feed.normalisation, CUDA)
    assert tally.accuracy > 90.0
