"""Every fault of a JSON value at once. Any JSON may come in, and none raises."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.space.algebra import Scalar, Symbol
from app.space.errors import Fault
from app.space.part import Alternatives, Members, Menu, Nothing, Part, Point, Product, Sequence, Shared, bare
from app.space.path import pointer
from app.space.ranking import Ranks
from app.space.value import is_list, is_object, scalar_key, shown

_LISTED = 12  # options named in a message; `allowed` has all of them


@dataclass(frozen=True, slots=True)
class _Card:
    """What is said about a menu, made once."""

    scalars: tuple[Symbol, ...]
    records: tuple[Symbol, ...]
    either_scalar: str
    either_record: str
    deep: frozenset[tuple[bool, Scalar] | None]
    names: dict[str, None]  # fields of any of its Records, in order
    common: tuple[tuple[str, Part], ...]  # fields that all of its Records have alike


class Faults:
    """What is wrong with values, part by part. What has no fault is passed over by its rank."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._cards: dict[Menu, _Card] = {}

    def of(self, part: Part, value: object) -> tuple[Fault, ...]:
        """Why a value is not a member of the part; empty if it is one."""
        found: list[Fault] = []
        self._explain(part, value, "", found)
        return tuple(found)

    def _explain(self, part: Part, value: object, at: str, found: list[Fault]) -> None:
        """Append what is wrong with `value`, which stands at the pointer `at`."""
        if self._ranks.index(part, value) is not None:
            return
        match part:
            case Point(expected):
                found.append(Fault(at, f"expected {shown(expected)}, found {shown(value)}", value, (expected,)))
            case Product():
                self._explain_product(part, value, at, found)
            case Alternatives(menu):
                position = self._locate(menu, value, at, found)
                if position is not None:
                    self._explain(menu.parts[position], value, at, found)
            case Members():
                self._explain_members(part, value, at, found)
            case Sequence(body, lengths):
                if not is_list(value):
                    found.append(Fault(at, f"expected a list, found {shown(value)}", value))
                    return
                if len(value) not in lengths:
                    message = f"expected {_either(lengths)} items, found {len(value)}"
                    found.append(Fault(at, message, value, lengths))
                if not isinstance(body, Nothing):
                    for i, item in enumerate(value):
                        self._explain(body, item, pointer(at, i), found)
            case Shared(_, inner):
                self._explain(inner, value, at, found)
            case Nothing():
                raise AssertionError("a list without a body has no items to explain")

    def _explain_product(self, part: Product, value: object, at: str, found: list[Fault]) -> None:
        if not is_object(value):
            names = tuple(name for name, _ in part.fields)
            message = f"expected an object with the fields {_all(names)}, found {shown(value)}"
            found.append(Fault(at, message, value, names))
            return
        self._explain_fields(part.fields, value, at, found)
        _unknown(value, dict(part.fields), at, found)

    def _explain_fields(
        self, fields: tuple[tuple[str, Part], ...], value: dict[str, Any], at: str, found: list[Fault]
    ) -> None:
        for name, inner in fields:
            if name in value:
                self._explain(inner, value[name], pointer(at, name), found)
            else:
                found.append(_missing(at, name, _allowed(inner)))

    def _explain_members(self, part: Members, value: object, at: str, found: list[Fault]) -> None:
        if not is_list(value):
            message = f"expected a list of {part.k} different items, found {shown(value)}"
            found.append(Fault(at, message, value, (part.k,)))
            return
        if len(value) != part.k:
            found.append(Fault(at, f"expected {part.k} items, found {len(value)}", value, (part.k,)))
        places: list[int | None] = []
        for i, item in enumerate(value):
            position = self._locate(part.menu, item, pointer(at, i), found)
            places.append(position)
            if position is not None:
                self._explain(part.menu.parts[position], item, pointer(at, i), found)
        _repeated(part.menu, places, at, found)

    def _locate(self, menu: Menu, value: object, at: str, found: list[Fault]) -> int | None:
        """The option that a value names, or None and the faults of what can be judged without knowing the option."""
        position = menu.find(value)
        if position is not None:
            return position
        card = self._card(menu)
        if not is_object(value):
            allowed = card.scalars
            expected = card.either_scalar
            if card.records:
                allowed = menu.symbols
                expected = f"an object whose {menu.key!r} is {card.either_record}"
                expected += f", or {card.either_scalar}" if card.scalars else ""
            found.append(Fault(at, _refusal(card, value, expected), value, allowed))
        elif menu.key is None or (not card.records and menu.key not in value):
            found.append(Fault(at, f"expected {card.either_scalar}, found {shown(value)}", value, card.scalars))
        elif menu.key not in value:
            found.append(_missing(at, menu.key, card.records))
            self._explain_common(card, value, at, found)
        else:
            symbol: object = value[menu.key]
            message = _refusal(card, symbol, card.either_record)
            found.append(Fault(pointer(at, menu.key), message, symbol, card.records))
            if scalar_key(symbol) not in card.deep:  # of an option of another depth nothing is known here
                self._explain_common(card, value, at, found)
        return None

    def _explain_common(self, card: _Card, value: dict[str, Any], at: str, found: list[Fault]) -> None:
        """The option is unknown: judge the fields that every Record has alike, and those that none has."""
        self._explain_fields(card.common, value, at, found)
        _unknown(value, card.names, at, found)

    def _card(self, menu: Menu) -> _Card:
        if menu not in self._cards:
            scalars = tuple(menu.symbols[p] for p in menu.scalars.values())
            records = tuple(menu.symbols[p] for p in menu.records.values())
            products = [part for p in menu.records.values() if isinstance(part := bare(menu.parts[p]), Product)]
            counts = Counter(field for part in products for field in part.fields)
            self._cards[menu] = _Card(
                scalars=scalars,
                records=records,
                either_scalar=_either(scalars),
                either_record=_either(records),
                deep=frozenset(map(scalar_key, menu.deep)),
                names=dict.fromkeys(name for name, _ in counts),
                common=tuple(f for f, n in counts.items() if n == len(products) and f[0] != menu.key),
            )
        return self._cards[menu]


def _unknown(value: dict[str, Any], names: Mapping[str, object], at: str, found: list[Fault]) -> None:
    known = tuple(names)
    allowed = _all(known)
    for name, inner in value.items():
        if name not in names:
            found.append(Fault(pointer(at, name), f"unknown field {shown(name)}; there are {allowed}", inner, known))


def _repeated(menu: Menu, places: list[int | None], at: str, found: list[Fault]) -> None:
    """The options that were taken before, reported where the symbol stands."""
    taken: dict[int, int] = {}
    used = set(places)
    free = tuple(s for p, s in enumerate(menu.symbols) if p not in used)
    for i, position in enumerate(places):
        if position is not None and taken.setdefault(position, i) != i:
            symbol, here = menu.symbols[position], pointer(at, i)
            if menu.key is not None and isinstance(bare(menu.parts[position]), Product):
                here = pointer(here, menu.key)
            left = f"still free: {_all(free)}" if free else "none is free"
            message = f"{shown(symbol)} is taken already, by item {taken[position]}; {left}"
            found.append(Fault(here, message, symbol, free))


def _missing(at: str, name: str, allowed: tuple[object, ...]) -> Fault:
    return Fault(pointer(at, name), f"the field {name!r} is missing", None, allowed)


def _allowed(part: Part) -> tuple[object, ...]:
    """What may stand at a part, where it can be listed: a scalar, or the symbols of a choice."""
    match bare(part):
        case Point(value):
            return (value,)
        case Alternatives(menu):
            return menu.symbols
        case _:
            return ()


def _refusal(card: _Card, symbol: object, expected: str) -> str:
    if scalar_key(symbol) in card.deep:
        return f"{shown(symbol)} would nest deeper than the grammar allows; expected {expected}"
    return f"expected {expected}, found {shown(symbol)}"


def _all(values: tuple[Scalar, ...]) -> str:
    rest = len(values) - _LISTED
    return ", ".join(map(shown, values[:_LISTED])) + (f" and {rest} more" if rest > 0 else "")


def _either(values: tuple[Scalar, ...]) -> str:
    if not values:
        return "nothing"
    return shown(values[0]) if len(values) == 1 else f"one of {_all(values)}"
