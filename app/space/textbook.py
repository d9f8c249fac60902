"""The names that textbook treatments of cell search use, on top of the space `simple_cell`.

    OPERATIONS                                        the eight DARTS operations, `none` among them
    enumerate_cell_space(num_nodes=4, operations=...)  how many cells there are
    valid_connections_cell(node_idx, num_cell_inputs=2)  what a node may read
    CellGenotype(normal, reduce)                      two cells of (op, input, op, input) tuples, one a node

A node of a cell adds two operations, each on any earlier state: states 0 to num_cell_inputs - 1 are the cell's
inputs, the state of node i is num_cell_inputs + i. So there are

    prod over i of (num_cell_inputs + i)^2 · len(operations)^2

cells: 241,591,910,400 with four nodes and eight operations, 83,013,134,400 with the seven without `none`. (A figure of
"about 33 billion" that is often copied is neither.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

from app.space.algebra import Genotype
from app.space.errors import Fault, InvalidGenotype, SpaceError
from app.space.value import is_object, shown
from app.space.zoo.simple_cell import OPERATIONS, simple_cell

__all__ = ["OPERATIONS", "CellGenotype", "Node", "enumerate_cell_space", "valid_connections_cell"]

_LARGEST = 32  # nodes of a genotype that is read

Node = tuple[str, int, str, int]  # operation and input on the left, operation and input on the right


def enumerate_cell_space(num_nodes: int = 4, operations: Sequence[str] = OPERATIONS) -> int:
    """The exact number of cells with `num_nodes` nodes; a cell whose operands are swapped is another cell."""
    if num_nodes < 1:
        raise SpaceError(f"a cell has at least one node, not {num_nodes}")
    return simple_cell(num_nodes, tuple(operations)).plan.size


def valid_connections_cell(node_idx: int, num_cell_inputs: int = 2) -> list[int]:
    """The states that node `node_idx` (from 0) may read: the cell's inputs and the nodes before it."""
    if node_idx < 0 or num_cell_inputs < 1:
        raise SpaceError(f"a node's index is 0 or more and a cell has an input; not {node_idx} and {num_cell_inputs}")
    return list(range(num_cell_inputs + node_idx))


@dataclass(frozen=True, slots=True)
class CellGenotype:
    """Two cells, each a tuple of nodes `(op, input, op, input)`; InvalidGenotype names every node that is not valid."""

    normal: tuple[Node, ...]
    reduce: tuple[Node, ...]

    def __post_init__(self) -> None:
        faults = (*_faults("normal", self.normal), *_faults("reduce", self.reduce))
        if faults:
            raise InvalidGenotype(faults)
        object.__setattr__(self, "normal", tuple(tuple(node) for node in self.normal))  # they may come as lists
        object.__setattr__(self, "reduce", tuple(tuple(node) for node in self.reduce))

    @classmethod
    def from_genotypes(cls, normal: Genotype, reduce: Genotype | None = None) -> "CellGenotype":
        """From one genotype of `simple_cell` for both cells, or one for each."""
        first = _nodes(normal, "normal")
        return cls(first, first if reduce is None else _nodes(reduce, "reduce"))

    def to_genotypes(self) -> tuple[Genotype, Genotype]:
        """The genotypes of the normal and of the reduction cell in `simple_cell`."""
        return _genotype(self.normal), _genotype(self.reduce)

    def to_genotype(self) -> Genotype:
        """The one genotype of `simple_cell`, which uses one cell for both."""
        if self.normal != self.reduce:
            message = "the two cells differ, but simple_cell has one cell for both; use to_genotypes()"
            raise InvalidGenotype([Fault("/reduce", message, [list(node) for node in self.reduce])])
        return _genotype(self.normal)


def _faults(cell: str, nodes: object) -> tuple[Fault, ...]:
    """What is wrong with the tuples of a cell: pointers as into their JSON, /normal/2/1 is node 2's left input."""
    if not _is_row(nodes) or not nodes:
        return (Fault(f"/{cell}", f"a cell has at least one node; found {shown(nodes)}", nodes),)
    found: list[Fault] = []
    for i, node in enumerate(nodes):
        at = f"/{cell}/{i}"
        if not _is_row(node) or len(node) != 4:
            found.append(Fault(at, f"expected (op, input, op, input), found {shown(node)}", node, (4,)))
            continue
        states = tuple(valid_connections_cell(i))
        for place, value in enumerate(node):
            allowed: tuple[object, ...] = states if place % 2 else OPERATIONS
            if type(value) is not type(allowed[0]) or value not in allowed:
                kind = "an earlier state" if place % 2 else "an operation"
                message = f"expected {kind}, one of {', '.join(map(str, allowed))}; found {shown(value)}"
                found.append(Fault(f"{at}/{place}", message, value, allowed))
    return tuple(found)


def _is_row(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, tuple | list)


def _genotype(nodes: tuple[Node, ...]) -> Genotype:
    return {
        f"node{i}": {"left": {"input": left, "op": first}, "right": {"input": right, "op": second}}
        for i, (first, left, second, right) in enumerate(nodes)
    }


def _nodes(genotype: Genotype, cell: str) -> tuple[Node, ...]:
    """The tuples of a genotype; its faults are those of a cell with as many nodes as it has fields."""
    plan = simple_cell(min(max(1, len(genotype)), _LARGEST) if is_object(genotype) else 4).plan
    faults = [Fault(f"/{cell}{f.pointer}", f.message, f.value, f.allowed) for f in plan.check(genotype)]
    if faults:
        raise InvalidGenotype(faults)
    cells = cast("dict[str, dict[str, dict[str, int | str]]]", plan.normalise(genotype))
    return tuple(
        cast("Node", (n["left"]["op"], n["left"]["input"], n["right"]["op"], n["right"]["input"]))
        for n in cells.values()
    )
