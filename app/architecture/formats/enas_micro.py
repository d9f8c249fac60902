"""The numbers of ENAS' micro cells: state, operation, state, operation a block; the normal cell, then the reduction.

    0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1   1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1

Twenty numbers a cell of five blocks. Commas and brackets, which its logs print, are read like spaces.
melodyguan/enas, `src/cifar10/micro_controller.py`.
"""

import re

from app.architecture.formats.format import Format
from app.architecture.formats.layout import Edge, cell_layout, layout_of
from app.architecture.formats.reader import Reader
from app.space import Genotype, SearchSpace

OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "skip_connect")

_NUMBER = re.compile(r"\d{1,4}(?!\d)")
_BETWEEN = re.compile(r"[\s,\[\]]*+")
_END = re.compile(r"\Z")


def _suits(space: SearchSpace) -> bool:
    layout = layout_of(space)
    if layout is None or len(layout.cells) != 2 or not layout.pairs or not layout.unused:
        return False
    return {*layout.operations} == {*OPERATIONS}


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = cell_layout(space)
    reader = Reader(value)
    wanted = 2 * layout.edges
    rows: list[list[Edge]] = []
    for cell in layout.cells:
        row: list[Edge] = []
        places: list[tuple[int, int]] = []  # of states and of operations
        while len(row) < layout.edges:
            numbers: list[re.Match[str]] = []
            for what in ("state", "operation"):
                reader.accept(_BETWEEN)
                where = f"{what} {len(row) + 1} of {layout.edges} of the {cell} cell"
                numbers.append(reader.expect(_NUMBER, f"a number, {where}"))
            state, operation = int(numbers[0][0]), int(numbers[1][0])
            if operation >= len(OPERATIONS):
                message = f"operations have the numbers 0 to {len(OPERATIONS) - 1}, not {operation}"
                raise reader.error(numbers[1].start(), message, operation, tuple(range(len(OPERATIONS))))
            row.append((OPERATIONS[operation], state))
            places.append((numbers[0].start(), numbers[1].start()))
        fault = layout.fault(row)
        if fault is not None:
            raise reader.error(places[fault.edge][fault.operation], fault.message, fault.value, fault.allowed)
        rows.append(row)
    reader.accept(_BETWEEN)
    reader.expect(_END, f"nothing after {2 * wanted} numbers")
    return layout.genotype(rows)


def _write(space: SearchSpace, genotype: Genotype) -> str:
    layout = cell_layout(space)
    cells = layout.rows(genotype)
    return " ".join(f"{state} {OPERATIONS.index(operation)}" for row in cells for operation, state in row)


ENAS_MICRO = Format(
    name="enas-micro",
    title="Numbers of ENAS' micro cells as text: state, operation, state, operation a block, the normal cell first",
    source="melodyguan/enas, src/cifar10/micro_controller.py",
    suits=_suits,
    read=_read,
    write=_write,
)
