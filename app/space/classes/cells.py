"""Cells as directed graphs: what a grammar says about who may read whom, found in its terms, never by a space's name.

    builds                             its fields                                      a node reads
    cell, cell_of_unused, shared_cell  node: Subset of edges (input=state, op=...), k  k different states
                                       node: pair of edges left, right                 two states, one allowed twice
    recurrent                          node: step (input=choice, activation=...)       one state
    edge_cells                         "i->j": choice of operations                    any earlier nodes, `none` none

The first three have two inputs, states 0 and 1, and field n is state 2 + n; the recurrent one has one input. In the
last, node 0 is the input and the last node the output. What else a pair decides is a label of the node.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING

from app.space.algebra import Choice, Grammar, Record, Scalar, Subset, Term, Value
from app.space.derived import derived
from app.space.part import Product, bare

if TYPE_CHECKING:
    from app.space.document import SearchSpace

Sources = tuple[int, ...]  # the states that a node reads, sorted; one that is read twice is there twice
_EDGE = re.compile(r"(\d{1,3})->(\d{1,3})")
_SUBSETS = 4_096  # of the states that one node may read; beyond, the cell is not looked at
INPUTS = {"cell": 2, "cell_of_unused": 2, "shared_cell": 2, "recurrent": 1}  # of the cells of nodes


@dataclass(frozen=True, slots=True)
class Cell:
    """Who may read whom. Relabelling exchanges the inner nodes; inputs and output stay where they are."""

    inner: tuple[int, ...]
    nodes: tuple[int, ...]  # those that read: the inner ones, and the output where it reads edges of its own
    reads: tuple[frozenset[Sources], ...]  # what each of the nodes may read
    labels: int  # operations an edge may carry
    choices: int  # labels a node may carry beside


@dataclass(frozen=True, slots=True)
class Slot:
    """A factor of a space: a cell, or anything else where `record` is None. Rank = sum of the slots' ranks · stride."""

    stride: int
    size: int
    record: Record | None = None
    part: Product | None = None


@derived
def slots_of(space: "SearchSpace") -> tuple[Slot, ...]:
    """The factors of a space that is a cell or has cells for fields; none of any other."""
    root, part = space.grammar.follow(space.grammar.root), bare(space.plan.part)
    if not isinstance(root, Record) or not isinstance(part, Product):
        return ()
    if is_cell(space.grammar, root):
        return (Slot(1, part.size, root, part),)
    slots: list[Slot] = []
    for (_, term), (_, inner), stride in zip(root.fields, part.fields, part.strides, strict=True):
        record, cell = space.grammar.follow(term), bare(inner)
        if isinstance(record, Record) and isinstance(cell, Product) and is_cell(space.grammar, record):
            slots.append(Slot(stride, inner.size, record, cell))
        else:
            slots.append(Slot(stride, inner.size))
    return tuple(slots) if any(slot.record for slot in slots) else ()


def is_cell(grammar: Grammar, record: Record) -> bool:
    """Whether a record is a cell of nodes or edges that can be relabelled."""
    if record.builds == "edge_cells":
        return bool(edges_of(grammar, record))
    inputs = INPUTS.get(record.builds)
    return inputs is not None and all(_node(grammar, term) is not None for _, term in record.fields)


def cell_of(grammar: Grammar, record: Record) -> Cell | None:
    """The cell of a record; None where its edges or nodes are not all labelled alike, or it is too large to look at.

    Only where they are does every relabelled genotype stay one.
    """
    if record.builds == "edge_cells":
        return _edge_cell(grammar, record)
    nodes = [node for _, term in record.fields if (node := _node(grammar, term)) is not None]
    labels = {(node.operations, node.rest) for node in nodes}
    if len(labels) != 1 or len(nodes) != len(record.fields) or any(None in node.operations for node in nodes):
        return None
    states = range(INPUTS[record.builds], INPUTS[record.builds] + len(nodes))
    reads = tuple(node.reads for node in nodes)
    earlier = all(0 <= s < n for n, options in zip(states, reads, strict=True) for chosen in options for s in chosen)
    if not earlier or not all(reads):
        return None
    choices = prod(len(values) for _, values in nodes[0].rest)
    operations = len(next(iter(nodes[0].operations)) or ())
    return Cell(tuple(states), tuple(states), reads, operations, choices)


@dataclass(frozen=True, slots=True)
class _Node:
    """What a node may read, and its labels."""

    reads: frozenset[Sources]  # empty where there are too many to list
    operations: frozenset[tuple[Scalar, ...] | None]  # of its edges; None among them where they differ
    rest: tuple[tuple[str, tuple[Scalar, ...]], ...]  # what else it decides


def _node(grammar: Grammar, term: Term) -> _Node | None:
    node = grammar.follow(term)
    if isinstance(node, Subset):
        edges = [_edge(grammar, option, "edge") for option in node.options]
        known = [edge for edge in edges if edge is not None and len(edge[0]) == 1]
        if len(known) != len(edges):
            return None
        states = sorted(states[0] for states, _ in known)
        operations = frozenset(_same({names for _, names in known}))
        return _Node(_limited(combinations(states, node.k)), operations, ())
    if not isinstance(node, Record):
        return None
    if node.builds == "step":
        step = _edge(grammar, node, "step")
        return None if step is None else _Node(_limited((s,) for s in step[0]), frozenset({step[1]}), ())
    if node.builds != "pair":
        return None
    edges = [edge for _, inner in node.fields if (edge := _edge(grammar, inner, "edge")) is not None]
    rest = [(n, values_of(grammar, t)) for n, t in node.fields if _edge(grammar, t, "edge") is None]
    if len(edges) != 2 or not all(values for _, values in rest):
        return None
    reads = _limited(tuple(sorted(pair)) for pair in product(edges[0][0], edges[1][0]))
    return _Node(reads, frozenset(_same({names for _, names in edges})), tuple(rest))


def _same(operations: set[tuple[Scalar, ...]]) -> set[tuple[Scalar, ...] | None]:
    return {*operations} if len(operations) == 1 else {None}


def values_of(grammar: Grammar, term: Term | None) -> tuple[Scalar, ...]:
    """The scalars that a term may be; none where it may be anything else."""
    if term is None:
        return ()
    match grammar.follow(term):
        case Value(value):
            return (value,)
        case Choice(options):
            terms = [grammar.follow(option) for option in options]
            values = [t.value for t in terms if isinstance(t, Value)]
            return tuple(values) if len(values) == len(terms) else ()
        case _:
            return ()


def _edge(grammar: Grammar, term: Term, builds: str) -> tuple[tuple[int, ...], tuple[Scalar, ...]] | None:
    """The states an edge may come from, and the operations it may carry."""
    record = grammar.follow(term)
    if not isinstance(record, Record) or record.builds != builds or len(record.fields) != 2:
        return None
    fields = dict(record.fields)
    other = next((inner for name, inner in record.fields if name != "input"), None)
    states, operations = values_of(grammar, fields.get("input")), values_of(grammar, other)
    if not operations or not states or not all(type(s) is int for s in states):
        return None
    return tuple(int(s) for s in states), operations


def _edge_cell(grammar: Grammar, cell: Record) -> Cell | None:
    fields = edges_of(grammar, cell)
    if not fields:
        return None
    last = max(target for _, target in fields)
    operations = set(fields.values())
    labels = len(next(iter(operations)))
    absent = "none" in next(iter(operations))
    reads: dict[int, frozenset[Sources]] = {}
    for node in range(1, last + 1):
        sources = sorted(source for source, target in fields if target == node)
        sizes = range(len(sources) + 1) if absent else [len(sources)]
        if 2 ** len(sources) > _SUBSETS:
            return None
        reads[node] = frozenset(chosen for size in sizes for chosen in combinations(sources, size))
    if len(operations) != 1 or labels == absent:
        return None
    return Cell(tuple(range(1, last)), tuple(reads), tuple(reads.values()), labels - absent, 1)


def edges_of(grammar: Grammar, cell: Record) -> dict[tuple[int, int], tuple[Scalar, ...]]:
    """(i, j) -> the operations of the edge i->j; none where a field is not an edge from an earlier node."""
    edges: dict[tuple[int, int], tuple[Scalar, ...]] = {}
    for name, inner in cell.fields:
        ends, operations = _EDGE.fullmatch(name), values_of(grammar, inner)
        if ends is None or not operations or int(ends[1]) >= int(ends[2]):
            return {}
        edges[int(ends[1]), int(ends[2])] = operations
    return edges


def _limited(sources: Iterable[Sources]) -> frozenset[Sources]:
    """What a node may read, up to a bound: a cell with more is left alone."""
    found: set[Sources] = set()
    for chosen in sources:
        found.add(chosen)
        if len(found) > _SUBSETS:
            return frozenset()
    return frozenset(found)
