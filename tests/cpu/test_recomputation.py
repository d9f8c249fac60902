"""Forward passes of which little is kept: the same values, gradients, statistics and draws, in less memory."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from app.architecture import Graph, lower
from app.experiment import DATASETS
from app.space import CellSkeleton, EdgeCellSkeleton, ImageInput, Skeleton
from app.space.zoo import ZOO
from workers.network import Network
from workers.peak import peak_of
from workers.supernet.rewrite import FusedNetwork
from workers.supernet.weights import relax
from workers.training.determinism import generator

IMAGE = DATASETS["digits"].input
SEARCHED = CellSkeleton(channels=4, num_cells=5, affine=False, norm_after_pool=True)
TRAINED = CellSkeleton(channels=2, num_cells=6, auxiliary=True)
LARGER = ImageInput(channels=1, height=32, width=32)  # what an auxiliary head fits on
EDGES = EdgeCellSkeleton(channels=4, num_cells=2, affine=False)

Made = Callable[[Graph], Network]


def supernet(name: str, skeleton: Skeleton) -> tuple[Graph, dict[str, Tensor]]:
    space = ZOO[name]
    graph = lower(space.grammar, skeleton, IMAGE)
    numbers = generator(0, "weights")
    drawn = {r.path: torch.rand(len(r.options), generator=numbers) + 0.1 for r in relax(space.plan, graph.open)}
    return graph, {path: (w / w.sum()).requires_grad_() for path, w in drawn.items()}


def discrete(name: str, skeleton: Skeleton, image: ImageInput = IMAGE) -> Graph:
    space = ZOO[name]
    (genotype,) = space.plan.sample(random.Random(1), 1)
    return lower(space.grammar, skeleton, image, space.plan.read(genotype))


def twins(made: Made, graph: Graph) -> tuple[Network, Network]:
    torch.manual_seed(0)
    plain = made(graph).train()
    again = copy.deepcopy(plain)
    again.recompute = True
    for network in (plain, again):
        network.generator = generator(0, "drop path")
    return plain, again


def outcome(network: Network, x: Tensor, weights: dict[str, Tensor] | None) -> tuple[list[Tensor], list[Tensor | None]]:
    """Outputs and gradients after two passes of which the second goes on from the first one's statistics."""
    found: list[Tensor] = []
    gradients: list[Tensor | None] = []
    wanted = [*network.parameters(), *(weights or {}).values()]
    for _ in range(2):
        output = network(x, weights)
        outputs = [output] if isinstance(output, Tensor) else list(output)
        loss = torch.stack([(o.sin() ** 2).sum() for o in outputs]).sum()
        found += outputs
        gradients += torch.autograd.grad(loss, wanted, allow_unused=True)
    return found, gradients


def assert_same(plain: Network, again: Network, x: Tensor, weights: dict[str, Tensor] | None) -> None:
    (outputs, gradients), (outputs_again, gradients_again) = (outcome(n, x, weights) for n in (plain, again))
    torch.testing.assert_close(outputs_again, outputs, rtol=1e-12, atol=1e-12)
    for found, expected in zip(gradients_again, gradients, strict=True):
        assert (found is None) == (expected is None)
        if found is not None:
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-11)
    for (name, buffer), expected in zip(again.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, rtol=1e-12, atol=1e-12, msg=name)
    assert plain.generator is not None
    assert again.generator is not None
    assert torch.equal(plain.generator.get_state(), again.generator.get_state())


@pytest.mark.parametrize("made", [Network, FusedNetwork])
@pytest.mark.parametrize(("name", "skeleton"), [("darts", SEARCHED), ("nasbench201", EDGES)])
def test_a_supernet_that_recomputes_is_the_same(exactly: None, made: Made, name: str, skeleton: Skeleton) -> None:
    graph, weights = supernet(name, skeleton)
    plain, again = twins(made, graph)
    x = torch.rand(3, 1, 8, 8, generator=generator(0, "x"))
    assert_same(plain, again, x, weights)
    (cut,) = again._segments.values()
    assert len(cut[1].parts) > 2
    assert not plain._segments


def test_an_architecture_drops_the_same_paths_again(exactly: None) -> None:
    plain, again = twins(Network, discrete("darts", TRAINED, LARGER))
    for network in (plain, again):
        network.drop_path = 0.4
    x = torch.rand(4, 1, 32, 32, generator=generator(0, "x"))
    before = plain.generator.get_state()  # pyright: ignore[reportOptionalMemberAccess]
    assert_same(plain, again, x, None)
    assert not torch.equal(before, plain.generator.get_state())  # pyright: ignore[reportOptionalMemberAccess]


def test_it_differentiates_twice(exactly: None) -> None:
    """What curvature and the exact second order of DARTS ask for."""
    graph, weights = supernet("nasbench201", EDGES)
    x = torch.rand(3, 1, 8, 8, generator=generator(0, "x"))
    found: list[list[Tensor]] = []
    for network in twins(FusedNetwork, graph):
        parameters, draws = [*network.parameters()], [*weights.values()]
        first = torch.autograd.grad(network(x, weights).sin().sum(), parameters, create_graph=True)
        found.append([*torch.autograd.grad(torch.stack([(g**2).sum() for g in first]).sum(), draws)])
    assert any(g.abs().max() > 1e-6 for g in found[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


def test_without_gradients_nothing_is_cut() -> None:
    graph, weights = supernet("nasbench201", EDGES)
    _, again = twins(Network, graph)
    with torch.no_grad():
        again(torch.rand(2, 1, 8, 8), weights)
    assert not again._segments


def held_by(network: Network, weights: Any) -> int:
    """Bytes that forward and backward pass hold at their largest moment, as torch's allocator counts them."""
    x = torch.rand(32, 1, 8, 8)

    def work() -> None:
        network(x, weights).sum().backward()

    work()  # gradients and plans are there
    return peak_of(work)


@pytest.mark.parametrize("made", [Network, FusedNetwork])
def test_a_supernet_holds_less(made: Made) -> None:
    graph, weights = supernet("nasbench201", EdgeCellSkeleton(channels=4, num_cells=4, affine=False))
    all_kept, few_kept = (held_by(network, weights) for network in twins(made, graph))
    print(all_kept, few_kept, few_kept / all_kept)
    assert few_kept < 0.5 * all_kept


def test_an_architecture_holds_less() -> None:
    graph = discrete("darts", CellSkeleton(channels=8, num_cells=12))
    all_kept, few_kept = (held_by(network, None) for network in twins(Network, graph))
    print(all_kept, few_kept, few_kept / all_kept)
    assert few_kept < 0.6 * all_kept
