"""NASNet: two cells of five blocks, each two operations out of thirteen on any two earlier states.

Zoph, Vasudevan, Shlens and Le, "Learning Transferable Architectures for Scalable Image Recognition", CVPR 2018,
arXiv:1707.07012. Its controller also chose how a block combines its operations; its best cells only add.
"""

from app.space.algebra import Grammar, Ref, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import CellSkeleton
from app.space.zoo.blocks import block_cell

NASNET_OPERATIONS = (
    "skip_connect",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
    "dil_conv_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)

SKELETONS = {
    "search": CellSkeleton(channels=32, num_cells=8),
    "cifar": CellSkeleton(channels=32, num_cells=20),
    "imagenet": CellSkeleton(channels=44, num_cells=14, stem="cells", stem_multiplier=1, num_classes=1000),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def nasnet(
    num_blocks: int = 5,
    operations: tuple[str, ...] = NASNET_OPERATIONS,
    *,
    combine: tuple[str, ...] = ("add",),
    concat_all: bool = False,
) -> SearchSpace:
    """The space of the paper with blocks that add; `combine=("add", "concat")` lets every block decide."""
    cell = block_cell(num_blocks, operations, combine, concat_all=concat_all)
    return SearchSpace(
        name="nasnet",
        version=1,
        title="NASNet: two cells of blocks that combine two operations on any two earlier states",
        paper="https://arxiv.org/abs/1707.07012",
        grammar=Grammar({"nasnet": record("cells", normal=Ref("cell"), reduce=Ref("cell")), "cell": cell}, "nasnet"),
        skeletons=SKELETONS,
        equivalences=(Equivalence("operand-swap"), Equivalence("relabelling")),
        notes=(
            "The released networks of NASNet-A also concatenate a cell input and a block that is read; read without "
            "those lists they are members.",
        ),
        literature="Papers say 10^18 or 10^28 without a derivation. Two inputs of 2 + b states and two of thirteen "
        "operations in each of five blocks, in two cells, are about 5.1·10^33; without the order of blocks and of "
        "their operands about 1.5·10^29.",
    )
