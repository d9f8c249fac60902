"""Bars: what the options of decisions cost, a bar an option, decisions that are alike together.

Every option has a row of its own: its name, its bar, its figure; where the names are long for the width, a name has the
line above its bar. Bars are as long as costs are large; where the dearest option costs more than 20 times the cheapest
that costs anything, each step of the same length is the same factor instead, and the heading says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from app.architecture.draw.canvas import LONGEST, MARGIN, PAD, PAGE, SIZE, Canvas, width_of
from app.architecture.draw.palette import Theme, family

STEEP = 20  # ratio of the dearest to the cheapest beyond which bars are logarithmic
BAR = 16.0  # height of a bar
LINE = 24.0  # height of a row
SHORTEST = 0.06  # of the room: the bar of the cheapest option on a logarithmic scale
GROUPS = 60  # drawn; the rest is counted
NAMED = 3  # decisions that a heading names

_UNITS = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))


@dataclass(frozen=True, slots=True)
class Bar:
    """An option and what it costs."""

    name: str
    amount: float


@dataclass(frozen=True, slots=True)
class BarGroup:
    """Decisions whose options cost the same."""

    places: Sequence[str]
    bars: Sequence[Bar]


def draw_bars(
    title: str, unit: str, groups: Sequence[BarGroup], *, alike: int = 0, width: int = PAGE, theme: Theme = "auto"
) -> str:
    """The chart as a document of its own, laid out for a page so many pixels wide.

    `alike` is how many decisions are left out because their options cost the same.
    """
    canvas = Canvas(width)
    y = MARGIN
    canvas.text(MARGIN, y + SIZE, title, "title")
    y = canvas.paragraph(MARGIN, y + SIZE + 10, f"{unit} of each option where it stands") + 10
    for group in groups[:GROUPS]:
        y = _group(canvas, y, group, unit)
    if len(groups) > GROUPS:
        y = canvas.paragraph(MARGIN, y, f"and {len(groups) - GROUPS} further groups of decisions")
    if alike or not groups:
        rest = f"the options of {alike or 'all'} {'further ' if groups and alike else ''}decisions cost the same"
        canvas.paragraph(MARGIN, y, rest)
    return canvas.finish(title, theme)


def _group(canvas: Canvas, y: float, group: BarGroup, unit: str) -> float:
    """One group from `y` on; returns where the next may begin."""
    y = canvas.paragraph(MARGIN, y, _heading(group), "")
    dear = [bar.amount for bar in group.bars if bar.amount > 0]
    steep = bool(dear) and max(dear) > STEEP * min(dear)
    y = canvas.paragraph(MARGIN, y, _note(dear, unit, steep=steep)) + 6
    figures = [_short(bar.amount) for bar in group.bars]
    room = canvas.width - 2 * MARGIN - max(map(width_of, figures)) - 2 * PAD
    names = max(width_of(bar.name) for bar in group.bars) + PAD
    stacked = names > 0.4 * room
    left = MARGIN if stacked else MARGIN + names
    longest = room - (0 if stacked else names)
    for bar, figure in zip(group.bars, figures, strict=True):
        canvas.text(MARGIN, y + BAR / 2 + SIZE * 0.35, bar.name, longest=min(LONGEST, canvas.room(MARGIN)))
        if stacked:
            y += LINE - 4
        length = longest * _share(bar.amount, dear, steep=steep)
        if length:
            canvas.box(left, y, length, "", family(bar.name), height=BAR, round=2)
        canvas.text(
            left + length + (PAD if length else 0), y + BAR / 2 + SIZE * 0.35, figure, "quiet", longest=len(figure)
        )
        y += LINE
    return y + 12


def _heading(group: BarGroup) -> str:
    named = ", ".join(group.places[:NAMED])
    more = len(group.places) - NAMED
    return f"{named} and {more} more" if more > 0 else named


def _note(dear: Sequence[float], unit: str, *, steep: bool) -> str:
    if not dear:
        return "no option costs anything"
    ratio = f"dearest over cheapest: {_short(max(dear) / min(dear))}"
    return f"{ratio}; logarithmic scale from {_short(min(dear))} to {_short(max(dear))} {unit}" if steep else ratio


def _share(amount: float, dear: Sequence[float], *, steep: bool) -> float:
    """Length of a bar, of the room."""
    if amount <= 0:
        return 0.0
    if not steep:
        return amount / max(dear)
    return SHORTEST + (1 - SHORTEST) * log(amount / min(dear)) / log(max(dear) / min(dear))


def _short(amount: float) -> str:
    """Three digits and a unit."""
    for size, unit in _UNITS:
        if abs(amount) >= 0.9995 * size:
            return f"{amount / size:.3g}{unit}"
    return f"{amount:.3g}"
