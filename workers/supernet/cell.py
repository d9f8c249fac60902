"""The mixed operation and the cell of DARTS as modules of their own (Liu, Simonyan and Yang, 2019, section 2).

    ō(x) = Σ_o p_o · o(x)                                     MixedOp
    x_n = Σ_{i<n} ō_{i→n}(x_i),  output [x_2, ..., x_{N+1}]    DARTSCell

Both are fragments of the same lowering that makes supernets. Weights p come in already softmaxed: whoever owns α takes
their softmax, once a step.

Legend: B batch, C channels, H × W pixels, O operations, N inner nodes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from app.architecture import Cursor, Graph, Layers, lower_cell
from app.architecture.lower.operation import mixed
from app.space import Grammar, one_of, record
from app.space.zoo import OPERATIONS, darts
from workers.network import Network

EXTENTS = (32, 32)  # what the fragments are lowered for; they compute on any


class MixedOp(nn.Module):
    """The weighted sum of operations on one input.

        op = MixedOp(16, ("skip_connect", "sep_conv_3x3", "none"))
        op(x, alpha.softmax(0))                              # (B, C, H, W), (O,) -> (B, C, H, W)

    `affine` and `norm_after_pool` default to what DARTS does while searching: normalisation without scale and shift,
    also after pooling. `stride` 2 halves the extents. Raises ValueError for no operations, one named twice, or a
    name that the vocabulary does not have.
    """

    def __init__(
        self,
        channels: int,
        operations: Sequence[str] = OPERATIONS,
        *,
        stride: int = 1,
        affine: bool = False,
        norm_after_pool: bool = True,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.operations = distinct(operations)
        layers = Layers(affine=affine, norm_after_pool=norm_after_pool)
        self.network = Network(_edge(layers, self.operations, channels, stride))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """x (B, C, H, W), weights (O,) in the order of `operations` -> (B, C, H / stride, W / stride)."""
        check_input("x", x, self.channels)
        check_weights("weights", weights, self.operations)
        if len(self.operations) == 1:  # nothing is open: the lowering has no guard to weigh it by
            return self.network(x) * weights[0].to(x.dtype)
        return self.network(x, {"/op": weights})


class DARTSCell(nn.Module):
    """A cell in which every node reads every earlier state through a mixed operation.

        cell = DARTSCell(16, num_nodes=4)
        cell(s0, s1, {edge: a.softmax(0) for edge, a in alpha.items()})

    Edges are named "0->2" to "4->5": states 0 and 1 are the inputs, 2 to N + 1 the nodes. Both inputs have the cell's
    own `channels`; `stride` 2 makes a reduction cell, whose edges from the inputs halve the extents. Raises ValueError
    as `MixedOp` does.
    """

    def __init__(
        self,
        channels: int,
        num_nodes: int = 4,
        operations: Sequence[str] = OPERATIONS,
        *,
        stride: int = 1,
        affine: bool = False,
        norm_after_pool: bool = True,
    ) -> None:
        super().__init__()
        if num_nodes < 1:
            raise ValueError(f"num_nodes: {num_nodes} is not a positive number")
        self.channels = channels
        self.num_nodes = num_nodes
        self.operations = distinct(operations)
        self.edges = tuple(f"{i}->{n}" for n in range(2, 2 + num_nodes) for i in range(n))
        grammar = darts(num_nodes, self.operations).grammar
        self.network = Network(
            lower_cell(
                grammar,
                "cell",
                channels=channels,
                size=EXTENTS,
                stride=stride,
                affine=affine,
                norm_after_pool=norm_after_pool,
            )
        )

    def forward(self, s0: Tensor, s1: Tensor, arch_weights: Mapping[str, Tensor]) -> Tensor:
        """s0, s1 (B, C, H, W), arch_weights[edge] (O,) -> (B, N·C, H / stride, W / stride)."""
        for name, state in (("s0", s0), ("s1", s1)):
            check_input(name, state, self.channels)
        wrong = sorted(arch_weights.keys() ^ set(self.edges))
        if wrong:
            raise ValueError(f"arch_weights: {wrong} missing or no edges; the edges are {list(self.edges)}")
        weights: dict[str, Tensor] = {}
        for edge in self.edges:
            check_weights(f"arch_weights[{edge!r}]", arch_weights[edge], self.operations)
            source, node = edge.split("->")
            weights[f"/node{node}/{source}/op"] = arch_weights[edge]
        return self.network({"s0": s0, "s1": s1}, weights)


def _edge(layers: Layers, operations: tuple[str, ...], channels: int, stride: int) -> Graph:
    cursor = Cursor.root(Grammar({"edge": record("edge", op=one_of(*operations))}, "edge"))
    x = layers.input("x", channels, EXTENTS)
    return layers.finish([mixed(layers, "mixed", cursor["op"], x, channels, stride)])


def distinct(operations: Sequence[str]) -> tuple[str, ...]:
    """The operations as they are; ValueError where there are none or one is named twice."""
    found = tuple(operations)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"operations: {list(found)}; expected one or more different names")
    return found


def check_input(name: str, x: Tensor, channels: int) -> None:
    """ValueError unless x is (B, channels, H, W)."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"{name}: shape {tuple(x.shape)}, expected (B, {channels}, H, W)")


def check_weights(name: str, weights: Tensor, operations: tuple[str, ...]) -> None:
    """ValueError unless weights are (O,) floating-point numbers."""
    if weights.shape != (len(operations),) or not torch.is_floating_point(weights):
        found = f"{weights.dtype} {tuple(weights.shape)}"
        raise ValueError(f"{name}: {found}, expected one floating-point weight for each of {list(operations)}")
