"""Courses: lines over a number of steps, each with a band, and a legend that says what they end at.

The scale of the values begins where the bands are after a tenth of the steps: what is worse before runs along the edge,
and the drawing says so. A line is told from the others by its colour and by its dashes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from app.architecture.draw.canvas import ADVANCE, MARGIN, PAD, PAGE, SIZE, Canvas, width_of
from app.architecture.draw.palette import Theme

COLOURS = ("separable", "max", "convolution", "mobile", "identity", "feed", "average", "other", "activation", "merge")
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # with the colours, 20 different lines
EARLY = 0.1  # share of the steps after which the bands decide the scale
TICKS = 5
TALLEST = 420.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A course. Where a value is None, the line is not there yet; a band is as long as its line, or empty."""

    name: str
    says: str  # what it ends at, for the legend
    at: Sequence[int]
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


def draw_courses(
    title: str,
    lines: Sequence[Line],
    *,
    across: str,
    up: str,
    larger_is_better: bool = True,
    above: Sequence[str] = (),
    below: Sequence[str] = (),
    level: tuple[str, float] | None = None,
    width: int = PAGE,
    theme: Theme = "auto",
) -> str:
    """The chart as a document of its own.

    Args:
        title: what is drawn.
        lines: the courses, in the order of the legend.
        across: what the steps are.
        up: what the values are.
        larger_is_better: which end of the scale is cut off before EARLY.
        above: sentences under the title, to be read before the numbers.
        below: sentences under the legend.
        level: a value that is drawn as a line across, with its name.
        width: room in pixels.
        theme: colours.
    """
    canvas = Canvas(width)
    y = MARGIN
    canvas.text(MARGIN, y + SIZE, title, "title")
    y += SIZE + 8
    for sentence in above:
        y = canvas.paragraph(MARGIN, y, sentence, "title")
    y = canvas.paragraph(MARGIN, y, up) + 6
    steps = max((line.at[-1] for line in lines if line.at), default=1)
    scale = _scale(lines, steps, level, larger_is_better=larger_is_better)
    if scale is None:
        y = canvas.paragraph(MARGIN, y, "nothing was measured")
    else:
        frame = _Frame(canvas, y, steps, *scale)
        frame.axes(across)
        for i, line in enumerate(lines):
            frame.band(line, COLOURS[i % len(COLOURS)])
        if level is not None:
            frame.across(level[1])
        for i, line in enumerate(lines):
            frame.line(line, COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)])
        y = frame.bottom + 3 * SIZE + 12
        y = _legend(canvas, y, lines, level)
        if frame.cut:
            below = (*below, f"what is worse than {_short(frame.worst)} runs along the edge")
    for sentence in below:
        y = canvas.paragraph(MARGIN, y, sentence)
    told = "; ".join([*above, *(f"{line.name}: {line.says}" for line in lines), *below])
    return canvas.finish(title, theme, description=told)


class _Frame:
    """Where the axes are, and what becomes of values outside."""

    def __init__(self, canvas: Canvas, top: float, steps: int, low: float, high: float, larger_is_better: bool) -> None:
        self.canvas, self.steps, self.low, self.high = canvas, steps, low, high
        self.worst = low if larger_is_better else high
        self.ticks = ticks(low, high, TICKS)
        self.left = MARGIN + max(width_of(_short(tick)) for tick in self.ticks) + PAD
        self.right = canvas.width - MARGIN
        self.top, self.bottom = top, top + min(TALLEST, 0.6 * canvas.width)
        self.cut = False

    def axes(self, across: str) -> None:
        """The frame, its ticks and what it says of them."""
        corners = [
            (self.left, self.top),
            (self.left, self.bottom),
            (self.right, self.bottom),
            (self.right, self.top),
            (self.left, self.top),
        ]
        self.canvas.wire(corners)
        for tick in self.ticks:
            y = self._y(tick)
            self.canvas.wire([(self.left - 4, y), (self.left, y)])
            text = _short(tick)
            self.canvas.text(self.left - PAD - width_of(text), y + SIZE * 0.35, text, "quiet", longest=len(text))
        for tick in ticks(1, self.steps, TICKS):
            x, text = self._x(tick), _short(tick)
            self.canvas.wire([(x, self.bottom), (x, self.bottom + 4)])
            start = min(x - width_of(text) / 2, self.right - width_of(text))
            self.canvas.text(start, self.bottom + SIZE + 6, text, "quiet", longest=len(text))
        middle = (self.left + self.right) / 2
        room = int((self.right - self.left) / ADVANCE)
        self.canvas.text(middle, self.bottom + 2 * SIZE + 10, across, anchor="middle", longest=room)

    def band(self, line: Line, colour: str) -> None:
        """From the low to the high values."""
        there = (
            [(n, a, b) for n, a, b in zip(line.at, line.low, line.high, strict=True) if a is not None]
            if (line.low)
            else []
        )
        if len(there) > 1:
            upper = [(self._x(n), self._y(b or 0.0)) for n, _, b in there]
            lower = [(self._x(n), self._y(a)) for n, a, _ in reversed(there)]
            self.canvas.area([*upper, *lower], colour)

    def line(self, line: Line, colour: str, dash: str) -> None:
        """The values themselves."""
        points = [(self._x(n), self._y(v)) for n, v in zip(line.at, line.values, strict=True) if v is not None]
        if points:
            self.canvas.wire(
                points if len(points) > 1 else [points[0], (self.right, points[0][1])],
                f"{colour}-wire way",
                dash=dash,
            )

    def across(self, value: float) -> None:
        """A line at a value, from side to side."""
        y = self._y(value)
        self.canvas.wire([(self.left, y), (self.right, y)], dash="1 4")

    def _x(self, n: float) -> float:
        return round(self.left + (self.right - self.left) * (n - 1) / max(self.steps - 1, 1), 2)

    def _y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        self.cut = self.cut or inside != value
        return round(self.bottom - (self.bottom - self.top) * (inside - self.low) / (self.high - self.low), 2)


def _scale(
    lines: Sequence[Line], steps: int, level: tuple[str, float] | None, *, larger_is_better: bool
) -> tuple[float, float, bool] | None:
    """The least and the largest value that are drawn, and which way is better; None where there is no value."""
    late: list[float] = [] if level is None else [level[1]]
    best: list[float] = []
    for line in lines:
        for series in (line.values, line.low, line.high):
            there = [(n, v) for n, v in zip(line.at, series, strict=False) if v is not None]
            after = [v for n, v in there if n >= EARLY * steps] or [v for _, v in there[-1:]]
            late += after
            best += [v for _, v in there]
    if not best:
        return None
    low, high = min(late), max(late)
    if larger_is_better:
        high = max(high, *best)
    else:
        low = min(low, *best)
    room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.01
    return low - room, high + room, larger_is_better


def _legend(canvas: Canvas, y: float, lines: Sequence[Line], level: tuple[str, float] | None) -> float:
    """A piece of every line, its name and what it ends at."""
    for i, line in enumerate(lines):
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)]
        canvas.wire([(MARGIN, y + SIZE * 0.6), (MARGIN + 36, y + SIZE * 0.6)], f"{colour}-wire way", dash=dash)
        y = canvas.paragraph(MARGIN + 36 + PAD, y, f"{line.name}: {line.says}", "", lines=2)
    if level is not None:
        canvas.wire([(MARGIN, y + SIZE * 0.6), (MARGIN + 36, y + SIZE * 0.6)], dash="1 4")
        y = canvas.paragraph(MARGIN + 36 + PAD, y, f"{level[0]}: {_short(level[1])}", "", lines=2)
    return y + 6


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers from `low` to `high`, about so many: multiples of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    found = [round(i * step, 12) for i in range(ceil(low / step), floor(high / step) + 1)]
    return found or [low]


def _short(value: float) -> str:
    return f"{value:.6g}"
