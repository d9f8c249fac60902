"""Encodings: members as numbers, for predictors and kernels (White et al., 2020, arXiv:2007.04965).

    one-hot     a column for each option of each decision that has an alternative, 1 where it is taken; different
                members have different rows, and a decision that a member does not meet is all zero
    adjacency   the matrix of each cell with the labels of its vertices and edges (Ying et al., 2019, arXiv:1902.09635)
    path        the different ways from input to output of each cell, each as the operations along it (White et al.,
                2019, arXiv:1910.11858); several members may share one

One-hot suits every space whose decisions can be listed; the others suit spaces of cells (`wiring.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.space.algebra import Path, Symbol
from app.space.decision import Decision, Decisions
from app.space.errors import SpaceError
from app.space.path import symbol_text
from app.space.value import scalar_key
from app.space.wiring import Edge, Wiring

MOST_WAYS = 20_000  # through one cell


class TooManyWays(SpaceError):
    """A cell has more ways from input to output than are listed."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the one-hot encoding."""

    path: Path
    option: Symbol

    @property
    def name(self) -> str:
        """`path=option`."""
        return f"{self.path}={symbol_text(self.option)}"


def columns(places: tuple[Decision, ...]) -> Iterator[Column]:
    """The columns of the one-hot encoding of a space whose decisions are `places`, in the grammar's order."""
    for place in places:
        if place.answers > 1:
            for option in place.options:
                yield Column(place.path, option)


def one_hot(decisions: Decisions, names: tuple[Column, ...]) -> list[int]:
    """The row of the member that makes these decisions: 0 or 1 a column."""
    taken = {path: {scalar_key(symbol) for symbol in answer} for path, answer in decisions.items()}
    nothing: set[tuple[bool, Symbol] | None] = set()
    return [int(scalar_key(column.option) in taken.get(column.path, nothing)) for column in names]


def ways(wiring: Wiring) -> tuple[tuple[str, ...], ...]:
    """The different ways through a cell, shorter ones first; a cell of two inputs names the one it starts from.

    A way is the labels along it. TooManyWays beyond a bound.
    """
    outgoing: dict[int, list[Edge]] = {}
    for edge in wiring.edges:
        outgoing.setdefault(edge.source, []).append(edge)
    last = len(wiring.vertices) - 1
    found: dict[int, set[tuple[str, ...]]] = {last: {()}}
    for vertex in range(last - 1, -1, -1):
        label = wiring.labels[vertex]
        here = () if label is None else (label,)
        found[vertex] = {
            (*here, *(() if edge.label is None else (edge.label,)), *rest)
            for edge in outgoing.get(vertex, ())
            for rest in found[edge.target]
        }
        if len(found[vertex]) > MOST_WAYS:
            raise TooManyWays(f"the cell {wiring.path or '/'} has more than {MOST_WAYS} ways from input to output")
    start = range(wiring.inputs)
    named = {(wiring.vertices[i], *way) if wiring.inputs > 1 else way for i in start for way in found[i]}
    return tuple(sorted(named, key=lambda way: (len(way), way)))
