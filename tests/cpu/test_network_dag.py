"""Graphs with some edges decided: networks between a supernet and an architecture compute what either does."""

from random import Random
from typing import Any

import pytest
import torch

from app.architecture import FALSE, all_of, certain, cost, lower, price, resolve
from app.space import Decisions, ImageInput, SearchSpace, Skeleton
from app.space.skeleton import DagNetworkSkeleton, DagSkeleton
from app.space.zoo import nasbench101, unconstrained_dag
from workers.inheritance import inherit, one_hot
from workers.network import Network

IMAGE = ImageInput(channels=1, height=6, width=6)
CASES: dict[str, tuple[SearchSpace, Skeleton, int]] = {
    "cells": (nasbench101((4, 5)), DagSkeleton(channels=7, num_stacks=1, num_cells=2, num_classes=3), 30),
    "a network": (unconstrained_dag(6), DagNetworkSkeleton(channels=2), 10),
}


pytestmark = pytest.mark.usefixtures("exactly")


def jittered(network: Network) -> Network:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for buffer in network.buffers():
            buffer.add_(0.3 * torch.rand(buffer.shape, generator=generator))
    return network


def partly(decided: Decisions, rng: Random) -> Decisions:
    share = rng.random()
    return {path: answer for path, answer in decided.items() if rng.random() < share}


@pytest.mark.parametrize("name", CASES)
def test_what_is_partly_decided_computes_what_its_members_do(name: str) -> None:
    """A vertex may be narrower there than elsewhere in the supernet: less of it is joined, more of it is missing."""
    space, skeleton, number = CASES[name]
    rng = Random(name)
    graph = lower(space.grammar, skeleton, IMAGE)
    supernet = jittered(Network(graph))
    x = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    narrower, padded = 0, 0
    for member in space.plan.sample(rng, number):
        decided = space.plan.read(member)
        part = partly(decided, rng)
        between = lower(space.grammar, skeleton, IMAGE, part)
        plain = lower(space.grammar, skeleton, IMAGE, decided)
        assert resolve(graph, part) == between
        assert resolve(between, decided) == plain
        assert price(between, certain(decided)) == (cost(plain).params, cost(plain).macs)
        middle, network = Network(between), Network(plain)
        for training in (False, True):
            inherit(middle, supernet, part)
            inherit(network, supernet, decided)
            expected = network.train(training)(x)
            found = middle.train(training)(x, one_hot(between, decided))
            assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()
        for node in between.nodes.values():
            inputs = [between.nodes[source].axis for source in node.inputs]
            padded += node.op == "truncate" and len(inputs[0]) < len(node.axis)
            narrower += any(
                all_of(guard, there) is FALSE
                for guard, axis in zip(node.guards, inputs, strict=False)
                for _, there in axis.segments
            )
    assert name == "a network" or (narrower and padded)  # both were met


def test_cells_of_seven_vertices_hold_what_they_cost() -> None:
    space = nasbench101((7,))
    skeleton = DagSkeleton(channels=10, num_stacks=2, num_cells=1, num_classes=4)
    for member in space.plan.sample(Random(1), 12):
        graph = lower(space.grammar, skeleton, IMAGE, space.plan.read(member))
        network = Network(graph).eval()
        assert sum(p.numel() for p in network.parameters()) == cost(graph).params
        assert network(torch.zeros(1, 1, 6, 6)).shape == (1, 4)
        join = [node for name, node in graph.nodes.items() if name.endswith("join/concat")]
        assert all(len(node.axis) in (10, 20) for node in join)  # whatever is joined has the cell's channels


def test_what_leads_nowhere_is_neither_built_nor_fed() -> None:
    """A vertex that nothing reads, and one that nothing leads to, leave the network as it was without them."""
    space = nasbench101()
    skeleton = DagSkeleton(channels=8, num_stacks=1, num_cells=1)

    def built(edges: set[tuple[int, int]], *operations: str) -> dict[str, Any]:
        n = len(operations) + 2
        bits = {f"{i}->{j}": int((i, j) in edges) for j in range(1, n) for i in range(j)}
        labels = {f"v{v}": name for v, name in enumerate(operations, start=1)}
        graph = lower(space.grammar, skeleton, IMAGE, space.plan.read({"cell": {"vertices": n, **bits, **labels}}))
        return {node.op: cost(graph).params for node in graph.nodes.values()}

    conv, pool = "conv3x3-bn-relu", "maxpool3x3"
    small = built({(0, 1), (1, 2)}, conv)
    assert built({(0, 1), (1, 4), (2, 3), (2, 4), (0, 3)}, conv, conv, conv) == small
    assert built({(0, 1), (1, 4), (2, 3), (2, 4), (0, 3)}, conv, conv, pool) == small
    assert built({(0, 1), (2, 3)}, conv, pool).keys() == {
        "input",
        "conv",
        "batch_norm",
        "relu",
        "zero",
        "mean",
        "linear",
    }
