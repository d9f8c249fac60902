"""What constraints are called and what they are told; documents and the zoo alike pass through here.

connected      at                            some way from the first to the last vertex of every graph there
edges          at, min, max, pruned          its edges; pruned: those on such a way
option_count   option, at, min, max          decisions under a place that are answered with an option
permutation    at: paths                     each of their options exactly once
distinct       at: paths                     all different
predecessors   at, allowed: options          inputs there are only among these
max_params     value, skeleton               learnable numbers   } on the skeleton of that name, else on the first
max_macs       value, skeleton               multiply-adds       }
max_depth      value, skeleton               layers with weights }
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from app.space.codec import integer, items, obj, string
from app.space.errors import Fault, GrammarError
from app.space.limits import LIMITS
from app.space.path import pointer
from app.space.value import is_list, shown

Kind = Literal["path", "paths", "option", "options", "number", "flag", "name"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a constraint."""

    kind: Kind
    required: bool = False


_COST = {"value": Parameter("number", required=True), "skeleton": Parameter("name")}
_BOUNDS = {"min": Parameter("number"), "max": Parameter("number")}

CONSTRAINTS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        "connected": {"at": Parameter("path", required=True)},
        "edges": {"at": Parameter("path", required=True), **_BOUNDS, "pruned": Parameter("flag")},
        "option_count": {"option": Parameter("option", required=True), "at": Parameter("path"), **_BOUNDS},
        "permutation": {"at": Parameter("paths", required=True)},
        "distinct": {"at": Parameter("paths", required=True)},
        "predecessors": {"at": Parameter("path", required=True), "allowed": Parameter("options", required=True)},
        "max_params": _COST,
        "max_macs": _COST,
        "max_depth": _COST,
    }
)
COSTS = ("max_params", "max_macs", "max_depth")


def read_parameters(name: object, given: object, at: str) -> dict[str, Any]:
    """The parameters of a constraint, each of its kind, in the order given; a GrammarError points to what is wrong."""
    if not isinstance(name, str) or name not in CONSTRAINTS:
        raise refused(f"{at}/name", f"expected one of {', '.join(CONSTRAINTS)}", name, tuple(CONSTRAINTS))
    declared, here = CONSTRAINTS[name], f"{at}/parameters"
    required = tuple(key for key, parameter in declared.items() if parameter.required)
    fields = obj(given, required, tuple(declared), here)
    read = {key: _read(declared[key].kind, value, pointer(here, key)) for key, value in fields.items()}
    least, most = read.get("min"), read.get("max")
    if "min" in declared and least is None and most is None:
        raise GrammarError(here, f"{name} needs a bound: min, max or both")
    if least is not None and most is not None and least > most:
        raise refused(f"{here}/max", f"no number is both at least {least} and at most", most, (least,))
    return read


def _read(kind: Kind, value: object, at: str) -> Any:
    match kind:
        case "path":
            return _path(value, at)
        case "paths":
            return tuple(_path(path, f"{at}/{i}") for i, path in enumerate(_several(value, at)))
        case "option":
            return _option(value, at)
        case "options":
            return tuple(_option(option, f"{at}/{i}") for i, option in enumerate(_several(value, at)))
        case "number":
            return integer(value, 0, LIMITS.integer, at)
        case "flag":
            if not isinstance(value, bool):
                raise refused(at, "expected true or false", value, (True, False))
            return value
        case "name":
            return string(value, LIMITS.name, at)


def _several(value: object, at: str) -> list[Any]:
    found = items(value, LIMITS.options, at)
    if not found:
        raise GrammarError(at, "expected a list of at least one, found none")
    return found


def _path(value: object, at: str) -> str:
    path = string(value, LIMITS.text, at)
    if path and not path.startswith(("/", "@")):
        raise refused(at, "a place is empty, for the whole, or starts with '/' or '@'", value, ("",))
    return path


def _option(value: object, at: str) -> str | int | float | bool:
    if not isinstance(value, str | int | float):
        raise refused(at, "an option is a string, a number or a boolean", value, ())
    return value


def plain(parameters: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Parameters as they are written in JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in parameters}  # pyright: ignore


def frozen(parameters: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Parameters as a Constraint keeps them."""
    return tuple((name, tuple(value) if is_list(value) else value) for name, value in parameters.items())


def refused(at: str, expected: str, value: object, allowed: tuple[object, ...]) -> GrammarError:
    """A GrammarError with the value found and what was allowed."""
    message = f"{expected}; found {shown(value)}"
    return GrammarError(at, message, [Fault(at, message, value, allowed)])
