"""Members that meet conditions, drawn uniformly: the ways of the tables gone back, each as often as it has members."""

from collections.abc import Mapping
from random import Random
from typing import TypeVar

from app.space import digits
from app.space.algebra import Path
from app.space.constraints import wirings
from app.space.constraints.tables import Graph, States, Tables, graph_rank
from app.space.part import Alternatives, Members, Part, Point, Product, Sequence, Shared
from app.space.path import shared_path, step

K = TypeVar("K")
_Row = dict[States, int]


def draw(tables: Tables, rng: Random, count: int) -> list[int]:
    """The ranks of `count` members, independent and uniform among those that meet the conditions; there is one.

    ValueError where a graph of the space is too large, or too seldom fits, to be drawn.
    """
    drawing = _Drawing(tables, rng, count)
    return [drawing.draw(tables.part, "", tables.start, _pick(tables.accepted, rng)) for _ in range(count)]


class _Drawing:
    """One call."""

    def __init__(self, tables: Tables, rng: Random, count: int) -> None:
        self.tables, self.rng, self.count = tables, rng, count
        self.rows: dict[tuple[Part, Path, States], list[_Row]] = {}
        self.codes: dict[Path, list[int]] = {}

    def draw(self, part: Part, path: Path, state: States, end: States) -> int:
        """The rank of a member of a part that leads from one state to another."""
        if isinstance(part, Point):
            return 0
        if self.tables.views(path) is None:
            return self.rng.randrange(part.size)
        match part:
            case Product(fields, strides):
                stride = {step(path, name): s for (name, _), s in zip(fields, strides, strict=True)}
                steps = list(self.tables.steps(part, path))
                return sum(
                    self.draw_graph(part, inner, path)
                    if isinstance(inner, Graph)
                    else self.draw(inner, place, s, e) * stride[place]
                    for (inner, place), (s, e) in zip(
                        steps, self.way_back(steps, self.known_rows(part, path, state), end), strict=True
                    )
                )
            case Alternatives(menu, offsets):
                options = range(len(menu.parts))
                p = _pick({p: self.tables.option(part, p, path, state).get(end, 0) for p in options}, self.rng)
                after = self.tables.after(state, path, menu.symbols[p])
                assert after is not None
                return offsets[p] + self.draw(menu.parts[p], step(path, menu.symbols[p]), after, end)
            case Members():
                return self.draw_members(part, path, state, end)
            case Sequence():
                return self.draw_sequence(part, path, state, end)
            case Shared(rule, inner):
                return self.draw(inner, shared_path(rule), state, end)
            case _:
                return 0

    def known_rows(self, part: Product | Sequence, path: Path, state: States) -> list[_Row]:
        """Where the first fields or items lead, computed once a call."""
        key = (part, path, state)
        if key not in self.rows:
            self.rows[key] = list(
                self.tables.through(part, path, state)
                if isinstance(part, Product)
                else self.tables.items(part.body, max(part.lengths), path, state)
            )
        return self.rows[key]

    def way_back(
        self, steps: list[tuple[Part | Graph, Path]], rows: list[_Row], end: States
    ) -> list[tuple[States, States]]:
        """Of each step: the states before and after it, drawn from the last step back."""
        found: list[tuple[States, States]] = []
        for (inner, place), row in zip(reversed(steps), reversed(rows[: len(steps)]), strict=True):
            before = end
            if not isinstance(inner, Graph):
                ways = {s: n * self.tables.ends(inner, place, s).get(end, 0) for s, n in row.items()}
                before = _pick(ways, self.rng)
            found.append((before, end))
            end = before
        return found[::-1]

    def draw_graph(self, part: Product, graph: Graph, path: Path) -> int:
        """What a graph adds to the rank of its record."""
        if not self.codes.get(path):
            bounds = (graph.vertices, graph.most, graph.least)
            self.codes[path] = wirings.draw(
                self.rng, self.count, *bounds, pruned=graph.pruned, connected=graph.connected
            )
        return graph_rank(part, graph, path, self.codes[path].pop())

    def draw_members(self, part: Members, path: Path, state: States, end: States) -> int:
        """Whether each option is taken, from the last one back."""
        rows = self.tables.taken(part, path, state)
        taken = part.k
        chosen: list[tuple[int, int]] = []
        for position in reversed(range(len(part.menu.parts))):
            ways = {(taken, end): rows[position].get((taken, end), 0)}
            for (t, s), n in rows[position].items():
                if t == taken - 1:
                    ways[t, s] = n * self.tables.option(part, position, path, s).get(end, 0)
            t, before = _pick(ways, self.rng)
            if t < taken:
                symbol = part.menu.symbols[position]
                after = self.tables.after(before, path, symbol)
                assert after is not None
                chosen.append((position, self.draw(part.menu.parts[position], step(path, symbol), after, end)))
                taken, end = t, before
        return digits.members_index(part, chosen)

    def draw_sequence(self, part: Sequence, path: Path, state: States, end: States) -> int:
        """The length, then where each item leads, from the last one back."""
        rows = self.known_rows(part, path, state)
        n = _pick({n: rows[n].get(end, 0) for n in part.lengths}, self.rng)
        steps: list[tuple[Part | Graph, Path]] = [(part.body, step(path, i)) for i in range(n)]
        index = 0
        for (_, place), (s, e) in zip(steps, self.way_back(steps, rows, end), strict=True):
            index = index * part.body.size + self.draw(part.body, place, s, e)
        return part.offsets[n] + index


def _pick(weights: Mapping[K, int], rng: Random) -> K:
    """A key, as often as its weight says."""
    left = rng.randrange(sum(weights.values()))
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    raise AssertionError("a draw below the sum of the weights falls on one of them")
