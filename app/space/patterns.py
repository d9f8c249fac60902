"""Connectivity patterns: terms of `nodes` places for the same operations, each with its count in closed form.

c operations, n nodes:

    chain      operations one after another                                       c^n
    residual   the same, each with or without its input added to it               (2c)^n
    dense      a graph with an operation on the way from every vertex to every later one      c^(n(n+1)/2)
    dag        the same, and every way may be missing                             (c+1)^(n(n+1)/2)
    tree       an operation, then two trees side by side, n deep                  c^(2^(n+1) - 1)
    cell       nodes that add two operations on different earlier states          Π C(i+1, 2) c², i = 1..n

In a document a pattern stands where a term may: `{"pattern": "dense", "nodes": 4, "operations": ["conv_3x3", ...]}`;
it is read as the term that it builds, and written back as that. `cell` is a field of a record `cells`, the others are
terms of a record `free`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb, prod
from types import MappingProxyType

from app.space.algebra import Choice, Record, Repeat, Subset, Term, Value, one_of, record

Operations = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern: what it builds, how many members that has, and how many terms at most."""

    meaning: str
    formula: str
    build: Callable[[int, Operations], Term]
    count: Callable[[int, int], int]  # (nodes, number of operations)
    most: int  # nodes


def _edges(nodes: int, operations: Operations) -> Record:
    choice = one_of(*operations)
    return Record("graph", tuple((f"{i}->{j}", choice) for j in range(1, nodes + 1) for i in range(j)))


def _chain(nodes: int, operations: Operations) -> Term:
    return Repeat(one_of(*operations), (nodes,))


def _residual(nodes: int, operations: Operations) -> Term:
    choice = one_of(*operations)
    plain = record("apply", kind=Value("plain"), op=choice)
    beside = record("residual", kind=Value("residual"), inner=choice)
    return Repeat(Choice((plain, beside)), (nodes,))


def _dag(nodes: int, operations: Operations) -> Term:
    return _edges(nodes, ("none", *(o for o in operations if o != "none")))


def _tree(nodes: int, operations: Operations) -> Term:
    tree: Term = one_of(*operations)
    for _ in range(nodes):
        tree = record("sequence", op=one_of(*operations), both=record("parallel", left=tree, right=tree))
    return tree


def _cell(nodes: int, operations: Operations) -> Term:
    def node(n: int) -> Subset:
        return Subset(tuple(record("edge", input=Value(i), op=one_of(*operations)) for i in range(n)), 2)

    return Record("cell", tuple((f"node{n}", node(n)) for n in range(2, 2 + nodes)))


PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {
        "chain": Pattern("Operations one after another", "c^n", _chain, lambda n, c: c**n, 1_000),
        "residual": Pattern(
            "Operations one after another, each with or without its input added to it",
            "(2c)^n",
            _residual,
            lambda n, c: (2 * c) ** n,
            1_000,
        ),
        "dense": Pattern(
            "An operation on the way from every vertex to every later one",
            "c^(n(n+1)/2)",
            _edges,
            lambda n, c: c ** comb(n + 1, 2),
            32,
        ),
        "dag": Pattern(
            "The same, and every way may be missing",
            "(c+1)^(n(n+1)/2)",
            _dag,
            lambda n, c: (c + 1) ** comb(n + 1, 2),
            32,
        ),
        "tree": Pattern(
            "An operation, then two trees side by side, n deep",
            "c^(2^(n+1)-1)",
            _tree,
            lambda n, c: c ** (2 ** (n + 1) - 1),
            6,
        ),
        "cell": Pattern(
            "Nodes that add two operations on different earlier states",
            "prod C(i+1,2) c^2, i = 1..n",
            _cell,
            lambda n, c: prod(comb(i + 1, 2) * c**2 for i in range(1, n + 1)),
            16,
        ),
    }
)


def cell_saving(operations: int, layers: int, blocks: int) -> tuple[int, int]:
    """(|C|^L, |C|^B): networks whose L layers are each decided; cells of B blocks, decided once and repeated."""
    return PATTERNS["chain"].count(layers, operations), PATTERNS["chain"].count(blocks, operations)
