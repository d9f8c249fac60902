"""The compact form of DARTS' cells: [[[state, operation], ...], [...]], operations as numbers, two edges a node.

Li and Talwalkar (2019) and BANANAS write them so; automl/NASLib, `search_spaces/nasbench301/conversions.py`.
"""

from app.architecture.formats.cell_document import checked, listed, number
from app.architecture.formats.format import Format
from app.architecture.formats.layout import Edge, cell_layout, layout_of
from app.space import Genotype, SearchSpace

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


def _suits(space: SearchSpace) -> bool:
    layout = layout_of(space)
    if layout is None or len(layout.cells) != 2 or layout.pairs or layout.unused:
        return False
    return {*layout.operations} == {*OPERATIONS}


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = cell_layout(space)
    rows: list[list[Edge]] = []
    for c, cell in enumerate(listed(value, "", 2)):
        row: list[Edge] = []
        for e, edge in enumerate(listed(cell, f"/{c}", layout.edges)):
            state, operation = listed(edge, f"/{c}/{e}", 2)
            last = len(OPERATIONS) - 1
            known = number(operation, f"/{c}/{e}/1", last)
            row.append((OPERATIONS[known], number(state, f"/{c}/{e}/0", 1 + len(layout.nodes))))
        rows.append(checked(layout, row, lambda edge, operation, c=c: f"/{c}/{edge}/{int(operation)}"))
    return layout.genotype(rows)


def _write(space: SearchSpace, genotype: Genotype) -> list[list[list[int]]]:
    layout = cell_layout(space)
    return [[[state, OPERATIONS.index(operation)] for operation, state in row] for row in layout.rows(genotype)]


NASLIB_DARTS = Format(
    name="naslib-darts",
    title="[[[state, operation], ...], [...]]: the normal and the reduction cell, operations as numbers",
    source="automl/NASLib, search_spaces/nasbench301/conversions.py",
    suits=_suits,
    read=_read,
    write=_write,
)
