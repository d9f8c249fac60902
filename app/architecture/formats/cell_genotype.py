"""The tuples of the textbook's CellGenotype as a document: {"normal": [[op, state, op, state], ...], "reduce": [...]}.

A node adds two operations; the cell concatenates all nodes. The space has one cell for both uses, so the two are the
same (`app.space.textbook`).
"""

from app.architecture.formats.cell_document import checked, fields, listed, number, word
from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.layout import CellLayout, Edge, cell_layout, layout_of
from app.space import Genotype, SearchSpace

_CELLS = ("normal", "reduce")


def _suits(space: SearchSpace) -> bool:
    layout = layout_of(space)
    return layout is not None and layout.pairs and not layout.cells


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = cell_layout(space)
    given = fields(value, "", _CELLS)
    normal, reduce = (_row(layout, given[cell], f"/{cell}") for cell in _CELLS)
    if normal != reduce:
        raise FormatError("/reduce", "this space has one cell for both uses; the two differ", given["reduce"])
    return layout.genotype((normal,))


def _row(layout: CellLayout, value: object, at: str) -> list[Edge]:
    row: list[Edge] = []
    for i, node in enumerate(listed(value, at, len(layout.nodes))):
        entries = listed(node, f"{at}/{i}", 4)
        for side in (0, 2):
            operation = word(entries[side], f"{at}/{i}/{side}")
            row.append((operation, number(entries[side + 1], f"{at}/{i}/{side + 1}", 1 + i)))
    return checked(layout, row, lambda edge, operation: f"{at}/{edge // 2}/{edge % 2 * 2 + (not operation)}")


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, list[list[str | int]]]:
    layout = cell_layout(space)
    (row,) = layout.rows(genotype)
    return {cell: [[*row[2 * i], *row[2 * i + 1]] for i in range(len(layout.nodes))] for cell in _CELLS}


CELL_GENOTYPE = Format(
    name="cell-genotype",
    title='{"normal": [[operation, state, operation, state], ...], "reduce": [...]}: the two cells are the same',
    source="",
    suits=_suits,
    read=_read,
    write=_write,
)
