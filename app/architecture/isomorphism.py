"""When are two plain graphs the same? A certificate that is equal exactly for isomorphic graphs.

Two graphs are isomorphic where their nodes can be matched one to one with every operation, width, extent and attribute
kept, outputs in their order, and inputs as multisets: a sum or concat has no order of its terms. Names do not count.

Method: chains of nodes with one reader are contracted; colours are refined in both directions until they are stable (a
node that is read twice differs from two equal nodes); where equal colours are left one of them is marked and the
refinement goes on. Marking another one of them is only followed where it leads to another graph: two equal
certificates are an automorphism, which makes the choices equivalent (McKay and Piperno, 2014).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.graph import Graph, Node

Colour = bytes
Certificate = tuple[Colour, ...]


@dataclass(frozen=True, slots=True)
class Diagram:
    """A contracted graph: what each vertex is, what it reads, what reads it (each as a multiset)."""

    labels: tuple[Colour, ...]
    inputs: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]


def certificate(graph: Graph) -> str:
    """64 hexadecimal digits, the same in every process; ValueError of a graph with open decisions."""
    if not graph.plain:
        raise ValueError(f"only plain graphs have a certificate; still open: {list(graph.open)}")
    diagram = contract(graph)
    colours = _refine(diagram, *_passes(diagram))
    return _digest(*_canonical(diagram, colours)).hex()


def contract(graph: Graph) -> Diagram:
    """One vertex for every longest chain of nodes that nothing else reads from."""
    times: dict[str, int] = defaultdict(int)
    for node in graph.nodes.values():
        for name in node.inputs:
            times[name] += 1
    heads: dict[str, int] = {}  # node -> the vertex that ends with it
    labels: list[list[str]] = []
    inputs: list[tuple[int, ...]] = []
    for node in graph.nodes.values():
        before = node.inputs[0] if len(node.inputs) == 1 else None
        if before is not None and times[before] == 1 and before not in graph.outputs:
            vertex = heads[before]
            labels[vertex].append(_label(graph, node))
        else:
            vertex = len(labels)
            labels.append([_label(graph, node)])
            inputs.append(tuple(heads[name] for name in node.inputs))
        heads[node.name] = vertex
    readers: list[list[int]] = [[] for _ in labels]
    for vertex, sources in enumerate(inputs):
        for source in sources:
            readers[source].append(vertex)
    texts = tuple(_digest("\n".join(label).encode()) for label in labels)
    return Diagram(texts, tuple(inputs), tuple(tuple(r) for r in readers))


def _label(graph: Graph, node: Node) -> str:
    attrs = [(name, _plain(value)) for name, value in node.attrs]
    place = [i for i, name in enumerate(graph.outputs) if name == node.name]
    return repr((node.op, len(node.axis), node.size, attrs, place))


def _plain(value: Any) -> Any:
    if isinstance(value, Axis):
        return len(value)
    if isinstance(value, tuple):
        return tuple([_plain(item) for item in cast("tuple[Any, ...]", value)])
    return value


def _digest(*parts: bytes) -> Colour:
    state = hashlib.blake2b(digest_size=32)
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()


def _passes(diagram: Diagram) -> tuple[list[Colour], set[int]]:
    """First colours: one pass down the graph, one back. Vertices are in topological order."""
    colours = list(diagram.labels)
    for v, sources in enumerate(diagram.inputs):
        colours[v] = _digest(colours[v], *sorted(colours[u] for u in sources))
    down = list(colours)
    for v in reversed(range(len(colours))):
        colours[v] = _digest(down[v], *sorted(colours[w] for w in diagram.readers[v]))
    return colours, set(range(len(colours)))


def _refine(diagram: Diagram, colours: list[Colour], dirty: Iterable[int]) -> list[Colour]:
    """Split classes of equal colour by the colours around their members until nothing splits.

    `dirty` are the vertices around which something changed. Rounds are synchronous, so new colours depend on the
    structure alone.
    """
    colours = list(colours)
    classes: dict[Colour, list[int]] = defaultdict(list)
    for v, colour in enumerate(colours):
        classes[colour].append(v)
    pending = {colours[v] for v in dirty}
    while pending:
        changed: list[tuple[int, Colour]] = []
        for colour in pending:
            members = classes[colour]
            if len(members) == 1:
                continue
            found: dict[Colour, list[int]] = defaultdict(list)
            for v in members:
                ins = sorted([colours[u] for u in diagram.inputs[v]])
                outs = sorted([colours[w] for w in diagram.readers[v]])
                found[_digest(colour, *ins, b"|", *outs)].append(v)
            if len(found) > 1:
                changed.extend((v, new) for new, group in found.items() for v in group)
        around: set[int] = set()
        for v, _ in changed:
            classes.pop(colours[v], None)
        for v, new in changed:
            colours[v] = new
            classes[new].append(v)
            around.update(diagram.inputs[v])
            around.update(diagram.readers[v])
        pending = {colours[v] for v in around}
    return colours


def _mark(diagram: Diagram, colours: list[Colour], vertex: int) -> list[Colour]:
    """The refinement once one of several equal vertices is told apart."""
    old = colours[vertex]
    marked = list(colours)
    marked[vertex] = _digest(old, b"marked")
    around = {*diagram.inputs[vertex], *diagram.readers[vertex]}
    return _refine(diagram, marked, around)


def _choices(colours: list[Colour]) -> list[int]:
    """The first of the smallest classes of several equal vertices; empty where all differ."""
    classes: dict[Colour, list[int]] = defaultdict(list)
    for v, colour in enumerate(colours):
        classes[colour].append(v)
    several = [(len(members), colour) for colour, members in classes.items() if len(members) > 1]
    return classes[min(several)[1]] if several else []


def _leaf(diagram: Diagram, colours: list[Colour]) -> Certificate:
    """The certificate of marking the first of equal vertices wherever there are some."""
    while choices := _choices(colours):
        colours = _mark(diagram, colours, choices[0])
    return _written(diagram, colours)


def _canonical(diagram: Diagram, colours: list[Colour]) -> Certificate:
    """The smallest certificate over all markings, each class of equivalent markings followed once."""
    choices = _choices(colours)
    if not choices:
        return _written(diagram, colours)
    leaves: set[Certificate] = set()
    best: Certificate | None = None
    for vertex in choices:
        marked = _mark(diagram, colours, vertex)
        leaf = _leaf(diagram, marked)
        if leaf in leaves:
            continue
        leaves.add(leaf)
        found = _canonical(diagram, marked)
        best = found if best is None or found < best else best
    assert best is not None
    return best


def _written(diagram: Diagram, colours: list[Colour]) -> Certificate:
    """The whole graph, vertices in the order of their colours."""
    order = sorted(range(len(colours)), key=colours.__getitem__)
    number = {v: i for i, v in enumerate(order)}
    return tuple(diagram.labels[v] + repr(sorted(number[u] for u in diagram.inputs[v])).encode() for v in order)
