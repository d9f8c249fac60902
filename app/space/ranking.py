"""rank: from the members of a part to [0, size), as closures made once. `unranking.py` is the inverse.

The order is that of reading: earlier fields and items weigh more, options and lengths count in the grammar's order.
A member of a Subset counts by its options in order, so any order of the list has the same rank: with the chosen
positions c_1 < ... < c_k and their own ranks d_j,

    rank = sum over j of  ways[r][c_{j-1}+1] - ways[r][c_j] + d_j · ways[r-1][c_j+1],   r = k - j + 1
"""

from collections.abc import Callable
from typing import Any

from app.space.algebra import Scalar
from app.space.part import Alternatives, Members, Menu, Nothing, Part, Point, Product, Sequence, Shared, bare

Rank = Callable[[Any], int]


class Miss(LookupError):
    """Not a member; `faults.py` says why."""


# What the closures of `Ranks` raise on a value that is no member: looking up a key that is not there or, because any
# JSON may come in, one that cannot be hashed.
MISSES = (LookupError, TypeError)


class Ranks:
    """The rank closures of a plan's parts, each made once."""

    def __init__(self) -> None:
        self._made: dict[Part, Rank] = {}

    def of(self, part: Part) -> Rank:
        """The closure that ranks a member of the part, or raises one of MISSES."""
        if part not in self._made:
            self._made[part] = self._make(part)
        return self._made[part]

    def index(self, part: Part, value: object) -> int | None:
        """The rank of any JSON value, or None where it is not a member of the part."""
        try:
            return self.of(part)(value)
        except MISSES:
            return None

    def _make(self, part: Part) -> Rank:
        match part:
            case Point(value):
                return _rank_point(value)
            case Product():
                return self._product(part, None)
            case Alternatives(menu, offsets):
                return self._alternatives(menu, offsets)
            case Members():
                return self._members(part)
            case Sequence():
                return self._sequence(part)
            case Shared(_, inner):
                return self.of(inner)
            case Nothing():
                return _rank_nothing

    def _product(self, part: Product, known: str | None) -> Rank:
        """`known`: a field that has been looked at already, to tell the options apart."""
        count = len(part.fields)
        fields = [(name, self.of(inner), inner.size) for name, inner in part.fields if name != known]
        if len(fields) == 1:
            name, first, _ = fields[0]

            def rank_one(value: Any) -> int:
                if value.__class__ is not dict or len(value) != count:
                    raise Miss
                return first(value[name])

            return rank_one

        def rank_product(value: Any) -> int:
            if value.__class__ is not dict or len(value) != count:
                raise Miss
            index = 0
            for name, rank, size in fields:
                index = index * size + rank(value[name])
            return index

        return rank_product

    def _find(self, menu: Menu) -> Callable[[Any], tuple[int, Rank]]:
        """The closure that finds a value's option: its position, and what ranks the value inside it."""
        plain: dict[Scalar, tuple[int, Rank]] = {}
        plain_booleans: dict[Scalar, tuple[int, Rank]] = {}
        keyed: dict[Scalar, tuple[int, Rank]] = {}
        keyed_booleans: dict[Scalar, tuple[int, Rank]] = {}
        for (boolean, symbol), position in menu.scalars.items():
            (plain_booleans if boolean else plain)[symbol] = (position, _rank_nothing)
        for (boolean, symbol), position in menu.records.items():
            inner = bare(menu.parts[position])
            assert isinstance(inner, Product)
            (keyed_booleans if boolean else keyed)[symbol] = (position, self._product(inner, menu.key))
        key = menu.key

        def find(value: Any) -> tuple[int, Rank]:
            if value.__class__ is dict:
                symbol: Any = value[key]
                return keyed_booleans[symbol] if type(symbol) is bool else keyed[symbol]
            return plain_booleans[value] if type(value) is bool else plain[value]

        return find

    def _alternatives(self, menu: Menu, offsets: tuple[int, ...]) -> Rank:
        if not menu.records:
            table = {symbol: offsets[position] for (boolean, symbol), position in menu.scalars.items() if not boolean}
            booleans = {symbol: offsets[position] for (boolean, symbol), position in menu.scalars.items() if boolean}
            if all(isinstance(symbol, str) for symbol in menu.symbols):
                return table.__getitem__
            return lambda value: booleans[value] if type(value) is bool else table[value]
        find = self._find(menu)

        def rank_alternatives(value: Any) -> int:
            position, rank = find(value)
            return offsets[position] + rank(value)

        return rank_alternatives

    def _members(self, part: Members) -> Rank:
        find, k, ways = self._find(part.menu), part.k, part.ways

        def rank_members(value: Any) -> int:
            if value.__class__ is not list or len(value) != k:
                raise Miss
            chosen: list[tuple[int, int]] = []
            for item in value:
                position, rank = find(item)
                chosen.append((position, rank(item)))
            chosen.sort()
            index, start, left = 0, 0, k
            for position, digit in chosen:
                if position < start:
                    raise Miss
                row = ways[left]
                left -= 1
                following = position + 1
                index += row[start] - row[position] + digit * ways[left][following]
                start = following
            return index

        return rank_members

    def _sequence(self, part: Sequence) -> Rank:
        rank, size, offsets = self.of(part.body), part.body.size, part.offsets

        def rank_sequence(value: Any) -> int:
            if value.__class__ is not list:
                raise Miss
            offset, index = offsets[len(value)], 0
            for item in value:
                index = index * size + rank(item)
            return offset + index

        return rank_sequence


def _rank_nothing(_: Any) -> int:
    return 0


def _rank_point(expected: Scalar) -> Rank:
    boolean = type(expected) is bool

    def rank_point(value: Any) -> int:
        if value == expected and (type(value) is bool) is boolean:
            return 0
        raise Miss

    return rank_point
