"""One step of DARTS' bilevel search: the supernet as its paper draws it, the lowered one, and the rewritten ones.

    python -m tests.benchmarks.bench_supernet                       8 cells of 16 channels, batch 16, both orders
    python -m tests.benchmarks.bench_supernet --channels 8 --cells 5
    python -m tests.benchmarks.bench_supernet --space nasbench201   --cells of each of its three stages
    python -m tests.benchmarks.bench_supernet --memory              peak memory above the network, a process each
    python -m tests.benchmarks.bench_supernet --only reference --only native

Variants are interleaved round by round in one process; only ratios carry over. The reference computes as the code of
the paper does: every step's backward pass reaches all parameters, and the unrolled step is one of a copy of the
network; it is DARTS' alone, and elsewhere the lowered network is what is compared with. `native` is the rewritten one
with the kernels of `workers.supernet.native`, compiled before. Synthetic images of 32 × 32 pixels, float32.
"""

import argparse
import copy
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from app.architecture import Graph, lower
from app.experiment import SearchRecipe
from app.space.zoo import ZOO
from tests.benchmarks.reference_supernet import Supernet, take
from workers.network import Network
from workers.strategies.darts import Darts, SecondOrderDarts
from workers.supernet.bilevel import BilevelLoss
from workers.supernet.native import kernels
from workers.supernet.rewrite import FusedNetwork, NativeNetwork
from workers.supernet.weights import relax

RECIPE = SearchRecipe(name="darts")
BATCH = 16
NEAR = 0.01
KERNELS = Path.home() / ".cache" / "cellar" / "native"
Step = Callable[[], None]


class Batches:
    """Two batches of synthetic images."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        self.both = [
            (torch.randn(BATCH, 3, 32, 32, generator=draw), torch.randint(10, (BATCH,), generator=draw))
            for _ in range(2)
        ]


def optimiser_of(network: torch.nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(
        network.parameters(), RECIPE.learning_rate, RECIPE.momentum, weight_decay=RECIPE.weight_decay
    )


def lowered(kind: type[Network], space: str, channels: int, cells: int, order: int) -> Step:
    """A whole step of the engine: the decisions, then the weights."""
    graph = graph_of(space, channels, cells)
    torch.manual_seed(0)
    if kind is NativeNetwork:
        kernels("require", KERNELS, print)
    network = kind(graph)
    relaxed = relax(ZOO[space].plan, network.graph.open)
    strategy = (Darts if order == 1 else SecondOrderDarts)(relaxed, RECIPE, seed=0, device=torch.device("cpu"))
    optimiser = optimiser_of(network)
    (x, labels), (held, truth) = Batches().both

    def loss(weights: Any, images: Tensor, classes: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(network(images, weights), classes)

    def step() -> None:
        strategy.learn(
            BilevelLoss(lambda w: loss(w, held, truth), lambda w: loss(w, x, labels), optimiser, lambda w: 0.0)
        )
        optimiser.zero_grad(set_to_none=True)
        loss(strategy.draw(), x, labels).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), RECIPE.gradient_clip)
        optimiser.step()

    return step


def graph_of(space: str, channels: int, cells: int) -> Graph:
    named = ZOO[space].skeletons.get("search") or next(iter(ZOO[space].skeletons.values()))
    skeleton = replace(named, channels=channels, num_cells=cells)  # pyright: ignore[reportCallIssue]
    return lower(ZOO[space].grammar, skeleton, ZOO[space].input)


def reference(space: str, channels: int, cells: int, order: int) -> Step:
    """The same, as the paper draws and its code computes it."""
    torch.manual_seed(0)
    named = Network(graph_of(space, channels, cells))
    operations = [str(name) for name in named.graph.open["/normal/node2/0/op"][1]]
    network = Supernet(operations, channels, cells)
    take(network, named.state_dict())
    edges = [path for path, (kind, _) in named.graph.open.items() if kind == "choice"]
    alphas = {path.strip("/").rpartition("/")[0]: torch.zeros(len(operations), requires_grad=True) for path in edges}
    adam = torch.optim.Adam(
        alphas.values(), RECIPE.alpha_learning_rate, RECIPE.alpha_betas, weight_decay=RECIPE.alpha_weight_decay
    )
    optimiser = optimiser_of(network)
    (x, labels), (held, truth) = Batches().both

    def loss(net: Supernet, images: Tensor, classes: Tensor) -> Tensor:
        weights: Mapping[str, Tensor] = {edge: alpha.softmax(0) for edge, alpha in alphas.items()}
        return torch.nn.functional.cross_entropy(net(images, weights), classes)

    def unrolled() -> None:
        gradients = torch.autograd.grad(loss(network, x, labels), list(network.parameters()))
        ahead = copy.deepcopy(network)
        group = optimiser.param_groups[0]
        with torch.no_grad():
            for p, q, g in zip(network.parameters(), ahead.parameters(), gradients, strict=True):
                momentum = optimiser.state.get(p, {}).get("momentum_buffer", torch.zeros_like(p))
                q.sub_(group["momentum"] * momentum + g + group["weight_decay"] * p, alpha=group["lr"])
        loss(ahead, held, truth).backward()
        towards = [p.grad for p in ahead.parameters() if p.grad is not None]
        length = NEAR / torch.cat([v.reshape(-1) for v in towards]).norm()
        sides: list[tuple[Tensor, ...]] = []
        for sign in (1, -2):
            with torch.no_grad():
                for p, v in zip(network.parameters(), towards, strict=True):
                    p.add_(v, alpha=float(sign * length))
            sides.append(torch.autograd.grad(loss(network, x, labels), list(alphas.values())))
        with torch.no_grad():
            for p, v in zip(network.parameters(), towards, strict=True):
                p.add_(v, alpha=float(length))
            for alpha, above, below in zip(alphas.values(), *sides, strict=True):
                assert alpha.grad is not None
                alpha.grad.sub_((above - below) / (2 * length), alpha=group["lr"])

    def step() -> None:
        adam.zero_grad()
        if order == 2:
            unrolled()
        else:
            loss(network, held, truth).backward()
        adam.step()
        optimiser.zero_grad()
        loss(network, x, labels).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), RECIPE.gradient_clip)
        optimiser.step()

    return step


VARIANTS: Mapping[str, Callable[[str, int, int, int], Step]] = {
    "reference": reference,
    "lowered": partial(lowered, Network),
    "rewritten": partial(lowered, FusedNetwork),
    "native": partial(lowered, NativeNetwork),
}


def times(variants: list[str], given: argparse.Namespace, order: int) -> dict[str, list[float]]:
    """Seconds of a step of each variant, round by round; the first is warm-up."""
    steps = {name: VARIANTS[name](given.space, given.channels, given.cells, order) for name in variants}
    found: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(given.rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if number:
                found[name].append(time.perf_counter() - started)
    return found


def memory(variant: str, given: argparse.Namespace) -> None:
    """Print MiB at the peak of three steps, above what there was before the first."""
    step = VARIANTS[variant](given.space, given.channels, given.cells, given.order[0])
    before = resident("VmRSS")
    for _ in range(3):
        step()
    print(resident("VmHWM") - before)


def resident(name: str) -> int:
    """MiB, by the kernel's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) // 1024


def main() -> None:
    """Print a line a variant and order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=("darts", "nasbench201"), default="darts")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--order", type=int, choices=(1, 2), action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--only", choices=tuple(VARIANTS), action="append", help="the first is compared with")
    parser.add_argument("--of", choices=tuple(VARIANTS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of:
        memory(given.of, given)
        return
    variants: list[str] = given.only or [name for name in VARIANTS if given.space == "darts" or name != "reference"]
    first = variants[0]
    if "native" in variants:
        kernels("require", KERNELS, print)
    print(
        f"{given.space}, C={given.channels}, {given.cells} cells, batch {BATCH}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )
    for order in given.order or (1, 2):
        if given.memory:
            same = ["--channels", str(given.channels), "--cells", str(given.cells), "--order", str(order)]
            itself = [sys.executable, "-m", "tests.benchmarks.bench_supernet", "--space", given.space, *same]
            peaks = {name: int(subprocess.check_output([*itself, "--of", name], text=True)) for name in variants}
            for name, peak in peaks.items():
                print(f"order {order}  {name:10}  {peak:6d} MiB  {peak / peaks[first]:.2f} of {first}")
            continue
        found = times(variants, given, order)
        base = median(found[first])
        for name, seconds in found.items():
            ratios = [r / s for r, s in zip(found[first], seconds, strict=True)]
            print(
                f"order {order}  {name:10}  {1000 * median(seconds):8.0f} ms  {base / median(seconds):.2f} times as "
                f"fast as {first} (rounds {min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
