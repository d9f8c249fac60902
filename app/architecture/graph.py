"""Graph: nodes with guarded inputs and guarded axes; what a genotype, a space or anything between means.

Three things carry guards and nothing else does: the terms of a `sum`, the parts of a `concat`, the segments of an
Axis. A graph whose guards are all TRUE is plain, an architecture; any other is a supernet. There is no mixture node:
the sum of guard times term is the mixture.

    op           inputs   attributes                                      output
    input                                                                 the image
    conv         1        kernel stride dilation depthwise bias pad       kernel: two axes; pad None keeps the extents
    deform_conv  2 or 3   kernel stride dilation                          maps, offsets, modulations; keeps the extents
    group_conv   1        groups                                          1x1, each group of channels for itself
    shuffle      1        groups                                          the channels of all groups in turn
    batch_norm   1        affine
    linear       1        bias
    tied_linear  2        bias                                            the map of the second input, on the first
    relu         1                                                        also gelu, silu, sigmoid, tanh
    relu6        1                                                        also hswish, hsigmoid
    multiply     2
    scale        2                                                        maps, and a number for each channel
    max_pool     1        kernel stride pad ceil
    avg_pool     1        kernel stride pad ceil                          padding is not counted
    shift        1                                                        without the first row and column
    mean         1                                                        over all places
    resize       1        extents mode                                    nearest or bilinear; of a vector, constant
    row          1        index                                           one row of the maps as a vector
    tokens       1                                                        places as a sequence, row by row
    maps         1        extents                                         a sequence as maps again
    embedding    1        rows channel                                    a learnt row for each number in a channel
    class_token  1                                                        a learnt token before the others
    position     1        rows                                            plus a learnt row a place
    layer_norm   1        affine                                          over the features of each token
    attention    3        kind head_dim relative grid lead                of queries, keys and values
    first        1                                                        the first token
    average      any                                                      of equal inputs
    highway      3                                                        gate, candidate, state: a step between them
    zero         1        stride                                          zeros
    sum          any      drop_path                                       guard times term, added up
    concat       any                                                      guard times part, side by side
    rest         1                                                        the last channels
    truncate     1                                                        a prefix of the channels, zeros beyond

Extents: (height, width) of maps, (length,) of a sequence of tokens, () of a vector.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.guard import (
    FALSE,
    TRUE,
    Decided,
    DecisionKind,
    Guard,
    Weight,
    all_of,
    any_of,
    given,
    position,
    questions,
    weigh,
)
from app.space.algebra import Path, Symbol

Open = Mapping[Path, tuple[DecisionKind, tuple[Symbol, ...]]]

ONE = Axis.of(1)
MAPS = ("conv", "deform_conv", "group_conv", "linear", "tied_linear")  # what multiplies and adds


@dataclass(frozen=True, slots=True)
class Node:
    """One operation at one place."""

    name: str  # structural place, equal whether its surroundings are decided or open: the identity of its weights
    op: str
    inputs: tuple[str, ...]
    axis: Axis  # channels, or features, of the output
    size: tuple[int, ...]  # the other extents of the output: (height, width), (length,), or () of a vector
    guards: tuple[Guard, ...] = ()  # one an input, of sum and concat only
    attrs: tuple[tuple[str, Any], ...] = ()  # sorted by name

    def __getitem__(self, key: str) -> Any:
        for name, value in self.attrs:
            if name == key:
                return value
        raise KeyError(f"{self.name}: a {self.op} has no attribute {key!r}, only {[n for n, _ in self.attrs]}")


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in topological order, every one of them needed by an output."""

    nodes: dict[str, Node]
    outputs: tuple[str, ...]  # the logits first, then those of the auxiliary head
    open: Open = field(default_factory=dict[Path, tuple[DecisionKind, tuple[Symbol, ...]]])

    @property
    def plain(self) -> bool:
        """Whether nothing is open: an architecture."""
        return not self.open


def prune(nodes: dict[str, Node], outputs: tuple[str, ...]) -> Graph:
    """The graph of only what the outputs need; open is what its guards still ask."""
    needed = set(outputs)
    for node in reversed(nodes.values()):
        if node.name in needed:
            needed.update(node.inputs)
    kept = {name: node for name, node in nodes.items() if name in needed}
    guards = {id(g): g for node in kept.values() for g in _guards(node)}
    return Graph(kept, outputs, {q.path: (q.kind, q.options) for q in questions(guards.values())})


def axes_of(node: Node) -> list[Axis]:
    """The axes of a node: its own, and those among its attributes (the two of a kernel)."""
    return [node.axis, *(axis for _, value in node.attrs for axis in _axes(value))]


def _axes(value: Any) -> tuple[Axis, ...]:
    if isinstance(value, Axis):
        return (value,)
    return tuple([v for v in cast("tuple[Any, ...]", value) if isinstance(v, Axis)]) if isinstance(value, tuple) else ()


def _guards(node: Node) -> list[Guard]:
    return [*node.guards, *(g for axis in axes_of(node) for _, g in axis.segments)]


def resolve(graph: Graph, decided: Decided) -> Graph:
    """The graph with some decisions made: `lower(s, k, d | e) == resolve(lower(s, k, d), e)`.

    Dead terms, parts and segments go, a sum or concat of one certain input is that input.
    """
    for path, (kind, options) in graph.open.items():
        wrong = [symbol for symbol in decided.get(path, ()) if position(options, symbol) < 0]
        if wrong:
            raise ValueError(f"{path}: {wrong} is no {kind} out of {list(options)}")
    memo: dict[int, Guard] = {}
    alias: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for node in graph.nodes.values():
        inputs = tuple(alias.get(i, i) for i in node.inputs)
        guards = node.guards
        if guards:
            alive = [(i, h) for i, g in zip(inputs, guards, strict=True) if (h := given(g, decided, memo)) is not FALSE]
            inputs, guards = tuple(i for i, _ in alive), tuple(g for _, g in alive)
            if guards == (TRUE,):
                alias[node.name] = inputs[0]
                continue
        axis = node.axis.given(decided, memo)
        if node.op == "truncate" and axis == nodes[inputs[0]].axis:
            alias[node.name] = inputs[0]
            continue
        attrs = node.attrs
        if not all(a.plain for a in axes_of(node)[1:]):
            attrs = tuple([(k, _given(v, decided, memo)) for k, v in attrs])
        nodes[node.name] = Node(node.name, node.op, inputs, axis, node.size, guards, attrs)
    return prune(nodes, tuple(alias.get(o, o) for o in graph.outputs))


def _given(value: Any, decided: Decided, memo: dict[int, Guard]) -> Any:
    """An attribute with its axes resolved."""
    if isinstance(value, Axis):
        return value.given(decided, memo)
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        return tuple([v.given(decided, memo) if isinstance(v, Axis) else v for v in items])
    return value


def tensors(graph: Graph, node: Node) -> dict[str, tuple[Axis, ...]]:
    """Every learnable tensor that a node computes with, its dimensions as axes."""
    match node.op:
        case "conv":
            source = ONE if node["depthwise"] else graph.nodes[node.inputs[0]].axis
            bias = {"bias": (node.axis,)} if node["bias"] else {}
            return {"weight": (node.axis, source, *node["kernel"])} | bias
        case "deform_conv":
            return {"weight": (node.axis, graph.nodes[node.inputs[0]].axis, *node["kernel"])}
        case "group_conv":
            return {"weight": (node.axis, Axis.of(len(graph.nodes[node.inputs[0]].axis) // node["groups"]), ONE, ONE)}
        case "linear" | "tied_linear":
            bias = {"bias": (node.axis,)} if node["bias"] else {}
            return {"weight": (node.axis, graph.nodes[node.inputs[0]].axis)} | bias
        case "batch_norm" | "layer_norm" if node["affine"]:
            return {"weight": (node.axis,), "bias": (node.axis,)}
        case "embedding" | "position":
            return {"weight": (Axis.of(node["rows"]), node.axis)}
        case "class_token":
            return {"weight": (node.axis,)}
        case "attention" if node["relative"]:
            # rows: the class token, and every distance along one direction from -relative to relative
            table = (Axis.of(2 * node["relative"] + 2), Axis.of(node["head_dim"]))
            return dict.fromkeys(("key_rows", "key_columns", "value_rows", "value_columns"), table)
        case _:
            return {}


def parameters(graph: Graph, node: Node) -> dict[str, tuple[Axis, ...]]:
    """Every learnable tensor of a node's own: the closed form of counting and of slicing."""
    return {} if node.op == "tied_linear" else tensors(graph, node)


def node_params(graph: Graph, node: Node) -> int:
    """Learnable numbers of a node, every segment of its axes there."""
    return sum(prod(map(len, axes)) for axes in parameters(graph, node).values())


def node_macs(graph: Graph, node: Node) -> int:
    """Multiply-adds of a convolution or linear map for one sample; 0 of anything else, of attention's products too."""
    return prod(map(len, tensors(graph, node)["weight"])) * prod(node.size) if node.op in MAPS else 0


def count(graph: Graph) -> int:
    """Learnable numbers of all nodes: of an architecture its parameters, of an open graph the supernet's."""
    return sum(node_params(graph, node) for node in graph.nodes.values())


def macs(graph: Graph) -> int:
    """Multiply-adds of convolutions and linear maps, one sample, all nodes computed."""
    return sum(node_macs(graph, node) for node in graph.nodes.values())


def presence(graph: Graph) -> dict[str, Guard]:
    """When is a node part of the architecture: some output reads it through guards that hold."""
    reads: dict[str, list[Guard]] = {output: [TRUE] for output in graph.outputs}
    when: dict[str, Guard] = {}
    for node in reversed(graph.nodes.values()):
        there = when[node.name] = any_of(*dict.fromkeys(reads[node.name]))
        for i, g in zip(node.inputs, node.guards or (TRUE,) * len(node.inputs), strict=True):
            reads.setdefault(i, []).append(all_of(there, g))
    return when


def certain(decided: Decided) -> Weight:
    """Decisions as 0/1 weights, for `price` and `weigh`."""

    def weight(path: Path, symbols: tuple[Symbol, ...]) -> int:
        return int(any(position(symbols, symbol) >= 0 for symbol in decided.get(path, ())))

    return weight


@dataclass(frozen=True, slots=True)
class Tariff:
    """What an open graph costs under each guard: one lowering prices every genotype of its space."""

    entries: tuple[tuple[Guard, int, int, int], ...]  # (when, params, macs, activations)

    def price(self, weight: Weight) -> tuple[Any, Any]:
        """(params, MACs): exact at `certain(decided)`, else the expectation over independent draws."""
        memo: dict[int, Any] = {}
        total: Any = 0
        work: Any = 0
        for guard, n, m, _ in self.entries:
            p = weigh(guard, weight, memo)
            total, work = total + n * p, work + m * p
        return total, work


def tariff(graph: Graph) -> Tariff:
    """The costs of all nodes, those under one guard added up."""
    bill: dict[Guard, list[int]] = {}
    for _, g, n, m, a in charges(graph):
        total = bill.setdefault(g, [0, 0, 0])
        total[0], total[1], total[2] = total[0] + n, total[1] + m, total[2] + a
    return Tariff(tuple((g, n, m, a) for g, (n, m, a) in bill.items() if g is not FALSE))


def charges(graph: Graph) -> Iterator[tuple[str, Guard, int, int, int]]:
    """(node, when, params, MACs, activations): what each block of each tensor costs, and each stretch of an output."""
    for name, there in presence(graph).items():
        node = graph.nodes[name]
        own, places = node.op != "tied_linear", prod(node.size) if node.op in MAPS else 0
        for key, axes in tensors(graph, node).items():
            for block in product(*(axis.segments for axis in axes)):
                n = prod(extent for extent, _ in block)
                yield name, all_of(there, *(g for _, g in block)), n * own, n * places * (key == "weight"), 0
        for extent, g in node.axis.segments if places else ():
            yield name, all_of(there, g), 0, 0, extent * places


def price(graph: Graph, weight: Weight) -> tuple[Any, Any]:
    """(params, MACs) straight from the open graph, nothing lowered again: see `Tariff.price`."""
    return tariff(graph).price(weight)
