"""The lists of tf-slim's NASNet cells (tensorflow/models, `research/slim/nets/nasnet/nasnet_utils.py`).

    {"normal": {"operations": [...], "hiddenstate_indices": [...], "used_hiddenstates": [...]}, "reduce": {...}}

Two entries a block. State 0 is there the output of the last cell and 1 that of the one before: the other way round
than in genotypes. `used_hiddenstates` has a 0 for every state that the output concatenates; it follows from the space
and may be left out. (The released lists of NASNet-A concatenate a used state too, and so are other networks than the
paper's rule gives; leave the list out to read the cell under the rule.) An operation that tf-slim has no name for
keeps its own.
"""

import re

from app.architecture.formats.cell_document import checked, fields, listed, number, word
from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.layout import CellLayout, Edge, cell_layout, layout_of
from app.space import Genotype, SearchSpace

_SEPARABLE = re.compile(r"separable_(\d)x\1_2")
_OURS = re.compile(r"sep_conv_(\d)x\1")
_SWAPPED = {0: 1, 1: 0}


def _suits(space: SearchSpace) -> bool:
    layout = layout_of(space)
    if layout is None or not layout.pairs or not layout.cells:
        return False
    return all(_operation(_slim(operation)) == operation for operation in layout.operations)


def _operation(name: str) -> str:
    """An operation of genotypes by tf-slim's name; `none` is there the identity."""
    separable = _SEPARABLE.fullmatch(name)
    return f"sep_conv_{separable[1]}x{separable[1]}" if separable else "skip_connect" if name == "none" else name


def _slim(operation: str) -> str:
    ours = _OURS.fullmatch(operation)
    return f"separable_{ours[1]}x{ours[1]}_2" if ours else "none" if operation == "skip_connect" else operation


def _read(space: SearchSpace, value: object) -> Genotype:
    layout = cell_layout(space)
    given = fields(value, "", layout.cells)
    return layout.genotype([_row(layout, given[cell], f"/{cell}") for cell in layout.cells])


def _row(layout: CellLayout, value: object, at: str) -> list[Edge]:
    given = fields(value, at, ("operations", "hiddenstate_indices"), ("used_hiddenstates",))
    row: list[Edge] = []
    operations = listed(given["operations"], f"{at}/operations", layout.edges)
    indices = listed(given["hiddenstate_indices"], f"{at}/hiddenstate_indices", layout.edges)
    for e, (operation, index) in enumerate(zip(operations, indices, strict=True)):
        state = number(index, f"{at}/hiddenstate_indices/{e}", 1 + e // 2)
        row.append((_operation(word(operation, f"{at}/operations/{e}")), _SWAPPED.get(state, state)))
    checked(layout, row, lambda edge, operation: f"{at}/{'operations' if operation else 'hiddenstate_indices'}/{edge}")
    if "used_hiddenstates" in given:
        wanted = _used(layout, row)
        used = listed(given["used_hiddenstates"], f"{at}/used_hiddenstates", len(wanted))
        for state, (found, right) in enumerate(zip(used, wanted, strict=True)):
            if number(found, f"{at}/used_hiddenstates/{state}", 1) != right:
                rule = "the blocks that no block reads" if layout.unused else "all blocks"
                message = f"this space concatenates {rule}, {wanted}; without this list the cell is read so"
                raise FormatError(f"{at}/used_hiddenstates/{state}", message, found, (right,))
    return row


def _used(layout: CellLayout, row: list[Edge]) -> list[int]:
    concat = layout.concat(row)
    return [int(state not in concat) for state in range(2 + len(layout.nodes))]


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, dict[str, list[str] | list[int]]]:
    layout = cell_layout(space)
    found: dict[str, dict[str, list[str] | list[int]]] = {}
    for cell, row in zip(layout.cells, layout.rows(genotype), strict=True):
        found[cell] = {
            "operations": [_slim(operation) for operation, _ in row],
            "hiddenstate_indices": [_SWAPPED.get(state, state) for _, state in row],
            "used_hiddenstates": _used(layout, row),
        }
    return found


NASNET_LISTS = Format(
    name="nasnet-lists",
    title="operations, hiddenstate_indices and used_hiddenstates of each cell, as tf-slim has them",
    source="tensorflow/models, research/slim/nets/nasnet/nasnet_utils.py",
    suits=_suits,
    read=_read,
    write=_write,
)
