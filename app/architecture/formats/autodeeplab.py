"""Auto-DeepLab's networks as they are exchanged: the levels of the path and the edges of the cell, as numbers.

    {"network_path": [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1], "cell": [[0, 7], [1, 4], ...]}

A level is 0 for stride 4, 1 for 8, and so on. A row of the cell is (branch, operation), two rows a block; branches are
numbered block by block, one for each earlier state: 0 and 1, then 2 to 4, 5 to 8, ... Operations have the numbers of
DARTS' list with `none` first. NoamRosenberg/autodeeplab, `retrain_model/new_model.py`, `decoding_formulas.py`.
"""

from typing import Any, cast

from app.architecture.formats.cell_document import checked, fields, listed, number
from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.layout import CellLayout, Edge, layout_of_cell
from app.space import Choice, Genotype, Record, SearchSpace, Term, Value

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
FIRST = 4  # the stride of level 0


def _states(space: SearchSpace, term: Term) -> dict[int, Record]:
    """Level -> state, of a state or a Choice of states; empty of anything else."""
    found = space.grammar.follow(term)
    options = [space.grammar.follow(option) for option in found.options] if isinstance(found, Choice) else [found]
    states: dict[int, Record] = {}
    for state in options:
        inner = dict(state.fields) if isinstance(state, Record) and state.builds == "state" else {}
        level = space.grammar.follow(inner["level"]) if "level" in inner else None
        if not isinstance(state, Record) or not isinstance(level, Value) or type(level.value) is not int:
            return {}
        if level.value < FIRST or level.value & (level.value - 1):
            return {}
        states[level.value] = state
    return states


def _layout(space: SearchSpace) -> CellLayout | None:
    """The layout of the cell of a trellis whose words this format has; None of any other space."""
    root = space.grammar.follow(space.grammar.root)
    if not isinstance(root, Record) or root.builds != "trellis" or {"cell", "path"} != set(dict(root.fields)):
        return None
    inner = dict(root.fields)
    layout = layout_of_cell(space.grammar, ("cell",), space.grammar.follow(inner["cell"]))
    if layout is None or not layout.pairs or layout.unused or not set(layout.operations) <= set(OPERATIONS):
        return None
    return layout if _states(space, inner["path"]) else None


def _trellis(space: SearchSpace) -> tuple[CellLayout, Term]:
    layout, root = _layout(space), space.grammar.follow(space.grammar.root)
    if layout is None or not isinstance(root, Record):
        raise FormatError("", f"{space.name} is no space of a cell and a path through levels", space.name)
    return layout, dict(root.fields)["path"]


def _read(space: SearchSpace, value: object) -> Genotype:
    layout, start = _trellis(space)
    given = fields(value, "", ("network_path", "cell"))
    row: list[Edge] = []
    for e, pair in enumerate(listed(given["cell"], "/cell", layout.edges)):
        branch, operation = listed(pair, f"/cell/{e}", 2)
        first = _offset(e // 2)
        state = number(branch, f"/cell/{e}/0", _offset(e // 2 + 1) - 1) - first
        row.append((OPERATIONS[number(operation, f"/cell/{e}/1", len(OPERATIONS) - 1)], state))
    checked(layout, row, lambda edge, operation: f"/cell/{edge}/{int(operation)}")
    cell = cast("dict[str, Genotype]", layout.genotype([row]))["cell"]
    return space.plan.normalise(
        {"cell": cell, "path": _path(space, start, listed(given["network_path"], "/network_path"))}
    )


def _path(space: SearchSpace, start: Term, levels: list[Any]) -> Genotype:
    """The nested states of a list of levels."""
    outer: dict[str, Genotype] = {}
    state, term = outer, start
    for i, found in enumerate(levels):
        at = f"/network_path/{i}"
        states = _states(space, term)
        allowed = tuple(level.bit_length() - FIRST.bit_length() for level in states)
        if not states:
            raise FormatError(at, f"the path ends after {i} layers", found)
        if type(found) is not int or found not in allowed:
            raise FormatError(at, f"layer {i + 1} may be at level {allowed}, not {found!r}", found, allowed)
        inner: dict[str, Genotype] = {"level": FIRST << found}
        state["next"] = inner
        state = inner
        onward = dict(states[FIRST << found].fields).get("next")
        term = Value("") if onward is None else onward
    if _states(space, term):
        raise FormatError("/network_path", f"the path goes on after {len(levels)} layers", len(levels))
    return outer["next"]


def _offset(block: int) -> int:
    """The number of the first branch of a block, counted from 0: 2 + 3 + ... before it."""
    return block * (block + 3) // 2


def _write(space: SearchSpace, genotype: Genotype) -> dict[str, list[Any]]:
    layout, _ = _trellis(space)
    (row,) = layout.rows(genotype)
    levels: list[int] = []
    state: Any = cast("dict[str, Any]", genotype)["path"]
    while state is not None:
        levels.append(state["level"].bit_length() - FIRST.bit_length())
        state = state.get("next")
    cell = [[_offset(e // 2) + state, OPERATIONS.index(operation)] for e, (operation, state) in enumerate(row)]
    return {"network_path": levels, "cell": cell}


AUTODEEPLAB = Format(
    name="autodeeplab",
    title="The levels of the path and (branch, operation) of every edge of the cell, as numbers",
    source="NoamRosenberg/autodeeplab, retrain_model/new_model.py",
    suits=lambda space: _layout(space) is not None,
    read=_read,
    write=_write,
)
