"""Members that meet conditions, counted and drawn: one pass over the parts of a grammar, automata in hand.

    ends(part, path, state) = {state after the part: how many of its members lead there}

memoised by part, by what of the path matters, and by state. The valid size is what leads from the first state to
accepting ones, and a uniform draw goes the same ways backwards. The automaton of several conditions is their product.

Graphs whose edges are all bits are taken whole, by their closed form (`wirings.py`), and so are edges that are counted
after pruning, for which there is no small automaton.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from app.space.algebra import Path, Symbol
from app.space.constraints import wirings
from app.space.constraints.condition import Condition, State
from app.space.constraints.graphs import Connected, Edges, Place
from app.space.part import Alternatives, Members, Part, Point, Product, Sequence, Shared
from app.space.path import shared_path, step

States = tuple[State, ...]
Ends = Mapping[States, int]


class TooLarge(Exception):
    """The tables pass the cap on their entries, or a condition has no automaton."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """All edges of a graph of bits together: what fits, without anything else that the record decides."""

    place: Place
    vertices: int
    least: int
    most: int | None
    pruned: bool
    connected: bool
    size: int


class Tables:
    """The members of a part that meet conditions. TooLarge beyond `cap` steps of one condition each."""

    def __init__(self, part: Part, conditions: tuple[Condition, ...], cap: int) -> None:
        self.part = part
        self._left: float = cap
        self.graphs = _graphs(part, conditions, cap)
        self.conditions = tuple(c for c in conditions if not _within(c, self.graphs))
        if not all(c.by_automaton for c in self.conditions):
            raise TooLarge
        self._known: dict[tuple[object, ...], Ends] = {}
        self.start: States = tuple(c.start for c in self.conditions)
        ends = self.ends(part, "", self.start)
        self.accepted = {
            state: n
            for state, n in ends.items()
            if all(c.accepts(s) for c, s in zip(self.conditions, state, strict=True))
        }
        self.size = sum(self.accepted.values())
        self._left = inf  # what draws look up later is within these tables

    def ends(self, part: Part, path: Path, state: States) -> Ends:
        """Where the members of a part lead from a state, and how many of them."""
        if isinstance(part, Point):
            return {state: 1}
        views = self.views(path)
        if views is None:
            return {state: part.size}
        self._spend(len(views))
        key = (part, views, state)
        if key not in self._known:
            self._known[key] = self._ends(part, path, state)
        return self._known[key]

    def _ends(self, part: Part, path: Path, state: States) -> Ends:
        match part:
            case Product():
                *_, last = self.through(part, path, state)
                return last
            case Alternatives(menu):
                found: dict[States, int] = {}
                for symbol, inner in zip(menu.symbols, menu.parts, strict=True):
                    after = self.after(state, path, symbol)
                    if after is not None:
                        self._add(found, self.ends(inner, step(path, symbol), after), 1)
                return found
            case Members(_, k):
                last = self.taken(part, path, state)[-1]
                return {after: n for (taken, after), n in last.items() if taken == k}
            case Sequence(body, lengths):
                found = {}
                for n, row in enumerate(self.items(body, max(lengths), path, state)):
                    if n in part.offsets:
                        self._add(found, row, 1)
                return found
            case Shared(rule, inner):
                return self.ends(inner, shared_path(rule), state)
            case _:
                return {state: 1}

    def after(self, state: States, path: Path, symbol: Symbol) -> States | None:
        """The state after an answer; None where a condition is broken for good."""
        self._spend(len(state))
        found = [c.step(s, path, symbol) for c, s in zip(self.conditions, state, strict=True)]
        return None if None in found else tuple(found)

    def through(self, part: Product, path: Path, state: States) -> Iterator[dict[States, int]]:
        """Where the first fields lead, none of them first; a graph stands before all others."""
        here: dict[States, int] = {state: 1}
        yield here
        for inner, place in self.steps(part, path):
            following: dict[States, int] = {}
            for s, n in here.items():
                self._add(following, {s: inner.size} if isinstance(inner, Graph) else self.ends(inner, place, s), n)
            here = following
            yield here

    def steps(self, part: Product, path: Path) -> Iterator[tuple[Part | Graph, Path]]:
        """The fields of a record with their places, those of a graph together and first."""
        graph = self.graphs.get(path)
        if graph is not None:
            yield graph, path
        for name, inner in part.fields:
            place = step(path, name)
            if graph is None or place not in graph.place.edges:
                yield inner, place

    def taken(self, part: Members, path: Path, state: States) -> list[dict[tuple[int, States], int]]:
        """After each option: how many are taken, and where that leads."""
        rows: list[dict[tuple[int, States], int]] = [{(0, state): 1}]
        for position in range(len(part.menu.parts)):
            row = dict(rows[-1])
            for (taken, s), n in rows[-1].items():
                if taken < part.k:
                    for end, m in self.option(part, position, path, s).items():
                        row[taken + 1, end] = row.get((taken + 1, end), 0) + n * m
            rows.append(row)
        return rows

    def option(self, part: Members | Alternatives, position: int, path: Path, state: States) -> Ends:
        """Where one option leads."""
        symbol, inner = part.menu.symbols[position], part.menu.parts[position]
        after = self.after(state, path, symbol)
        return {} if after is None else self.ends(inner, step(path, symbol), after)

    def items(self, body: Part, n: int, path: Path, state: States) -> Iterator[dict[States, int]]:
        """Where the first items of a list of n lead, none of them first."""
        here: dict[States, int] = {state: 1}
        yield here
        for i in range(n):
            following: dict[States, int] = {}
            for s, count in here.items():
                self._add(following, self.ends(body, step(path, i), s), count)
            here = following
            yield here

    def _add(self, found: dict[States, int], ends: Ends, times: int) -> None:
        self._spend(len(ends))
        for state, n in ends.items():
            found[state] = found.get(state, 0) + n * times

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooLarge

    def views(self, path: Path) -> tuple[object, ...] | None:
        """What of a path matters below it; None where nothing does."""
        graph = path if any(graph.place.ways.view(path) is not None for graph in self.graphs.values()) else None
        views = (graph, *[c.view(path) for c in self.conditions])
        return None if all(view is None for view in views) else views


def graph_rank(part: Product, graph: Graph, path: Path, code: int) -> int:
    """What the edges of a wiring add to the rank of the record that holds them."""
    places = wirings.edges_among(graph.vertices)
    rank = 0
    for (name, inner), stride in zip(part.fields, part.strides, strict=True):
        edge = graph.place.edges.get(step(path, name))
        if edge is not None:
            assert isinstance(inner, Alternatives)
            bit = code >> (places - 1 - wirings.edges_among(edge[1]) - edge[0]) & 1
            position = inner.menu.find(bit)
            assert position is not None
            rank += inner.offsets[position] * stride
    return rank


def _graphs(part: Part, conditions: tuple[Condition, ...], cap: int) -> dict[Path, Graph]:
    """The graphs of bits that are taken whole, by their paths: those that nothing else looks into."""
    found: dict[Path, Graph] = {}
    for place in {c.place.path: c.place for c in conditions if isinstance(c, Connected | Edges)}.values():
        mine = [c for c in conditions if isinstance(c, Connected | Edges) and c.place.path == place.path]
        edges = [c for c in mine if isinstance(c, Edges)]
        vertices = place.last + 1
        record = _part_at(part, place.path)
        bits = {step(place.path, name): inner for name, inner in record.fields} if record else {}
        whole = {(i, j) for j in range(1, vertices) for i in range(j)} == set(place.edges.values())
        if not whole or vertices > wirings.VERTICES or len({c.pruned for c in edges}) > 1:
            continue
        if not all(_is_bit(bits.get(path)) for path in place.edges):
            continue
        others = [c for c in conditions if c not in mine]
        if any(c.step(c.start, path, bit) != c.start for c in others for path in place.edges for bit in (0, 1)):
            continue
        cap -= 2**vertices // 4  # what their closed form takes, about
        if cap < 0:
            raise TooLarge
        least, most = max((c.least for c in edges), default=0), [c.most for c in edges if c.most is not None]
        connected, pruned = len(mine) > len(edges), edges[0].pruned if edges else True
        size = wirings.wirings(vertices, min(most, default=None), least, pruned=pruned, connected=connected)
        found[place.path] = Graph(place, vertices, least, min(most, default=None), pruned, connected, size)
    return found


def _within(condition: Condition, graphs: Mapping[Path, Graph]) -> bool:
    return isinstance(condition, Connected | Edges) and condition.place.path in graphs


def _part_at(part: Part, path: Path) -> Product | None:
    """The record at a path."""
    waiting: list[tuple[Part, Path]] = [(part, "")]
    while waiting:
        here, at = waiting.pop()
        if at == path and isinstance(here, Product):
            return here
        match here:
            case Product(fields):
                inner = [(p, step(at, name)) for name, p in fields]
            case Alternatives(menu) | Members(menu):
                inner = [(p, step(at, symbol)) for symbol, p in zip(menu.symbols, menu.parts, strict=True)]
            case Sequence(body, lengths):
                inner = [(body, step(at, i)) for i in range(max(lengths))]
            case Shared(rule, shared):
                inner = [(shared, shared_path(rule))]
            case _:
                inner = []
        waiting += [(p, a) for p, a in inner if path == a or path.startswith((f"{a}/", "@"))]
    return None


def _is_bit(part: Part | None) -> bool:
    """A choice of 0 and 1."""
    return isinstance(part, Alternatives) and {(type(s), s) for s in part.menu.symbols} == {(int, 0), (int, 1)}
