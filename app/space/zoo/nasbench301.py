"""NAS-Bench-301: the cells of DARTS, for which a surrogate predicts accuracies.

Zela, Siems, Zimmer, Lukasik, Keuper and Hutter, "Surrogate NAS Benchmarks: Going Beyond the Limited Search Spaces of
Tabular NAS Benchmarks", ICLR 2022, arXiv:2008.09777. Its genotypes are dictionaries of ConfigSpace.
"""

from dataclasses import replace

from app.space.algebra import Grammar
from app.space.document import SearchSpace
from app.space.skeleton import CellSkeleton
from app.space.zoo.darts import darts

SKELETONS = {
    "cifar": CellSkeleton(channels=32, num_cells=8),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def nasbench301() -> SearchSpace:
    """The space of the paper."""
    same = darts()
    cells, cell = same.grammar.rules["darts"], same.grammar.rules["cell"]
    return replace(
        same,
        name="nasbench301",
        title="NAS-Bench-301: the cells of DARTS, on its surrogate benchmark's network",
        paper="https://arxiv.org/abs/2008.09777",
        grammar=Grammar({"nasbench301": cells, "cell": cell}, "nasbench301"),
        skeletons=SKELETONS,
        literature="The paper says 10^18 for the space of DARTS, which is the exact number's order.",
    )
