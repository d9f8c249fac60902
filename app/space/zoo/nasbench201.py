"""NAS-Bench-201: one operation on each of the six edges between four nodes.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020,
arXiv:2001.00326. The edges stand in the order of its architecture strings; the benchmark's own index is a shuffled
order, which no grammar gives, so a genotype's rank is not its benchmark index.
"""

from app.space.algebra import Grammar, Record, one_of
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import EdgeCellSkeleton

NASBENCH201_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

SKELETONS = {
    "cifar": EdgeCellSkeleton(channels=16, num_cells=5),
    "small": EdgeCellSkeleton(channels=8, num_cells=1),
}


def nasbench201(num_nodes: int = 4, operations: tuple[str, ...] = NASBENCH201_OPERATIONS) -> SearchSpace:
    """The space of the paper: node 0 is the cell's input, the last node its output."""
    edges = tuple((f"{i}->{j}", one_of(*operations)) for j in range(1, num_nodes) for i in range(j))
    return SearchSpace(
        name="nasbench201",
        version=1,
        title="NAS-Bench-201: an operation on every edge of a four-node cell",
        paper="https://arxiv.org/abs/2001.00326",
        grammar=Grammar({"nasbench201": Record("edge_cells", edges)}, "nasbench201"),
        skeletons=SKELETONS,
        equivalences=tuple(map(Equivalence, ("relabelling", "pruned-isomorphism", "nats-string", "functional"))),
        literature="The papers say 15,625 cells, 6,466 of them unique. The second counts NATS-Bench's strings, whose "
        "rule for zeros is not complete: what cells compute differs in 4,930 ways.",
    )
