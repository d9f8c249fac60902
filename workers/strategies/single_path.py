"""Uniform single paths: Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (2020,
arXiv:1904.00420).

In each step one member of the space is drawn, each as likely as any other, and only its part of the supernet computes
and learns. Nothing is learnt about the decisions.
"""

from collections.abc import Mapping
from random import Random

import torch
from torch import Tensor

from app.architecture import Graph, judge_of
from app.space import SearchSpace
from app.space.validity import valid_ranks
from workers.inheritance import one_hot
from workers.strategies.protocol import Loss
from workers.supernet.weights import Relaxed, Weights, relax, uniform_weights
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import stream_seed


class SinglePath:
    """One-hot weights of a uniformly drawn valid member; one of `workers.strategies.Strategy`.

    Draw number i is a function of (space, seed, i) alone.
    """

    def __init__(self, space: SearchSpace, graph: Graph, *, seed: int, device: torch.device) -> None:
        """`graph` is the supernet's. Raises ValueError where it asks what is no decision of the space."""
        self.space = space
        self.graph = graph
        self.seed = seed
        self.device = device
        self.drawn = 0
        self.relaxed: tuple[Relaxed, ...] = relax(space.plan, graph.open)
        self._judge = judge_of(space)

    def member(self, number: int) -> int:
        """The rank of the member of a draw, from 0. Raises Unmet where the space has no valid member."""
        ((rank,), _) = valid_ranks(self.space, Random(stream_seed(self.seed, "path", number)), 1, self._judge)
        return rank

    def reach(self, share: float) -> None:
        """Nothing here depends on how far the search is."""

    def draw(self) -> Weights:
        """The next member as weights: 1 for what it takes, 0 for what it does not."""
        rank = self.member(self.drawn)
        self.drawn += 1
        return one_hot(self.graph, self.space.plan.read(self.space.plan.unrank(rank)))

    def students(self) -> tuple[Weights, ...]:
        """None."""
        return ()

    def learn(self, loss: Loss) -> None:
        """Nothing: paths stay uniform."""

    def settled(self) -> Weights:
        """Every option alike."""
        return uniform_weights(self.relaxed, torch.zeros((), device=self.device))

    def state(self) -> dict[str, Tensor]:
        """How many paths were drawn."""
        return {"drawn": torch.tensor(self.drawn)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another strategy's."""
        if tensors.keys() != {"drawn"}:
            raise CheckpointError(
                f"the checkpoint is not of single paths: it has {sorted(tensors)}, expected ['drawn']"
            )
        self.drawn = int(tensors["drawn"])
