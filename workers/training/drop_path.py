"""Drop path: in a training step each image loses each branch of a sum with probability p (Larsson et al., 2017).

As in quark0/darts `cnn/utils.py`: a branch that is left counts 1 / (1 − p), and identities are never dropped. A
branch is a term of a sum that was computed for it: its node lies under the sum's own place, while an identity's term
is the source state itself, which lies elsewhere.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from app.architecture import Graph


def branches(graph: "Graph") -> Iterator[str]:
    """Names of the nodes that drop path applies to."""
    for node in graph.nodes.values():
        if node.op == "sum":
            yield from (name for name in node.inputs if name.startswith(f"{node.name}/"))


def dropped(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """(B, ...) to the same: each image set to 0 with this probability, the others scaled by 1 / (1 − p)."""
    if probability == 0.0:
        return x
    kept = torch.rand((len(x), *[1] * (x.ndim - 1)), generator=generator, device=x.device) >= probability
    return x * (kept / (1.0 - probability)).to(x.dtype)


class DropPath:
    """Hooks on the modules of a network's branches; `probability` may change from epoch to epoch."""

    def __init__(self, modules: Mapping[str, nn.Module], generator: torch.Generator) -> None:
        self.probability = 0.0
        self.generator = generator
        self.handles = [module.register_forward_hook(self._hook) for module in modules.values()]

    def _hook(self, module: nn.Module, _: object, output: Tensor) -> Tensor:
        return dropped(output, self.probability, self.generator) if module.training else output

    def remove(self) -> None:
        """Takes the hooks off again."""
        for handle in self.handles:
            handle.remove()
