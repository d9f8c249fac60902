"""The numbers of ENAS' macro space: a row a layer, its operation and then one bit for each state that it may merge.

    0
    3 0
    0 1 0

Rows may also stand in one line; commas and brackets, which its logs print, are read like spaces. Operations have the
numbers of its controller. melodyguan/enas, `src/cifar10/general_controller.py`, `scripts/cifar10_macro_final.sh`.
"""

import re
from typing import Any, cast

from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.reader import Reader
from app.space import Choice, Genotype, Record, SearchSpace, Term, Value

OPERATIONS = ("conv_3x3", "separable_conv_3x3", "conv_5x5", "separable_conv_5x5", "avg_pool_3x3", "max_pool_3x3")

_NUMBER = re.compile(r"\d{1,4}(?!\d)")
_BETWEEN = re.compile(r"[\s,\[\]]*+")
_END = re.compile(r"\Z")


def _layers(space: SearchSpace) -> dict[str, tuple[str, ...]] | None:
    """Layer -> its operations, of a space in which layer i has a bit for each of i states; None of any other."""
    root = space.grammar.follow(space.grammar.root)
    if not isinstance(root, Record) or root.builds != "skips":
        return None
    layers: dict[str, tuple[str, ...]] = {}
    for i, (name, term) in enumerate(root.fields):
        layer = space.grammar.follow(term)
        inner = dict(layer.fields) if isinstance(layer, Record) else {}
        bits = [f"skip{j}" for j in range(i)]
        operations = _values(space, inner.get("op"))
        if list(inner) != ["op", *bits] or any(_values(space, inner[bit]) != (0, 1) for bit in bits):
            return None
        if not operations or not set(operations) <= set(OPERATIONS):
            return None
        layers[name] = tuple(map(str, operations))
    return layers


def _values(space: SearchSpace, term: Term | None) -> tuple[object, ...]:
    term = None if term is None else space.grammar.follow(term)
    options = [space.grammar.follow(option) for option in term.options] if isinstance(term, Choice) else [term]
    return tuple([option.value for option in options if isinstance(option, Value)])


def _read(space: SearchSpace, value: object) -> Genotype:
    layers = _layers(space)
    if layers is None:
        raise FormatError("", f"{space.name} is no space of layers with skips", space.name)
    reader = Reader(value)
    genotype: dict[str, Genotype] = {}
    for i, (name, operations) in enumerate(layers.items()):
        known = tuple(OPERATIONS.index(operation) for operation in operations)
        row: dict[str, Genotype] = {"op": OPERATIONS[_number(reader, f"the operation of {name}", known)]}
        for j in range(i):
            row[f"skip{j}"] = _number(reader, f"bit {j + 1} of {i} of {name}", (0, 1))
        genotype[name] = row
    reader.accept(_BETWEEN)
    reader.expect(_END, f"nothing after {len(layers)} rows")
    return genotype


def _number(reader: Reader, what: str, allowed: tuple[int, ...]) -> int:
    reader.accept(_BETWEEN)
    found = reader.expect(_NUMBER, f"a number, {what}")
    if int(found[0]) not in allowed:
        among = ", ".join(map(str, sorted(allowed)))
        raise reader.error(found.start(), f"{what} is one of {among}, not {found[0]}", int(found[0]), allowed)
    return int(found[0])


def _write(space: SearchSpace, genotype: Genotype) -> str:
    rows = list(cast("dict[str, dict[str, Any]]", genotype).values())
    return "\n".join(
        " ".join(str(OPERATIONS.index(value) if name == "op" else value) for name, value in row.items()) for row in rows
    )


ENAS_MACRO = Format(
    name="enas-macro",
    title="Numbers of ENAS' macro space as text: a row a layer, its operation and its skip bits",
    source="melodyguan/enas, scripts/cifar10_macro_final.sh",
    suits=lambda space: _layers(space) is not None,
    read=_read,
    write=_write,
)
