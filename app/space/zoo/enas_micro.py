"""ENAS, micro: NASNet's cells with five operations.

Pham, Guan, Zoph, Le and Dean, "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018,
arXiv:1802.03268, section 2.4. The operations stand in the order of its controller's numbers.
"""

from app.space.algebra import Grammar, Ref, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import CellSkeleton
from app.space.zoo.blocks import block_cell

ENAS_MICRO_OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "skip_connect")

SKELETONS = {
    "search": CellSkeleton(channels=20, num_cells=8, affine=False),
    "cifar": CellSkeleton(channels=36, num_cells=17),
    "small": CellSkeleton(channels=8, num_cells=3),
}


def enas_micro(num_blocks: int = 5, operations: tuple[str, ...] = ENAS_MICRO_OPERATIONS) -> SearchSpace:
    """The space of the paper."""
    cell = block_cell(num_blocks, operations)
    grammar = Grammar(
        {"enas_micro": record("cells", normal=Ref("cell"), reduce=Ref("cell")), "cell": cell}, "enas_micro"
    )
    return SearchSpace(
        name="enas_micro",
        version=1,
        title="ENAS micro: NASNet's two cells with five operations",
        paper="https://arxiv.org/abs/1802.03268",
        grammar=grammar,
        skeletons=SKELETONS,
        equivalences=(Equivalence("operand-swap"), Equivalence("relabelling")),
        notes=("While it searches, the released code halves the extents before a reduction cell and not inside it.",),
        literature="The paper says 1.3·10^11, (5·5!)^4. Each of five blocks has an operation of its own on each side "
        "and reads one of 2 to 6 states, so there are (5^5·6!)^4 = 2.6·10^25.",
    )
