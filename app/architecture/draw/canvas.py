"""A canvas of absolute coordinates: everything that goes into an SVG passes here and is escaped here."""

import re
from xml.sax.saxutils import escape, quoteattr

from app.architecture.draw.palette import style

SIZE = 12  # font size in pixels
ADVANCE = 0.62 * SIZE  # width of a character; monospaced fonts have 0.60 to 0.62 em
LONGEST = 40  # characters of a label

# Characters that XML 1.0 cannot hold, not even escaped, and direction marks that would reorder a label
_UNPRINTABLE = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2066-\u2069]"
)


def label(text: str) -> str:
    """Any text as one line of a label, cut where it is too long."""
    text = " ".join(_UNPRINTABLE.sub("\ufffd", text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def width_of(text: str) -> float:
    """Width of a label in pixels."""
    return len(label(text)) * ADVANCE


class Canvas:
    """Collects shapes; `finish` gives the document."""

    def __init__(self) -> None:
        self.wires: list[str] = []  # under everything else
        self.shapes: list[str] = []
        self.right = 0.0
        self.bottom = 0.0

    def _reach(self, x: float, y: float) -> None:
        self.right, self.bottom = max(self.right, x), max(self.bottom, y)

    def box(self, x: float, y: float, width: float, height: float, text: str, kind: str, *, round: float = 4) -> None:
        """A rectangle with a label in its middle."""
        self._reach(x + width, y + height)
        self.shapes.append(
            f'<rect class={quoteattr(kind)} x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round:g}"/>'
        )
        self.text(x + width / 2, y + height / 2 + SIZE * 0.35, text, anchor="middle")

    def text(self, x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> None:
        """A label; `y` is its base line."""
        shown = label(text)
        start = x - (width_of(shown) / 2 if anchor == "middle" else 0)
        self._reach(start + width_of(shown), y + SIZE * 0.3)
        classes = f" class={quoteattr(kind)}" if kind else ""
        self.shapes.append(f'<text{classes} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(shown)}</text>')

    def wire(self, points: list[tuple[float, float]], kind: str = "wire", *, arrow: bool = False) -> None:
        """A line through some points; `arrow` gives it a head that points right or down."""
        for x, y in points:
            self._reach(x, y)
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        self.wires.append(f'<path class={quoteattr(kind)} d="{path}"/>')
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            head = f"M{x - 6:g} {y - 4:g} L{x:g} {y:g} L{x - 6:g} {y + 4:g}"
            if x0 == x and y > y0:
                head = f"M{x - 4:g} {y - 6:g} L{x:g} {y:g} L{x + 4:g} {y - 6:g}"
            self.wires.append(f'<path class={quoteattr(kind)} style="stroke-dasharray:none" d="{head}"/>')

    def dot(self, x: float, y: float) -> None:
        """Where a wire leaves a trunk."""
        self.wires.append(f'<circle class="dot" cx="{x:g}" cy="{y:g}" r="2.5"/>')

    def finish(self, title: str, margin: float = 16) -> str:
        """The whole document, standing for itself."""
        width, height = self.right + margin, self.bottom + margin
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" role="img" font-size="{SIZE}">'
        )
        body = "\n".join([*self.wires, *self.shapes])
        return f"{head}\n<title>{escape(label(title))}</title>\n<style>{style()}</style>\n{body}\n</svg>\n"
