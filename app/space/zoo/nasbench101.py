"""NAS-Bench-101: any small directed acyclic graph with operations on its vertices, at most nine edges.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019, arXiv:1902.09635. Vertex 0 is
the cell's input, the last one its output. The paper counts edges after dropping what lies on no way between the two.
"""

from app.space.algebra import Choice, Grammar, Record, Value, one_of, record
from app.space.document import Constraint, Equivalence, SearchSpace
from app.space.skeleton import DagSkeleton

NASBENCH101_OPERATIONS = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")

SKELETONS = {
    "cifar": DagSkeleton(channels=128, num_stacks=3, num_cells=3),
    "small": DagSkeleton(channels=8, num_stacks=2, num_cells=1),
}


def nasbench101(
    vertices: tuple[int, ...] = (2, 3, 4, 5, 6, 7),
    operations: tuple[str, ...] = NASBENCH101_OPERATIONS,
    max_edges: int = 9,
) -> SearchSpace:
    """The space of the paper: cells of so many vertices, input and output among them."""

    def dag(n: int) -> Record:
        edges = {f"{i}->{j}": one_of(0, 1) for j in range(1, n) for i in range(j)}
        return record("dag", vertices=Value(n), **edges, **{f"v{i}": one_of(*operations) for i in range(1, n - 1)})

    cell = Choice(tuple(map(dag, vertices)))
    return SearchSpace(
        name="nasbench101",
        version=1,
        title="NAS-Bench-101: graphs of up to seven vertices with an operation on each",
        paper="https://arxiv.org/abs/1902.09635",
        grammar=Grammar({"nasbench101": record("dag_cells", cell=cell)}, "nasbench101"),
        skeletons=SKELETONS,
        constraints=(
            Constraint("connected", (("at", "/cell"),)),
            Constraint("edges", (("at", "/cell"), ("max", max_edges), ("pruned", True))),
        ),
        equivalences=(Equivalence("isomorphism"),),
        notes=(
            "Of vertices that share the output's channels the first ones have one more where the division has a rest: "
            "isomorphic cells may differ by a channel, and so in their parameters.",
            "A cell that leads nowhere from input to output is a member of the grammar, not valid, and computes zeros.",
        ),
        literature="The paper counts 423,624 cells: classes under isomorphism, after pruning, with at most 9 edges. "
        "The grammar lists every labelled matrix with its operations, and so it has many members for each class.",
    )
