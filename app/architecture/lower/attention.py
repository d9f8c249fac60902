"""Attention and feed-forward networks: what transformers are made of, on sequences of tokens.

attention      softmax       queries, keys and values of every head (Vaswani et al., 2017)
               multi_query   keys and values of one head for all (Shazeer, 2019, arXiv:1911.02150)
               linear        a kernel in place of softmax (Katharopoulos et al., 2020, arXiv:2006.16236)
feed-forward   gelu          up, GELU, down (Devlin et al., 2019)
               swiglu        up times SiLU of a gate, down (Shazeer, 2020, arXiv:2002.05202)
"""

from app.architecture.axis import Axis
from app.architecture.graph import Node
from app.architecture.lower.layers import Layers, Pair

ATTENTIONS = ("softmax", "multi_query", "linear")
NETWORKS = ("gelu", "swiglu")


def layer_norm(b: Layers, at: str, x: Node) -> Node:
    """Layer normalisation; learnable as the skeleton has it."""
    return b.add(at, "layer_norm", [x], x.axis, x.size, affine=b.affine)


def attend(
    b: Layers,
    at: str,
    kind: str,
    x: Node,
    heads: Axis,
    width: Axis | int,
    *,
    head_dim: int,
    bias: bool = True,
    relative: int = 0,
    grid: Pair = (0, 0),
    lead: int = 0,
) -> Node:
    """Maps to queries, keys and values, attention, a map to `width`; `heads` are head_dim features each.

    `relative`: the largest distance of learnt relative positions on a grid, `lead` tokens before it; linear attention
    has none.
    """
    shared = Axis.of(head_dim) if kind == "multi_query" else heads
    parts = [
        b.linear(f"{at}/{part}", x, axis, bias=bias) for part, axis in (("q", heads), ("k", shared), ("v", shared))
    ]
    y = b.add(
        f"{at}/attend",
        "attention",
        parts,
        heads,
        x.size,
        kind="linear" if kind == "linear" else "softmax",
        head_dim=head_dim,
        relative=0 if kind == "linear" else relative,
        grid=grid,
        lead=lead,
    )
    return b.linear(f"{at}/out", y, width)


def feed_forward(b: Layers, at: str, kind: str, x: Node, inner: Axis, width: Axis | int) -> Node:
    """A map to `inner` features, its activation, a map to `width`."""
    up = b.linear(f"{at}/up", x, inner)
    if kind == "gelu":
        return b.linear(f"{at}/down", b.unary(f"{at}/gelu", "gelu", up), width)
    gate = b.unary(f"{at}/silu", "silu", b.linear(f"{at}/gate", x, inner))
    return b.linear(f"{at}/down", b.add(f"{at}/multiply", "multiply", [gate, up], inner, x.size), width)
