"""Every fault of a JSON value at once. Any JSON may come in, and none raises."""

from collections import Counter
from typing import Any

from app.space.algebra import Scalar, Symbol
from app.space.errors import Fault
from app.space.part import Alternatives, Members, Menu, Nothing, Part, Point, Product, Sequence, Shared, bare
from app.space.path import pointer
from app.space.value import is_list, is_object, scalar_key, shown


def faults_of(part: Part, value: object) -> tuple[Fault, ...]:
    """Why a value is not a member of the part; empty if it is one."""
    found: list[Fault] = []
    explain(part, value, "", found)
    return tuple(found)


def explain(part: Part, value: object, at: str, found: list[Fault]) -> None:
    """Append what is wrong with `value`, which stands at the pointer `at`."""
    match part:
        case Point(expected):
            if scalar_key(value) != scalar_key(expected):
                found.append(Fault(at, f"expected {shown(expected)}, found {shown(value)}", value, (expected,)))
        case Product():
            _explain_product(part, value, at, found)
        case Alternatives(menu):
            position = locate(menu, value, at, found)
            if position is not None:
                explain(menu.parts[position], value, at, found)
        case Members():
            _explain_members(part, value, at, found)
        case Sequence(body, lengths):
            if not is_list(value):
                found.append(Fault(at, f"expected a list, found {shown(value)}", value))
                return
            if len(value) not in lengths:
                message = f"expected {_either(lengths)} items, found {len(value)}"
                found.append(Fault(at, message, value, lengths))
            if not isinstance(body, Nothing):
                for i, item in enumerate(value):
                    explain(body, item, pointer(at, i), found)
        case Shared(_, inner):
            explain(inner, value, at, found)
        case Nothing():
            found.append(Fault(at, f"expected nothing here, found {shown(value)}", value))


def _explain_product(part: Product, value: object, at: str, found: list[Fault]) -> None:
    names = tuple(name for name, _ in part.fields)
    if not is_object(value):
        found.append(Fault(at, f"expected an object with the fields {_all(names)}, found {shown(value)}", value, names))
        return
    for name, inner in part.fields:
        if name in value:
            explain(inner, value[name], pointer(at, name), found)
        else:
            found.append(Fault(pointer(at, name), f"the field {name!r} is missing", None, allowed_by(inner)))
    _unknown(value, names, at, found)


def _unknown(fields: dict[Any, Any], names: tuple[str, ...], at: str, found: list[Fault]) -> None:
    for name, inner in fields.items():
        if name not in names:
            message = f"unknown field {shown(name)}; there are {_all(names)}"
            found.append(Fault(pointer(at, name), message, inner, names))


def _explain_members(part: Members, value: object, at: str, found: list[Fault]) -> None:
    if not is_list(value):
        found.append(Fault(at, f"expected a list of {part.k} different items, found {shown(value)}", value, (part.k,)))
        return
    if len(value) != part.k:
        found.append(Fault(at, f"expected {part.k} items, found {len(value)}", value, (part.k,)))
    taken: dict[int, int] = {}
    places: list[int | None] = []
    for i, item in enumerate(value):
        position = locate(part.menu, item, pointer(at, i), found)
        places.append(position)
        if position is not None:
            explain(part.menu.parts[position], item, pointer(at, i), found)
    free = tuple(s for p, s in enumerate(part.menu.symbols) if p not in places)
    for i, position in enumerate(places):
        if position is None:
            continue
        if position in taken:
            symbol, inner = part.menu.symbols[position], part.menu.parts[position]
            here = pointer(at, i)
            if isinstance(bare(inner), Product) and part.menu.key is not None:
                here = pointer(here, part.menu.key)
            message = f"{shown(symbol)} is taken already, by item {taken[position]}; {_left(free)}"
            found.append(Fault(here, message, symbol, free))
        else:
            taken[position] = i


def locate(menu: Menu, value: object, at: str, found: list[Fault]) -> int | None:
    """The option that a value names, or None and the faults of what can be judged without knowing the option."""
    if is_object(value):
        return _locate_record(menu, value, at, found)
    key = scalar_key(value)
    if key is not None and key in menu.scalars:
        return menu.scalars[key]
    allowed = tuple(menu.symbols[p] for p in menu.scalars.values())
    if menu.key is not None:
        records = tuple(menu.symbols[p] for p in menu.records.values())
        message = f"expected an object whose {menu.key!r} is {_either(records)}"
        message += f", or {_either(allowed)}" if allowed else ""
        found.append(Fault(at, f"{message}, found {shown(value)}", value, menu.symbols))
    else:
        found.append(Fault(at, _not_allowed(menu, value, allowed), value, allowed))
    return None


def _locate_record(menu: Menu, fields: dict[Any, Any], at: str, found: list[Fault]) -> int | None:
    if menu.key is None:
        found.append(Fault(at, f"expected {_either(menu.symbols)}, found {shown(fields)}", fields, menu.symbols))
        return None
    allowed = tuple(menu.symbols[p] for p in menu.records.values())
    here = pointer(at, menu.key)
    if menu.key in fields:
        key = scalar_key(fields[menu.key])
        if key is not None and key in menu.records:
            return menu.records[key]
        symbol = fields[menu.key]
        found.append(Fault(here, _not_allowed(menu, symbol, allowed), symbol, allowed))
        if key is not None and key in map(scalar_key, menu.deep):
            return None  # an option, but of another depth: nothing is known of its fields here
    else:
        found.append(Fault(here, f"the field {menu.key!r} is missing", None, allowed))
    _explain_common(menu, fields, at, found)
    return None


def _explain_common(menu: Menu, fields: dict[Any, Any], at: str, found: list[Fault]) -> None:
    """The option is unknown: judge the fields that every record option has alike, and those that none has."""
    products = [part for p in menu.records.values() if isinstance(part := bare(menu.parts[p]), Product)]
    if not products:
        return
    counts = Counter((name, inner) for part in products for name, inner in part.fields)
    for name, inner in products[0].fields:
        if counts[name, inner] == len(products) and name != menu.key:
            if name in fields:
                explain(inner, fields[name], pointer(at, name), found)
            else:
                found.append(Fault(pointer(at, name), f"the field {name!r} is missing", None, allowed_by(inner)))
    _unknown(fields, tuple(dict.fromkeys(name for part in products for name, _ in part.fields)), at, found)


def allowed_by(part: Part) -> tuple[object, ...]:
    """What may stand at a part, where it can be listed: a scalar, the symbols of a choice, the lengths of a list."""
    match bare(part):
        case Point(value):
            return (value,)
        case Alternatives(menu):
            return menu.symbols
        case _:
            return ()


def _not_allowed(menu: Menu, value: object, allowed: tuple[Symbol, ...]) -> str:
    key = scalar_key(value)
    if key is not None and key in map(scalar_key, menu.deep):
        return f"{shown(value)} would nest deeper than the grammar allows; allowed here: {_all(allowed)}"
    return f"expected {_either(allowed)}, found {shown(value)}"


def _all(values: tuple[Scalar, ...]) -> str:
    return ", ".join(map(shown, values[:12])) + (f" and {len(values) - 12} more" if len(values) > 12 else "")


def _either(values: tuple[Scalar, ...]) -> str:
    return shown(values[0]) if len(values) == 1 else f"one of {_all(values)}"


def _left(values: tuple[Symbol, ...]) -> str:
    return f"still free: {_all(values)}" if values else "none is free"
