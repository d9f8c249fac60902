"""The simple cell: each node adds two operations, each on any earlier state, the same one allowed twice.

The cell of textbook treatments: inputs 0 and 1, node i reads states 0 to 1 + i. One cell, used as normal and as
reduction cell.
"""

from app.space.algebra import Grammar, Record, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import CellSkeleton
from app.space.zoo.darts import DARTS_OPERATIONS

OPERATIONS = ("none", *DARTS_OPERATIONS)

SKELETONS = {
    "search": CellSkeleton(channels=16, num_cells=8, affine=False, norm_after_pool=True),
    "cifar": CellSkeleton(channels=36, num_cells=20),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def simple_cell(num_nodes: int = 4, operations: tuple[str, ...] = OPERATIONS) -> SearchSpace:
    """The cell with `num_nodes` nodes."""

    def edge(i: int) -> Record:
        return record("edge", input=one_of(*range(2 + i)), op=one_of(*operations))

    nodes = tuple((f"node{i}", record("pair", left=edge(i), right=edge(i))) for i in range(num_nodes))
    return SearchSpace(
        name="simple_cell",
        version=1,
        title="A cell whose nodes add two operations on any two earlier states",
        paper="",
        grammar=Grammar({"cell": Record("shared_cell", nodes)}, "cell"),
        skeletons=SKELETONS,
        equivalences=(Equivalence("operand-swap"), Equivalence("relabelling")),
        literature='A widely copied lesson prints "about 33 billion" for seven and for eight operations. Two inputs '
        "out of 2 + i states and two operations in each of four nodes are 8.3·10^10 and 2.4·10^11.",
    )
