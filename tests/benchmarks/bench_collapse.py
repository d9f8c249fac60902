"""Does a search over NAS-Bench-201's supernet drift to skips, and does the alarm say so?

    python -m tests.benchmarks.bench_collapse --strategy darts drnas gdas --seeds 0 1 2

The packaged digits, the benchmark's own depth (five cells a stage) at eight channels. After every epoch: the share of
skips in the genotype that would be found now, and every few epochs the dominant eigenvalue of the Hessian of the loss
in the architecture parameters, on one batch of the split `architecture`. The alarm rings where at most one uniformly
drawn genotype in a thousand has so many skips. One line a search; the same arguments give the same figures on the same
processor and version of torch.
"""

import argparse
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from app.architecture import lower
from app.experiment import SearchRecipe
from app.experiment import Strategy as StrategyName
from app.space import EdgeCellSkeleton
from app.space.zoo import ZOO
from workers.data import load
from workers.strategies.shared_weights import STRATEGIES
from workers.supernet.collapse import alarm, skip_share
from workers.supernet.curvature import measured
from workers.supernet.discretise import genotype_of
from workers.supernet.fit import SupernetFit
from workers.supernet.rewrite import FusedNetwork
from workers.supernet.weights import Draws, relax
from workers.training.determinism import limit_threads, seeded
from workers.training.loss import classification_loss

SPACE = ZOO["nasbench201"]
CPU = torch.device("cpu")
CURVED = 64  # images of the batch on which the curvature is measured


@dataclass(frozen=True, slots=True)
class Course:
    """How one search went."""

    skips: list[float]  # after each epoch
    rang: list[int]  # epochs after which the alarm rang
    curvature: dict[int, float | None]  # by epoch
    accuracy: float  # of the supernet on `architecture` in the last epoch, percent
    seconds: float


def searched(name: StrategyName, seed: int, given: argparse.Namespace) -> Course:
    """One search, without what comes after it."""
    images, started = load("digits"), time.monotonic()
    skeleton = EdgeCellSkeleton(channels=given.channels, num_cells=given.cells, affine=False)
    graph = lower(SPACE.grammar, skeleton, images.dataset.input)
    with seeded(seed, "supernet"):
        network = FusedNetwork(graph)
    recipe = SearchRecipe(
        name="collapse",
        epochs=given.epochs,
        batch_size=64,
        alpha_learning_rate=given.alpha_learning_rate,
        crop_padding=1,
        flip=False,
    )
    strategy = STRATEGIES[name](relax(SPACE.plan, graph.open), recipe, seed=seed, device=CPU)
    fit = SupernetFit(network, strategy, recipe, images, seed=seed, device=CPU)
    x, labels = next(fit.architecture_feed.plain(CURVED))

    def loss_at(draws: Draws) -> Tensor:
        return classification_loss(network(x, draws), labels)

    course = Course([], [], {}, 0.0, 0.0)
    threshold = alarm(SPACE.plan)
    while fit.epoch < fit.epochs:
        fit.advance()
        if fit.step:
            continue
        share = skip_share(SPACE.plan, genotype_of(SPACE.plan, strategy.settled(), "argmax"))
        course.skips.append(share)
        if threshold.rings(share):
            course.rang.append(fit.epoch)
        if fit.epoch % given.curvature_every == 0:
            course.curvature[fit.epoch] = measured(strategy, loss_at, seed=seed)
    accuracy = fit.architecture_tally.accuracy
    return Course(course.skips, course.rang, course.curvature, accuracy, time.monotonic() - started)


def main() -> None:
    """Search with every strategy and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", nargs="+", default=["darts", "drnas", "gdas"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--alpha-learning-rate", type=float, default=1e-3)
    parser.add_argument("--curvature-every", type=int, default=10)
    given = parser.parse_args()
    limit_threads()
    print(f"the alarm rings above {alarm(SPACE.plan).threshold:.0%} of skips; torch {torch.__version__}")
    for name in given.strategy:
        for seed in given.seeds:
            course = searched(name, seed, given)
            curved = ", ".join(
                f"{epoch}: {value:.3g}" for epoch, value in course.curvature.items() if value is not None
            )
            rang = f"rang {len(course.rang)} times, first after epoch {course.rang[0]}" if course.rang else "silent"
            print(
                f"{name:18} seed {seed}: skips {course.skips[-1]:.0%} at the end, {max(course.skips):.0%} at most; "
                f"alarm {rang}; eigenvalue {curved or 'none'}; accuracy {course.accuracy:.1f}; {course.seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
