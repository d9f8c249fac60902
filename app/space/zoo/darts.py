"""DARTS: two cells of four nodes, each node the sum of two operations on two different earlier states.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv:1806.09055.
States 0 and 1 are the cell's inputs, 2 to 5 its nodes; all nodes are concatenated.
"""

from app.space.algebra import Grammar, Record, Ref, Subset, Value, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import CellSkeleton

DARTS_OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)

SKELETONS = {
    "search": CellSkeleton(channels=16, num_cells=8, affine=False, norm_after_pool=True),
    "cifar": CellSkeleton(channels=36, num_cells=20),
    "imagenet": CellSkeleton(channels=48, num_cells=14, stem="imagenet", num_classes=1000),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def darts(num_nodes: int = 4, operations: tuple[str, ...] = DARTS_OPERATIONS, *, none: bool = False) -> SearchSpace:
    """The space of the paper; `none` adds the zero operation, as its supernet has it."""
    names = ("none", *operations) if none else operations

    def node(n: int) -> Subset:
        return Subset(tuple(record("edge", input=Value(i), op=one_of(*names)) for i in range(n)), 2)

    cell = Record("cell", tuple((f"node{n}", node(n)) for n in range(2, 2 + num_nodes)))
    return SearchSpace(
        name="darts",
        version=1,
        title="DARTS: two cells of nodes that add two operations on different states",
        paper="https://arxiv.org/abs/1806.09055",
        grammar=Grammar({"darts": record("cells", normal=Ref("cell"), reduce=Ref("cell")), "cell": cell}, "darts"),
        skeletons=SKELETONS,
        equivalences=(Equivalence("relabelling"),),
        literature="The paper says about 10^9 cells and 10^18 pairs of them, which the exact numbers round to. Nodes "
        "have no order, which leaves about 1.5·10^17 pairs. With `none`, which the supernet has and the paper never "
        "keeps, there are 9.1·10^18.",
    )
