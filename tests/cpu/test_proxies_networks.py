"""Zero-cost proxies on whole networks: nothing is left behind, a seed is a result, what is not defined says so."""

import copy
import math
from dataclasses import replace
from random import Random

import pytest
import torch
from torch import Tensor, nn

from app.architecture import Graph, count, lower, macs
from app.experiment import PROXIES
from app.space.constraints import valid
from app.space.zoo import ZOO
from workers.data import load
from workers.network import Network
from workers.proxies import compute
from workers.training.determinism import seeded

GRADIENTS = ("synflow", "snip", "grasp", "fisher", "grad_norm", "jacov")
DENSE = {"autodeeplab", "nas_fpn", "detection_head"}  # their outputs are maps
LONG = {"autoformer_t", "autoformer_s", "autoformer_b", "transformer"}


def graph_of(name: str, pixels: int) -> Graph:
    space = ZOO[name]
    image = replace(space.input, height=min(space.input.height, pixels), width=min(space.input.width, pixels))
    # NAS-Bench-101 also spells graphs without a way from input to output
    genotype = next(g for g in space.plan.sample(Random(name), 50) if valid(space)(space.plan.rank(g)))
    return lower(space.grammar, space.skeletons["small"], image, space.plan.read(genotype))


def network_of(graph: Graph) -> Network:
    with seeded(0, "network"):
        return Network(graph)


def batch_for(graph: Graph, n: int = 4) -> tuple[Tensor, Tensor]:
    (node,) = [node for node in graph.nodes.values() if node.op == "input"]
    drawn = torch.Generator().manual_seed(1)
    return torch.randn(n, len(node.axis), *node.size, generator=drawn), torch.arange(n) % 3


def digits(n: int = 16) -> tuple[Tensor, Tensor]:
    images = load("digits")
    pixels, labels = images.of("weights")
    return pixels[:n].float() / images.levels, labels[:n]


def cell() -> Network:
    space = ZOO["nasbench201"]
    genotype = space.plan.sample(Random(2), 1)[0]
    image = load("digits").dataset.input
    return network_of(lower(space.grammar, space.skeletons["small"], image, space.plan.read(genotype)))


class Cut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


def plain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def reason(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> str:
    score = compute([name], network, (images, labels), seed=0)[name]
    assert score.value is None
    assert score.reason is not None
    return score.reason


def test_the_network_and_the_generators_are_as_they_were() -> None:
    network = cell()
    batch = digits()
    network(batch[0]).sum().backward()
    network.train()
    for i, module in enumerate(network.modules()):
        module.training = i % 2 == 0
    first = next(network.parameters())
    first.requires_grad_(False)
    network.register_forward_hook(lambda *_: None)

    def state() -> list[object]:
        return [
            {k: v.clone() for k, v in network.state_dict().items()},
            [None if p.grad is None else p.grad.clone() for p in network.parameters()],
            [p.requires_grad for p in network.parameters()],
            [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in network.modules()],
            [x.clone() for x in batch],
            torch.get_rng_state(),
            torch.is_grad_enabled(),
        ]

    before, out = state(), copy.deepcopy(network).eval()(batch[0])
    with torch.no_grad():
        scores = compute(list(PROXIES), network, batch, seed=0)
    assert all(score.value is not None for score in scores.values()), scores
    torch.testing.assert_close(state(), before, rtol=0, atol=0)
    assert torch.equal(copy.deepcopy(network).eval()(batch[0]), out)


def test_a_seed_is_a_result_and_the_others_do_not_matter() -> None:
    network, batch = cell(), digits()
    together = compute(list(PROXIES), network, batch, seed=0)
    torch.manual_seed(99)
    alone = {name: compute([name], network, batch, seed=0)[name] for name in reversed(list(PROXIES))}
    assert alone == together
    other = compute(list(PROXIES), network, batch, seed=1)
    assert [name for name in PROXIES if other[name] != together[name]] == ["zen"], "the one that draws"


def test_only_what_a_proxy_needs_changes_it() -> None:
    network, (images, labels) = cell(), digits()
    found = compute(list(PROXIES), network, (images, labels), seed=0)
    relabelled = compute(list(PROXIES), network, (images, (labels + 1) % 10), seed=0)
    assert {n for n in PROXIES if relabelled[n] != found[n]} == {n for n, p in PROXIES.items() if "labels" in p.needs}
    changed = compute(list(PROXIES), network, (images.flip(3) * 2 - images, labels), seed=0)
    assert {n for n in PROXIES if changed[n] != found[n]} == {n for n, p in PROXIES.items() if "images" in p.needs}


def test_what_is_not_defined_says_why() -> None:
    images, labels = torch.randn(4, 2, 5, 5), torch.arange(4) % 2
    flat = plain(nn.Flatten(), nn.Linear(50, 2))
    assert "no ReLU" in reason("naswot", flat, images, labels)
    assert "no batch normalisation" in reason("zen", flat, images, labels)
    normed = plain(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(50, 2))
    assert "no global average pooling" in reason("zen", normed, images, labels)
    blind = plain(nn.Conv2d(2, 2, 5), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    assert compute(["zen"], blind, (images, labels), 0)["zen"].value is not None
    dense = plain(nn.Conv2d(2, 2, 1), nn.ReLU())
    for name in GRADIENTS:
        assert "no logits" in reason(name, dense, images, labels)
    for name in set(GRADIENTS) - {"jacov"}:
        assert "no convolution" in reason(name, plain(nn.Flatten()), images, labels)
    assert compute(["naswot"], dense, (images, labels), 0)["naswot"].value is not None
    twice = torch.cat([images[:2], images[:2]])
    assert "determinant is 0" in reason("naswot", dense, twice, labels)
    assert "one image" in reason("naswot", dense, images[:1], labels[:1])
    assert "one image" in reason("jacov", flat, images[:1], labels[:1])
    mixing = nn.Linear(2, 2)
    nn.init.constant_(mixing.weight, 0.3)
    even = plain(nn.AvgPool2d(5), nn.Flatten(), mixing)
    assert "is constant" in reason("jacov", even, images, labels)
    hard = plain(nn.Flatten(), nn.Linear(50, 3), nn.Hardsigmoid(), nn.Linear(3, 2))
    assert "no second derivative" in reason("grasp", hard, images, labels)
    dead = plain(nn.Conv2d(2, 2, 5), nn.BatchNorm2d(2), Cut(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    assert "does not depend on the image" in reason("zen", dead, images, labels)


def test_what_no_number_holds_is_none_and_not_infinite() -> None:
    layers = [nn.Linear(1, 1, bias=False) for _ in range(120)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1000)
    images, labels = torch.ones(2, 1, 1, 1), torch.zeros(2, dtype=torch.int64)
    assert "synflow is inf" in reason("synflow", plain(nn.Flatten(), *layers), images, labels)
    last = nn.Linear(1, 2)
    nn.init.constant_(last.weight, math.nan)
    broken = plain(nn.Flatten(), last)
    for name in GRADIENTS:
        assert f"{name} is nan" in reason(name, broken, images, labels)


def test_errors_name_what_was_given() -> None:
    network, (images, labels) = cell(), digits(4)
    with pytest.raises(ValueError, match="no proxy 'magic'; there are"):
        compute(["magic"], network, (images, labels), seed=0)
    with pytest.raises(ValueError, match=r"images: \(8, 8\)"):
        compute(["snip"], network, (images[0, 0], labels), seed=0)
    with pytest.raises(ValueError, match=r"labels: torch.float32 \(4,\)"):
        compute(["snip"], network, (images, labels.float()), seed=0)
    assert labels.min() == 0
    with pytest.raises(ValueError, match=r"labels: -1, expected classes from 0"):
        compute(["snip"], network, (images, labels - 1), seed=0)
    with pytest.raises(ValueError, match=r"label 10 is none of the network's classes 0..9"):
        compute(["snip"], network, (images, torch.full_like(labels, 10)), seed=0)


@pytest.mark.parametrize("name", [name for name in ZOO if name not in LONG])
def test_a_member_of_every_space(name: str) -> None:
    every_proxy(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LONG))
def test_a_member_of_every_transformer_space(name: str) -> None:
    every_proxy(name)


def every_proxy(name: str) -> None:
    graph = graph_of(name, 32)
    network = network_of(graph)
    scores = compute(list(PROXIES), network, batch_for(graph), seed=0)
    ops, undefined = {node.op for node in graph.nodes.values()}, set[str]()
    if name in DENSE:
        undefined.update(GRADIENTS)
    if ops & {"hsigmoid", "hswish"}:
        undefined.add("grasp")  # torch has no second derivative of them
    if not ops & {"relu", "relu6"}:
        undefined.add("naswot")
    if not {"batch_norm", "mean"} <= ops:
        undefined.add("zen")
    assert {n for n, score in scores.items() if score.value is None} == undefined, scores
    assert all(score.reason for score in scores.values() if score.value is None)
    assert scores["params"].value == count(graph)
    assert scores["macs"].value == macs(graph)
