"""A chain: one operation a layer, one layer after another, of several depths."""

from app.space.algebra import Grammar, Repeat, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import ChainSkeleton

CHAIN_OPERATIONS = ("conv_3x3", "conv_5x5", "sep_conv_3x3", "max_pool_3x3", "skip_connect")

SKELETONS = {
    "plain": ChainSkeleton(channels=16, reductions=(2, 5)),
    "small": ChainSkeleton(channels=8, reductions=(2,)),
}


def chain(depths: tuple[int, ...] = (4, 5, 6, 7, 8), operations: tuple[str, ...] = CHAIN_OPERATIONS) -> SearchSpace:
    """Chains of any of the depths."""
    return SearchSpace(
        name="chain",
        version=1,
        title="A chain of layers of several depths",
        paper="",
        grammar=Grammar({"chain": record("chain", layers=Repeat(one_of(*operations), depths))}, "chain"),
        skeletons=SKELETONS,
    )
