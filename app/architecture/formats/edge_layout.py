"""Layouts of cells with an operation on every edge: what the formats of NAS-Bench-201 have in common."""

import re
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from app.architecture.formats.format import FormatError
from app.space import Choice, Record, SearchSpace, Value

_FIELD = re.compile(r"(\d{1,3})->(\d{1,3})")


@dataclass(frozen=True, slots=True)
class EdgeLayout:
    """Nodes 0 to `last`, an edge from each to every later one, the same operations on all."""

    last: int
    operations: tuple[str, ...]


_LAYOUTS: WeakKeyDictionary[SearchSpace, EdgeLayout | None] = WeakKeyDictionary()  # gone with their spaces


def edge_layout_of(space: SearchSpace) -> EdgeLayout | None:
    """The layout of a space's cell, told from its grammar; None where it is another kind of space."""
    try:
        return _LAYOUTS[space]
    except KeyError:
        return _LAYOUTS.setdefault(space, _layout(space))


def edge_layout(space: SearchSpace) -> EdgeLayout:
    """The layout of a space's cell; FormatError of another kind of space."""
    layout = edge_layout_of(space)
    if layout is None:
        raise FormatError("", f"{space.name} is no space of cells with an operation on every edge", space.name)
    return layout


def _layout(space: SearchSpace) -> EdgeLayout | None:
    grammar = space.grammar
    root = grammar.follow(grammar.root)
    if not isinstance(root, Record) or root.builds != "edge_cells":
        return None
    ends = {(int(m[1]), int(m[2])) for name, _ in root.fields if (m := _FIELD.fullmatch(name))}
    last = max((target for _, target in ends), default=0)
    if len(root.fields) != len(ends) or ends != {(i, j) for j in range(1, last + 1) for i in range(j)}:
        return None
    terms = {grammar.follow(term) for _, term in root.fields}
    choice = terms.pop()
    if terms or not isinstance(choice, Choice):
        return None
    options = [grammar.follow(option) for option in choice.options]
    operations = [option.value for option in options if isinstance(option, Value) and isinstance(option.value, str)]
    return EdgeLayout(last, tuple(operations)) if len(operations) == len(options) else None
