"""The questions that have a target: CPU time on one core, the median of several rounds, beside peers where installed.

    python tests/benchmarks/bench_targets.py [--darts CHECKOUT] [GROUP ...]

Groups are validations, samples, cells, counts, prices; without any, all. networkx and thop are measured in the same run
where they can be imported (`pip install networkx`, `pip install thop`: neither is a dependency); without thop the same
layers are counted by hooks of our own, which is less work. CHECKOUT is one of quark0/darts, whose own network is then
built and counted, too. Costs are compared on one thread.
"""

import argparse
import importlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from app.architecture import Graph, canonical, cost, lower, price_of
from app.architecture.formats import read_format
from app.space import space_size
from app.space.classes import canonical_rank
from app.space.validity import space_faults
from app.space.zoo import ZOO, darts, nasbench101, nasbench201

DARTS_V2 = (  # quark0/darts, cnn/genotypes.py
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
ROUNDS = 7
ROUND = 0.2  # seconds


def median(question: Callable[[], object], each: int = 1) -> float:
    """CPU microseconds of a question, divided by `each`: the median over the rounds."""
    question()
    started = time.process_time()
    question()
    calls = max(1, int(ROUND / max(time.process_time() - started, 1e-6)))
    found: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(calls):
            question()
        found.append((time.process_time() - started) / calls / each * 1e6)
    return statistics.median(found)


def counted(make: Callable[[], Any]) -> float:
    """CPU seconds of the sizes of a space that nobody has asked anything yet, compiled before: the median of three."""
    found: list[float] = []
    for _ in range(3):
        space = make()
        _ = space.plan
        started = time.process_time()
        space_size(space)
        found.append(time.process_time() - started)
    return statistics.median(found)


def validations() -> Iterator[tuple[str, float, str]]:
    """All faults, index and canonical id of a DARTS genotype; the same for a thousand different ones."""
    space = ZOO["darts"]
    genotypes = space.plan.sample(Random(0), 1_000)

    def answer(genotype: object) -> object:
        index = space.plan.index(genotype)
        return space_faults(space, genotype) if index is None else (index, canonical_rank(space, index))

    one = genotypes[0]
    yield "validate DARTS: all faults, index, canonical id", median(lambda: answer(one)), "us, target 50, aim 25"
    each = median(lambda: [answer(genotype) for genotype in genotypes], each=1_000)
    yield "the same, each of 1,000 different", each, "us"
    yield "that is, a second", 1e6 / each, "target 20,000"


def samples() -> Iterator[tuple[str, float, str]]:
    """Uniform samples."""
    plan, rng = ZOO["darts"].plan, Random(0)
    yield "sample DARTS, each of 1,000", median(lambda: plan.sample(rng, 1_000), each=1_000), "us, target 15, aim 9"


def cells() -> Iterator[tuple[str, float, str]]:
    """Canonical forms of NAS-Bench-101's cells of seven vertices."""
    space = ZOO["nasbench101"]
    rng = Random(0)
    drawn = [g for g in space.plan.sample(rng, 2_000) if isinstance(g, dict) and g["cell"]["vertices"] == 7][:500]
    each = median(lambda: [canonical(space, genotype) for genotype in drawn], each=len(drawn))
    yield "canonical form of a seven-vertex cell, JSON to JSON", each, "us, target 60, aim 30"
    ranks = [space.plan.rank(genotype) for genotype in drawn]
    each = median(lambda: [canonical_rank(space, rank) for rank in ranks], each=len(ranks))
    yield "the same, rank to rank", each, "us"
    try:
        networkx = importlib.import_module("networkx")
    except ImportError:
        return
    graphs = []
    for genotype in drawn:
        cell, graph = genotype["cell"], networkx.DiGraph()
        graph.add_nodes_from((v, {"op": cell.get(f"v{v}", str(v))}) for v in range(7))
        graph.add_edges_from((i, j) for j in range(1, 7) for i in range(j) if cell[f"{i}->{j}"])
        graphs.append(graph)
    warnings.simplefilter("ignore", UserWarning)  # on how its hashes changed
    digest = networkx.weisfeiler_lehman_graph_hash
    each = median(lambda: [digest(graph, node_attr="op") for graph in graphs], each=len(graphs))
    yield f"networkx {networkx.__version__}, Weisfeiler-Lehman hash of the same graphs", each, "us"


def prices(checkout: Path | None = None) -> Iterator[tuple[str, float, str]]:
    """Params, MACs, activations and depth of DARTS networks of 20 cells and 36 channels, from the genotype's JSON."""
    space, rng = ZOO["darts"], Random(0)
    skeleton, image = space.skeletons["cifar"], space.input
    published: Any = read_format(space, "darts", DARTS_V2)

    def priced(genotype: object) -> object:
        return price_of(space, skeleton, image, space.plan.rank(genotype))

    def lowered(genotype: object) -> Graph:
        return lower(space.grammar, skeleton, image, space.plan.read(genotype))

    for genotype in space.plan.sample(rng, 2_000):  # the price list is built, and most of its tables are filled
        priced(genotype)
    fresh = space.plan.sample(rng, 500)
    warm = median(lambda: priced(published))
    yield "cost of DARTS_V2, 20 cells, priced, warm", warm, "us, target 600, aim 200"
    yield "the same, each of 500 different", median(lambda: [priced(g) for g in fresh], each=500), "us"
    yield "the same, lowered and counted, with its receptive field", median(lambda: cost(lowered(published))), "us"
    try:
        torch = importlib.import_module("torch")
        network = importlib.import_module("workers.network").Network
    except ImportError:
        return
    torch.set_num_threads(1)
    graph, x = lowered(published), torch.zeros(1, 3, 32, 32)
    count, how = counter(torch)
    peers = [(f"our network built in torch and counted by {how}", lambda: network(graph).eval())]
    if checkout is not None:
        peers.append((f"that of quark0/darts built and counted by {how}", original(checkout)))
    for name, build in peers:
        found: list[float] = []
        for _ in range(ROUNDS):
            started = time.process_time()
            with torch.no_grad():
                count(build(), x)
            found.append((time.process_time() - started) * 1e6)
        taken = statistics.median(found)
        yield name, taken, "us"
        yield "that is, so many times the price", taken / warm, "target 300"


def counter(torch: Any) -> tuple[Callable[[Any, Any], object], str]:
    """What counts the multiply-adds of a network on an input: thop, or where it is not installed our own hooks."""
    try:
        thop = importlib.import_module("thop")
    except ImportError:
        return lambda network, x: hooked(torch, network, x), "hooks of our own (thop is not installed)"
    return lambda network, x: thop.profile(network, inputs=(x,), verbose=False), "thop"


def hooked(torch: Any, network: Any, x: Any) -> tuple[int, int]:
    """(params, multiply-adds of convolutions and linear maps) of a network that runs once."""
    total = 0

    def count(module: Any, _: object, output: Any) -> None:
        nonlocal total
        total += module.weight[0].numel() * output[0].numel()

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    network(x)
    return sum(parameter.numel() for parameter in network.parameters()), total


def original(checkout: Path) -> Callable[[], Any]:
    """How quark0/darts builds the same network."""
    sys.path.insert(0, str(checkout / "cnn"))
    try:
        importlib.import_module("torchvision")
    except ImportError:  # its loading of images asks for it, which nothing here calls
        for name in ("torchvision", "torchvision.transforms", "torchvision.datasets"):
            sys.modules[name] = ModuleType(name)
        sys.modules["torchvision"].__dict__["transforms"] = sys.modules["torchvision.transforms"]
    model, genotypes = importlib.import_module("model"), importlib.import_module("genotypes")

    def build() -> Any:
        network = model.NetworkCIFAR(36, 10, 20, False, genotypes.DARTS_V2).eval()
        network.drop_path_prob = 0.0
        return network

    return build


def counts() -> Iterator[tuple[str, float, str]]:
    """Sizes from scratch."""
    yield "all classes of NAS-Bench-101", counted(nasbench101), "s, target 2, aim 0.3"
    yield "NAS-Bench-201 under every equivalence", counted(nasbench201), "s, target 3"
    yield "DARTS up to relabelling", counted(darts), "s, target 2"


def main() -> None:
    """Print one line a question."""
    groups = {"validations": validations, "samples": samples, "cells": cells, "counts": counts, "prices": prices}
    parser = argparse.ArgumentParser()
    parser.add_argument("--darts", type=Path, metavar="CHECKOUT")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(groups))
    asked = parser.parse_args()
    unknown = [name for name in asked.groups if name not in groups]
    if unknown:
        parser.error(f"no group {unknown[0]}; there are {', '.join(groups)}")
    for name in asked.groups or groups:
        for question, value, unit in prices(asked.darts) if name == "prices" else groups[name]():
            print(f"{question:64} {value:12,.3f} {unit}", flush=True)


if __name__ == "__main__":
    main()
