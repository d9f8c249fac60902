"""Whole steps beside those of the code that papers published, batch 16, 32 x 32 synthetic images, float32.

    python -m tests.benchmarks.bench_peers --darts DIR --pc-darts DIR --autodl DIR
    python -m tests.benchmarks.bench_peers --darts DIR --which discrete --rounds 20
    python -m tests.benchmarks.bench_peers --darts DIR --which memory

    which          theirs                                                ours
    first          quark0/darts, first order                             the plain reference, the rewritten supernet, it
                                                                         with kernels (native); here and below
    second         the same, unrolled                                    the same
    pc-darts       PC-DARTS                                              the rewritten supernet, partial
    gdas           AutoDL-Projects' GDAS on its NASNet-like space        the rewritten supernet of darts
    nasbench201    AutoDL-Projects' GDAS and DARTS-V1 on NAS-Bench-201   the rewritten supernet of nasbench201
    discrete       quark0/darts, DARTS_V2 with its auxiliary head        the lowered network
    memory         quark0/darts, unrolled                                the rewritten supernet: MiB above base, each in
                                                                         a process of its own

Variants are interleaved round by round in one process; only ratios carry over. Beside each stands how many numbers its
network learns, architecture parameters aside. Those of quark0/darts and PC-DARTS are the same networks; convolutions of
AutoDL-Projects' cells have a bias, which the normalisation behind them takes away, and its NASNet-like network
normalises once more before its classifier; its GDAS computes nothing for what is not drawn either. `none` is among the
operations of all of DARTS' supernets, as in the papers.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from app.api.examples import DARTS_V2
from app.architecture import lower
from app.experiment import SearchRecipe, Strategy
from app.space.zoo import ZOO, darts
from tests.benchmarks import bench_supernet, peers
from tests.benchmarks.bench_supernet import BATCH, KERNELS, Batches, reference, resident
from tests.benchmarks.peers import Made, size
from workers.network import Network
from workers.strategies.shared_weights import STRATEGIES, undecided
from workers.supernet.bilevel import BilevelLoss
from workers.supernet.native import kernels
from workers.supernet.rewrite import FusedNetwork, NativeNetwork
from workers.training.loss import classification_loss

DROP_PATH = 0.1  # the mean over a training whose last epoch has 0.2
SPACES = {**ZOO, "darts": darts(none=True)}  # the supernets of the papers weigh `none`, too
Variants = Mapping[str, Callable[[], Made]]  # theirs first
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Peers:
    """Where the checkouts lie; None of what is not there."""

    darts: Path | None
    pc_darts: Path | None
    autodl: Path | None


def there(folder: Path | None, option: str) -> Path:
    """A checkout that a measurement needs."""
    if folder is None or not folder.is_dir():
        sys.exit(f"--{option}: {folder} is no folder, and what is asked needs that checkout")
    return folder


def ours(
    kind: type[Network],
    strategy: Strategy,
    space: str,
    recipe: SearchRecipe,
    *,
    nesterov: bool = False,
    **skeleton: Any,
) -> Made:
    """A whole step of a search: the strategy, then the weights."""
    if kind is NativeNetwork:
        kernels("require", KERNELS, print)
    chosen = SPACES[space]
    torch.manual_seed(0)
    named = chosen.skeletons.get("search") or next(iter(chosen.skeletons.values()))
    whole = lower(chosen.grammar, replace(named, affine=False, **skeleton), chosen.input)  # pyright: ignore
    graph, relaxed = undecided(strategy, chosen.plan, whole)
    network = kind(graph).train()
    learner = STRATEGIES[strategy](relaxed, recipe, seed=0, device=CPU)
    optimiser = torch.optim.SGD(
        network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=nesterov
    )
    (x, labels), (held, truth) = Batches().both

    def loss(weights: Any, images: Tensor, classes: Tensor) -> Tensor:
        return classification_loss(network(images, weights), classes)

    def step() -> None:
        learner.learn(
            BilevelLoss(lambda w: loss(w, held, truth), lambda w: loss(w, x, labels), optimiser, lambda w: 0.0)
        )
        optimiser.zero_grad(set_to_none=True)
        loss(learner.draw(), x, labels).backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
        optimiser.step()

    return step, size(network)


def rewritten(strategy: Strategy, space: str, recipe: SearchRecipe, **more: Any) -> Variants:
    """The same without and with kernels."""
    return {
        name: partial(ours, kind, strategy, space, recipe, **more)
        for name, kind in (("rewritten", FusedNetwork), ("native", NativeNetwork))
    }


def trained(channels: int, cells: int) -> Made:
    """A step of training DARTS_V2 as lowered."""
    space = ZOO["darts"]
    skeleton = replace(space.skeletons["cifar"], channels=channels, num_cells=cells, auxiliary=True)
    torch.manual_seed(0)
    network = Network(lower(space.grammar, skeleton, space.input, space.plan.read(DARTS_V2))).train()
    network.drop_path = DROP_PATH
    optimiser = torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
    x, labels = Batches().both[0]

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        classification_loss(network(x), labels, auxiliary_weight=0.4).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()

    return step, size(network)


def plain(channels: int, cells: int, order: int) -> Made:
    """The reference of the supernet's own benchmark, with `none`."""
    bench_supernet.ZOO = SPACES
    return reference("darts", channels, cells, order), 0


def bilevel(of: Peers, channels: int, cells: int, order: int) -> Variants:
    """DARTS."""
    folder = there(of.darts, "darts") / "cnn"
    strategy: Strategy = "darts" if order == 1 else "darts_second_order"
    return {
        "quark0/darts": lambda: peers.bilevel(
            folder,
            Batches().both,
            channels=channels,
            cells=cells,
            second_order=order == 2,
            rates=(0.025, 3e-4),
        ),
        "reference": lambda: plain(channels, cells, order),
        **rewritten(strategy, "darts", SearchRecipe(name="darts"), channels=channels, num_cells=cells),
    }


def passing(of: Peers, channels: int, cells: int) -> Variants:
    """PC-DARTS."""
    folder = there(of.pc_darts, "pc-darts")
    recipe = SearchRecipe(name="pc", learning_rate=0.1, alpha_learning_rate=6e-4)
    return {
        "PC-DARTS": lambda: peers.bilevel(
            folder,
            Batches().both,
            channels=channels,
            cells=cells,
            second_order=False,
            rates=(0.1, 6e-4),
        ),
        **rewritten("pc_darts", "darts", recipe, channels=channels, num_cells=cells),
    }


def drawn(of: Peers, channels: int, depth: int, name: str, space: str) -> Variants:
    """AutoDL-Projects' supernets: NASNet-like ones of 3 x `depth` cells, or of NAS-Bench-201 with `depth` a stage."""
    folder = there(of.autodl, "autodl")
    recipe = SearchRecipe(name="autodl", weight_decay=5e-4)
    strategy: Strategy = "gdas" if name == "GDAS" else "darts"
    found: dict[str, Any] = {"name": name, "C": channels, "N": depth}
    skeleton: dict[str, Any] = {"channels": channels, "num_cells": depth}
    if space == "darts":
        found |= {"super_type": "nasnet-super", "steps": 4, "multiplier": 4, "stem_multiplier": 3}
        skeleton = {"channels": channels, "num_cells": 3 * depth, "norm_after_pool": False}
    else:
        found["max_nodes"] = 4
    return {
        f"AutoDL {name}": lambda: peers.autodl(
            folder,
            Batches().both,
            found,
            "darts" if space == "darts" else "nas-bench-201",
        ),
        **rewritten(strategy, space, recipe, nesterov=True, **skeleton),
    }


def discrete(of: Peers, channels: int, cells: int) -> Variants:
    """DARTS_V2."""
    folder = there(of.darts, "darts") / "cnn"
    return {
        "quark0/darts": lambda: peers.discrete(
            folder, Batches().both[0], channels=channels, cells=cells, drop_path=DROP_PATH
        ),
        "lowered": lambda: trained(channels, cells),
    }


def cases(which: str, of: Peers, small: bool) -> Mapping[str, Variants]:
    """What is measured under one name."""
    sizes = ((4, 3),) if small else ((16, 8), (8, 5))
    match which:
        case "first" | "second":
            order = 1 if which == "first" else 2
            return {f"{which} order, C={c}, {n} cells": bilevel(of, c, n, order) for c, n in sizes}
        case "pc-darts":
            return {f"PC-DARTS, C={c}, {n} cells": passing(of, c, n) for c, n in sizes}
        case "gdas":
            c, depth = (4, 1) if small else (16, 2)
            return {f"GDAS, NASNet-like, C={c}, {3 * depth} cells": drawn(of, c, depth, "GDAS", "darts")}
        case "nasbench201":
            c, depth = (4, 1) if small else (16, 5)
            return {
                f"{name}, NAS-Bench-201, C={c}, {depth} cells a stage": drawn(of, c, depth, name, "nasbench201")
                for name in ("GDAS", "DARTS-V1")
            }
        case _:
            sizes = ((4, 3),) if small else ((36, 20), (16, 8))
            return {f"DARTS_V2, C={c}, {n} cells": discrete(of, c, n) for c, n in sizes}


def measured(title: str, variants: Variants, rounds: int) -> None:
    """Print a line a variant; the first round is warm-up."""
    made = {name: make() for name, make in variants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for number in range(rounds + 1):
        for name, (step, _) in made.items():
            started = time.perf_counter()
            step()
            if number:
                seconds[name].append(time.perf_counter() - started)
    theirs = next(iter(seconds.values()))
    print(title)
    for name, found in seconds.items():
        ratios = [a / b for a, b in zip(theirs, found, strict=True)]
        learns = f"{made[name][1]:10,} numbers" if made[name][1] else " " * 18
        print(
            f"  {name:14} {1000 * median(found):8.1f} ms  {median(theirs) / median(found):5.2f} times theirs "
            f"(rounds {min(ratios):.2f} to {max(ratios):.2f})  {learns}",
            flush=True,
        )


def peak(make: Callable[[], Made]) -> int:
    """MiB at the peak of three steps, above what there was before the first."""
    step, _ = make()
    before = resident("VmRSS")
    for _ in range(3):
        step()
    return resident("VmHWM") - before


def memory(of: Peers, small: bool) -> None:
    """Print the peaks of the second order, each measured in a process of its own."""
    for title, variants in cases("second", of, small).items():
        print(title)
        peaks: dict[str, int] = {}
        for name in variants:
            again = [sys.executable, "-m", "tests.benchmarks.bench_peers", *sys.argv[1:], "--of", title, name]
            peaks[name] = int(subprocess.check_output(again, text=True))
            share = peaks[name] / max(1, next(iter(peaks.values())))
            print(f"  {name:14} {peaks[name]:6d} MiB above base  {share:.2f} of theirs", flush=True)


WHICH = ("first", "second", "pc-darts", "gdas", "nasbench201", "discrete", "memory")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("darts", "pc-darts", "autodl"):
        parser.add_argument(f"--{option}", type=Path)
    parser.add_argument("--which", choices=WHICH, action="append")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="4 channels and few cells: whether it runs")
    parser.add_argument("--of", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    peers.on_this_device()
    of = Peers(given.darts, given.pc_darts, given.autodl)
    if given.of:
        title, name = given.of
        print(peak(cases("second", of, given.small)[title][name]))
        return
    print(f"batch {BATCH}, torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores")
    for which in given.which or WHICH:
        if which == "memory":
            memory(of, given.small)
            continue
        for title, variants in cases(which, of, given.small).items():
            measured(title, variants, given.rounds)


if __name__ == "__main__":
    main()
