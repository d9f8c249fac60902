"""Stacked cells (NASNet, Zoph et al., 2018; DARTS, Liu et al., 2019): each cell reads the two before it.

    builds         fields                 a node of the cell
    cells          normal, reduce         Subset of edges {input, op} (DARTS), or as below
    shared_cell    the nodes themselves   Record of edges {left, right}; one cell for both uses

State 0 and 1 are the cell's inputs, state 2 + i its node i; a node adds up its edges, the cell concatenates its nodes.
"""

from dataclasses import dataclass

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import mixed
from app.space.algebra import Choice, Record
from app.space.skeleton import CellSkeleton, ImageInput


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge into a node: from one of some states, by one of some operations."""

    guard: Guard
    name: str
    sources: tuple[tuple[Guard, int], ...]
    free: bool  # the grammar lets it choose its source
    operations: Cursor


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as its grammar has it, read once and built many times."""

    nodes: tuple[tuple[str, tuple[Edge, ...]], ...]


def read_cell(cursor: Cursor) -> Cell:
    """The nodes of a cell and their edges."""
    nodes: list[tuple[str, tuple[Edge, ...]]] = []
    for i, node in enumerate(cursor.fields.values()):
        pair = isinstance(node.term, Record)
        parts = [(TRUE, edge) for edge in node.fields.values()] if pair else node.cases()
        nodes.append((node.step, tuple(_read_edge(guard, edge, 2 + i) for guard, edge in parts)))
    if not nodes:
        raise LoweringError(cursor.path, "a cell needs a node")
    return Cell(tuple(nodes))


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
    for name, edges in cell.nodes:
        here = f"{at}/{name}"
        terms: list[tuple[Guard, Node]] = []
        for edge in edges:
            place = f"{here}/{edge.name}"
            reads = [
                (
                    g,
                    mixed(
                        b,
                        f"{place}/{j}" if edge.free else place,
                        edge.operations,
                        states[j],
                        width,
                        stride if j < 2 else 1,
                    ),
                )
                for g, j in edge.sources
            ]
            terms.append((edge.guard, b.sum(place, reads)))
        states.append(b.sum(here, terms, drop_path=True))
    return b.concat(f"{at}/concat", [(TRUE, state) for state in states[2:]])


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
    before, last, halved = _stem(b, skeleton, image)
    width = skeleton.channels
    auxiliary: tuple[Node, ...] = ()
    first, second = reductions(skeleton.num_cells)
    for i in range(skeleton.num_cells):
        at, reduction = f"cell{i}", i in (first, second)
        width *= 1 + reduction
        inputs = (b.fit(f"{at}/pre0", before, width, halved=halved), b.fit(f"{at}/pre1", last, width))
        out = build_cell(b, at, reduce if reduction else normal, inputs, width, 1 + reduction)
        before, last, halved = last, out, reduction
        if skeleton.auxiliary and i == second:
            auxiliary = (_auxiliary(b, last, skeleton),)
    return (b.classifier("head", last, skeleton.num_classes), *auxiliary)


def _cells(cursor: Cursor) -> tuple[Cell, Cell]:
    if cursor.builds == "shared_cell":
        cell = read_cell(cursor)
        return cell, cell
    return read_cell(cursor["normal"]), read_cell(cursor["reduce"])


def _stem(b: Layers, skeleton: CellSkeleton, image: ImageInput) -> tuple[Node, Node, bool]:
    """(the state before the last, the last, whether the first has twice the extents). Its norms are always affine."""
    x = b.image(image)
    if skeleton.stem == "cifar":
        x = b.conv_norm("stem", x, skeleton.stem_multiplier * skeleton.channels, 3, affine=True)
        return x, x, False
    half = max(skeleton.channels // 2, 1)
    x = b.unary("stem0/relu", "relu", b.conv_norm("stem0/1", x, half, 3, 2, affine=True))
    x = b.conv_norm("stem0/2", x, skeleton.channels, 3, 2, affine=True)
    y = b.conv_norm("stem1", b.unary("stem1/relu", "relu", x), skeleton.channels, 3, 2, affine=True)
    return x, y, True


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
