"""Cells and networks as SVG.

A cell is drawn like a circuit. Every vertex has a column of its own and a trunk that leads down from it; every
operation has a row of its own, from the trunk it reads to the vertex it leads to, and stands just before that vertex.
Where the vertices carry the operations the rows are plain arrows.
Nothing can overlap: rows are never shared, and between two columns there is room for the longest label.
"""

from app.architecture.draw.canvas import SIZE, Canvas, width_of
from app.architecture.draw.palette import FAMILIES, family
from app.architecture.draw.panels import CellSketch, ChainSketch
from app.architecture.draw.sketch import Sketch, sketches
from app.architecture.draw.strip import Block, strip
from app.architecture.draw.tree import TreeSketch
from app.architecture.vocabulary import OPERATIONS
from app.space import ImageInput, SearchSpace, Skeleton

MARGIN = 16.0
ROW = 32.0  # height of a row
PILL = 22.0  # height of an operation
PAD = 8.0  # around a label
GAP = 22.0  # between columns, beside the operations there
INDENT = 26.0  # of a level of a derivation
BLOCKS = 8  # of a network's blocks in one line


def draw_svg(
    space: SearchSpace, genotype: object, skeleton: Skeleton | None = None, image: ImageInput | None = None
) -> str:
    """The cells of a genotype, its chain, circuit or derivation, and above them the network where a skeleton is given.

    A document that stands for itself: no script, no link, colours for light and dark. InvalidGenotype of what is no
    member; LoweringError of a skeleton that does not fit.
    """
    canvas = Canvas()
    found = sketches(space, genotype)
    y = MARGIN
    if skeleton is not None:
        y = _network(canvas, y, strip(space, genotype, skeleton, image or space.input))
    for sketch in found:
        match sketch:
            case CellSketch():
                y = _cell(canvas, y, sketch)
            case ChainSketch():
                y = _chain(canvas, y, sketch)
            case TreeSketch():
                y = _tree(canvas, y, sketch)
    _legend(canvas, y, found)
    return canvas.finish(f"{space.name}: {', '.join(sketch.title for sketch in found)}")


def _heading(canvas: Canvas, y: float, text: str) -> float:
    canvas.text(MARGIN, y + SIZE, text, "title")
    return y + SIZE + 14


def _cell(canvas: Canvas, y: float, sketch: CellSketch) -> float:
    """One cell from `y` on; returns where the next panel may begin."""
    y = _heading(canvas, y, sketch.title)
    boxes = [width_of(name) + 2 * PAD for name in sketch.names]
    columns: list[float] = []  # left edge of each vertex
    x = MARGIN
    for i, width in enumerate(boxes):
        pills = [width_of(a.operation) + 2 * PAD for a in sketch.arrows if a.target == i and a.operation]
        x += max(pills, default=0.0) + (2 * GAP if pills else GAP if i >= sketch.inputs else 0.0)
        columns.append(x)
        x += width + (GAP if i < sketch.inputs else 0.0)
    row = y
    place: list[float] = []  # top of each vertex
    lanes: list[tuple[int, str, int, float]] = []
    for i in range(len(boxes)):
        into = [a for a in sketch.arrows if a.target == i]
        place.append(row + (len(into) - 1) * ROW / 2 if into else row)
        for k, arrow in enumerate(into):
            lanes.append((arrow.source, arrow.operation, i, row + k * ROW + PILL / 2))
        if into:
            row += len(into) * ROW
        elif i >= sketch.inputs - 1:
            row += ROW
    out = row + PILL / 2 if sketch.concat else None
    _trunks(canvas, columns, boxes, place, lanes, sketch.concat, out)
    for source, operation, target, lane in lanes:
        _operation(canvas, columns, boxes, place, (source, operation, target, lane))
    for i, name in enumerate(sketch.names):
        kind = family(sketch.labels[i]) if sketch.labels and sketch.labels[i] else "state"
        canvas.box(columns[i], place[i], boxes[i], PILL, name, kind, round=4 if kind == "state" else PILL / 2)
    if out is not None:
        left = columns[-1] + boxes[-1] + GAP
        first = min(columns[i] + boxes[i] / 2 for i in sketch.concat)
        canvas.wire([(first, out), (left, out)], arrow=True)
        canvas.box(left, out - PILL / 2, width_of(sketch.joins) + 2 * PAD, PILL, sketch.joins, "state")
        row += ROW
    return row + 18


def _trunks(
    canvas: Canvas,
    columns: list[float],
    boxes: list[float],
    place: list[float],
    lanes: list[tuple[int, str, int, float]],
    concat: tuple[int, ...],
    out: float | None,
) -> None:
    """The line down from every vertex that something reads, to the last row that does."""
    for i, (left, width) in enumerate(zip(columns, boxes, strict=True)):
        reads = [lane for source, _, _, lane in lanes if source == i]
        if out is not None and i in concat:
            reads.append(out)
        if not reads:
            continue
        x = left + width / 2
        canvas.wire([(x, place[i] + PILL), (x, max(reads))])
        for lane in reads:
            canvas.dot(x, lane)


def _operation(
    canvas: Canvas, columns: list[float], boxes: list[float], place: list[float], lane: tuple[int, str, int, float]
) -> None:
    """One row: from the trunk it reads, by its operation if it has one, into its vertex."""
    source, operation, target, y = lane
    start, end = columns[source] + boxes[source] / 2, columns[target]
    wire = "wire"
    if operation:
        kind, width = family(operation), width_of(operation) + 2 * PAD
        left, wire = end - GAP - width, f"{kind}-wire"
        canvas.wire([(start, y), (left, y)], wire)
        canvas.box(left, y - PILL / 2, width, PILL, operation, kind, round=PILL / 2)
        start = left + width
    middle = place[target] + PILL / 2
    bend = end - GAP / 2
    route = [(start, y), (end, y)] if y == middle else [(start, y), (bend, y), (bend, middle), (end, middle)]
    canvas.wire(route, wire, arrow=True)


def _chain(canvas: Canvas, y: float, sketch: ChainSketch) -> float:
    """Layers from top to bottom."""
    y = _heading(canvas, y, sketch.title)
    widest = max((width_of(o) for o in sketch.operations), default=0.0) + 2 * PAD
    number = width_of(f"{len(sketch.operations)}") + PAD
    middle = MARGIN + number + widest / 2
    for i, operation in enumerate(sketch.operations):
        canvas.text(MARGIN, y + PILL / 2 + SIZE * 0.35, f"{i}", "quiet")
        canvas.box(MARGIN + number, y, widest, PILL, operation, family(operation), round=PILL / 2)
        if i + 1 < len(sketch.operations):
            canvas.wire([(middle, y + PILL), (middle, y + ROW)], arrow=True)
        y += ROW
    if not sketch.operations:
        canvas.text(MARGIN, y + SIZE, "no layer", "quiet")
        y += ROW
    return y + 18


def _tree(canvas: Canvas, y: float, sketch: TreeSketch) -> float:
    """A derivation, one row under another; what belongs together hangs on one line."""
    y = _heading(canvas, y, sketch.title)
    above: list[float] = []  # the lowest row of each level that still has room below
    for row in sketch.rows:
        x, middle = MARGIN + row.level * INDENT, y + PILL / 2
        del above[row.level + 1 :]
        start = above[row.level] if row.level < len(above) else y - (ROW - PILL) / 2
        above[row.level :] = [middle]
        canvas.wire([(x + PAD / 2, start), (x + PAD / 2, middle), (x + PAD + 4, middle)])
        left = x + PAD + 8
        canvas.text(left, middle + SIZE * 0.35, row.name, "quiet")
        if row.value:
            kind = family(row.value) if row.value in OPERATIONS else "state"
            box = width_of(row.value) + 2 * PAD
            canvas.box(left + width_of(row.name) + PAD, y, box, PILL, row.value, kind, round=PILL / 2)
        y += ROW
    if sketch.more:
        canvas.text(MARGIN, y + SIZE, f"and more than these {len(sketch.rows)} rows", "quiet")
        y += ROW
    return y + 18


def _network(canvas: Canvas, y: float, blocks: tuple[Block, ...]) -> float:
    """The skeleton as a strip of blocks, each with the shape of its output."""
    y = _heading(canvas, y, "network")
    x = MARGIN
    for i, block in enumerate(blocks):
        if i and i % BLOCKS == 0:
            x, y = MARGIN, y + 62
        width = max(width_of(block.title), width_of(block.shape)) + 2 * PAD
        if i:
            canvas.wire([(x, y + PILL / 2), (x + GAP, y + PILL / 2)], arrow=True)
            x += GAP
        canvas.box(x, y, width, PILL, block.title, "block")
        canvas.text(x + width / 2, y + PILL + SIZE + 4, block.shape, "quiet", anchor="middle")
        x += width
    return y + 62


def _legend(canvas: Canvas, y: float, found: tuple[Sketch, ...]) -> None:
    names: list[str] = []
    for sketch in found:
        known = isinstance(sketch, TreeSketch)  # of a derivation only operations have a colour
        names += [family(o) for o in sketch.operations if not known or o in OPERATIONS]
    x = MARGIN
    limit = max(canvas.right, 420.0)
    for kind in FAMILIES:
        if kind not in names:
            continue
        title = FAMILIES[kind][0]
        width = 26 + width_of(title) + 18
        if x > MARGIN and x + width > limit:
            x, y = MARGIN, y + 22
        canvas.box(x, y, 18, 12, "", kind, round=6)
        canvas.text(x + 26, y + 10, title, "quiet")
        x += width
