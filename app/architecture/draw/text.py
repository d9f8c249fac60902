"""Cells, chains and derivations for terminals: a tree of at most 100 columns."""

from app.architecture.draw.canvas import label
from app.architecture.draw.panels import ChainSketch
from app.architecture.draw.sketch import Sketch, sketches
from app.architecture.draw.tree import TreeSketch
from app.space import SearchSpace

COLUMNS = 100


def draw_text(space: SearchSpace, genotype: object) -> str:
    """The cells of a genotype, its chain, circuit or derivation, as lines. InvalidGenotype of what is no member.

    normal cell
    ├─ node2
    │  ├─ input 0 ── sep_conv_3x3
    │  └─ input 1 ── skip_connect
    └─ output = concat(node2, node3, node4, node5)
    """
    lines = [line for sketch in sketches(space, genotype) for line in _lines(sketch)]
    return "\n".join(line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…" for line in lines) + "\n"


def _lines(sketch: Sketch) -> list[str]:
    if isinstance(sketch, TreeSketch):
        return [sketch.title, *_tree(sketch), *(["…"] if sketch.more else [])]
    if isinstance(sketch, ChainSketch):
        last = len(sketch.operations) - 1
        rows = [f"{'└' if i == last else '├'}─ {i}  {label(o)}" for i, o in enumerate(sketch.operations)]
        return [sketch.title, *(rows or ["└─ no layer"])]
    names = [label(name) for name in sketch.names]
    longest = max((len(names[a.source]) for a in sketch.arrows), default=0)
    lines = [sketch.title]
    for i in range(sketch.inputs, len(names)):
        final = not sketch.concat and i == len(names) - 1
        lines.append(f"{'└' if final else '├'}─ {names[i]}")
        into = [a for a in sketch.arrows if a.target == i]
        for k, arrow in enumerate(into):
            branch = "└" if k == len(into) - 1 else "├"
            side = " " if final else "│"
            way = f"{names[arrow.source]:<{longest}} ── {label(arrow.operation)}"
            lines.append(f"{side}  {branch}─ {way if arrow.operation else names[arrow.source]}")
    if sketch.concat:
        lines.append(f"└─ output = {sketch.joins}({', '.join(names[i] for i in sketch.concat)})")
    return lines


def _tree(sketch: TreeSketch) -> list[str]:
    """The rows of a derivation; a line goes on where more of its level follows."""
    lines: list[str] = []
    open_levels: set[int] = set()  # that have another row further down
    for row in reversed(sketch.rows):
        open_levels = {level for level in open_levels if level <= row.level}
        sides = "".join("│  " if level in open_levels else "   " for level in range(row.level))
        corner = "├" if row.level in open_levels else "└"
        lines.append(f"{sides}{corner}─ {label(row.name)}{'  ' + label(row.value) if row.value else ''}")
        open_levels.add(row.level)
    return lines[::-1]
