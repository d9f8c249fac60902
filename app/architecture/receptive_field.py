"""The receptive field of an architecture: how much of the input one place of its last maps depends on.

Araujo, Norris and Sim (2019), "Computing Receptive Fields of Convolutional Neural Networks", distill.pub, taken
backwards: a place of the last maps reads an interval of places of what feeds it, that reads intervals of what feeds
it, and so on to the input, rows and columns for themselves. Where several readers meet in one node the interval holds
all of them. All reads rise with the place, so the two ends are exact.

    reads of the places a to b of the output
    conv, max_pool, avg_pool    a·stride - pad   to   b·stride - pad + dilation·(kernel - 1)
    shift                       a + 1            to   b + 1
    resize, nearest             ⌊a·h/H⌋          to   ⌊b·h/H⌋
    resize, bilinear            ⌊(a + ½)·h/H - ½⌋   to   ⌈(b + ½)·h/H - ½⌉
    zero                        nothing
    mean, row                   everything, also where it only gates or surrounds maps (squeeze-and-excitation)
    attention                   everything: the keys and values of all places
    deform_conv                 everything: where it samples is learnt
    anything else               a to b

The extent is that of theory: padding counts as if it were pixels, and so it does not depend on the image but where
maps are resized to given extents. It is then that of the place in the middle.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from app.architecture.graph import Graph, Node


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Pixels of the input, padding among them; 0 where the last maps are zeros whatever the input is."""

    height: int
    width: int


Interval = tuple[int, int]
Reads = tuple[Interval, Interval] | None  # rows and columns; None of everything

_EVERYWHERE = ("mean", "row", "attention", "deform_conv")


def receptive_field(graph: Graph) -> ReceptiveField | None:
    """The field of the middle of the last maps, or tokens, before the first output; None where it is everything.

    The last maps are those whose mean, or first token, the first output is made of; or the output itself. A recurrent
    network reads every row. Several inputs count as one. ValueError of a graph with open decisions.
    """
    if not graph.plain:
        raise ValueError(f"a receptive field is an architecture's; still open: {list(graph.open)}")
    rows = {node.inputs[0] for node in graph.nodes.values() if node.op == "row"}
    asked: dict[str, Reads] = {}
    for name in last_maps(graph):
        row, column = (n // 2 for n in _grid(graph, graph.nodes[name]))
        asked[name] = None if name in rows else ((row, row), (column, column))
    found = list[Reads]()
    for node in reversed(graph.nodes.values()):
        if node.name not in asked:
            continue
        reads = asked.pop(node.name)
        if node.op == "input":
            found.append(reads)
        elif node.op != "zero":
            sources = node.inputs[:1] if node.op == "tied_linear" else node.inputs
            before = _reads(graph, node, reads)
            for source in sources:
                asked[source] = _both(asked[source], before) if source in asked else before
    if not found:
        return ReceptiveField(0, 0)
    field = reduce(_both, found)
    return None if field is None else ReceptiveField(*(last - first + 1 for first, last in field))


def last_maps(graph: Graph) -> tuple[str, ...]:
    """The maps or tokens whose places the first output is made of; itself where it has places."""
    waiting, found = [graph.outputs[0]], dict[str, None]()
    met = set(waiting)
    while waiting:
        node = graph.nodes[waiting.pop()]
        if node.size:
            found[node.name] = None
        elif node.op != "zero":
            sources = node.inputs[:1] if node.op == "tied_linear" else node.inputs
            waiting.extend(source for source in sources if source not in met)
            met.update(sources)
    return tuple(found)


def _grid(graph: Graph, node: Node) -> tuple[int, int]:
    """The extents of maps, or of the maps whose places tokens are."""
    while len(node.size) != 2:
        node = graph.nodes[node.inputs[0]]
    return node.size[0], node.size[1]


def _both(a: Reads, b: Reads) -> Reads:
    """What holds two reads."""
    if a is None or b is None:
        return None
    (rows, columns), (others, more) = a, b
    return (
        (min(rows[0], others[0]), max(rows[1], others[1])),
        (min(columns[0], more[0]), max(columns[1], more[1])),
    )


def _reads(graph: Graph, node: Node, reads: Reads) -> Reads:
    """What a node reads of its inputs for some places of its output."""
    if reads is None or node.op in _EVERYWHERE:
        return None
    match node.op:
        case "conv" | "max_pool" | "avg_pool":
            rows, columns = reads
            return _window(rows, *_walk(node, 0)), _window(columns, *_walk(node, 1))
        case "shift":
            (top, bottom), (left, right) = reads
            return (top + 1, bottom + 1), (left + 1, right + 1)
        case "resize":
            source = graph.nodes[node.inputs[0]].size
            if not source:  # a vector as constant maps
                return reads
            smooth = node["mode"] == "bilinear"
            rows, columns = (_resized(r, h, n, smooth) for r, h, n in zip(reads, source, node.size, strict=True))
            return rows, columns
        case _:
            return reads


def _walk(node: Node, direction: int) -> tuple[int, int, int]:
    """(stride, padding before, places from the first that a window reads to the last) of a convolution or pooling."""
    kernel: Any = node["kernel"]
    if node.op != "conv":
        return node["stride"], node["pad"], kernel - 1
    span = node["dilation"] * (len(kernel[direction]) - 1)
    pad = node["pad"]
    return node["stride"][direction], span // 2 if pad is None else pad, span


def _window(interval: Interval, stride: int, pad: int, span: int) -> Interval:
    first, last = interval
    return first * stride - pad, last * stride - pad + span


def _resized(interval: Interval, source: int, target: int, smooth: bool) -> Interval:
    first, last = interval
    if not smooth:
        return first * source // target, last * source // target
    # (i + 1/2)·h/H - 1/2 = ((2 i + 1)·h - H) / 2 H, rounded down and up
    down, up = (2 * first + 1) * source - target, (2 * last + 1) * source - target
    return down // (2 * target), -(-up // (2 * target))
