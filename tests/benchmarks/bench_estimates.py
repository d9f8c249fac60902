"""How far estimates are from what is measured: each of some phases predicted from all the others.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_estimates

Networks and supernets of NAS-Bench-201 on digits, 12 steps each. `in`: whether the band holds what was measured.
"""

from dataclasses import replace

import torch

from app.architecture import lower
from app.experiment import DATASETS, SearchRecipe, TrainingRecipe
from app.experiment.estimate import Estimate, peak_bytes, seconds_per_step
from app.experiment.pace import Pace
from app.space import EdgeCellSkeleton
from app.space.zoo import ZOO
from workers.data import Images, load
from workers.strategies.shared_weights import STRATEGIES
from workers.supernet.fit import SupernetFit
from workers.supernet.rewrite import FusedNetwork
from workers.supernet.weights import relax
from workers.training.discrete import candidate
from workers.training.pace import Stopwatch

SPACE = ZOO["nasbench201"]
STEPS = 12
NETWORKS = (
    (4, 3, 32),
    (4, 9, 32),
    (8, 3, 64),
    (8, 6, 32),
    (16, 3, 64),
    (16, 6, 32),
    (16, 3, 16),
    (32, 3, 32),
    (24, 6, 64),
)
SUPERNETS = ((4, 3, 32), (4, 6, 32), (8, 3, 32), (8, 3, 64), (16, 3, 32), (8, 6, 16))
CPU = torch.device("cpu")


def skeleton(channels: int, num_cells: int) -> EdgeCellSkeleton:
    """Small, with the classes of digits."""
    small = SPACE.skeletons["small"]
    assert isinstance(small, EdgeCellSkeleton)
    return replace(small, channels=channels, num_cells=num_cells)


def network(images: Images, channels: int, num_cells: int, batch_size: int) -> Pace:
    """A training of the member with the most convolutions."""
    recipe = TrainingRecipe(name="bench", epochs=9, batch_size=batch_size, learning_rate=0.1)
    genotype = SPACE.plan.unrank(SPACE.plan.size - 1)
    made = candidate(SPACE, genotype, skeleton(channels, num_cells), recipe, images, seed=0, device=CPU)
    return timed(Stopwatch(made.trainer))


def supernet(images: Images, channels: int, num_cells: int, batch_size: int) -> Pace:
    """A first-order search."""
    graph = lower(SPACE.grammar, replace(skeleton(channels, num_cells), affine=False), images.dataset.input)
    recipe = SearchRecipe(name="bench", epochs=9, batch_size=batch_size)
    strategy = STRATEGIES["darts"](relax(SPACE.plan, graph.open), recipe, seed=0, device=CPU)
    found = timed(Stopwatch(SupernetFit(FusedNetwork(graph), strategy, recipe, images, seed=0, device=CPU)))
    return replace(found, load=replace(found.load, strategy="darts"))


def timed(watch: Stopwatch) -> Pace:
    """What some steps take."""
    for _ in range(STEPS):
        watch.advance()
    found = watch.measured()
    assert found is not None
    return found


def row(name: str, found: Estimate | None, measured: float | None, unit: float) -> str:
    """One line of the table."""
    if found is None or measured is None:
        return f"| {name} | - | - | - | - |"
    band = found.band
    inside = "yes" if band.low <= measured <= band.high else "no"
    ends = f"{band.low / unit:.1f} to {band.high / unit:.1f}"
    return f"| {name} | {band.expected / unit:.1f} | {ends} | {measured / unit:.1f} | {inside} |"


def main() -> None:
    """The tables."""
    images = load(DATASETS["digits"].name, None)
    for subject, sizes, measure in (("network", NETWORKS, network), ("supernet, darts", SUPERNETS, supernet)):
        paces = [measure(images, *size) for size in sizes]
        for title, unit in (("ms a step", 1e-3), ("MiB", 2**20)):
            print(f"\n| {subject}: channels, cells, batch | predicted {title} | band | measured | in |")
            print("| --- | ---: | ---: | ---: | --- |")
            for i, (size, pace) in enumerate(zip(sizes, paces, strict=True)):
                others = [*paces[:i], *paces[i + 1 :]]
                if unit < 1:
                    found, measured = seconds_per_step(others, pace.load, pace.device), pace.seconds_per_step
                else:
                    found, measured = peak_bytes(others, pace.load, pace.device), pace.peak_memory_bytes
                print(row(", ".join(map(str, size)), found, measured, unit))


if __name__ == "__main__":
    main()
