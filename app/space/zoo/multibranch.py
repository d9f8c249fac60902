"""Parallel chains that are merged: how many branches, how long each, which operations, a sum or side by side.

The pattern of Inception modules (Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, arXiv:1409.4842) with
everything left open.
"""

from app.space.algebra import Grammar, Ref, Repeat, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import BranchSkeleton

MULTIBRANCH_OPERATIONS = ("conv_3x3", "conv_5x5", "sep_conv_3x3", "max_pool_3x3")

SKELETONS = {
    "cifar": BranchSkeleton(channels=32),
    "small": BranchSkeleton(channels=8, num_modules=2),
}


def multibranch(
    branches: tuple[int, ...] = (2, 3),
    lengths: tuple[int, ...] = (1, 2, 3, 4),
    operations: tuple[str, ...] = MULTIBRANCH_OPERATIONS,
    merges: tuple[str, ...] = ("add", "concat"),
) -> SearchSpace:
    """Modules of any of these numbers of branches, each a chain of any of these lengths."""
    branch = record("branch", layers=Repeat(one_of(*operations), lengths))
    module = record("branches", paths=Repeat(Ref("branch"), branches), merge=one_of(*merges))
    return SearchSpace(
        name="multibranch",
        version=1,
        title="Parallel chains of several lengths and their merge",
        paper="https://arxiv.org/abs/1409.4842",
        grammar=Grammar({"multibranch": module, "branch": branch}, "multibranch"),
        skeletons=SKELETONS,
        equivalences=(Equivalence("branch-order"),),
    )
