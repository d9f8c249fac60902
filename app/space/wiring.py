"""Cells as labelled graphs: which vertex of a genotype reads which, found by what its records build.

builds                       vertices                                labels are on
cell, cell_of_unused, pair   states; a field is a state, then the    edges (operations)
shared_cell                  output, which reads the other states
edge_cells, motif            0 (input) to n (output); "i->j" is an   edges; `none` is no edge
                             edge with an operation
dag, dag_network             0 (input) to n (output); "i->j" is a    vertices v1 ...
                             bit, vn an operation
recurrent                    the input, then one vertex a step       vertices (activations)
skips                        the input, then one vertex a layer,     vertices (operations)
                             which reads the one before and skips
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.space.algebra import Choice, Genotype, Grammar, Path, Record, Term, constant
from app.space.path import step
from app.space.value import is_list, is_object, scalar_key

INPUT, OUTPUT = "input", "output"
_ENDS = re.compile(r"(\d{1,3})->(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Edge:
    """Vertex `source` is read by vertex `target`; the operation on the way, where edges have one."""

    source: int
    target: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """One cell of a genotype. Vertices are in an order in which they can be computed."""

    path: Path  # of the cell in the grammar
    vertices: tuple[str, ...]  # names
    labels: tuple[str | None, ...]  # operation of each vertex, where vertices have one
    inputs: int  # the first so many vertices are the inputs; the last vertex is the output
    edges: tuple[Edge, ...]

    @property
    def matrix(self) -> list[list[int]]:
        """(vertices, vertices): how many edges lead from the row to the column."""
        size = range(len(self.vertices))
        counted = [[0 for _ in size] for _ in size]
        for edge in self.edges:
            counted[edge.source][edge.target] += 1
        return counted


def wirings(grammar: Grammar, genotype: Genotype) -> tuple[Wiring, ...]:
    """The cells of a member; none where the grammar is not one of cells."""
    return tuple(_find(grammar, grammar.root, genotype, ""))


def _find(grammar: Grammar, term: Term, genotype: Any, path: Path) -> Iterator[Wiring]:
    match grammar.follow(term):
        case Record(builds, fields) if builds in _READERS:
            yield _READERS[builds](path, [name for name, _ in fields], genotype)
        case Record(_, fields):
            for name, inner in fields:
                if is_object(genotype[name]):
                    yield from _find(grammar, inner, genotype[name], step(path, name))
        case Choice(options):
            records = [term for option in options if isinstance(term := grammar.follow(option), Record)]
            if len(records) == len(options):
                key = grammar.discriminator(options)
                for taken in records:
                    symbol = constant(grammar.follow(dict(taken.fields)[key]))
                    if scalar_key(symbol) == scalar_key(genotype[key]):
                        yield from _find(grammar, taken, genotype, step(path, symbol))
        case _:
            return


def _states(path: Path, names: list[str], cell: Mapping[str, Any], *, unused: bool = False) -> Wiring:
    """A cell of two inputs whose nodes read earlier states through operations."""
    edges = [
        Edge(int(edge["input"]), state, str(edge["op"]))
        for state, name in enumerate(names, start=2)
        for edge in _edges(cell[name])
    ]
    output = 2 + len(names)
    read = {edge.source for edge in edges} if unused else {0, 1}
    edges += [Edge(state, output) for state in range(output) if state not in read]
    labels = (None,) * (output + 1)
    return Wiring(path, ("input0", "input1", *names, OUTPUT), labels, 2, tuple(edges))


def _edges(node: Any) -> Iterator[Mapping[str, Any]]:
    items = node if is_list(node) else [node[name] for name in node]
    for item in items:
        if is_object(item) and "input" in item and "op" in item:
            yield item


def _unused_states(path: Path, names: list[str], cell: Mapping[str, Any]) -> Wiring:
    return _states(path, names, cell, unused=True)


def _operations(path: Path, names: list[str], cell: Mapping[str, Any]) -> Wiring:
    """An operation on every edge."""
    ends = _ends(names)
    edges = [Edge(*ends[name], str(cell[name])) for name in ends if cell[name] != "none"]
    last = max((target for _, target in ends.values()), default=0)
    inner = [str(vertex) for vertex in range(1, last)]
    return Wiring(path, (INPUT, *inner, OUTPUT), (None,) * (last + 1), 1, _ordered(edges))


def _bits(path: Path, names: list[str], cell: Mapping[str, Any]) -> Wiring:
    """A bit for every edge, an operation on every inner vertex."""
    ends = _ends(names)
    edges = [Edge(*ends[name]) for name in ends if cell[name] == 1]
    last = max((target for _, target in ends.values()), default=0)
    inner = [f"v{vertex}" for vertex in range(1, last)]
    labels = [str(cell[name]) if name in cell else None for name in inner]
    return Wiring(path, (INPUT, *inner, OUTPUT), (None, *labels, None), 1, _ordered(edges))


def _steps(path: Path, names: list[str], cell: Mapping[str, Any]) -> Wiring:
    """A recurrent cell: each step reads one earlier state; the output is the mean of all steps."""
    edges = [Edge(int(cell[name]["input"]), state) for state, name in enumerate(names, start=1)]
    output = 1 + len(names)
    edges += [Edge(state, output) for state in range(1, output)]
    labels = [str(cell[name]["activation"]) for name in names]
    return Wiring(path, (INPUT, *names, OUTPUT), (None, *labels, None), 1, tuple(edges))


def _layers(path: Path, names: list[str], cell: Mapping[str, Any]) -> Wiring:
    """A chain of layers that may also read layers before the one before: `skipj` is layer j's bit."""
    edges: list[Edge] = []
    for vertex, name in enumerate(names, start=1):
        skips = [field.removeprefix("skip") for field, bit in cell[name].items() if bit == 1]
        sources = {int(text) + 1 for text in skips if text.isdecimal()} | {vertex - 1}
        edges += [Edge(source, vertex) for source in sorted(sources)]
    output = 1 + len(names)
    labels = [str(cell[name]["op"]) for name in names]
    edges.append(Edge(output - 1, output))
    return Wiring(path, (INPUT, *names, OUTPUT), (None, *labels, None), 1, tuple(edges))


def _ends(names: list[str]) -> dict[str, tuple[int, int]]:
    return {name: (int(ends[1]), int(ends[2])) for name in names if (ends := _ENDS.fullmatch(name))}


def _ordered(edges: list[Edge]) -> tuple[Edge, ...]:
    return tuple(sorted(edges, key=lambda edge: (edge.target, edge.source)))


_READERS: Mapping[str, Callable[[Path, list[str], Mapping[str, Any]], Wiring]] = {
    "cell": _states,
    "shared_cell": _states,
    "cell_of_unused": _unused_states,
    "edge_cells": _operations,
    "motif": _operations,
    "dag": _bits,
    "dag_network": _bits,
    "recurrent": _steps,
    "skips": _layers,
}
