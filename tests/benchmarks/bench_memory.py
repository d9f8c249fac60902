"""Predicted against measured peak memory: `python tests/benchmarks/bench_memory.py`.

Every configuration is a member of a space on one of its skeletons, drawn with a seed. Bytes of torch's CPU allocator on
one thread are counted, so that the figures are the same on a busy machine.
"""

import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from app.architecture import Graph, lower
from app.architecture.memory import MemoryDirection, MemoryPrecision, Optimiser, peak_memory
from app.space.zoo import ZOO

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Configuration:
    """One row of the table."""

    space: str
    skeleton: str
    direction: MemoryDirection
    batch_size: int
    precision: MemoryPrecision = "float32"
    optimiser: Optimiser = "sgd"
    pixels: int | None = None  # height and width; by default the space's
    seed: int = 4

    @property
    def label(self) -> str:
        """The row in words."""
        size = f" at {self.pixels}" if self.pixels else ""
        how = f"training, {self.optimiser}" if self.direction == "training" else self.direction
        return f"{self.space} {self.skeleton}{size}, {how}, {self.batch_size} x {self.precision}"

    def graph(self) -> Graph:
        """The architecture."""
        space = ZOO[self.space]
        image = space.input
        if self.pixels is not None:
            image = replace(image, height=self.pixels, width=self.pixels)
        genotype = space.plan.sample(random.Random(self.seed), 1)[0]
        return lower(space.grammar, space.skeletons[self.skeleton], image, space.plan.read(genotype))

    def predicted(self) -> int:
        """Bytes."""
        return peak_memory(
            self.graph(),
            batch_size=self.batch_size,
            precision=self.precision,
            direction=self.direction,
            optimiser=self.optimiser,
        ).total

    def measured(self) -> int:
        """Bytes."""
        from workers.memory import measured_peak

        return measured_peak(
            self.graph(),
            batch_size=self.batch_size,
            precision=self.precision,
            direction=self.direction,
            optimiser=self.optimiser,
        )


HALF: Literal["bfloat16"] = "bfloat16"
CONFIGURATIONS = (
    Configuration("darts", "cifar", "forward", 8),
    Configuration("darts", "search", "training", 8),
    Configuration("darts", "search", "forward+backward", 4, HALF),
    Configuration("nasnet", "search", "forward+backward", 4),
    Configuration("amoebanet", "search", "forward", 8, HALF),
    Configuration("nasbench201", "cifar", "forward", 16),
    Configuration("nasbench201", "cifar", "training", 16, optimiser="adam"),
    Configuration("nasbench101", "cifar", "training", 4, seed=5),
    Configuration("unconstrained_dag", "cifar", "forward+backward", 8),
    Configuration("enas_macro", "search", "training", 8),
    Configuration("nasbench_macro", "cifar", "forward", 32, HALF),
    Configuration("nats_size", "cifar", "training", 64),
    Configuration("mobilenet_ofa", "imagenet", "forward", 4, pixels=160),
    Configuration("proxylessnas", "imagenet", "training", 2, pixels=128),
    Configuration("fbnet", "small", "forward+backward", 4, HALF),
    Configuration("autoformer_t", "imagenet", "forward", 2),
    Configuration("transformer", "small", "training", 1, optimiser="adam", pixels=64),
    Configuration("nas_fpn", "coco", "forward", 1, pixels=256),
    Configuration("detection_head", "small", "forward+backward", 2),
    Configuration("autodeeplab", "search", "training", 1, pixels=129),
)
CHEAP = (5, 6, 16)  # those that every test run measures


def table(configurations: tuple[Configuration, ...]) -> str:
    """Markdown, a row a configuration."""
    import torch

    lines = [
        f"torch {torch.__version__}, CPU, one thread; MiB",
        "",
        "| architecture | predicted | measured | error |",
        "| --- | ---: | ---: | ---: |",
    ]
    for configuration in configurations:
        predicted, measured = configuration.predicted(), configuration.measured()
        error = predicted / measured - 1
        lines.append(
            f"| {configuration.label} | {predicted / MEBIBYTE:.1f} | {measured / MEBIBYTE:.1f} | {error:+.1%} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    text = table(CONFIGURATIONS)
    print(text)
    if out is not None:
        out.write_text(text)
