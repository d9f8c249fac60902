"""JSON values as they come in: what they are, when two are the same, and how a message shows them."""

from typing import Any, TypeGuard

from app.space.algebra import Scalar

_SHOWN = 60  # characters of a string in a message
_BITS = 128  # of the largest integer that is written out: Python refuses to write very long ones


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """A JSON object."""
    return type(value) is dict


def is_list(value: object) -> TypeGuard[list[Any]]:
    """A JSON list."""
    return type(value) is list


def scalar_key(value: object) -> tuple[bool, Scalar] | None:
    """What makes two JSON scalars the same: 1 and 1.0 are, 1 and true are not. None for anything but a scalar."""
    if isinstance(value, bool):
        return (True, value)
    if isinstance(value, str | int | float):
        return (False, value)
    return None


def shown(value: object) -> str:
    """A value in a message: short, and never an error, whatever it is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}... of {len(value)} characters"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= _BITS else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return repr(value)
    if is_list(value):
        return f"a list of {len(value)}"
    if is_object(value):
        return f"an object of {len(value)} fields"
    return f"a {type(value).__name__}"
