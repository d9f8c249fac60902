"""The member nearest to another that meets conditions: the fewest decisions answered differently, then the lowest rank.

The pass is that of `tables.py` with the least cost in the place of numbers of members. An option exchanged, a member of
a Subset exchanged and an item more or less cost one each; what an exchange opens is free.
"""

from collections.abc import Mapping
from itertools import combinations
from math import comb

from app.space import digits
from app.space.algebra import Path
from app.space.constraints import wirings
from app.space.constraints.graphs import is_there
from app.space.constraints.tables import Graph, States, Tables, graph_rank
from app.space.part import Alternatives, Members, Part, Point, Product, Sequence, Shared
from app.space.path import shared_path, step

_FLIPS = 200_000  # wirings that are tried around one that does not fit
Near = Mapping[States, tuple[int, int]]  # where a member leads -> (cost, rank)
Chosen = tuple[tuple[int, int], ...]


def nearest(tables: Tables, index: int) -> int | None:
    """The rank of the nearest member that meets the conditions; None where none is found."""
    found = _Search(tables).near(tables.part, "", tables.start, index)
    accepted = [reached for state, reached in found.items() if state in tables.accepted]
    return min(accepted)[1] if accepted else None


class _Search:
    """One question."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.known: dict[tuple[object, ...], Near] = {}

    def near(self, part: Part, path: Path, state: States, index: int | None) -> Near:
        """Where the members of a part lead, the cheapest for each; `index` None: all of them cost nothing."""
        if isinstance(part, Point):
            return {state: (0, 0)}
        views = self.tables.views(path)
        if views is None:
            return {state: (0, index or 0)}
        key = (part, views if index is None else path, state, index is None)
        if key not in self.known:
            self.known[key] = self._near(part, path, state, index)
        return self.known[key]

    def _near(self, part: Part, path: Path, state: States, index: int | None) -> Near:
        match part:
            case Product():
                return self._product(part, path, state, index)
            case Alternatives(menu, offsets):
                here, digit = digits.option(part, index) if index is not None else (None, None)
                found: dict[States, tuple[int, int]] = {}
                for position, (symbol, inner) in enumerate(zip(menu.symbols, menu.parts, strict=True)):
                    after = self.tables.after(state, path, symbol)
                    if after is not None:
                        same = position == here
                        reached = self.near(inner, step(path, symbol), after, digit if same else None)
                        extra = 0 if same or here is None else 1
                        for end, (cost, rank) in reached.items():
                            _better(found, end, (cost + extra, offsets[position] + rank))
                return found
            case Members():
                return self._members(part, path, state, index)
            case Sequence():
                return self._sequence(part, path, state, index)
            case Shared(rule, inner):
                return self.near(inner, shared_path(rule), state, index)
            case _:
                return {state: (0, 0)}

    def _product(self, part: Product, path: Path, state: States, index: int | None) -> Near:
        own: dict[Path, tuple[int | None, int]] = {}
        for (name, inner), stride in zip(part.fields, part.strides, strict=True):
            own[step(path, name)] = (None if index is None else index // stride % inner.size, stride)
        here: dict[States, tuple[int, int]] = {state: (0, 0)}
        for inner, place in self.tables.steps(part, path):
            following: dict[States, tuple[int, int]] = {}
            for s, (cost, rank) in here.items():
                if isinstance(inner, Graph):
                    flips = _fitting(part, inner, path, own)
                    if flips is not None:
                        _better(following, s, (cost + flips[0], rank + flips[1]))
                    continue
                digit, stride = own[place]
                for end, (more, inside) in self.near(inner, place, s, digit).items():
                    _better(following, end, (cost + more, rank + inside * stride))
            here = following
        return here

    def _members(self, part: Members, path: Path, state: States, index: int | None) -> Near:
        own = dict(digits.members(part, index)) if index is not None else {}
        rows: dict[tuple[int, States], tuple[int, Chosen]] = {(0, state): (0, ())}
        for position, (symbol, inner) in enumerate(zip(part.menu.symbols, part.menu.parts, strict=True)):
            following = dict(rows)
            for (taken, s), (cost, chosen) in rows.items():
                after = self.tables.after(s, path, symbol) if taken < part.k else None
                if after is None:
                    continue
                extra = 0 if index is None or position in own else 1
                reached = self.near(inner, step(path, symbol), after, own.get(position))
                for end, (more, rank) in reached.items():
                    offer = (cost + extra + more, (*chosen, (position, rank)))
                    best = following.get((taken + 1, end))
                    following[taken + 1, end] = offer if best is None else min(best, offer)
            rows = following
        return {
            end: (cost, digits.members_index(part, list(chosen)))
            for (taken, end), (cost, chosen) in rows.items()
            if taken == part.k
        }

    def _sequence(self, part: Sequence, path: Path, state: States, index: int | None) -> Near:
        own: list[int] = []
        if index is not None:
            n, rest = digits.length(part, index)
            own = digits.items(part, n, rest)
        found: dict[States, tuple[int, int]] = {}
        here: dict[States, tuple[int, int]] = {state: (0, 0)}
        for n in range(max(part.lengths) + 1):
            if n in part.offsets:
                extra = 0 if index is None else abs(n - len(own))
                for end, (cost, rank) in here.items():
                    _better(found, end, (cost + extra, part.offsets[n] + rank))
            following: dict[States, tuple[int, int]] = {}
            for s, (cost, rank) in here.items():
                for end, (more, inside) in self.near(
                    part.body, step(path, n), s, own[n] if n < len(own) else None
                ).items():
                    _better(following, end, (cost + more, rank * part.body.size + inside))
            here = following
        return found


def _better(found: dict[States, tuple[int, int]], end: States, offer: tuple[int, int]) -> None:
    found[end] = min(found.get(end, offer), offer)


def _fitting(
    part: Product, graph: Graph, path: Path, own: Mapping[Path, tuple[int | None, int]]
) -> tuple[int, int] | None:
    """The fewest edges to change so that a graph fits: (how many, what the graph adds to the rank)."""
    import numpy as np

    places = wirings.edges_among(graph.vertices)
    code = 0
    for (name, inner), _ in zip(part.fields, part.strides, strict=True):
        place = step(path, name)
        edge = graph.place.edges.get(place)
        if edge is not None:
            assert isinstance(inner, Alternatives)
            digit = own[place][0] or 0
            there = is_there(inner.menu.symbols[digit])
            code |= there << (places - 1 - wirings.edges_among(edge[1]) - edge[0])
    if places > 62:
        return None
    free = any(own[place][0] is None for place in graph.place.edges)
    for flips in range(places + 1):
        if comb(places, flips) > _FLIPS:
            return None
        codes = [code ^ sum(1 << bit for bit in bits) for bits in combinations(range(places), flips)]
        fits = wirings.accepts(
            np.array(codes, dtype=np.int64),
            graph.vertices,
            graph.most,
            graph.least,
            pruned=graph.pruned,
            connected=graph.connected,
        )
        ranks = [graph_rank(part, graph, path, c) for c, fit in zip(codes, fits.tolist(), strict=True) if fit]
        if ranks:
            return 0 if free else flips, min(ranks)
    return None
