"""Things one after another: rows of boxes that go on in the next row where the page ends, as words do."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.architecture.draw.canvas import GAP, MARGIN, PAD, PILL, SIZE, Canvas, width_of
from app.architecture.draw.palette import kind_of
from app.architecture.draw.panels import ChainSketch

BELOW = 16.0  # room of the shapes under a row
BETWEEN = 20.0  # rows, for the wire that leads to the next


@dataclass(frozen=True, slots=True)
class Item:
    """One box, and the shape of what it puts out."""

    text: str
    kind: str
    shape: str = ""
    sure: bool = True

    @property
    def width(self) -> float:
        """Of the widest of both."""
        return max(width_of(self.text), width_of(self.shape)) + 2 * PAD


def flow(canvas: Canvas, y: float, items: Sequence[Item], *, numbered: bool = False) -> float:
    """Items from `y` on, left to right and row by row; returns where the next panel may begin."""
    numbered = numbered and sum(item.width + GAP for item in items) > canvas.width - 2 * MARGIN
    left = MARGIN + (width_of(f"{len(items)}") + 6 if numbered else 0.0)
    most = canvas.width - MARGIN - left - GAP
    rows = list[list[tuple[int, float]]]()  # (item, left edge)
    x = left
    for i, item in enumerate(items):
        width = min(item.width, most)
        if i and x + width > canvas.width - MARGIN - GAP / 2:
            x = left
        if x == left:
            rows.append([])
        rows[-1].append((i, x))
        x += width + GAP
    end = (0.0, 0.0)
    for r, row in enumerate(rows):
        middle = y + PILL / 2
        for at, (i, x) in enumerate(row):
            item = items[i]
            width = min(item.width, most)
            if at:
                canvas.wire([end, (x, middle)], "wire", arrow=True, sure=item.sure)
            elif r:
                turn = y - BETWEEN / 2
                bend = end[0] + GAP / 2
                way = [end, (bend, end[1]), (bend, turn), (x + 12, turn), (x + 12, y)]
                canvas.wire(way, "wire", arrow=True, sure=item.sure)
            corner = 4 if item.kind in ("block", "state") else PILL / 2
            canvas.box(x, y, width, item.text, item.kind, round=corner, sure=item.sure)
            if item.shape:
                longest = int(width / (SIZE * 0.62))
                canvas.text(x + width / 2, y + PILL + SIZE + 2, item.shape, "quiet", anchor="middle", longest=longest)
            end = (x + width, middle)
        if numbered:
            canvas.text(MARGIN, middle + SIZE * 0.35, f"{row[0][0]}", "quiet")
        y += PILL + (BELOW if any(items[i].shape for i, _ in row) else 0.0) + BETWEEN
    return y - BETWEEN / 2


def draw_chain(canvas: Canvas, y: float, sketch: ChainSketch) -> float:
    """The layers of a chain; a shape stands under the first layer that has it."""
    if not sketch.operations:
        canvas.text(MARGIN, y + SIZE, "no layer", "quiet")
        return y + 30
    shapes = sketch.shapes or ("",) * len(sketch.operations)
    changes = [now if now != before else "" for now, before in zip(shapes, ("", *shapes), strict=False)]
    items = [
        Item(operation, kind_of(operation, sketch.asked), shape, sketch.least is None or i < sketch.least)
        for i, (operation, shape) in enumerate(zip(sketch.operations, changes, strict=True))
    ]
    return flow(canvas, y, items, numbered=len(items) > 1)
