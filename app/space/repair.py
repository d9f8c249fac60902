"""The nearest member: keep everything that still fits, answer the rest by the first option, always the same way.

    a scalar that is not allowed      the first option
    a field that is missing           its first member; unknown fields are dropped
    an object that names no option    the option in which the object has the fewest faults, the first of those
    a Subset                          the items with the fewest faults keep their options; the others move, with what
                                      they hold, to the free options in which they have the fewest faults
    a list of a wrong length          the nearest length, the longer of two; items are kept from the front

The first member of every part is the one of rank 0. A member is repaired to itself in its written order.
"""

from app.space.algebra import Genotype
from app.space.errors import Fault
from app.space.faults import explain, locate
from app.space.part import Alternatives, Members, Menu, Nothing, Part, Point, Product, Sequence, Shared, bare
from app.space.value import is_list, is_object


class _Absent:
    """Where there is no value at all: it fits nowhere."""


ABSENT = _Absent()


def repair(part: Part, value: object) -> Genotype:
    """The member of the part that is nearest to any value."""
    match part:
        case Point(expected):
            return expected
        case Product(fields):
            given = value if is_object(value) else {}
            return {name: repair(inner, given.get(name, ABSENT)) for name, inner in fields}
        case Alternatives(menu):
            position = locate(menu, value, "", [])
            if position is None:
                position = _closest(menu, value, range(len(menu.parts)))
            return repair(menu.parts[position], value)
        case Members():
            chosen = _choose(part, value if is_list(value) else [])
            return [repair(part.menu.parts[position], chosen[position]) for position in sorted(chosen)]
        case Sequence(body, lengths):
            items = value if is_list(value) else []
            n = min(lengths, key=lambda n: (abs(n - len(items)), -n)) if is_list(value) else lengths[0]
            return [repair(body, items[i] if i < len(items) else ABSENT) for i in range(n)]
        case Shared(_, inner):
            return repair(inner, value)
        case Nothing():
            raise AssertionError("a list without a body is empty")


def _closest(menu: Menu, value: object, positions: range | list[int]) -> int:
    """The option in which the value has the fewest faults; the first of those."""
    if not is_object(value):
        return positions[0]
    records = [p for p in positions if isinstance(bare(menu.parts[p]), Product)]
    return min(records, key=lambda p: _faults(menu.parts[p], value), default=positions[0])


def _faults(part: Part, value: object) -> int:
    found: list[Fault] = []
    explain(part, value, "", found)
    return len(found)


def _choose(part: Members, items: list[object]) -> dict[int, object]:
    """Which options are taken, each with the item that it is made from."""
    menu = part.menu
    best: dict[int, tuple[int, int]] = {}  # option -> (faults, index) of the item that keeps it
    for i, item in enumerate(items):
        position = locate(menu, item, "", [])
        if position is not None:
            mine = (_faults(menu.parts[position], item), i)
            best[position] = min(best.get(position, mine), mine)
    kept = sorted(best, key=lambda position: best[position])[: part.k]
    chosen: dict[int, object] = {position: items[best[position][1]] for position in kept}
    used = {best[position][1] for position in kept}
    moved = [item for i, item in enumerate(items) if i not in used]
    for item in [*moved[: part.k], *[ABSENT] * part.k][: part.k - len(chosen)]:
        free = [p for p in range(len(menu.parts)) if p not in chosen]
        chosen[_closest(menu, item, free)] = item
    return chosen
