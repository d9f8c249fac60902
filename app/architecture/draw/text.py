"""Cells, chains and derivations for terminals: a tree of at most 80 columns."""

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap

from app.architecture.draw.canvas import label
from app.architecture.draw.panels import Arrow, ChainSketch
from app.architecture.draw.sketch import Sketch, sketches
from app.architecture.draw.tree import TreeSketch
from app.space import SearchSpace

COLUMNS = 80
MANY = 3  # skips into one vertex that share a row


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
        side = " " if final else "│"
        into = list(_ways([a for a in sketch.arrows if a.target == i], names, longest))
        for k, way in enumerate(into):
            branch, below = ("└", " ") if k == len(into) - 1 else ("├", "│")
            first, *rest = _folded(way, COLUMNS - 9)
            lines += [f"{side}  {branch}─ {first}", *(f"{side}  {below}     {more}" for more in rest)]
    if sketch.concat:
        first, *rest = _folded(f"output = {sketch.joins}({', '.join(names[i] for i in sketch.concat)})", COLUMNS - 9)
        lines += [f"└─ {first}", *(f"         {more}" for more in rest)]
    return lines


def _folded(text: str, columns: int) -> list[str]:
    """A list with commas in lines of so many columns, broken between its items."""
    solid = text.replace(" ", "\xa0").replace(",\xa0", ", ")
    return [line.replace("\xa0", " ") for line in wrap(solid, columns, break_on_hyphens=False)]


def _ways(into: list[Arrow], names: list[str], longest: int) -> Iterator[str]:
    """The rows of what leads to a vertex, in the order of the genotype; many skips are one row."""
    for operation, arrows in groupby(into, key=lambda arrow: arrow.operation):
        sources = [names[arrow.source] for arrow in arrows]
        if operation == "skip" and len(sources) >= MANY:
            yield f"{', '.join(sources)} ── {label(operation)}"
        else:
            yield from (f"{name:<{longest}} ── {label(operation)}" if operation else name for name in sources)


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
