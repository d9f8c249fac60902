"""NAS-Bench-Macro: eight layers, each an identity or one of two inverted residuals.

Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021, arXiv:2103.11922.
Three stages of 2, 3 and 3 layers on CIFAR-10; the first layer of each doubles the width and halves the extents, also
where it is an identity: a 1x1 convolution then.
"""

from functools import partial

from app.space.algebra import Grammar, Repeat, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import MobileSkeleton

NASBENCH_MACRO_OPERATIONS = ("identity", "mb3_k3", "mb6_k5")

_stages = partial(MobileSkeleton, first=0, depths=(2, 3, 3), activation="relu", stem_stride=1, num_classes=10)
SKELETONS = {
    "cifar": _stages(stem=32, widths=(64, 128, 256), strides=(2, 2, 2)),
    "small": _stages(stem=6, widths=(8, 16, 24), strides=(1, 2, 2), head=64),
}


def nasbench_macro(num_layers: int = 8, operations: tuple[str, ...] = NASBENCH_MACRO_OPERATIONS) -> SearchSpace:
    """The space of the paper."""
    return SearchSpace(
        name="nasbench_macro",
        version=1,
        title="NAS-Bench-Macro: an identity or an inverted residual in each of eight layers",
        paper="https://arxiv.org/abs/2103.11922",
        grammar=Grammar(
            {"nasbench_macro": record("mobile", layers=Repeat(one_of(*operations), (num_layers,)))}, "nasbench_macro"
        ),
        skeletons=SKELETONS if num_layers == 8 else {},  # its skeletons hold eight layers
        equivalences=(Equivalence("functional"),),
        literature="6,561, which is exact: 3^8. Identities inside a stage may stand anywhere in it without changing "
        "the network, so that 3,969 of them differ.",
    )
