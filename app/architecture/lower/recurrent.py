"""Recurrent cells (DARTS, Liu et al., 2019, section 3.2), unrolled over the rows of an image with tied weights.

    builds       fields
    recurrent    node1, node2, ...: `step`
    step         input: an earlier state; activation

Row t from the top, all channels side by side, is the input x_t of step t. With c, a = W [x_t, h_{t-1}], state 0 is
h_{t-1} + sigmoid(c) (tanh(a) - h_{t-1}). Node i reads one earlier state s: with c, a = W_i s it is
s + sigmoid(c) (activation(a) - s). The new hidden state h_t is the mean of the nodes; the classifier reads the last
one. No map has a bias.
"""

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard
from app.architecture.lower.layers import Layers, positive
from app.space.skeleton import ImageInput, RecurrentSkeleton

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")

Steps = list[tuple[str, list[tuple[Guard, int]], list[tuple[Guard, str]]]]  # name, inputs, activations


def read_steps(cursor: Cursor) -> Steps:
    """The nodes of a cell, in their order."""
    steps: Steps = []
    for i, node in enumerate(cursor.fields.values(), 1):
        inputs: list[tuple[Guard, int]] = []
        for g, j in node["input"].values():
            if not isinstance(j, int) or isinstance(j, bool) or not 0 <= j < i:
                raise LoweringError(node["input"].path, f"{j!r} is not an earlier state", j, range(i))
            inputs.append((g, j))
        activations: list[tuple[Guard, str]] = []
        for g, name in node["activation"].values():
            if not isinstance(name, str) or name not in ACTIVATIONS:
                raise LoweringError(node["activation"].path, f"no activation {name!r}", name, ACTIVATIONS)
            activations.append((g, name))
        steps.append((node.step, inputs, activations))
    if not steps:
        raise LoweringError(cursor.path, "a cell needs a node")
    return steps


def network(b: Layers, cursor: Cursor, skeleton: RecurrentSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """The cell once a row, a classifier on the last hidden state."""
    positive(hidden=skeleton.hidden, num_classes=skeleton.num_classes)
    steps, maps = read_steps(cursor), b.image(image)
    width = image.channels * image.width
    x = b.add("row0", "row", [maps], Axis.of(width), (), index=0)
    hidden = b.add("start", "zero", [x], Axis.of(skeleton.hidden), (), stride=1)
    for t in range(image.height):
        x = b.add(f"row{t}", "row", [maps], Axis.of(width), (), index=t) if t else x
        if skeleton.embed:
            x = _tied(b, t, "embed", x, skeleton.embed)
        hidden = _cell(b, t, steps, b.concat(f"step{t}/joined", [(TRUE, x), (TRUE, hidden)]), hidden)
    return (b.linear("head/linear", hidden, skeleton.num_classes),)


def _tied(b: Layers, t: int, at: str, x: Node, width: int) -> Node:
    """A linear map without bias that every step shares with the first."""
    place = f"step{t}/{at}"
    if not t:
        return b.linear(place, x, width, bias=False)
    return b.add(place, "tied_linear", [x, b.nodes[f"step0/{at}"]], Axis.of(width), x.size, bias=False)


def _cell(b: Layers, t: int, steps: Steps, joined: Node, hidden: Node) -> Node:
    """One step in time."""

    def move(at: str, source: Node, state: Node, activations: list[tuple[Guard, str]]) -> Node:
        width = len(state.axis)
        gate, y = (_tied(b, t, f"{at}/{n}", source, width) for n in ("gate", "candidate"))
        place = f"step{t}/{at}"
        terms = [(g, y if name == "identity" else b.unary(f"{place}/{name}", name, y)) for g, name in activations]
        parts = [gate, b.sum(f"{place}/activation", terms), state]
        return b.add(place, "highway", parts, state.axis, state.size)

    states = [move("node0", joined, hidden, [(TRUE, "tanh")])]
    for name, inputs, activations in steps:
        source = b.sum(f"step{t}/{name}/input", [(g, states[j]) for g, j in inputs])
        states.append(move(name, source, source, activations))
    return b.add(f"step{t}", "average", states[1:], hidden.axis, hidden.size)
