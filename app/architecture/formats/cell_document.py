"""Cells as JSON documents: what the document formats of cells share, values read with pointers and faults placed."""

from collections.abc import Callable, Sequence
from typing import Any

from app.architecture.formats.format import FormatError
from app.architecture.formats.layout import CellLayout, Edge
from app.space import pointer
from app.space.value import is_list, is_object, shown


def listed(value: object, at: str, length: int | None = None) -> list[Any]:
    """A list, of a length where one is given."""
    if not is_list(value):
        raise FormatError(at, f"expected a list, found {shown(value)}", value)
    if length is not None and len(value) != length:
        raise FormatError(at, f"expected a list of {length}, found one of {len(value)}", len(value), (length,))
    return value


def fields(value: object, at: str, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """An object with all of the required fields and none but these and the optional ones."""
    if not is_object(value):
        raise FormatError(at, f"expected an object, found {shown(value)}", value)
    allowed = (*required, *optional)
    for name in value:
        if name not in allowed:
            raise FormatError(pointer(at, name), f"unknown field {shown(name)}", name, allowed)
    for name in required:
        if name not in value:
            raise FormatError(pointer(at, name), f"the field {name} is missing", None, (name,))
    return value


def number(value: object, at: str, most: int) -> int:
    """A whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        allowed = tuple(range(most + 1)) if most < 100 else ()
        raise FormatError(at, f"expected a whole number from 0 to {most}, found {shown(value)}", value, allowed)
    return value


def word(value: object, at: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise FormatError(at, f"expected a string, found {shown(value)}", value)
    return value


def checked(layout: CellLayout, row: list[Edge], place: Callable[[int, bool], str]) -> list[Edge]:
    """A row without fault; `place` points at the operation (true) or the state of an edge."""
    fault = layout.fault(row)
    if fault is not None:
        raise FormatError(place(fault.edge, fault.operation), fault.message, fault.value, fault.allowed)
    return row
