"""PNAS: one cell of five blocks with eight operations, used as normal cell and, with stride 2, as reduction cell.

Liu et al., "Progressive Neural Architecture Search", ECCV 2018, arXiv:1712.00559.
"""

from app.space.algebra import Grammar, Ref, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import CellSkeleton
from app.space.zoo.blocks import block_cell

PNASNET_OPERATIONS = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "conv_7x1_1x7",
    "skip_connect",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
)

# a third of the cells for each extent, the first of the second and last third with stride 2
SKELETONS = {
    "search": CellSkeleton(channels=24, num_cells=6),
    "cifar": CellSkeleton(channels=48, num_cells=9),
    "imagenet": CellSkeleton(channels=54, num_cells=9, stem="cells", stem_multiplier=1, num_classes=1000),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def pnasnet(
    num_blocks: int = 5, operations: tuple[str, ...] = PNASNET_OPERATIONS, *, concat_all: bool = False
) -> SearchSpace:
    """The space of the paper. Its released network concatenates all blocks, read or not: `concat_all`."""
    cell = block_cell(num_blocks, operations, concat_all=concat_all)
    return SearchSpace(
        name="pnasnet",
        version=1,
        title="PNAS: one cell of blocks that add two operations on any two earlier states",
        paper="https://arxiv.org/abs/1712.00559",
        grammar=Grammar({"pnasnet": record("cells", cell=Ref("cell")), "cell": cell}, "pnasnet"),
        skeletons=SKELETONS,
        equivalences=(Equivalence("operand-swap"), Equivalence("relabelling")),
        notes=(
            "The released PNASNet-5 concatenates all five blocks although one of them is read: it is a member of "
            "the variant that concatenates all blocks.",
        ),
        literature="The paper says 5.6·10^14 in all and about 10^12 different ones. The first is exact; the second "
        "is about 3.1·10^12 where neither blocks nor their operands have an order.",
    )
