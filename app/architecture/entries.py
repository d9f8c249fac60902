"""Entries: the distinct things that a plain graph computes, as keys of a table of measured latencies.

An entry is a node without its place: operation, attributes, shapes of inputs and output. Two nodes with equal entries
take equally long, whatever space, skeleton or cell they stand in, so one table of a device serves every architecture.
Written out, an entry is one line:

    conv 16x32x32 -> 16x32x32 bias=false depthwise=true dilation=1 kernel=3x3 pad=none stride=1
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.graph import Graph, Node, parameters
from app.architecture.guard import TRUE

LONGEST = 300  # characters of a key; beyond, its end is a digest

Shape = tuple[int, ...]  # (channels, height, width) of maps, (length, features) of tokens, (features,) of a vector


@dataclass(frozen=True, slots=True)
class Entry:
    """What one node computes, wherever it stands."""

    op: str
    inputs: tuple[tuple[Shape, bool], ...]  # shape, and whether training wants a gradient of it: not of the image
    output: Shape
    attrs: tuple[tuple[str, Any], ...]

    @property
    def key(self) -> str:
        """The entry as one line; equal entries have equal lines."""
        runs = [(shown, len(list(same))) for shown, same in groupby(map(_input, self.inputs))]
        read = " ".join(shown if n == 1 else f"{n}*{shown}" for shown, n in runs)
        attrs = "".join(f" {name}={_value(value)}" for name, value in self.attrs)
        line = f"{self.op} {read} -> {_shape(self.output)}{attrs}"
        if len(line) <= LONGEST:
            return line
        return f"{line[: LONGEST - 35]}...{hashlib.sha256(line.encode()).hexdigest()[:32]}"

    def graph(self) -> Graph:
        """The entry alone: inputs `x0`, `x1`, ..., and the node `node`."""
        nodes: dict[str, Node] = {}
        for i, (shape, _) in enumerate(self.inputs):
            axis, size = _sides(shape)
            nodes[f"x{i}"] = Node(f"x{i}", "input", (), axis, size)
        axis, size = _sides(self.output)
        guards = (TRUE,) * len(self.inputs) if self.op in ("sum", "concat") else ()
        attrs = tuple(sorted((*self.attrs, ("drop_path", False)))) if self.op == "sum" else self.attrs
        nodes["node"] = Node("node", self.op, tuple(nodes), axis, size, guards, attrs)
        return Graph(nodes, ("node",))


def entries(graph: Graph, *, image: bool = True) -> Counter[Entry]:
    """How often a plain graph computes what; ValueError of one with open decisions.

    Equal nodes without parameters on equal inputs are computed once, as by the network. The input is an image, of
    which training wants no gradient, or else maps from within a network.
    """
    if not graph.plain:
        raise ValueError(f"entries are an architecture's; still open: {list(graph.open)}")
    found: Counter[Entry] = Counter()
    alias: dict[str, str] = {}
    seen: dict[object, str] = {}
    for node in graph.nodes.values():
        inputs = tuple(alias.get(name, name) for name in node.inputs)
        own = parameters(graph, node) or node.op in ("input", "sum", "concat", "batch_norm")
        same = (node.op, inputs, node.attrs, node.axis)
        if not own and same in seen:
            alias[node.name] = seen[same]
            continue
        seen[same] = node.name
        if node.op != "input":
            found[_entry(graph, node, image=image)] += 1
    return found


def _entry(graph: Graph, node: Node, *, image: bool) -> Entry:
    sources = [graph.nodes[name] for name in node.inputs]
    attrs = tuple((name, _plain(value)) for name, value in node.attrs if name != "drop_path")
    op = node.op
    if op == "tied_linear":  # a linear map that reads its tensor elsewhere
        op, sources = "linear", sources[:1]
    inputs = tuple((_shape_of(source), not image or source.op != "input") for source in sources)
    return Entry(op, inputs, _shape_of(node), attrs)


def _plain(value: Any) -> Any:
    """An attribute without the guards that all hold."""
    match value:
        case Axis():
            return Axis.of(len(value))
        case tuple():
            return tuple(_plain(item) for item in cast("tuple[Any, ...]", value))
        case _:
            return value


def _shape_of(node: Node) -> Shape:
    return (*node.size, len(node.axis)) if len(node.size) == 1 else (len(node.axis), *node.size)


def _sides(shape: Shape) -> tuple[Axis, tuple[int, ...]]:
    """Axis and extents of a shape."""
    width = shape[-1] if len(shape) == 2 else shape[0]
    return Axis.of(width), shape[:1] if len(shape) == 2 else shape[1:]


def _input(read: tuple[Shape, bool]) -> str:
    shape, inner = read
    return _shape(shape) if inner else f"image:{_shape(shape)}"


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _value(value: Any) -> str:
    match value:
        case Axis():
            return str(len(value))
        case tuple():
            return "x".join(map(_value, cast("tuple[Any, ...]", value)))
        case None | bool():
            return str(value).lower()
        case _:
            return str(value)
