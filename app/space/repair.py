"""The nearest member: keep everything that still fits, answer the rest by the first option, always the same way.

    a scalar that is not allowed      the first option
    a field that is missing           its first member; unknown fields are dropped
    an object that names no option    the option in which the most of its fields fit, of those the one that lacks the
                                      fewest, of those the first
    a Subset                          the items that fit best keep their options; the others move, with what they hold,
                                      to the free options in which they fit best
    a list of a wrong length          the nearest length, the longer of two; items are kept from the front

The first member of every part is the one of rank 0. A member is repaired to itself in its written order.
"""

from collections.abc import Iterable

from app.space.algebra import Genotype
from app.space.part import Alternatives, Members, Menu, Nothing, Part, Point, Product, Sequence, Shared, bare
from app.space.ranking import Ranks
from app.space.unranking import Unranks
from app.space.value import is_list, is_object


class _Absent:
    """Where there is no value at all: it fits nowhere."""


ABSENT = _Absent()


class Nearest:
    """The nearest members to values, part by part. What is a member already is only written anew."""

    def __init__(self, ranks: Ranks, unranks: Unranks) -> None:
        self._ranks = ranks
        self._unranks = unranks

    def of(self, part: Part, value: object) -> Genotype:
        """The member of the part that is nearest to any value."""
        index = self._ranks.index(part, value)
        if value is ABSENT or index is not None:
            return self._unranks.of(part)(index or 0)
        match part:
            case Point(expected):
                return expected
            case Product(fields):
                given = value if is_object(value) else {}
                return {name: self.of(inner, given.get(name, ABSENT)) for name, inner in fields}
            case Alternatives(menu):
                position = menu.find(value)
                if position is None:
                    position = self._closest(menu, value, range(len(menu.parts)))
                return self.of(menu.parts[position], value)
            case Members():
                chosen = self._choose(part, value if is_list(value) else [])
                return [self.of(part.menu.parts[position], chosen[position]) for position in sorted(chosen)]
            case Sequence(body, lengths):
                if not is_list(value):
                    return self.of(part, ABSENT)
                n = min(lengths, key=lambda n: (abs(n - len(value)), -n))
                return [self.of(body, value[i] if i < len(value) else ABSENT) for i in range(n)]
            case Shared(_, inner):
                return self.of(inner, value)
            case Nothing():
                raise AssertionError("a list without a body has no items to repair")

    def _closest(self, menu: Menu, value: object, positions: Iterable[int]) -> int:
        """The option in which a value fits best; the first of those."""
        return min(positions, key=lambda position: self._misfit(menu.parts[position], value))

    def _misfit(self, part: Part, value: object) -> tuple[int, int]:
        """How badly an object fits a Record: the fewer of its fields fit and the more are lacking, the worse."""
        part = bare(part)
        if not isinstance(part, Product) or not is_object(value):
            return (0, 0)
        fits = sum(name in value and self._ranks.index(inner, value[name]) is not None for name, inner in part.fields)
        return (-fits, len(part.fields) - fits)

    def _choose(self, part: Members, items: list[object]) -> dict[int, object]:
        """Which options are taken, each with the item that it is made from."""
        menu = part.menu
        best: dict[int, tuple[int, int]] = {}  # option -> (misfit, index) of the item that keeps it
        for i, item in enumerate(items):
            position = menu.find(item)
            if position is not None:
                mine = (self._misfit(menu.parts[position], item)[1], i)
                best[position] = min(best.get(position, mine), mine)
        kept = sorted(best, key=lambda position: best[position])[: part.k]
        chosen: dict[int, object] = {position: items[best[position][1]] for position in kept}
        used = {best[position][1] for position in kept}
        moved = [item for i, item in enumerate(items) if i not in used]
        for item in [*moved[: part.k], *[ABSENT] * part.k][: part.k - len(chosen)]:
            free = [position for position in range(len(menu.parts)) if position not in chosen]
            chosen[self._closest(menu, item, free)] = item
        return chosen
