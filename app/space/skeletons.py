"""Skeletons as JSON, both ways: what a family's dataclass declares is what its document may hold."""

import dataclasses
from typing import Any, get_args, get_origin, get_type_hints

from app.space.codec import integer, items, obj
from app.space.errors import Fault, GrammarError
from app.space.path import pointer
from app.space.skeleton import FAMILIES, Bounds, Skeleton
from app.space.skeleton.setting import NUMBERS
from app.space.value import is_object, shown


def skeleton_to_json(skeleton: Skeleton) -> dict[str, Any]:
    """One skeleton; `family` says which."""
    values: dict[str, Any] = dataclasses.asdict(skeleton)
    lists: dict[str, tuple[Any, ...]] = {name: value for name, value in values.items() if isinstance(value, tuple)}
    return values | {name: list(value) for name, value in lists.items()}


def skeleton_from_json(document: object, at: str = "") -> Skeleton:
    """Read one skeleton; what is left out keeps its default."""
    if not is_object(document):
        raise GrammarError(at, f"expected an object, found {shown(document)}")
    family = document.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise _not_among(family, tuple(FAMILIES), f"{at}/family")
    kind = FAMILIES[family]
    declared = {f.name: f for f in dataclasses.fields(kind)}
    obj(document, ("family",), tuple(declared), at)
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in document.items():
        bounds: Bounds = declared[name].metadata.get("bounds", Bounds(""))
        values[name] = _read(types[name], bounds, value, pointer(at, name))
    return kind(**values)


def _read(wanted: Any, bounds: Bounds, value: object, at: str) -> Any:
    """One value of a declared type."""
    if get_origin(wanted) is tuple:
        inner = get_args(wanted)[0]
        return tuple(_read(inner, bounds, item, f"{at}/{i}") for i, item in enumerate(items(value, NUMBERS, at)))
    if wanted is bool:
        if not isinstance(value, bool):
            raise GrammarError(at, f"expected true or false, found {shown(value)}")
        return value
    if wanted is int:
        return integer(value, bounds.least, bounds.most, at)
    if wanted is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not bounds.least <= value <= bounds.most:
            raise GrammarError(at, f"expected a number from {bounds.least} to {bounds.most}, found {shown(value)}")
        return float(value)
    words = get_args(wanted)
    if value not in words:
        raise _not_among(value, words, at)
    return value


def _not_among(value: object, words: tuple[Any, ...], at: str) -> GrammarError:
    message = f"expected one of {', '.join(map(str, words))}, found {shown(value)}"
    return GrammarError(at, message, [Fault(at, message, value, words)])
