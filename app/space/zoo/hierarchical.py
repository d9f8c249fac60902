"""Hierarchical representations: small graphs of primitives, and a graph of those.

Liu, Simonyan, Vinyals, Fernando and Kavukcuoglu, "Hierarchical Representations for Efficient Architecture Search",
ICLR 2018, arXiv:1711.00436. Level 2 has six motifs of four nodes with a primitive or nothing on every edge, level 3
one cell of five nodes with a motif or nothing on every edge.
"""

from app.space.algebra import Grammar, Record, Ref, Term, one_of
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import HierarchySkeleton

HIERARCHICAL_OPERATIONS = (
    "none",
    "conv_1x1",
    "depth_conv_3x3",
    "separable_conv_3x3",
    "max_pool_3x3",
    "avg_pool_3x3",
    "identity",
)

SKELETONS = {
    "search": HierarchySkeleton(channels=16),
    "cifar": HierarchySkeleton(channels=64, num_cells=2),
    "small": HierarchySkeleton(channels=4),
}


def hierarchical(
    num_motifs: int = 6,
    motif_nodes: int = 4,
    cell_nodes: int = 5,
    operations: tuple[str, ...] = HIERARCHICAL_OPERATIONS,
) -> SearchSpace:
    """The space of the paper: `none` is no edge."""

    def graph(nodes: int, labels: tuple[str, ...]) -> Record:
        return Record("motif", tuple((f"{i}->{j}", one_of(*labels)) for j in range(1, nodes) for i in range(j)))

    motifs = tuple(f"motif{i}" for i in range(1, num_motifs + 1))
    fields: tuple[tuple[str, Term], ...] = (
        *((name, Ref("motif")) for name in motifs),
        ("cell", graph(cell_nodes, ("none", *motifs))),
    )
    return SearchSpace(
        name="hierarchical",
        version=1,
        title="Motifs of primitives, and a cell of motifs",
        paper="https://arxiv.org/abs/1711.00436",
        grammar=Grammar(
            {"hierarchical": Record("hierarchy", fields), "motif": graph(motif_nodes, operations)}, "hierarchical"
        ),
        skeletons=SKELETONS,
        equivalences=(Equivalence("motif-renaming"),),
        notes=(
            "Where nodes concatenate (the skeletons' default), an undecided edge is scaled twice in the supernet, by "
            "the weights of its operations and by that of being there; at one-hot weights both are one.",
        ),
        literature="The paper gives no size. Renaming motifs throughout changes nothing: most members have 720 names.",
    )
