"""PC-DARTS: Xu et al., "PC-DARTS: Partial channel connections for memory-efficient architecture search" (2020),
arXiv:1907.05737.

    partial channels      operations see one channel in four, the others pass them by     section 3.1
    edge normalisation    β of the inputs of a node compete by softmax, and multiply α     section 3.2, equation 2
    both                  learnt by first-order DARTS, with α and β left alone at first

The first two are the supernet's: `app.architecture.partial`, and `relax(..., normalised_edges=True)`. As in
yuhuixu1993/PC-DARTS `model_search.py` and `architect.py` α and β start at 10^-3 times standard normal and are learnt
by one Adam; the recipe `pc-darts-cifar` is that of its `train_search.py`. Where a space takes every input of a node,
as it takes both of DARTS' first node, nothing competes and there is no β; that code has β there as well.
"""

from app.architecture import Graph
from app.architecture.partial import partial
from app.space import Plan
from workers.strategies.darts import Darts
from workers.supernet.weights import Relaxed, relax


class PcDarts(Darts):
    """Softmax over α and over β, learnt by Adam on the architecture split."""

    @staticmethod
    def undecided(plan: Plan, graph: Graph) -> tuple[Graph, tuple[Relaxed, ...]]:
        """What it searches: partial channels, and inputs of a node that compete. Raises NoMixture."""
        searched = partial(graph)
        return searched, relax(plan, searched.open, normalised_edges=True)
