"""AmoebaNet: NASNet's cells with eight operations.

Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019,
arXiv:1802.01548.
"""

from app.space.algebra import Grammar, Ref, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import CellSkeleton
from app.space.zoo.blocks import block_cell

AMOEBANET_OPERATIONS = (
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
    "conv_7x1_1x7",
)

SKELETONS = {
    "search": CellSkeleton(channels=24, num_cells=11),
    "cifar": CellSkeleton(channels=36, num_cells=20),
    "imagenet": CellSkeleton(channels=50, num_cells=14, stem="cells", stem_multiplier=1, num_classes=1000),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def amoebanet(num_blocks: int = 5, operations: tuple[str, ...] = AMOEBANET_OPERATIONS) -> SearchSpace:
    """The space of the paper."""
    cell = block_cell(num_blocks, operations)
    grammar = Grammar({"amoebanet": record("cells", normal=Ref("cell"), reduce=Ref("cell")), "cell": cell}, "amoebanet")
    return SearchSpace(
        name="amoebanet",
        version=1,
        title="AmoebaNet: NASNet's two cells with eight operations",
        paper="https://arxiv.org/abs/1802.01548",
        grammar=grammar,
        skeletons=SKELETONS,
        equivalences=(Equivalence("operand-swap"), Equivalence("relabelling")),
        literature="The paper gives no size. Blocks and their operands have no order, which leaves about 9.9·10^24 "
        "of 3.1·10^29 genotypes.",
    )
