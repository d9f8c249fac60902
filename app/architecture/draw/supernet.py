"""Spaces as SVG: nothing decided, every operation that may stand on an edge, and what each decision chooses from.

What is open is dashed. A pill says the path of its decision below the panel's, and the letter of its list of options;
a row with several dots reads some of them: `← 1 of 3`. Large drawings are cut, and say what was left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from app.architecture.cursor import Cursor
from app.architecture.draw.canvas import MARGIN, NARROWEST, PAGE, SIZE, WIDEST, Canvas
from app.architecture.draw.lattice import LatticeSketch, lattice
from app.architecture.draw.legend import draw_legend, draw_menu, families
from app.architecture.draw.menus import Menus
from app.architecture.draw.outline import outline
from app.architecture.draw.palette import Theme
from app.architecture.draw.panels import Arrow, CellSketch, ChainSketch
from app.architecture.draw.shelves import shelve
from app.architecture.draw.sketch import Sketch, known
from app.architecture.draw.svg import draw_heading, draw_panel
from app.architecture.errors import LoweringError
from app.space import SearchSpace

PANELS = 12
ARROWS = 48  # of a cell; more are taken together by their targets and options
MOST = 120  # rows of a cell, layers of a chain
MENUS = 20
NOTES = 3  # of panels that are drawn as one


def draw_supernet(space: SearchSpace, *, theme: Theme = "auto", width: int = PAGE) -> str:
    """Everything that a space may be: cells and chains with all their candidates, or the rules of its grammar."""
    canvas = Canvas(min(max(width, NARROWEST), WIDEST))
    menus = Menus()
    found, more = open_sketches(space, menus)
    y = draw_heading(canvas, MARGIN, f"{space.name}, nothing decided", (_size(space),))
    y = shelve(canvas, y, [partial(draw_panel, sketch=sketch) for sketch in found])
    if more:
        canvas.text(MARGIN, y + SIZE, f"and {more} more panels like these", "quiet")
        y += 30
    lists = menus.found
    y = shelve(canvas, y, [partial(draw_menu, menu=menu) for menu in lists[:MENUS]])
    if len(lists) > MENUS:
        canvas.text(MARGIN, y + SIZE, f"and {len(lists) - MENUS} more lists of options", "quiet")
        y += SIZE + 12
    draw_legend(canvas, y + 4, families(found, lists[:MENUS]), asked=bool(menus.asked))
    return canvas.finish(f"{space.name}: the whole space", theme)


def _size(space: SearchSpace) -> str:
    """How many members and decisions there are."""
    size, many = space.plan.size, len(space.plan.decisions())
    exact = f"{size:,}" if size < 10**12 else f"about 10^{len(str(size)) - 1}" if size < 10**4000 else "over 10^4000"
    return f"{exact} genotypes of {many:,} decisions"


def open_sketches(space: SearchSpace, menus: Menus) -> tuple[tuple[Sketch | LatticeSketch, ...], int]:
    """(the panels of a space, how many were left out): its own form, or the outline of its grammar."""
    try:
        root = Cursor.root(space.grammar)
        panels = known(space, root, menus)
        if panels and root.builds == "trellis":
            ways = lattice(space)
            panels = (panels[0], *([ways] if ways is not None else []))
    except LoweringError:
        panels = ()
    cut = [_cut(panel) for panel in _alike(panels)]
    if not cut or any(panel is None for panel in cut):
        menus.clear()
        return (outline(space.grammar, menus),), 0
    kept = [panel for panel in cut if panel is not None]
    return tuple(kept[:PANELS]), max(len(kept) - PANELS, 0)


def _alike(panels: Sequence[Sketch | LatticeSketch]) -> Iterator[Sketch | LatticeSketch]:
    """Panels that differ in their titles alone are one."""
    groups: dict[object, list[Sketch | LatticeSketch]] = {}
    for panel in panels:
        plain = (
            replace(panel, title="")
            if isinstance(panel, LatticeSketch)
            else replace(panel, title="", asked=frozenset(), notes=())
        )
        groups.setdefault(plain, []).append(panel)
    for group in groups.values():
        last = group[-1]
        many = len(group) - 1
        if many and not isinstance(last, LatticeSketch):
            notes = dict.fromkeys(note for panel in group for note in getattr(panel, "notes", ()))
            last = replace(last, notes=tuple(notes)[:NOTES])
        alike = f"{last.title} alike" if many == 1 else f"{many} more alike"
        yield replace(last, title=f"{group[0].title}, and {alike}") if many else last


def _cut(panel: Sketch | LatticeSketch) -> Sketch | LatticeSketch | None:
    """A panel of bounded size; None where it cannot be one."""
    match panel:
        case CellSketch() if len(panel.arrows) > ARROWS:
            folded = _folded(panel)
            return folded if len(folded.arrows) <= MOST and len(panel.vertices) <= MOST else None
        case ChainSketch() if len(panel.operations) > MOST:
            left = f"and {len(panel.operations) - MOST} more layers"
            return replace(panel, operations=panel.operations[:MOST], notes=(*panel.notes, left))
        case _:
            return panel


def _folded(sketch: CellSketch) -> CellSketch:
    """One row for all the edges into a vertex that choose from one list."""
    rows: dict[tuple[int, str], list[Arrow]] = {}
    for arrow in sketch.arrows:
        letter = arrow.operation.rpartition(" ")[2] if arrow.operation in sketch.asked else arrow.operation
        rows.setdefault((arrow.target, letter), []).append(arrow)
    arrows: list[Arrow] = []
    asked = set(sketch.asked)
    for (target, letter), group in rows.items():
        sources = tuple(dict.fromkeys(source for arrow in group for source in arrow.sources))
        text = group[0].operation
        if len(group) > 1:
            text = f"{len(group)} edges, each {letter}"
            asked.add(text)
        arrows.append(Arrow(sources[0], target, text, all(a.sure for a in group), sources[1:]))
    return replace(sketch, arrows=tuple(arrows), asked=frozenset(asked))
