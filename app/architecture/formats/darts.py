"""The `Genotype(...)` text of DARTS (Liu et al., 2019, `cnn/genotypes.py`), in the forms in which it is found.

    Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=[2, 3, 4, 5])

Two pairs (operation, state) a node, in either order; the concatenation is a list or a range, and may be left out. It
follows from the space: all nodes, or those that no node reads. A space with one cell for both uses is written with the
same cell twice.
"""

import re
from typing import NoReturn

from app.architecture.formats.format import Format
from app.architecture.formats.layout import CellLayout, Edge, cell_layout, layout_of
from app.architecture.formats.reader import Reader
from app.space import Genotype, SearchSpace

# possessive quantifiers: what is read once is not read again, so that every text is read in linear time
_NAME = re.compile(r"[\w.+-]+")
_START = re.compile(r"\s*+(?:\w++\s*+=\s*+)?Genotype\s*+\(\s*+")
_FIELD = re.compile(r"(normal|reduce)(_concat)?\s*+=\s*+")
_COMMA = re.compile(r"\s*+,\s*+")
_END = re.compile(r"\s*+\)\s*+\Z")
_OPEN = re.compile(r"[\[(]\s*+")
_CLOSE = re.compile(r"\s*+[\])]")
_PAIR = re.compile(r"""[(\[]\s*+(?:'([\w.+-]++)'|"([\w.+-]++)")\s*+,\s*+(\d{1,9})\s*+,?+\s*+[)\]]""")
_ONE = _PAIR.pattern.replace("([", "(?:[").replace(r"(\d", r"(?:\d")  # without groups
_PAIRS = re.compile(rf"[\[(]\s*+(?:{_ONE}(?:\s*+,\s*+{_ONE})*+)?+(?:\s*+,)?+\s*+[\])]")
_STATES = re.compile(r"[\[(]([\d\s,]*+)[\])]")
_RANGE = re.compile(r"(list\s*+\(\s*+)?range\s*+\(\s*+(\d{1,4})\s*+,\s*+(\d{1,4})\s*+\)(?(1)\s*+\))")

_CELLS = ("normal", "reduce")


def _suits(space: SearchSpace) -> bool:
    layout = layout_of(space)
    return layout is not None and all(_NAME.fullmatch(operation) for operation in layout.operations)


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = cell_layout(space)
    reader = Reader(value)
    reader.expect(_START, "Genotype(")
    rows: dict[str, list[Edge]] = {}
    concats: dict[str, tuple[int, list[int]]] = {}  # the position, and the states
    starts: dict[str, int] = {}
    done: re.Match[str] | None = None
    while done is None:
        field = reader.expect(_FIELD, "normal=", "reduce=", "normal_concat=", "reduce_concat=")
        cell = field[1]
        if cell in (concats if field[2] else rows):
            raise reader.error(field.start(), f"{cell}{field[2] or ''} is given twice", cell)
        if field[2]:
            concats[cell] = (reader.at, _states(reader))
        else:
            starts[cell], rows[cell] = field.start(), _row(reader, layout)
        done = reader.accept(_END) if reader.accept(_COMMA) else reader.expect(_END, "a comma", "the last )")
    for cell in _CELLS:
        if cell not in rows:
            raise reader.error(len(reader.text), f"the field {cell} is missing", None, _CELLS)
        if cell in concats:
            at, states = concats[cell]
            wanted = layout.concat(rows[cell])
            if sorted(states) != wanted:
                rule = "the states that no node reads" if layout.unused else "all nodes"
                raise reader.error(at, f"this space concatenates {rule}, {wanted}, not {states}", states, (wanted,))
    normal, reduce = rows["normal"], rows["reduce"]
    if len(layout.cells) == 2:
        return layout.genotype((normal, reduce))
    if layout.genotype((normal,)) != layout.genotype((reduce,)):
        raise reader.error(starts["reduce"], "this space has one cell for both uses; the two differ", None)
    return layout.genotype((normal,))


def _row(reader: Reader, layout: CellLayout) -> list[Edge]:
    start = reader.at
    if not reader.accept(_PAIRS):
        _point(reader)
    found = _PAIR.findall(reader.text, start, reader.at)
    row = [(one or other, int(state)) for one, other, state in found]
    if len(row) != layout.edges:
        message = f"a cell of this space has {layout.edges} pairs, not {len(row)}"
        raise reader.error(start, message, len(row), (layout.edges,))
    fault = layout.fault(row)
    if fault is not None:
        place = list(_PAIR.finditer(reader.text, start, reader.at))[fault.edge]
        at = place.start(3 if not fault.operation else 1 if place[1] else 2)
        raise reader.error(at, fault.message, fault.value, fault.allowed)
    return row


def _point(reader: Reader) -> NoReturn:
    """Say where a list of pairs is none."""
    reader.expect(_OPEN, "[")
    while True:
        reader.expect(_PAIR, "('operation', state)")
        if not reader.accept(_COMMA):
            reader.expect(_CLOSE, "a comma", "]")


def _states(reader: Reader) -> list[int]:
    bounds = reader.accept(_RANGE)
    if bounds is not None:
        return list(range(int(bounds[2]), int(bounds[3])))
    listed = reader.expect(_STATES, "[2, 3, ...]", "range(2, ...)")
    return [int(state) for state in listed[1].replace(",", " ").split()]


def _write(space: SearchSpace, genotype: Genotype) -> str:
    layout = cell_layout(space)
    rows = layout.rows(genotype)
    parts = [f"{cell}={row}, {cell}_concat={layout.concat(row)}" for cell, row in zip(_CELLS, rows * 2, strict=False)]
    return f"Genotype({', '.join(parts)})"


DARTS = Format(
    name="darts",
    title="Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=..., reduce=..., reduce_concat=...) as text",
    source="quark0/darts, cnn/genotypes.py",
    suits=_suits,
    read=_read,
    write=_write,
)
