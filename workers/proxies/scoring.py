"""Proxies of the members of a space: untrained networks on one skeleton, and batches of real images.

Legend: N images, C channels, H × W pixels.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from app.architecture import lower
from app.space import Genotype, SearchSpace, Skeleton
from workers.data import Images
from workers.network import Network
from workers.proxies.computation import compute
from workers.proxies.definition import Score
from workers.training.augment import normalised
from workers.training.determinism import generator, seeded
from workers.training.tasks import task_for

SPLIT = "weights"


@dataclass(frozen=True, slots=True)
class Timed:
    """A score, and the seconds that it took."""

    score: Score
    seconds: float


class Scoring:
    """What proxies say of members; the same for the same space, skeleton, images, seed and number of images."""

    def __init__(
        self, space: SearchSpace, skeleton: Skeleton, images: Images, *, seed: int, device: torch.device
    ) -> None:
        self.space = space
        self.skeleton = skeleton
        self.images = images
        self.seed = seed
        self.device = device
        self._batches: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def most(self) -> int:
        """How many images a batch may have."""
        return self.images.dataset.splits[SPLIT]

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """The first of the seed's shuffle of `weights`, normalised: float32 (N, C, H, W) and int64 (N, ...).

        Raises ValueError where there are not so many.
        """
        if not 1 <= number <= self.most:
            raise ValueError(f"a batch of {number} images: {SPLIT} of {self.images.dataset.name} has {self.most}")
        if number not in self._batches:
            pixels, labels = self.images.of(SPLIT)
            chosen = torch.randperm(len(labels), generator=generator(self.seed, "proxies", "images"))[:number]
            scale = self.images.normalisation(SPLIT)
            inputs = normalised(pixels[chosen], scale, self.images.levels)
            self._batches[number] = inputs.to(self.device), labels[chosen].to(self.device)
        return self._batches[number]

    def scores(self, genotype: Genotype, names: Collection[str], number: int) -> dict[str, Timed]:
        """The named proxies of one member, freshly initialised by its own stream of the seed, on so many images."""
        batch, plan = self.batch(number), self.space.plan
        graph = lower(self.space.grammar, self.skeleton, self.images.dataset.input, plan.read(genotype))
        with seeded(self.seed, "proxies", "network", plan.rank(genotype)):
            network = Network(graph).to(self.device)
        found: dict[str, Timed] = {}
        for name in names:
            started = time.perf_counter()
            score = compute([name], network, batch, self.seed, task_for(self.images.dataset))[name]
            found[name] = Timed(score, time.perf_counter() - started)
        return found
