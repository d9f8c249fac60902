"""A cell as a wide circuit: every vertex has a column of its own and a trunk that leads down from it.

Every operation has a row of its own, from the trunk it reads to the vertex it leads to, and stands just before that
vertex. Nothing can overlap: rows are never shared, and between two columns there is room for the longest label.
"""

from app.architecture.draw.canvas import GAP, MARGIN, PAD, PILL, ROW, TALL, Canvas, width_of
from app.architecture.draw.palette import kind_of
from app.architecture.draw.panels import Arrow, CellSketch

Lane = tuple[Arrow, float]  # an arrow and the y of its row


class Columns:
    """Where everything of one cell stands."""

    def __init__(self, sketch: CellSketch, y: float) -> None:
        self.sketch = sketch
        self.boxes = [box_width(sketch, i) for i in range(len(sketch.vertices))]
        self.lefts: list[float] = []  # left edge of each vertex
        x = MARGIN
        for i, width in enumerate(self.boxes):
            pills = [width_of(a.operation) + 2 * PAD for a in sketch.arrows if a.target == i and a.operation]
            x += max(pills, default=0.0) + (2 * GAP if pills else GAP if i >= sketch.inputs else 0.0)
            self.lefts.append(x)
            x += width + (GAP if i < sketch.inputs else 0.0)
        self.tops: list[float] = []
        self.lanes: list[Lane] = []
        for i in range(len(self.boxes)):
            into = [a for a in sketch.arrows if a.target == i]
            high = max(len(into) * ROW, self.height(i) + ROW - PILL)
            self.tops.append(y + (high - (ROW - PILL) - self.height(i)) / 2)
            first = y + (high - len(into) * ROW) / 2 + PILL / 2
            self.lanes += [(arrow, first + k * ROW) for k, arrow in enumerate(into)]
            if into or i >= sketch.inputs - 1:
                y += high
        self.bottom = y

    @property
    def right(self) -> float:
        """Of the output, where there is one beside the vertices."""
        end = self.lefts[-1] + self.boxes[-1]
        return end + GAP + output_width(self.sketch) if self.sketch.concat else end

    def height(self, vertex: int) -> float:
        """Of the box of a vertex."""
        return TALL if self.sketch.shape(vertex) else PILL

    def trunk(self, vertex: int) -> float:
        """The x of a vertex's trunk."""
        return self.lefts[vertex] + self.boxes[vertex] / 2


def box_width(sketch: CellSketch, vertex: int) -> float:
    """Width of a vertex: of its name or of its shape."""
    return max(width_of(sketch.names[vertex]), width_of(sketch.shape(vertex))) + 2 * PAD


def output_width(sketch: CellSketch) -> float:
    """Width of the box of what the vertices are joined to."""
    return max(width_of(sketch.joins), width_of(sketch.shape(len(sketch.vertices)))) + 2 * PAD


def draw_vertex(canvas: Canvas, sketch: CellSketch, vertex: int, x: float, y: float, width: float) -> None:
    """The box of a vertex: a pill where it carries an operation."""
    operation = sketch.labels[vertex] if sketch.labels else ""
    kind = kind_of(operation, sketch.asked) if operation else "state"
    shape = sketch.shape(vertex)
    height = TALL if shape else PILL
    corner = PILL / 2 if operation else 4
    canvas.box(x, y, width, sketch.names[vertex], kind, height=height, round=corner, below=shape)


def draw_columns(canvas: Canvas, y: float, sketch: CellSketch) -> float | None:
    """One cell from `y` on; None where it is too wide for the page."""
    at = Columns(sketch, y)
    if at.right > canvas.width - MARGIN:
        return None
    shape = sketch.shape(len(sketch.vertices))
    high = TALL if shape else PILL
    out = at.bottom + high / 2
    for i in range(len(at.boxes)):
        reads = [lane for arrow, lane in at.lanes if i in arrow.sources]
        if i in sketch.concat:
            reads.append(out)
        if reads:
            canvas.wire([(at.trunk(i), at.tops[i] + at.height(i)), (at.trunk(i), max(reads))])
        for lane in reads:
            canvas.dot(at.trunk(i), lane)
    for arrow, lane in at.lanes:
        _arrow(canvas, at, arrow, lane)
    for i, width in enumerate(at.boxes):
        draw_vertex(canvas, sketch, i, at.lefts[i], at.tops[i], width)
    if not sketch.concat:
        return at.bottom
    left = at.lefts[-1] + at.boxes[-1] + GAP
    first = min(at.trunk(i) for i in sketch.concat)
    canvas.wire([(first, out), (left, out)], arrow=True, sure=not sketch.maybe)
    canvas.box(left, out - high / 2, output_width(sketch), sketch.joins, "state", height=high, below=shape)
    return at.bottom + high + ROW - PILL


def _arrow(canvas: Canvas, at: Columns, arrow: Arrow, y: float) -> None:
    """One row: from the trunk it reads, by its operation if it has one, into its vertex."""
    start, end = min(map(at.trunk, arrow.sources)), at.lefts[arrow.target]
    wire = "wire"
    if arrow.operation:
        kind, width = kind_of(arrow.operation, at.sketch.asked), width_of(arrow.operation) + 2 * PAD
        left, wire = end - GAP - width, f"{kind}-wire"
        canvas.wire([(start, y), (left, y)], wire, sure=arrow.sure)
        canvas.box(left, y - PILL / 2, width, arrow.operation, kind, round=PILL / 2)
        start = left + width
    middle = at.tops[arrow.target] + at.height(arrow.target) / 2
    bend = end - GAP / 2
    route = [(start, y), (end, y)] if abs(y - middle) < 0.01 else [(start, y), (bend, y), (bend, middle), (end, middle)]
    canvas.wire(route, wire, arrow=True, sure=arrow.sure)
