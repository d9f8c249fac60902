"""The sandwich rule with in-place distillation: in each step the largest member learns from the labels, and the
smallest and a few between learn from what the largest answers.

Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques" (2019), arXiv:1903.05134, section 3.2
and 3.3, for widths; Yu et al., "BigNAS" (2020), arXiv:2003.11142, section 3.1, for kernels, depths and widths at once.
The gradients of all of them are added up before the one step of the weights. Elastic supernets whose papers draw
members alone, each as likely as any other, as AutoFormer (Chen et al., 2021, arXiv:2107.00651), are `single_path`'s.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from app.architecture import Graph
from app.architecture.extremes import largest, smallest
from app.space import SearchSpace
from workers.inheritance import one_hot
from workers.strategies.single_path import SinglePath
from workers.supernet.weights import Weights
from workers.training.checkpoint import CheckpointError


class Sandwich(SinglePath):
    """The largest member's weights, and as students the smallest's and uniformly drawn ones; one of
    `workers.strategies.Strategy`.

    Largest and smallest are the most and the fewest MACs, as `app.architecture.extremes` finds them. The i-th member
    that is drawn is a function of (space, seed, i) alone, as of a single path.
    """

    def __init__(self, space: SearchSpace, graph: Graph, *, seed: int, device: torch.device, between: int = 2) -> None:
        """`between`: members drawn a step; two, with the largest and the smallest, make the four of both papers.

        Raises ValueError where the graph asks what is no decision of the space, and Unmet where no member is valid.
        """
        if between < 0:
            raise ValueError(f"between: expected a number of members from 0, found {between}")
        super().__init__(space, graph, seed=seed, device=device)
        self.between = between
        self.largest, self.smallest = largest(space, graph), smallest(space, graph)

    def draw(self) -> Weights:
        """The largest member as weights: 1 for what it takes, 0 for what it does not."""
        return self._weights(self.largest.index)

    def students(self) -> tuple[Weights, ...]:
        """The smallest member and the next ones drawn; each once, and never the largest, which is its own teacher."""
        ranks = [self.smallest.index, *(self.member(self.drawn + i) for i in range(self.between))]
        self.drawn += self.between
        return tuple(self._weights(rank) for rank in dict.fromkeys(ranks) if rank != self.largest.index)

    def state(self) -> dict[str, Tensor]:
        """How many members were drawn."""
        return {"drawn between": torch.tensor(self.drawn)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another strategy's."""
        if tensors.keys() != {"drawn between"}:
            raise CheckpointError(
                f"the checkpoint is not of sandwiches: it has {sorted(tensors)}, expected ['drawn between']"
            )
        self.drawn = int(tensors["drawn between"])

    def _weights(self, rank: int) -> Weights:
        return one_hot(self.graph, self.space.plan.read(self.space.plan.unrank(rank)))
