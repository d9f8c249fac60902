"""Workload: what an open graph computes under which decisions, as entries of a table of latencies.

A node of an open graph is another entry for each of its shapes and each number of terms; `workload` names them all,
each with the guard under which the node is that entry. At a genotype exactly those guards hold whose entries its
network computes, so that one table that has them all serves every member, and the sum of milliseconds times the weight
of the guard is an expected latency.

Equal computations on equal inputs are listed once for each node, though a network shares them: sums are bounds from
above where operations begin alike.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.entries import Entry, Shape
from app.architecture.errors import LoweringError
from app.architecture.graph import Graph, Node, presence
from app.architecture.guard import FALSE, TRUE, Guard, all_of, any_of, not_

SHAPES = 4_096  # of one node; beyond, what it may be is not listed

Cases = list[tuple[Any, Guard]]  # what something may be, each with its guard; exclusive
Latency = tuple[str, Guard, float]  # (node, when, milliseconds)


def workload(graph: Graph) -> Iterator[tuple[str, Guard, Entry]]:
    """(node, when, entry) of all that an open graph may compute. LoweringError where that is too much to list."""
    there, images = presence(graph), _images(graph)
    known: dict[object, Cases] = {}
    for node in graph.nodes.values():
        if node.op == "input" or there[node.name] is FALSE:
            continue
        sources = [graph.nodes[name] for name in node.inputs]
        if node.op == "tied_linear":
            sources = sources[:1]
        read = tuple([(source.axis, source.size, images[source.name]) for source in sources])
        key = (node.op, node.attrs, node.axis, node.size, node.guards, read)
        if key not in known:
            known[key] = list(_forms(node, sources, images))
        for entry, guard in known[key]:
            when = all_of(there[node.name], guard)
            if when is not FALSE:
                yield node.name, when, entry


def latencies(graph: Graph, table: Mapping[str, float]) -> tuple[tuple[Latency, ...], tuple[str, ...]]:
    """What every node takes and when, by a table of milliseconds; and the keys that the table lacks."""
    found: list[Latency] = []
    lacking: dict[str, None] = {}
    for node, guard, entry in workload(graph):
        if entry.key in table:
            found.append((node, guard, table[entry.key]))
        else:
            lacking[entry.key] = None
    return tuple(found), tuple(lacking)


def _forms(node: Node, sources: list[Node], images: Mapping[str, frozenset[bool]]) -> Iterator[tuple[Entry, Guard]]:
    """Every entry that a node may be, with its guard."""
    op = "linear" if node.op == "tied_linear" else node.op
    shapes = _shapes(node.axis, node.size)
    attrs: Cases = [((), TRUE)]
    for name, value in node.attrs:
        if name != "drop_path":
            attrs = _paired(attrs, _values(value), lambda made, v, name=name: (*made, (name, v)))
    reads = _joined(node, sources, images) if node.guards else _read(sources, images)
    for (inputs, output), guard in _paired(reads, shapes, lambda a, b: (a, b)):
        if node.op in ("sum", "concat") and len(inputs) == 1:
            continue  # a sum of one term is that term
        if 0 in output or any(0 in shape for shape, _ in inputs):
            continue
        if node.op == "truncate" and inputs[0][0] == output:
            continue
        for fields, when in attrs:
            if (g := all_of(guard, when)) is not FALSE:
                yield Entry(op, inputs, output, fields), g


def _read(sources: list[Node], images: Mapping[str, frozenset[bool]]) -> Cases:
    """What the inputs of a node that reads all of them may be."""
    found: Cases = [((), TRUE)]
    for source in sources:
        found = _paired(found, _inputs(source, images), lambda made, read: (*made, read))
    return found


def _joined(node: Node, sources: list[Node], images: Mapping[str, frozenset[bool]]) -> Cases:
    """What a sum or concat reads: of each input what it may be, or nothing."""
    found: Cases = [((), TRUE)]
    for source, guard in zip(sources, node.guards, strict=True):
        options: Cases = [((read,), all_of(guard, g)) for read, g in _inputs(source, images)]
        options.append(((), not_(guard)))
        found = _paired(found, options, lambda made, read: (*made, *read))
    return found


def _inputs(source: Node, images: Mapping[str, frozenset[bool]]) -> Cases:
    """The shapes of an input, and whether training wants its gradient."""
    return [((shape, not image), g) for shape, g in _shapes(source.axis, source.size) for image in images[source.name]]


def _paired(one: Cases, other: Cases, join: Callable[[Any, Any], Any]) -> Cases:
    """Both: cases that come to the same are one."""
    found: dict[Any, list[Guard]] = {}
    for a, f in one:
        for b, g in other:
            if (both := all_of(f, g)) is not FALSE:
                found.setdefault(join(a, b), []).append(both)
    if len(found) > SHAPES:
        message = f"a part of the network may be computed in more than {SHAPES} ways: decide some of it"
        raise LoweringError("", message, len(found), (SHAPES,))
    return [(made, any_of(*guards)) for made, guards in found.items()]


def _extents(axis: Axis) -> Cases:
    """The lengths of an axis."""
    found: Cases = [(0, TRUE)]
    for n, guard in axis.segments:
        found = _paired(found, [(n, guard), (0, not_(guard))], lambda a, b: a + b)
    return found


def _shapes(axis: Axis, size: tuple[int, ...]) -> Cases:
    def shape(width: int) -> Shape:
        return (*size, width) if len(size) == 1 else (width, *size)

    return [(shape(width), g) for width, g in _extents(axis)]


def _values(value: Any) -> Cases:
    """What an attribute may be, its axes plain."""
    match value:
        case Axis():
            return [(Axis.of(n), g) for n, g in _extents(value)]
        case tuple():
            found: Cases = [((), TRUE)]
            for item in cast("tuple[Any, ...]", value):
                found = _paired(found, _values(item), lambda made, v: (*made, v))
            return found
        case _:
            return [(value, TRUE)]


def _images(graph: Graph) -> dict[str, frozenset[bool]]:
    """Whether what stands for a node may be the image itself: a sum of one term is that term."""
    found: dict[str, frozenset[bool]] = {}
    for node in graph.nodes.values():
        own = frozenset([node.op == "input"])
        if node.guards or node.op == "truncate":
            own = own.union(*(found[i] for i in node.inputs))
        found[node.name] = own
    return found
