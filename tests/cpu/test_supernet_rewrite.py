"""Rewritten supernets answer as plain ones do, in values, gradients and running statistics, in float64."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

from app.architecture import lower
from app.space import ImageInput
from app.space.zoo import ZOO
from workers.inheritance import one_hot
from workers.network import Network
from workers.supernet.native import BuildError, kernels
from workers.supernet.rewrite import FusedNetwork, NativeNetwork
from workers.supernet.rewrite.phases import join, split
from workers.supernet.weights import initial_alpha, relax, soft_weights

SMALL: dict[str, dict[str, Any]] = {
    "darts": {"channels": 2, "num_cells": 3, "auxiliary": False},
    "nasbench201": {"channels": 2, "num_cells": 1},
}
IMAGE = ImageInput(channels=3, height=16, width=16)
Kind = type[FusedNetwork]


@pytest.fixture(params=[FusedNetwork, NativeNetwork], ids=["torch", "kernels"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Rewritten networks; those with kernels where this machine can compile them."""
    if request.param is NativeNetwork:
        try:
            kernels("require", request.config.cache.mkdir("native"))  # pyright: ignore[reportOptionalMemberAccess]
        except BuildError as error:
            pytest.skip(str(error))
    return request.param


def graph_of(name: str) -> Any:
    space = ZOO[name]
    named = space.skeletons.get("search") or next(iter(space.skeletons.values()))
    return space, lower(space.grammar, replace(named, **SMALL[name]), IMAGE)


def pair_of(name: str, kind: Kind) -> tuple[Any, Network, FusedNetwork]:
    space, graph = graph_of(name)
    torch.manual_seed(0)
    plain = Network(graph).double()
    for tensor in plain.parameters():
        with torch.no_grad():
            tensor.copy_(torch.randn(tensor.shape, dtype=torch.float64) * 0.3)
    fused = kind(graph).double()
    fused.load_state_dict(plain.state_dict())
    return space, plain, fused


def alphas(space: Any, network: Network, seed: int = 0) -> dict[str, Tensor]:
    relaxed = relax(space.plan, network.graph.open)
    found = initial_alpha(relaxed, torch.Generator().manual_seed(seed), 1.0)
    return {path: a.double().requires_grad_() for path, a in found.items()}


def run(space: Any, network: Network, x: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    alpha = alphas(space, network)
    network.zero_grad()
    weights = soft_weights(relax(space.plan, network.graph.open), alpha)
    output = network(x, weights)
    loss = torch.nn.functional.cross_entropy(output, labels)
    loss.backward()
    gradients = {path: a.grad for path, a in alpha.items() if a.grad is not None}
    gradients |= {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["darts", "nasbench201"])
def test_rewritten_supernets_are_the_same(kind: Kind, name: str, training: bool) -> None:
    space, plain, fused = pair_of(name, kind)
    x = torch.randn(3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 3, 5])
    for network in (plain, fused):
        network.train(training)
    loss, gradients = run(space, plain, x, labels)
    same, also = run(space, fused, x, labels)
    assert abs(loss - same) < 1e-12 * abs(loss)
    assert gradients.keys() == also.keys()
    scale = torch.stack([g.norm() for g in gradients.values()]).norm()
    for place, gradient in gradients.items():
        assert (gradient - also[place]).norm() < 1e-10 * scale, place
    theirs = fused.state_dict()
    assert theirs.keys() == plain.state_dict().keys()
    for place, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, theirs[place], rtol=1e-10, atol=1e-12), place


@pytest.mark.parametrize("name", ["darts", "nasbench201"])
def test_rewritten_single_paths_are_the_same(kind: Kind, name: str) -> None:
    space, plain, fused = pair_of(name, kind)
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    for genotype in space.plan.sample(Random(0), 3):
        weights = one_hot(plain.graph, space.plan.read(genotype))
        for lazy in (True, False):
            plain.lazy = fused.lazy = lazy
            assert torch.allclose(plain(x, weights), fused(x, weights), rtol=1e-10, atol=1e-12)


def test_rewriting_takes_fewer_steps() -> None:
    _, plain, fused = pair_of("darts", FusedNetwork)
    ran, before = (
        Counter(network._at[slot].node.op for slot, *_ in network._compile(frozenset()))  # pyright: ignore
        for network in (fused, plain)
    )
    assert ran["phases"] == 3 * 5 - 2 * 2  # states that something reads: five of a cell, three where the others halve
    assert ran["phase"] == 2 * 2
    # What is normalised apart: the stem, cells' inputs, first halves of separable convolutions, pooled states.
    assert ran["batch_norm"] < before["batch_norm"] / 2
    assert ran["sum"] == 3 * 4
    assert sum(ran.values()) < 0.8 * sum(before.values())


@pytest.mark.parametrize("training", [True, False])
def test_an_architecture_with_dilated_convolutions_is_the_same(kind: Kind, training: bool) -> None:
    """Nothing is open, and sums may drop their terms: those are not rewritten, nor what they read put in phases."""
    space = ZOO["darts"]
    genotype = next(g for g in space.plan.sample(Random(0), 50) if str(g).count("dil_conv") >= 4)
    skeleton = replace(space.skeletons["search"], **SMALL["darts"])
    graph = lower(space.grammar, skeleton, IMAGE, space.plan.read(genotype))
    assert graph.plain
    plain, fused = Network(graph).double().train(training), kind(graph).double().train(training)
    fused.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(plain(x), fused(x), rtol=1e-10, atol=1e-12)


def test_second_derivatives_are_exact(kind: Kind) -> None:
    """Of what a supernet's normalisation, folding and phases compute."""
    space, plain, fused = pair_of("darts", kind)
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    labels = torch.tensor([1, 2])
    found: list[Tensor] = []
    for network in (plain, fused):
        network.lazy = False
        alpha = alphas(space, network)
        weights = soft_weights(relax(space.plan, network.graph.open), alpha)
        if network is plain:  # its weighted sum has first derivatives only; entries of their own avoid it
            weights = {path: list(w.unbind(0)) for path, w in weights.items()}  # pyright: ignore
        loss = torch.nn.functional.cross_entropy(network(x, weights), labels)
        first = torch.autograd.grad(loss, list(network.parameters()), create_graph=True)
        product = sum((g.sum() for g in first), torch.zeros(()).double())
        found.append(torch.cat(torch.autograd.grad(product, list(alpha.values()))))
    assert (found[0] - found[1]).norm() < 1e-9 * found[0].norm()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_phases_join_to_what_was_split(layout: torch.memory_format) -> None:
    x = torch.randn(3, 5, 6, 8).contiguous(memory_format=layout)
    assert split(x).shape == (12, 5, 3, 4)
    assert torch.equal(join(split(x).contiguous(memory_format=layout)), x)


LARGE = {
    "simple_cell",
    "nasnet",
    "amoebanet",
    "pnasnet",
    "enas_micro",
    "nasbench301",
    "fbnet",
    "proxylessnas",
    "hierarchical",
}
HIERARCHICAL = {"autodeeplab", "nas_fpn", "detection_head"}  # their maps are large, and no data set here teaches them
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [], id=name)
    for name in ZOO
    if name not in HIERARCHICAL
]


QUICK = {"darts", "nasbench201", "nats_size", "mnasnet", "genetic_cnn"}  # whose kernels are looked at each time
PAIRS = [pytest.param(FusedNetwork, *case.values, marks=case.marks, id=f"torch-{case.id}") for case in EVERY] + [
    pytest.param(
        NativeNetwork, *case.values, marks=[] if case.id in QUICK else [pytest.mark.slow], id=f"kernels-{case.id}"
    )
    for case in EVERY
]


@pytest.mark.parametrize(("kind", "name"), PAIRS, indirect=["kind"])
def test_rewriting_changes_nothing_in_any_space(kind: Kind, name: str) -> None:
    space = ZOO[name]
    skeleton = space.skeletons.get("small") or next(iter(space.skeletons.values()))
    graph = lower(space.grammar, skeleton, IMAGE if "small" in space.skeletons else space.input)
    relaxed = relax(space.plan, graph.open)
    torch.manual_seed(0)
    plain = Network(graph).double()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    fused = kind(graph).double()
    fused.load_state_dict(plain.state_dict())
    draw = torch.Generator().manual_seed(3)
    x = {
        node.name: torch.randn(2, len(node.axis), *node.size, dtype=torch.float64, generator=draw)
        for node in graph.nodes.values()
        if node.op == "input"
    }
    found: list[tuple[Tensor, dict[str, Tensor]]] = []
    for network in (plain, fused):
        alpha = {
            path: a.double().requires_grad_()
            for path, a in initial_alpha(relaxed, torch.Generator().manual_seed(0), 1.0).items()
        }
        answer = network(next(iter(x.values())) if len(x) == 1 else x, soft_weights(relaxed, alpha))
        parts = answer if isinstance(answer, tuple) else (answer,)
        weighing = torch.Generator().manual_seed(5)
        loss = sum(
            ((part * torch.randn(part.shape, dtype=part.dtype, generator=weighing)).sum() for part in parts),
            torch.zeros((), dtype=torch.float64),
        )
        loss.backward()
        gradients = {path: a.grad for path, a in alpha.items() if a.grad is not None}
        gradients |= {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
        found.append((loss.detach(), gradients))
    (loss, gradients), (same, also) = found
    assert abs(loss - same) <= 1e-12 * abs(loss)
    assert gradients.keys() == also.keys()
    scale = torch.stack([g.norm() for g in gradients.values()]).norm()
    assert all((gradient - also[place]).norm() <= 1e-10 * scale for place, gradient in gradients.items())
    theirs = fused.state_dict()
    for place, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, theirs[place], rtol=1e-10, atol=1e-12), place
