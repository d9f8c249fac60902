"""What an architecture costs, counted from its graph. Nothing here is an estimate.

    params        learnable numbers
    macs          multiply-adds of convolutions and linear maps for one sample; norms, pooling, sums count nothing,
                  nor do the products of queries, keys and values inside attention
    activations   numbers that convolutions and linear maps put out for one sample (Radosavovic et al., 2020)
    depth         convolutions and linear maps on the longest way from the input to the logits

The receptive field is that of `receptive_field.py`, in pixels of the input; None where it is everything.

What only feeds a `none` was chosen, is built, and counts.
"""

from dataclasses import dataclass
from math import prod

from app.architecture.graph import MAPS, Graph, node_macs, node_params
from app.architecture.receptive_field import ReceptiveField, receptive_field


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCost:
    """One node's part."""

    name: str
    op: str
    params: int
    macs: int
    activations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The whole, and the nodes that cost something in the order of the graph."""

    params: int
    macs: int
    activations: int
    depth: int
    receptive_field: ReceptiveField | None
    by_node: tuple[NodeCost, ...]


def cost(graph: Graph) -> Cost:
    """The cost of a plain graph; ValueError of one with open decisions, whose costs `tariff` prices."""
    if not graph.plain:
        raise ValueError(f"a cost is an architecture's; still open: {list(graph.open)}")
    nodes: list[NodeCost] = []
    ways: dict[str, int] = {}
    for node in graph.nodes.values():
        counted = node.op in MAPS
        ways[node.name] = counted + max((ways[i] for i in node.inputs), default=0)
        params = node_params(graph, node)
        if counted or params:
            nodes.append(
                NodeCost(
                    name=node.name,
                    op=node.op,
                    params=params,
                    macs=node_macs(graph, node),
                    activations=len(node.axis) * prod(node.size) if counted else 0,
                )
            )
    return Cost(
        params=sum(n.params for n in nodes),
        macs=sum(n.macs for n in nodes),
        activations=sum(n.activations for n in nodes),
        depth=ways[graph.outputs[0]],
        receptive_field=receptive_field(graph),
        by_node=tuple(nodes),
    )
