"""An unconstrained network: any edges between ordered vertices, an operation on each inner one.

The space that cells are usually argued against: nothing is repeated, so its size grows with the square of the depth in
the exponent. Vertex 0 is the stem's output, the last one goes to the classifier.
"""

from app.space.algebra import Grammar, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import DagNetworkSkeleton

DAG_OPERATIONS = ("conv_1x1", "conv_3x3", "max_pool_3x3")

SKELETONS = {
    "cifar": DagNetworkSkeleton(channels=64, halvings=1),
    "imagenet": DagNetworkSkeleton(channels=64, halvings=3),
    "small": DagNetworkSkeleton(channels=8, halvings=0),
}


def unconstrained_dag(vertices: int = 10, operations: tuple[str, ...] = DAG_OPERATIONS) -> SearchSpace:
    """Graphs of so many vertices, input and output among them."""
    edges = {f"{i}->{j}": one_of(0, 1) for j in range(1, vertices) for i in range(j)}
    labels = {f"v{i}": one_of(*operations) for i in range(1, vertices - 1)}
    return SearchSpace(
        name="unconstrained_dag",
        version=1,
        title="A whole network as one graph with any edges and an operation on each vertex",
        paper="",
        grammar=Grammar({"network": record("dag_network", **edges, **labels)}, "network"),
        skeletons=SKELETONS,
        equivalences=(Equivalence("isomorphism"),),
        notes=(
            "What lies on no way from the first vertex to the last is not built; without any way the last is zero.",
        ),
        literature="About 10^30 is quoted for ten vertices. Ordered vertices have 2^45 edge sets, times the operations "
        "on eight vertices. The 4,175,098,976,430,598,143 labelled acyclic graphs on ten nodes are another space.",
    )
