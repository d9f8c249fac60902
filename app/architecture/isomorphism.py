"""When are two plain graphs the same? A certificate that is equal exactly for isomorphic graphs.

Two graphs are isomorphic where their nodes can be matched one to one with every operation, width, extent and attribute
kept, outputs in their order, and inputs as multisets where they have no order: the terms of a sum, product or mean,
the parts of a concat. Names do not count.

Method: what is read once is folded into its reader, so that the vertices that are left are the nodes read more than
once, each with a tree of operations without order; colours of vertices are refined in both directions until they are
stable; where equal colours are left one of them is marked and the refinement goes on. Marking another one is only
followed where it leads to another graph: two equal certificates are an automorphism, which makes the choices
equivalent (McKay and Piperno, 2014).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.graph import Graph, Node

Colour = bytes
Certificate = tuple[Colour, ...]
UNORDERED = ("sum", "concat", "multiply", "average")  # operations of several inputs in any order
DEEPEST = 64  # nested multi-input operations in one tree; what is deeper becomes a vertex


@dataclass(slots=True)
class Tree:
    """A chain of operations on trees and vertices."""

    labels: list[str]  # the innermost first
    children: list["Tree | int"]
    depth: int
    ordered: bool  # whether the innermost operation tells its inputs apart
    colour: Colour = b""  # of the labels


@dataclass(frozen=True, slots=True)
class Diagram:
    """A folded graph: the tree of every vertex, the earlier vertices it reads, and those that read it."""

    trees: tuple[Tree, ...]
    sources: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]


def certificate(graph: Graph) -> str:
    """64 hexadecimal digits, the same in every process; ValueError of a graph with open decisions."""
    if not graph.plain:
        raise ValueError(f"only plain graphs have a certificate; still open: {list(graph.open)}")
    diagram = fold(graph)
    colours = _refine(diagram, _passes(diagram), set(range(len(diagram.trees))))
    return _digest(*_canonical(diagram, colours)).hex()


def fold(graph: Graph) -> Diagram:
    """The vertices of a graph: outputs, and what is read more than once or nests too deep."""
    times: dict[str, int] = defaultdict(int)
    for node in graph.nodes.values():
        for name in node.inputs:
            times[name] += 1
    trees: list[Tree] = []
    made: dict[str, Tree | int] = {}
    for node in graph.nodes.values():
        children = [made[name] for name in node.inputs]
        match children:
            case [Tree() as below]:
                tree = below  # read here and nowhere else
                tree.labels.append(_label(graph, node))
            case _:
                depth = 1 + max((c.depth for c in children if isinstance(c, Tree)), default=0)
                tree = Tree([_label(graph, node)], children, depth, node.op not in UNORDERED)
        if times[node.name] == 1 and node.name not in graph.outputs and tree.depth < DEEPEST:
            made[node.name] = tree
        else:
            made[node.name] = len(trees)
            trees.append(tree)
    sources = tuple(tuple(dict.fromkeys(_leaves(tree))) for tree in trees)
    readers: list[list[int]] = [[] for _ in trees]
    for v, read in enumerate(sources):
        for u in read:
            readers[u].append(v)
    return Diagram(tuple(trees), sources, tuple(map(tuple, readers)))


def _leaves(tree: Tree) -> Iterator[int]:
    """The vertices that a tree reads; colours its labels on the way."""
    tree.colour = _digest("\n".join(tree.labels).encode())
    for child in tree.children:
        if isinstance(child, Tree):
            yield from _leaves(child)
        else:
            yield child


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


def _read(tree: Tree, colours: list[Colour], seen: dict[int, Colour] | None = None) -> Colour:
    """A tree at some colours of its vertices; `seen` keeps every subtree's."""
    inner = [_read(c, colours, seen) if isinstance(c, Tree) else colours[c] for c in tree.children]
    found = _digest(tree.colour, *(inner if tree.ordered else sorted(inner)))
    if seen is not None:
        seen[id(tree)] = found
    return found


def _places(tree: Tree, way: Colour, seen: dict[int, Colour]) -> Iterator[tuple[int, Colour]]:
    """Every vertex that a tree reads, with the way down to it."""
    way = _digest(way, seen[id(tree)])
    for child in tree.children:
        if isinstance(child, Tree):
            yield from _places(child, way, seen)
        else:
            yield child, way


def _passes(diagram: Diagram) -> list[Colour]:
    """First colours: one pass down the graph, one back. Vertices are in topological order."""
    down: list[Colour] = []
    for tree in diagram.trees:
        down.append(_read(tree, down))
    colours = list(down)
    outs: list[list[Colour]] = [[] for _ in colours]
    for w in reversed(range(len(colours))):
        colours[w] = _digest(down[w], *sorted(outs[w]))
        for v, ways in _reads(diagram.trees[w], colours[w], down).items():
            outs[v].extend(ways)
    return colours


def _beside(diagram: Diagram, vertex: int) -> set[int]:
    """The vertices whose surroundings change with a vertex: what it reads, what reads it and what that reads."""
    found = {*diagram.sources[vertex], *diagram.readers[vertex]}
    for reader in diagram.readers[vertex]:
        found.update(diagram.sources[reader])
    return found


def _refine(diagram: Diagram, colours: list[Colour], dirty: set[int]) -> list[Colour]:
    """Split classes of equal colour by what their members read and what reads them until nothing splits.

    `dirty` are the vertices to look at first. Rounds are synchronous, so new colours depend on the structure alone.
    """
    colours = list(colours)
    classes: dict[Colour, list[int]] = defaultdict(list)
    for v, colour in enumerate(colours):
        classes[colour].append(v)
    pending = {colours[v] for v in dirty}
    while pending:
        read: dict[int, dict[int, list[Colour]]] = {}  # reader -> vertex -> where it reads it
        changed: list[tuple[int, Colour]] = []
        for colour in pending:
            members = classes[colour]
            if len(members) == 1:
                continue
            found: dict[Colour, list[int]] = defaultdict(list)
            for v in members:
                outs: list[Colour] = []
                for w in diagram.readers[v]:
                    if w not in read:
                        read[w] = _reads(diagram.trees[w], colours[w], colours)
                    outs.extend(read[w][v])
                found[_digest(colour, _read(diagram.trees[v], colours), *sorted(outs))].append(v)
            if len(found) > 1:
                changed.extend((v, new) for new, group in found.items() for v in group)
        around: set[int] = set()
        for v, _ in changed:
            classes.pop(colours[v], None)
        for v, new in changed:
            colours[v] = new
            classes[new].append(v)
            around |= _beside(diagram, v)
        pending = {colours[v] for v in around}
    return colours


def _reads(tree: Tree, colour: Colour, colours: list[Colour]) -> dict[int, list[Colour]]:
    seen: dict[int, Colour] = {}
    _read(tree, colours, seen)
    found: dict[int, list[Colour]] = defaultdict(list)
    for v, way in _places(tree, colour, seen):
        found[v].append(way)
    return found


def _mark(diagram: Diagram, colours: list[Colour], vertex: int) -> list[Colour]:
    """The refinement once one of several equal vertices is told apart."""
    marked = list(colours)
    marked[vertex] = _digest(colours[vertex], b"marked")
    return _refine(diagram, marked, _beside(diagram, vertex))


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
        if leaf not in leaves:
            leaves.add(leaf)
            found = _canonical(diagram, marked)
            best = found if best is None or found < best else best
    assert best is not None
    return best


def _written(diagram: Diagram, colours: list[Colour]) -> Certificate:
    """The whole graph, vertices in the order of their colours."""
    order = sorted(range(len(colours)), key=colours.__getitem__)
    numbers = [b""] * len(order)
    for i, v in enumerate(order):
        numbers[v] = i.to_bytes(4, "big")
    return tuple(_read(diagram.trees[v], numbers) for v in order)
