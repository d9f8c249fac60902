"""A cell from top to bottom, for narrow pages: every vertex has a rail at the left that leads down from it.

Operations and vertices stand in one column at the right of all rails, each in a row of its own; an operation reads a
rail, and behind the column a line leads down to its vertex. A rail is used again once nothing below reads its vertex.
"""

from app.architecture.draw.canvas import ADVANCE, MARGIN, PAD, PILL, ROW, TALL, Canvas, width_of
from app.architecture.draw.columns import box_width, draw_vertex, output_width
from app.architecture.draw.palette import kind_of
from app.architecture.draw.panels import Arrow, CellSketch

RAIL = 12.0  # between two rails
CLOSE = 7.0  # where the labels need the room
BEHIND = 14.0  # room for the line behind the column
LEAST = 18 * ADVANCE  # of the column


def draw_rails(canvas: Canvas, y: float, sketch: CellSketch) -> float:
    """One cell from `y` on; returns where the next panel may begin."""
    rails = _rails(sketch)
    many = 1 + max(rails)
    pills = [width_of(a.operation) + 2 * PAD for a in sketch.arrows]
    boxes = [box_width(sketch, i) for i in range(len(sketch.vertices))]
    room = canvas.width - 2 * MARGIN - BEHIND - 10
    step = min(RAIL, max((room - max([*pills, *boxes])) / many, CLOSE), max((room - LEAST) / many, 3.0))
    trunks = [MARGIN + 4 + rail * step for rail in rails]
    left = MARGIN + many * step + 10
    most = canvas.width - MARGIN - BEHIND - left
    behind = left + min(max([*pills, *boxes]), most) + BEHIND - 4
    starts: list[float] = []  # where the rail of each vertex begins
    ends = dict[int, float]()  # and ends
    for i in range(len(boxes)):
        into = [a for a in sketch.arrows if a.target == i]
        plain = not any(a.operation for a in into)
        rows: list[float] = []
        for arrow in into:
            lane = y + PILL / 2
            for source in arrow.sources:
                _read(canvas, trunks[source], lane, ends, source)
            start = min(trunks[source] for source in arrow.sources)
            if plain:
                rows.append(lane)
                y += RAIL
                continue
            if not arrow.operation:
                canvas.wire([(start, lane), (behind, lane)], sure=arrow.sure)
                rows.append(lane)
                y += ROW - 4
                continue
            kind, width = kind_of(arrow.operation, sketch.asked), min(width_of(arrow.operation) + 2 * PAD, most)
            wire = f"{kind}-wire"
            canvas.wire([(start, lane), (left, lane)], wire, arrow=True, sure=arrow.sure)
            canvas.box(left, y, width, arrow.operation, kind, round=PILL / 2)
            canvas.wire([(left + width, lane), (behind, lane)], wire, sure=arrow.sure)
            rows.append(lane)
            y += ROW - 4
        y += 4 if into and not plain else 0
        high, width = TALL if sketch.shape(i) else PILL, min(boxes[i], most)
        middle = y + high / 2
        if plain:
            reads = [min(trunks[s] for s in arrow.sources) for arrow in into]
            _plain(canvas, list(zip(into, reads, rows, strict=True)), left, middle)
        elif rows:
            canvas.wire([(behind, min(rows)), (behind, middle), (left + width, middle)], arrow=True)
        draw_vertex(canvas, sketch, i, left, y, width)
        if any(i in a.sources for a in sketch.arrows) or i in sketch.concat:
            canvas.wire([(left, middle), (trunks[i], middle)])
        starts.append(middle)
        y += high + 10
    if sketch.concat:
        y = _output(canvas, y, sketch, left, most, trunks, ends)
    for i, end in ends.items():
        canvas.wire([(trunks[i], starts[i]), (trunks[i], end)])
    return y


def _read(canvas: Canvas, x: float, lane: float, ends: dict[int, float], vertex: int) -> None:
    canvas.dot(x, lane)
    ends[vertex] = lane


def _plain(canvas: Canvas, into: list[tuple[Arrow, float, float]], left: float, middle: float) -> None:
    """Arrows without operations: together into the left side of their vertex."""
    bend = left - 8
    for arrow, trunk, lane in into:
        canvas.wire([(trunk, lane), (bend, lane), (bend, middle), (left, middle)], arrow=True, sure=arrow.sure)


def _output(
    canvas: Canvas, y: float, sketch: CellSketch, left: float, most: float, trunks: list[float], ends: dict[int, float]
) -> float:
    """What the vertices are joined to: every rail that is still read ends in its row."""
    shape = sketch.shape(len(sketch.vertices))
    high = TALL if shape else PILL
    middle = y + high / 2
    for i in sketch.concat:
        _read(canvas, trunks[i], middle, ends, i)
    first = min(trunks[i] for i in sketch.concat)
    canvas.wire([(first, middle), (left, middle)], arrow=True, sure=not sketch.maybe)
    canvas.box(left, y, min(output_width(sketch), most), sketch.joins, "state", height=high, below=shape)
    return y + high + 10


def _rails(sketch: CellSketch) -> list[int]:
    """The rail of each vertex: the first that is free from its row to the last that reads it."""
    many = len(sketch.vertices)
    last = [max((a.target for a in sketch.arrows if i in a.sources), default=i) for i in range(many)]
    for i in sketch.concat:
        last[i] = many
    busy: list[int] = []  # of each rail, the last vertex that reads it
    rails: list[int] = []
    for i in range(many):
        free = next((r for r, until in enumerate(busy) if until < i), len(busy))
        busy[free : free + 1] = [last[i]]
        rails.append(free)
    return rails
