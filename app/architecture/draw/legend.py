"""Legends: what the colours mean, and what the letters of open decisions stand for."""

from collections.abc import Iterable, Sequence

from app.architecture.draw.canvas import GAP, MARGIN, PAD, PILL, SIZE, Canvas, width_of
from app.architecture.draw.menus import Menu
from app.architecture.draw.palette import FAMILIES, family
from app.architecture.draw.tree import TreeSketch
from app.architecture.vocabulary import is_operation

SHOWN = 24  # options of a menu


def families(found: Iterable[object], menus: Sequence[Menu] = ()) -> list[str]:
    """The families that occur, in the order of the legend."""
    names = {family(o) for menu in menus for o in menu.options[:SHOWN] if is_operation(o)}
    for sketch in found:
        known = isinstance(sketch, TreeSketch)  # of a derivation only operations have a colour
        asked = getattr(sketch, "asked", frozenset[str]())
        operations: tuple[str, ...] = getattr(sketch, "operations", ())
        names |= {family(o) for o in operations if o not in asked and (not known or is_operation(o))}
    return [name for name in FAMILIES if name in names]


def draw_legend(canvas: Canvas, y: float, kinds: Sequence[str], *, asked: bool) -> float:
    """A sample and the title of every family, and of what is open."""
    entries = [(kind, FAMILIES[kind][0]) for kind in kinds]
    if asked:
        entries.append(("menu", "open decision: one of a list"))
    x = MARGIN
    limit = min(max(canvas.right, 640.0), canvas.width - MARGIN)
    for kind, title in entries:
        width = 26 + width_of(title) + 18
        if x > MARGIN and x + width - 18 > limit:
            x, y = MARGIN, y + 22
        canvas.box(x, y, 18, "", kind, height=12, round=6)
        canvas.text(x + 26, y + 10, title, "quiet")
        x += width
    return y + 22 if entries else y


def draw_menu(canvas: Canvas, y: float, menu: Menu) -> float:
    """A list of options under its letter."""
    canvas.text(MARGIN, y + SIZE, f"{menu.letter}: {menu.title}", "title")
    y += SIZE + 12
    x = MARGIN
    for option in menu.options[:SHOWN]:
        kind = family(option) if is_operation(option) else "state"
        width = min(width_of(option) + 2 * PAD, canvas.width - 2 * MARGIN)
        if x > MARGIN and x + width > canvas.width - MARGIN:
            x, y = MARGIN, y + PILL + 6
        canvas.box(x, y, width, option, kind, round=PILL / 2)
        x += width + GAP / 2
    y += PILL + 8
    if len(menu.options) > SHOWN:
        canvas.text(MARGIN, y + SIZE, f"and {len(menu.options) - SHOWN} more", "quiet")
        y += SIZE + 12
    return y + 6
