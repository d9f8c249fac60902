"""A canvas of absolute coordinates: everything that goes into an SVG passes here and is escaped here."""

import re
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr  # writes XML, reads none  # nosec B406

from app.architecture.draw.palette import Theme, style

SIZE = 12  # font size in pixels
ADVANCE = 0.62 * SIZE  # width of a character; monospaced fonts have 0.60 to 0.62 em
LONGEST = 40  # characters of a label
MARGIN = 16.0
ROW = 32.0  # height of a row
PILL = 22.0  # height of a box of one line
TALL = 36.0  # of a box of two lines
PAD = 8.0  # around a label
GAP = 22.0  # between columns, beside the operations there
PAGE = 1200  # width of a drawing in pixels: on a page 1000 wide its text is 10 pixels high
NARROWEST = 320  # what a drawing can be laid out for: the smallest phones
WIDEST = 4000

MARKS = 2  # on one character; more would climb into the line above

# Characters that XML 1.0 cannot hold, not even escaped, and direction marks that would reorder a label
_UNPRINTABLE = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]"
)


def label(text: str, longest: int = LONGEST) -> str:
    """Any text as one line of a label, cut where it is too long."""
    text = " ".join(_UNPRINTABLE.sub("\ufffd", text[: 8 * longest]).split())
    if text.isascii():
        return text if len(text) <= longest else text[: longest - 1] + "…"
    kept, cells, marks = list[str](), 0, 0
    for character in unicodedata.normalize("NFC", text):
        if not kept and _cells(character) == 0:
            character = "\ufffd"
        marks = marks + 1 if _cells(character) == 0 else 0
        if marks > MARKS:
            continue
        kept.append(character)
        cells += _cells(character)
        if cells > longest:
            while sum(map(_cells, kept)) > longest - 1:
                kept.pop()
            return "".join(kept) + "…"
    return "".join(kept)


def _cells(character: str) -> int:
    """How many characters' room a character takes: none of a mark on another, two of a wide one."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0xFFFF else 1


def width_of(text: str, longest: int = LONGEST) -> float:
    """Width of a label in pixels."""
    shown = label(text, longest)
    return (len(shown) if shown.isascii() else sum(map(_cells, shown))) * ADVANCE


class Canvas:
    """Collects shapes; `finish` gives the document. `width` is the room for everything, margins included."""

    def __init__(self, width: int = PAGE) -> None:
        self.width = width
        self.left = 0.0  # added to every x
        self.wires: list[str] = []  # under everything else
        self.shapes: list[str] = []
        self.right = 0.0
        self.bottom = 0.0

    def _reach(self, x: float, y: float) -> None:
        self.right, self.bottom = max(self.right, self.left + x), max(self.bottom, y)

    def room(self, x: float) -> int:
        """Characters from `x` to the right margin."""
        return max(int((self.width - MARGIN - x) / ADVANCE), 1)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        kind: str,
        *,
        height: float = PILL,
        round: float = 4,
        below: str = "",
        sure: bool = True,
    ) -> None:
        """A rectangle with a label in its middle, and perhaps a quiet one under it; the labels are cut to its width."""
        self._reach(x + width, y + height)
        classes = kind if sure else f"{kind} maybe"
        place = f'x="{self.left + x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round:g}"'
        self.shapes.append(f"<rect class={quoteattr(classes)} {place}/>")
        inside = max(int((width - PAD) / ADVANCE), 1)
        middle = y + (height / 2 if not below else PILL / 2) + SIZE * 0.35
        if text:
            self.text(x + width / 2, middle, text, anchor="middle", longest=inside)
        if below:
            self.text(x + width / 2, middle + 14, below, "quiet", anchor="middle", longest=inside)

    def text(
        self, x: float, y: float, text: str, kind: str = "", *, anchor: str = "start", longest: int | None = None
    ) -> None:
        """A label; `y` is its base line. It is cut to `longest` characters, or at the right margin."""
        most = longest if longest is not None else self.room(x)
        shown = label(text, most)
        width = width_of(text, most)
        start = x - (width / 2 if anchor == "middle" else 0)
        self._reach(start + width, y + SIZE * 0.3)
        classes = f" class={quoteattr(kind)}" if kind else ""
        # whatever font has an odd character, the label is as wide as was reckoned
        exact = "" if shown.isascii() or width == 0 else f' textLength="{width:g}" lengthAdjust="spacingAndGlyphs"'
        self.shapes.append(
            f'<text{classes} x="{self.left + x:g}" y="{y:g}" text-anchor="{anchor}"{exact}>{escape(shown)}</text>'
        )

    def paragraph(self, x: float, y: float, text: str, kind: str = "quiet", *, lines: int = 4) -> float:
        """Words in as many lines as they need, at most so many; returns the y below them."""
        room = self.room(x)
        rows, row = list[str](), ""
        for word in label(text, room * lines).split(" "):
            longer = f"{row} {word}" if row else word
            if row and width_of(longer, 10 * room) > room * ADVANCE:
                rows.append(row)
                longer = word
            row = longer
        for i, line in enumerate([*rows, row][:lines]):
            cut = "…" if i == lines - 1 and len(rows) >= lines else ""
            self.text(x, y + SIZE, f"{label(line, room - len(cut))}{cut}", kind)
            y += SIZE + 6
        return y

    def wire(
        self,
        points: Sequence[tuple[float, float]],
        kind: str = "wire",
        *,
        arrow: bool = False,
        sure: bool = True,
        dash: str = "",
    ) -> None:
        """A line through some points; `arrow` gives it a head at its end. What is not sure is dashed; `dash` says how
        another line is, in pixels."""
        for x, y in points:
            self._reach(x, y)
        points = [(self.left + x, y) for x, y in points]
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        classes = kind if sure else f"{kind} maybe"
        dashed = f" style={quoteattr(f'stroke-dasharray:{dash}')}" if dash else ""
        self.wires.append(f'<path class={quoteattr(classes)}{dashed} d="{path}"/>')
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            dx, dy = (0, 1) if x0 == x and y > y0 else (1 if x > x0 else -1, 0)
            ends = [(x - 6 * dx + 4 * dy * side, y - 6 * dy + 4 * dx * side) for side in (-1, 1)]
            head = f"M{ends[0][0]:g} {ends[0][1]:g} L{x:g} {y:g} L{ends[1][0]:g} {ends[1][1]:g}"
            self.wires.append(f'<path class={quoteattr(kind)} style="stroke-dasharray:none" d="{head}"/>')

    def area(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A faint surface within a line through some points, under everything that comes later."""
        for x, y in points:
            self._reach(x, y)
        path = "M" + " L".join(f"{self.left + x:g} {y:g}" for x, y in points) + "Z"
        style = "stroke:none;fill-opacity:.45"
        self.wires.append(f'<path class={quoteattr(kind)} style="{style}" d="{path}"/>')

    def dot(self, x: float, y: float) -> None:
        """Where a wire leaves a trunk."""
        self.wires.append(f'<circle class="dot" cx="{self.left + x:g}" cy="{y:g}" r="2.5"/>')

    def finish(self, title: str, theme: Theme = "auto", *, description: str = "") -> str:
        """The whole document, standing for itself; it shrinks with a page that is narrower.

        The description is what somebody is told who cannot see it, beside the title.
        """
        width, height = self.right + MARGIN, self.bottom + MARGIN
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" style="max-width:100%;height:auto" role="img" font-size="{SIZE}">'
        )
        body = "\n".join([*self.wires, *self.shapes])
        told = f"<desc>{escape(label(description, 4000))}</desc>\n" if description else ""
        return (
            f"{head}\n<title>{escape(label(title, 200))}</title>\n{told}<style>{style(theme)}</style>\n{body}\n</svg>\n"
        )
