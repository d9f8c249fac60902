"""From a supernet to its sub-networks: decisions as weights, and the tensors that a sub-network takes over."""

import torch
from torch import Tensor

from app.architecture import Guard, parameters
from app.architecture.graph import Graph
from app.architecture.guard import Decided, position
from app.space.algebra import Path
from workers.network import Network, key


def one_hot(graph: Graph, decided: Decided) -> dict[Path, Tensor]:
    """Decisions as weights, float64, one entry an option. One that is not decided takes its first option."""
    return {
        path: torch.tensor(
            [float(position(decided.get(path, options[:1]), option) >= 0) for option in options], dtype=torch.float64
        )
        for path, (_, options) in graph.open.items()
    }


@torch.no_grad()
def inherit(small: Network, big: Network, decided: Decided) -> None:
    """Copy a supernet's tensors into a sub-network's: the same names, the surviving indices of every axis."""
    memo: dict[int, Guard] = {}
    for node in small.graph.nodes.values():
        name = key(node.name)
        if name not in small.parts:
            continue
        source, target, open_node = big.parts[name], small.parts[name], big.graph.nodes[node.name]
        tensors = parameters(big.graph, open_node)
        if node.op == "batch_norm":
            tensors |= {"running_mean": (open_node.axis,), "running_var": (open_node.axis,)}
        for tensor, axes in tensors.items():
            value = getattr(source, tensor)
            for dim, axis in enumerate(axes):
                if not axis.plain:
                    kept = torch.tensor(axis.kept(decided, memo), dtype=torch.long, device=value.device)
                    value = value.index_select(dim, kept)
            getattr(target, tensor).copy_(value)
