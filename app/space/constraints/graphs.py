"""Graphs: what a record with edges "i->j" for fields must be; an edge that is 0, false or `none` is not there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.space.algebra import Path, Symbol
from app.space.constraints.condition import Key, Refusal, State, View, Ways, key_of
from app.space.decision import Decisions

Edge = tuple[int, int]
_ABSENT: frozenset[Key] = frozenset({(False, 0), (True, False), (False, "none")})


def is_there(symbol: Symbol) -> bool:
    """Whether an edge that is answered so is there."""
    return key_of(symbol) not in _ABSENT


@dataclass(frozen=True, slots=True)
class Place:
    """One record with edges, at a path."""

    path: Path
    edges: Mapping[Path, Edge]  # decisions, in the order of the grammar
    ways: Ways

    @property
    def last(self) -> int:
        """The output vertex."""
        return max(target for _, target in self.edges.values())

    @property
    def in_order(self) -> bool:
        """Whether every edge comes after all edges into its source."""
        edges = list(self.edges.values())
        return all(target != source for n, (source, _) in enumerate(edges) for _, target in edges[n + 1 :])

    def made(self, made: Decisions) -> list[Edge] | None:
        """The edges of a member that are there, by rising source; None where it has no graph here."""
        met = [(edge, made[path]) for path, edge in self.edges.items() if path in made]
        return sorted(edge for edge, (symbol,) in met if is_there(symbol)) if met else None


def through(edges: list[Edge], last: int) -> list[Edge]:
    """The edges on some way from vertex 0 to the last."""
    ahead, back = {0}, {last}
    for i, j in sorted(edges):
        if i in ahead:
            ahead.add(j)
    for i, j in sorted(edges, reverse=True):
        if j in back:
            back.add(i)
    return [(i, j) for i, j in edges if i in ahead and j in back]


@dataclass(frozen=True, slots=True)
class Connected:
    """Some way leads from the first vertex to the last. The state is the set of vertices reached, 0 before any edge."""

    place: Place
    start: State = 0

    @property
    def by_automaton(self) -> bool:
        """Whether `accepts` decides."""
        return self.place.in_order

    def view(self, path: Path) -> View | None:
        """What of a path matters below it."""
        return self.place.ways.view(path)

    def step(self, state: State, path: Path, symbol: Symbol) -> State | None:
        """The state after an answer."""
        assert isinstance(state, int)
        edge = self.place.edges.get(path)
        if edge is None:
            return state
        state |= 1
        return state | 1 << edge[1] if is_there(symbol) and state >> edge[0] & 1 else state

    def accepts(self, state: State) -> bool:
        """Whether a member may end in a state."""
        assert isinstance(state, int)
        return not state or bool(state >> self.place.last & 1)

    def faults(self, made: Decisions) -> Iterator[Refusal]:
        """What is wrong with the decisions of a member."""
        edges, last = self.place.made(made), self.place.last
        if edges is not None and not through(edges, last):
            yield Refusal(self.place.path, f"no way leads from vertex 0 to vertex {last}", [list(e) for e in edges])


@dataclass(frozen=True, slots=True)
class Edges:
    """Between `least` and `most` edges; `pruned`: of those on a way from the first vertex to the last."""

    place: Place
    least: int
    most: int | None
    pruned: bool
    start: State = 0

    @property
    def by_automaton(self) -> bool:
        """Whether `accepts` decides."""
        return not self.pruned

    def view(self, path: Path) -> View | None:
        """What of a path matters below it."""
        return self.place.ways.view(path)

    def step(self, state: State, path: Path, symbol: Symbol) -> State | None:
        """The state is one more than the number of edges so far; 0 before any was decided."""
        assert isinstance(state, int)
        if path not in self.place.edges:
            return state
        state = max(state, 1) + is_there(symbol)
        if self.most is None:
            return min(state, self.least + 1)
        return state if state <= self.most + 1 else None

    def accepts(self, state: State) -> bool:
        """Whether a member may end in a state."""
        assert isinstance(state, int)
        return not state or state > self.least

    def faults(self, made: Decisions) -> Iterator[Refusal]:
        """What is wrong with the decisions of a member."""
        edges = self.place.made(made)
        if edges is None:
            return
        found = len(through(edges, self.place.last) if self.pruned else edges)
        if found < self.least or (self.most is not None and found > self.most):
            which = " on ways from the first vertex to the last" if self.pruned else ""
            allowed = (self.least,) if self.most is None else (self.least, self.most)
            between = f"at least {self.least}" if self.most is None else f"{self.least} to {self.most}"
            between = f"at most {self.most}" if not self.least else between
            yield Refusal(self.place.path, f"expected {between} edges{which}, found {found}", found, allowed)
