"""Cells as directed graphs: what a grammar says about who may read whom, found in its terms, never by a space's name.

    builds        its fields                                               a node reads
    cell          node: Subset of edges (input=state, op=choice), k        k different states, one operation each
    shared_cell   node: pair of edges left, right (input=choice, op=...)   two states, the same one allowed twice
    edge_cells    "i->j": choice of operations                             any earlier nodes; `none` is no edge

The first two have two inputs, states 0 and 1, and field n is state 2 + n. In the last, node 0 is the input and the last
node the output. All edges must offer the same operations, as only then does a relabelled genotype stay one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product

from app.space.algebra import Choice, Grammar, Record, Scalar, Subset, Term, Value

Sources = tuple[int, ...]  # the states that a node reads, sorted; one that is read twice is there twice
_EDGE = re.compile(r"(\d{1,3})->(\d{1,3})")
_SUBSETS = 4_096  # of the states that one node may read; beyond, the cell is not looked at


@dataclass(frozen=True, slots=True)
class Cell:
    """Who may read whom. Relabelling exchanges the inner nodes; inputs and output stay where they are."""

    inner: tuple[int, ...]
    nodes: tuple[int, ...]  # those that read: the inner ones, and the output where it reads edges of its own
    reads: tuple[frozenset[Sources], ...]  # what each of the nodes may read
    labels: int  # operations an edge may carry
    pairs: bool  # a genotype gives the operands of a node an order


def cells_of(grammar: Grammar) -> tuple[Cell, ...]:
    """The independent cells of a space; none where its grammar is not that of cells."""
    root = grammar.follow(grammar.root)
    if not isinstance(root, Record):
        return ()
    match root.builds:
        case "cells":
            cells = [_subset_cell(grammar, grammar.follow(inner)) for _, inner in root.fields]
        case "shared_cell":
            cells = [_pair_cell(grammar, root)]
        case "edge_cells":
            cells = [_edge_cell(grammar, root)]
        case _:
            cells = []
    found = [cell for cell in cells if cell is not None]
    return tuple(found) if len(found) == len(cells) else ()


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


def _edge(grammar: Grammar, term: Term | None) -> tuple[tuple[int, ...], tuple[Scalar, ...]] | None:
    """The states an edge may come from, and the operations it may carry."""
    record = None if term is None else grammar.follow(term)
    if not isinstance(record, Record) or record.builds != "edge" or len(record.fields) != 2:
        return None
    fields = dict(record.fields)
    states, operations = values_of(grammar, fields.get("input")), values_of(grammar, fields.get("op"))
    if not operations or not states or not all(type(s) is int for s in states):
        return None
    return tuple(int(s) for s in states), operations


def _subset_cell(grammar: Grammar, cell: Term) -> Cell | None:
    if not isinstance(cell, Record) or cell.builds != "cell":
        return None
    reads: dict[int, frozenset[Sources]] = {}
    operations: set[tuple[Scalar, ...]] = set()
    for state, (_, term) in enumerate(cell.fields, start=2):
        node = grammar.follow(term)
        edges = [_edge(grammar, option) for option in node.options] if isinstance(node, Subset) else [None]
        known = [edge for edge in edges if edge is not None]
        if not isinstance(node, Subset) or len(known) != len(edges) or any(len(states) != 1 for states, _ in known):
            return None
        operations.update(names for _, names in known)
        reads[state] = _limited(combinations(sorted(states[0] for states, _ in known), node.k))
    return _cell(reads, operations, pairs=False)


def _pair_cell(grammar: Grammar, cell: Record) -> Cell | None:
    reads: dict[int, frozenset[Sources]] = {}
    operations: set[tuple[Scalar, ...]] = set()
    for state, (_, term) in enumerate(cell.fields, start=2):
        node = grammar.follow(term)
        fields = dict(node.fields) if isinstance(node, Record) and node.builds == "pair" else {}
        left, right = _edge(grammar, fields.get("left")), _edge(grammar, fields.get("right"))
        if left is None or right is None or len(fields) != 2:
            return None
        operations.update((left[1], right[1]))
        reads[state] = _limited(tuple(sorted(pair)) for pair in product(left[0], right[0]))
    return _cell(reads, operations, pairs=True)


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
    return Cell(tuple(range(1, last)), tuple(reads), tuple(reads.values()), labels - absent, pairs=False)


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


def _cell(reads: dict[int, frozenset[Sources]], operations: set[tuple[Scalar, ...]], *, pairs: bool) -> Cell | None:
    """The cell, if every edge offers the same operations and every node reads earlier states."""
    earlier = all(0 <= s < node for node, options in reads.items() for chosen in options for s in chosen)
    if len(operations) != 1 or not earlier or not all(reads.values()):
        return None
    return Cell(tuple(reads), tuple(reads), tuple(reads.values()), len(next(iter(operations))), pairs)
