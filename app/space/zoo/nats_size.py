"""NATS-Bench's size space: one topology, five widths.

Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021,
arXiv:2009.00437. Three cells and the two residual reductions between them, each of a width of its own.
"""

from app.space.algebra import Grammar, Record, one_of
from app.space.document import SearchSpace
from app.space.skeleton import WidthSkeleton

NATS_WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)

SKELETONS = {"cifar": WidthSkeleton(), "small": WidthSkeleton()}


def nats_size(widths: tuple[int, ...] = NATS_WIDTHS, num_stages: int = 5) -> SearchSpace:
    """The space of the paper; `num_stages` is odd, cells and reductions in turn."""
    return SearchSpace(
        name="nats_size",
        version=1,
        title="NATS-Bench size: the widths of five stages",
        paper="https://arxiv.org/abs/2009.00437",
        grammar=Grammar(
            {"nats_size": Record("widths", tuple((f"stage{i}", one_of(*widths)) for i in range(num_stages)))},
            "nats_size",
        ),
        skeletons=SKELETONS,
        literature="32,768, which is exact: 8^5, and no two of them are one network.",
        notes=("The widths are slices of one tensor: draw them hard in a search.",),
    )
