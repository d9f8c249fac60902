"""Layouts of cells whose nodes read two earlier states each: what the formats of cells have in common.

A format writes a cell as a row of edges (operation, state), two a node, nodes in their order. State 0 is the output of
the cell before the last one, state 1 that of the last one, state 2 + i the cell's own node i.

    a node                           in genotypes                        the same state twice
    Subset of two edges (DARTS)      [{input, op}, {input, op}]          no
    Record left, right (NASNet)      {left: {input, op}, right: ...}     yes; the two have an order
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

from app.architecture.formats.format import FormatError
from app.space import Choice, Genotype, Grammar, Record, Scalar, SearchSpace, Subset, Term, Value

Edge = tuple[str, int]  # operation, state
CONCATENATES_ALL = ("cell", "shared_cell")


@dataclass(frozen=True, slots=True)
class EdgeFault:
    """What is wrong with an edge of a row: its place in the row, and whether it is its operation or its state."""

    edge: int
    operation: bool
    message: str
    value: Scalar
    allowed: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLayout:
    """Cells of nodes with two edges, every edge offering the same operations, every node all earlier states."""

    cells: tuple[str, ...]  # the fields of the root; none where the root is the cell
    nodes: tuple[str, ...]
    operations: tuple[str, ...]
    pairs: bool  # whether a node's edges have an order, and may read one state twice
    unused: bool  # whether the output concatenates only the states that no node reads

    @property
    def edges(self) -> int:
        """Edges of one cell."""
        return 2 * len(self.nodes)

    def fault(self, row: Sequence[Edge]) -> EdgeFault | None:
        """The first fault of a row of the right length."""
        known = frozenset(self.operations)
        other = -1
        for k, (operation, state) in enumerate(row):
            if operation not in known:
                return EdgeFault(k, True, f"no operation {operation!r} in this space", operation, self.operations)
            earlier = 2 + k // 2
            if not 0 <= state < earlier:
                message = f"{self.nodes[k // 2]} reads states 0 to {earlier - 1}, not {state}"
                return EdgeFault(k, False, message, state, tuple(range(earlier)))
            if k % 2 and state == other and not self.pairs:
                message = f"the two edges of {self.nodes[k // 2]} read one state, {state}"
                return EdgeFault(k, False, message, state, tuple(s for s in range(earlier) if s != state))
            other = state
        return None

    def concat(self, row: Sequence[Edge]) -> list[int]:
        """The states that the cell's output concatenates."""
        read = {state for _, state in row} if self.unused else set[int]()
        return [state for state in range(2, 2 + len(self.nodes)) if state not in read]

    def genotype(self, rows: Sequence[Sequence[Edge]]) -> Genotype:
        """The genotype of rows without fault, one a cell, in its written order."""
        cells = [self._cell(row) for row in rows]
        return dict(zip(self.cells, cells, strict=True)) if self.cells else cells[0]

    def rows(self, genotype: Genotype) -> list[list[Edge]]:
        """The rows of a member, one a cell."""
        whole = cast("dict[str, Any]", genotype)
        cells = [whole[name] for name in self.cells] if self.cells else [whole]
        return [[edge for name in self.nodes for edge in self._edges(cell[name])] for cell in cells]

    def _cell(self, row: Sequence[Edge]) -> Genotype:
        found: dict[str, Genotype] = {}
        for i, name in enumerate(self.nodes):
            (first, a), (second, b) = row[2 * i : 2 * i + 2]
            if self.pairs:
                found[name] = {"left": {"input": a, "op": first}, "right": {"input": b, "op": second}}
            elif a < b:
                found[name] = [{"input": a, "op": first}, {"input": b, "op": second}]
            else:
                found[name] = [{"input": b, "op": second}, {"input": a, "op": first}]
        return found

    def _edges(self, node: Any) -> list[Edge]:
        edges = [node["left"], node["right"]] if self.pairs else node
        return [(edge["op"], edge["input"]) for edge in edges]


_LAYOUTS: WeakKeyDictionary[SearchSpace, CellLayout | None] = WeakKeyDictionary()  # gone with their spaces


def layout_of(space: SearchSpace) -> CellLayout | None:
    """The layout of a space's cells, told from its grammar; None where it is another kind of space."""
    try:
        return _LAYOUTS[space]
    except KeyError:
        return _LAYOUTS.setdefault(space, _layout(space.grammar))


def cell_layout(space: SearchSpace) -> CellLayout:
    """The layout of a space's cells; FormatError of another kind of space."""
    layout = layout_of(space)
    if layout is None:
        raise FormatError("", f"{space.name} is no space of cells whose nodes read two states each", space.name)
    return layout


def _layout(grammar: Grammar) -> CellLayout | None:
    root = grammar.follow(grammar.root)
    if not isinstance(root, Record) or root.builds not in ("cells", "shared_cell"):
        return None
    names = () if root.builds == "shared_cell" else tuple(name for name, _ in root.fields)
    if names not in ((), ("cell",), ("normal", "reduce")):
        return None
    cells = [grammar.follow(term) for _, term in root.fields] if names else [root]
    found = {layout_of_cell(grammar, names, cell) for cell in cells}
    return found.pop() if len(found) == 1 else None


def layout_of_cell(grammar: Grammar, names: tuple[str, ...], cell: Term) -> CellLayout | None:
    """The layout of one cell, which stands in fields of these names; None of what is no such cell."""
    if not isinstance(cell, Record) or cell.builds not in (*CONCATENATES_ALL, "cell_of_unused"):
        return None
    kinds = {_node(grammar, grammar.follow(term), 2 + i) for i, (_, term) in enumerate(cell.fields)}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        return None
    pairs, operations = kind
    nodes = tuple(name for name, _ in cell.fields)
    unused = cell.builds not in CONCATENATES_ALL
    return CellLayout(cells=names, nodes=nodes, operations=operations, pairs=pairs, unused=unused)


def _node(grammar: Grammar, node: Term, states: int) -> tuple[bool, tuple[str, ...]] | None:
    """(whether it is a pair, the operations of its edges) of a node that reads two of the earlier states."""
    match node:
        case Record(_, (("left", left), ("right", right))):
            edges = [_edge(grammar, left), _edge(grammar, right)]
            wanted = [tuple(range(states))] * 2
        case Subset(options, 2):
            edges = [_edge(grammar, option) for option in options]
            wanted = [(state,) for state in range(states)]
        case _:
            return None
    if [edge[0] for edge in edges] != wanted or len({edge[1] for edge in edges}) != 1 or not edges[0][1]:
        return None
    return isinstance(node, Record), edges[0][1]


def _edge(grammar: Grammar, term: Term) -> tuple[tuple[Scalar, ...], tuple[str, ...]]:
    """(the states it may read, its operations); nothing where it is no edge."""
    edge = grammar.follow(term)
    if not isinstance(edge, Record) or [name for name, _ in edge.fields] != ["input", "op"]:
        return (), ()
    states, operations = (_values(grammar, inner) for _, inner in edge.fields)
    names = tuple([o for o in operations if isinstance(o, str)])
    return states, names if len(names) == len(operations) else ()


def _values(grammar: Grammar, term: Term) -> tuple[Scalar, ...]:
    """The scalars that a term may be; none where it may be anything else."""
    term = grammar.follow(term)
    options = [grammar.follow(option) for option in term.options] if isinstance(term, Choice) else [term]
    values = [option.value for option in options if isinstance(option, Value)]
    return tuple(values) if len(values) == len(options) else ()
