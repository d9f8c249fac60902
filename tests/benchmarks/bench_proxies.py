"""Zero-cost proxies against real accuracies: `python tests/benchmarks/bench_proxies.py --architectures 500`.

Uniform architectures of NAS-Bench-201 as networks of the benchmark's size, one batch of 64 real images, the proxies'
rank correlations with the accuracies of the published table. CELLAR_BENCHMARK_TABLES names the folder of
`nasbench201_cifar10_200ep.csv.gz`. The images are Fashion-MNIST where Debian's dataset-fashion-mnist is installed or
`--images` names a folder of its four files, otherwise the packaged digits. The same arguments give the same figures.
"""

import argparse
import csv
import gzip
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from app.architecture import lower
from app.architecture.formats import read_format
from app.experiment import PROXIES
from app.experiment.ranks import kendall, spearman
from app.space.zoo import ZOO
from workers.data import Images, load
from workers.network import Network
from workers.proxies import Score, compute
from workers.training.determinism import generator, seeded

TABLE = "nasbench201_cifar10_200ep.csv.gz"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
BATCH = 64
EVERY = 20  # architectures between two lines of progress


def table() -> list[tuple[str, float]]:
    """Architecture strings with their accuracies. Exits where the table is absent."""
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if not folder or not (Path(folder) / TABLE).is_file():
        sys.exit(f"CELLAR_BENCHMARK_TABLES does not name a folder with {TABLE}: there is nothing to compare with")
    with gzip.open(Path(folder) / TABLE, "rt") as stream:
        columns, *rows = csv.reader(stream)
    arch = columns.index("arch")
    (accuracy,) = [i for i, name in enumerate(columns) if "acc" in name]
    return [(row[arch], float(row[accuracy])) for row in rows]


def real_images(folder: Path) -> Images:
    """Fashion-MNIST out of a folder, or the packaged digits where it is not there."""
    if not folder.is_dir():
        print(f"{folder} is absent: the images are the packaged digits")
        return load("digits")
    with tempfile.TemporaryDirectory() as root:
        place = Path(root) / "datasets" / "fashion_mnist"
        place.parent.mkdir()
        place.symlink_to(folder.resolve())
        return load("fashion_mnist", Path(root))


def batch_of(images: Images, seed: int) -> tuple[Tensor, Tensor]:
    """One batch of what may be fitted to, normalised; float32 (64, C, H, W) and int64 (64,)."""
    pixels, labels = images.of("weights")
    chosen = torch.randperm(len(pixels), generator=generator(seed, "images"))[:BATCH]
    scale = images.normalisation("weights")
    mean, deviation = (torch.tensor(x).view(-1, 1, 1) for x in (scale.mean, scale.deviation))
    return (pixels[chosen].float() / images.levels - mean) / deviation, labels[chosen]


def main() -> None:
    """Prints one line a proxy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architectures", type=int, default=500)
    parser.add_argument("--skeleton", default="cifar", help="of the space's skeletons; cifar is the benchmark's")
    parser.add_argument("--images", type=Path, default=DEBIAN)
    parser.add_argument("--seconds", type=float, help="begin no architecture after so many; by default all are done")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--proxies", nargs="+", default=list(PROXIES), choices=list(PROXIES))
    asked = parser.parse_args()

    rows = random.Random(asked.seed).sample(table(), asked.architectures)
    images = real_images(asked.images)
    batch = batch_of(images, asked.seed)
    space = ZOO["nasbench201"]
    skeleton = space.skeletons[asked.skeleton]
    found: dict[str, list[Score]] = {name: [] for name in asked.proxies}
    seconds = dict.fromkeys(asked.proxies, 0.0)
    beginning = time.monotonic()
    for i, (text, _) in enumerate(rows):
        if asked.seconds is not None and time.monotonic() - beginning > asked.seconds:
            rows = rows[:i]
            break
        decisions = space.plan.read(read_format(space, "nasbench201", text))
        with seeded(asked.seed, "network", i):
            network = Network(lower(space.grammar, skeleton, images.dataset.input, decisions))
        for name in asked.proxies:
            started = time.perf_counter()
            found[name].append(compute([name], network, batch, asked.seed)[name])
            seconds[name] += time.perf_counter() - started
        if (i + 1) % EVERY == 0:
            print(f"{i + 1} of {len(rows)}", file=sys.stderr, flush=True)

    print(f"{len(rows)} architectures, skeleton {asked.skeleton}, {BATCH} images of {images.dataset.name}")
    print("| proxy | n | Spearman | Kendall | seconds each |\n| --- | --- | --- | --- | --- |")
    for name, scores in found.items():
        pairs = [(s.value, y) for s, (_, y) in zip(scores, rows, strict=True) if s.value is not None]
        x, y = [a for a, _ in pairs], [b for _, b in pairs]
        rho, tau = ("none" if c is None else f"{c:.3f}" for c in (spearman(x, y), kendall(x, y)))
        print(f"| {name} | {len(pairs)} | {rho} | {tau} | {seconds[name] / len(rows):.2f} |")
    for name, scores in found.items():
        for reason in sorted({s.reason for s in scores if s.reason}):
            print(f"{name} is undefined for {sum(s.reason == reason for s in scores)}: {reason}")


if __name__ == "__main__":
    main()
