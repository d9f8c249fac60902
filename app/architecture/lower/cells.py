"""Stacked cells (NASNet, Zoph et al., 2018; DARTS, Liu et al., 2019): each cell reads the two before it.

    builds           fields
    cells            normal, reduce, or cell alone for both: each a cell or a cell_of_unused
    shared_cell      the nodes themselves; one cell for both uses
    cell             the nodes; all of them are concatenated
    cell_of_unused   the nodes; those that no node reads are concatenated

    a node           its edges {input, op}                its state
    Subset           the chosen ones (DARTS)              their sum
    Record           left, right (NASNet)                 their sum, or as `combine` says: add, concat

State 0 and 1 are the cell's inputs, state 2 + i its node i. Two edges side by side are brought to the cell's width.
"""

from collections import defaultdict
from dataclasses import dataclass

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import FALSE, TRUE, Guard, all_of, any_of, not_
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import mixed
from app.space.algebra import Choice, Record
from app.space.skeleton import CellSkeleton, ImageInput

CELLS = ("cell", "cell_of_unused", "shared_cell")
COMBINATIONS = ("add", "concat")


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge into a node: from one of some states, by one of some operations."""

    guard: Guard
    name: str
    sources: tuple[tuple[Guard, int], ...]
    free: bool  # the grammar lets it choose its source
    operations: Cursor


@dataclass(frozen=True, slots=True)
class CellNode:
    """One node: its edges, added up or side by side."""

    name: str
    edges: tuple[Edge, ...]
    add: Guard
    concat: Guard
    kept: Guard  # when the cell's output holds it


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as its grammar has it, read once and built many times."""

    nodes: tuple[CellNode, ...]


def read_cell(cursor: Cursor) -> Cell:
    """The nodes of a cell and their edges."""
    if cursor.builds not in CELLS:
        raise LoweringError(cursor.path, f"{cursor.builds!r} is not a cell", cursor.builds, CELLS)
    nodes = [(node, _read_edges(node, 2 + i)) for i, node in enumerate(cursor.fields.values())]
    if not nodes:
        raise LoweringError(cursor.path, "a cell needs a node")
    reads: defaultdict[int, list[Guard]] = defaultdict(list)
    if cursor.builds == "cell_of_unused":
        for _, edges in nodes:
            for edge in edges:
                for g, j in edge.sources:
                    reads[j].append(all_of(edge.guard, g))
    return Cell(
        tuple(
            CellNode(node.step, edges, *_read_combination(node), not_(any_of(*reads[2 + i])))
            for i, (node, edges) in enumerate(nodes)
        )
    )


def _read_edges(node: Cursor, states: int) -> tuple[Edge, ...]:
    if isinstance(node.term, Record):
        parts = [(TRUE, edge) for name, edge in node.fields.items() if name != "combine"]
    else:
        parts = node.cases()
    if not parts:
        raise LoweringError(node.path, "a node needs an edge")
    return tuple(_read_edge(guard, edge, states) for guard, edge in parts)


def _read_combination(node: Cursor) -> tuple[Guard, Guard]:
    """When a node adds, and when it concatenates."""
    if not isinstance(node.term, Record) or "combine" not in node.fields:
        return TRUE, FALSE
    choice = node["combine"]
    ways: dict[str, list[Guard]] = {way: [] for way in COMBINATIONS}
    for g, way in choice.values():
        if way not in COMBINATIONS:
            raise LoweringError(choice.path, f"edges are combined by {COMBINATIONS}, not {way!r}", way, COMBINATIONS)
        ways[way].append(g)
    return any_of(*ways["add"]), any_of(*ways["concat"])


def _read_edge(guard: Guard, edge: Cursor, states: int) -> Edge:
    source = edge["input"]
    sources: list[tuple[Guard, int]] = []
    for g, j in source.values():
        if not isinstance(j, int) or isinstance(j, bool) or not 0 <= j < states:
            raise LoweringError(source.path, f"{j!r} is not an earlier state", j, range(states))
        sources.append((g, j))
    return Edge(guard, edge.step, tuple(sources), isinstance(source.term, Choice), edge["op"])


def build_cell(b: Layers, at: str, cell: Cell, inputs: tuple[Node, Node], width: int, stride: int = 1) -> Node:
    """One cell at a place: `inputs` have its width; edges from them take the stride."""
    states = list(inputs)
    for node in cell.nodes:
        here = f"{at}/{node.name}"
        terms = [
            (edge.guard, _build_edge(b, f"{here}/{edge.name}", edge, states, width, stride)) for edge in node.edges
        ]
        if node.concat is not FALSE:
            wide = b.relu_conv_norm(f"{here}/fit", b.concat(f"{here}/concat", terms), width)
            terms = [*((all_of(node.add, g), x) for g, x in terms), (node.concat, wide)]
        states.append(b.sum(here, terms, drop_path=True))
    return b.concat(f"{at}/concat", [(node.kept, state) for node, state in zip(cell.nodes, states[2:], strict=True)])


def _build_edge(b: Layers, at: str, edge: Edge, states: list[Node], width: int, stride: int) -> Node:
    terms: list[tuple[Guard, Node]] = []
    for g, j in edge.sources:
        place = f"{at}/{j}" if edge.free else at
        terms.append((g, mixed(b, place, edge.operations, states[j], width, stride if j < 2 else 1)))
    return b.sum(at, terms)


def reductions(num_cells: int) -> tuple[int, int]:
    """The positions of the two reduction cells, which may be one."""
    return num_cells // 3, 2 * num_cells // 3


def network(b: Layers, cursor: Cursor, skeleton: CellSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Cells in a row, reductions at 1/3 and 2/3, a classifier; the auxiliary head after the second reduction."""
    positive(
        channels=skeleton.channels,
        num_cells=skeleton.num_cells,
        stem_multiplier=skeleton.stem_multiplier,
        num_classes=skeleton.num_classes,
    )
    normal, reduce = _cells(cursor)
    before, last, halved = _stem(b, skeleton, image, reduce)
    width = skeleton.channels
    auxiliary: tuple[Node, ...] = ()
    first, second = reductions(skeleton.num_cells)
    for i in range(skeleton.num_cells):
        reduction = i in (first, second)
        width *= 1 + reduction
        cell = reduce if reduction else normal
        before, last = last, _stack(b, f"cell{i}", cell, before, last, halved, width, 1 + reduction)
        halved = reduction
        if skeleton.auxiliary and i == second:
            auxiliary = (_auxiliary(b, last, skeleton),)
    return (b.classifier("head", last, skeleton.num_classes), *auxiliary)


def _stack(b: Layers, at: str, cell: Cell, before: Node, last: Node, halved: bool, width: int, stride: int) -> Node:
    """A cell on the two states before it; `halved`: the earlier one has twice the extents."""
    inputs = (b.fit(f"{at}/pre0", before, width, halved=halved), b.fit(f"{at}/pre1", last, width))
    return build_cell(b, at, cell, inputs, width, stride)


def _cells(cursor: Cursor) -> tuple[Cell, Cell]:
    if cursor.builds == "shared_cell" or "cell" in cursor.fields:
        cell = read_cell(cursor if cursor.builds == "shared_cell" else cursor["cell"])
        return cell, cell
    return read_cell(cursor["normal"]), read_cell(cursor["reduce"])


def _stem(b: Layers, skeleton: CellSkeleton, image: ImageInput, reduce: Cell) -> tuple[Node, Node, bool]:
    """(the state before the last, the last, whether the first has twice the extents). Its norms are always affine."""
    x = b.image(image)
    channels = skeleton.channels
    match skeleton.stem:
        case "cifar":
            x = b.conv_norm("stem", x, skeleton.stem_multiplier * channels, 3, affine=True)
            return x, x, False
        case "imagenet":
            x = b.unary("stem0/relu", "relu", b.conv_norm("stem0/1", x, max(channels // 2, 1), 3, 2, affine=True))
            x = b.conv_norm("stem0/2", x, channels, 3, 2, affine=True)
            y = b.conv_norm("stem1", b.unary("stem1/relu", "relu", x), channels, 3, 2, affine=True)
            return x, y, True
        case "cells":
            x = b.conv_norm("stem", x, 32 * skeleton.stem_multiplier, 3, 2, pad=0, affine=True)
            y = _stack(b, "stem0", reduce, x, x, False, max(channels // 4, 1), 2)
            return y, _stack(b, "stem1", reduce, x, y, True, max(channels // 2, 1), 2), True


def _auxiliary(b: Layers, x: Node, skeleton: CellSkeleton) -> Node:
    """DARTS' auxiliary head: 5x5 pooling, 1x1 to 128, 2x2 to 768. For ImageNet it has no norm after the second."""
    small = skeleton.stem == "cifar"
    try:
        x = b.pool("auxiliary/pool", "avg_pool", b.unary("auxiliary/relu", "relu", x), 5, 3 if small else 2, pad=0)
        x = b.unary("auxiliary/1/relu", "relu", b.conv_norm("auxiliary/1", x, 128, affine=True))
        x = b.conv("auxiliary/2/conv", x, 768, 2, pad=0)
    except LoweringError as error:
        message = f"no auxiliary head fits: {error.message}"
        raise LoweringError("/skeleton/auxiliary", message, error.value, error.allowed) from error
    if small:
        x = b.norm("auxiliary/2/norm", x, affine=True)
    return b.classifier("auxiliary", b.unary("auxiliary/2/relu", "relu", x), skeleton.num_classes)
