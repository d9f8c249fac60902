"""The macro space of ENAS: an operation a layer, and skips from any of the earlier states.

Pham, Guan, Zoph, Le and Dean, "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018,
arXiv:1802.03268. State 0 is the stem, state i + 1 layer i; layer i applies its operation to state i and merges the
result with every state j < i whose bit `skip<j>` is set. The numbering is that of the authors' code.
"""

from app.space.algebra import Grammar, Record, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import SkipSkeleton

ENAS_MACRO_OPERATIONS = (
    "conv_3x3",
    "separable_conv_3x3",
    "conv_5x5",
    "separable_conv_5x5",
    "avg_pool_3x3",
    "max_pool_3x3",
)

SKELETONS = {
    "search": SkipSkeleton(channels=36),
    "cifar": SkipSkeleton(channels=96),
    "small": SkipSkeleton(channels=8, reductions=(4,)),
}


def enas_macro(num_layers: int = 12, operations: tuple[str, ...] = ENAS_MACRO_OPERATIONS) -> SearchSpace:
    """The space of the paper for a network of `num_layers` layers."""

    def layer(i: int) -> Record:
        return record("layer", op=one_of(*operations), **{f"skip{j}": one_of(0, 1) for j in range(i)})

    layers = tuple((f"layer{i}", layer(i)) for i in range(num_layers))
    return SearchSpace(
        name="enas_macro",
        version=1,
        title="ENAS macro: an operation a layer and skips from all earlier states",
        paper="https://arxiv.org/abs/1802.03268",
        grammar=Grammar({"enas_macro": Record("skips", layers)}, "enas_macro"),
        skeletons=SKELETONS,
        literature="The paper gives 6^L · 2^(L(L-1)/2), about 1.6e29 for 12 layers: exactly this size, rounded.",
    )
