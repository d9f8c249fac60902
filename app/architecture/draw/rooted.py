"""A derivation, one row under another; what belongs together hangs on one line."""

from app.architecture.draw.canvas import GAP, MARGIN, PAD, PILL, ROW, SIZE, Canvas, width_of
from app.architecture.draw.palette import family
from app.architecture.draw.tree import TreeSketch
from app.architecture.vocabulary import is_operation

INDENT = 26.0  # of a level of a derivation


def value_kind(value: str, sketch: TreeSketch) -> str:
    """The class of a value's box: of a derivation only operations have a colour."""
    return "menu" if value in sketch.asked else family(value) if is_operation(value) else "state"


def draw_tree(canvas: Canvas, y: float, sketch: TreeSketch) -> float:
    """The rows of a derivation from `y` on."""
    deepest = max((row.level for row in sketch.rows), default=0)
    room = canvas.width - 2 * MARGIN - 220  # what a row needs right of its indent
    indent = min(INDENT, max(room, 60.0) / max(deepest, 1))
    above: list[float] = []  # the lowest row of each level that still has room below
    for row in sketch.rows:
        x, middle = MARGIN + row.level * indent, y + PILL / 2
        del above[row.level + 1 :]
        start = above[row.level] if row.level < len(above) else y - (ROW - PILL) / 2
        above[row.level :] = [middle]
        tick = min(PAD, indent * 0.6)
        canvas.wire([(x + tick / 2, start), (x + tick / 2, middle), (x + tick + 2, middle)])
        left = x + tick + 6
        room_here = canvas.width - MARGIN - left
        value = width_of(row.value) + 2 * PAD if row.value else 0.0
        name = min(width_of(row.name), max(room_here - value - PAD, room_here * 0.4)) if value else room_here
        most = max(int(name / width_of("x")), 1)
        canvas.text(left, middle + SIZE * 0.35, row.name, "quiet", longest=min(most, 40))
        if row.value:
            at = left + min(width_of(row.name, most), name) + PAD
            box = min(value, canvas.width - MARGIN - at)
            canvas.box(at, y, max(box, GAP), row.value, value_kind(row.value, sketch), round=PILL / 2)
        y += ROW
    if sketch.more:
        canvas.text(MARGIN, y + SIZE, f"and more than these {len(sketch.rows)} rows", "quiet")
        y += ROW
    return y
