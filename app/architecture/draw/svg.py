"""Members as SVG: the network where a skeleton is given, the cells, chains or derivation, and what the colours mean.

Everything is laid out for a page of some width: what is wider goes on below, and a cell too wide for the page is drawn
from top to bottom (see `columns` and `rails`).
"""

from collections.abc import Sequence
from functools import partial

from app.architecture.draw.canvas import MARGIN, NARROWEST, PAGE, SIZE, WIDEST, Canvas
from app.architecture.draw.columns import draw_columns
from app.architecture.draw.lattice import LatticeSketch, draw_lattice, lattice
from app.architecture.draw.legend import draw_legend, families
from app.architecture.draw.palette import Theme
from app.architecture.draw.panels import CellSketch, ChainSketch
from app.architecture.draw.places import Places
from app.architecture.draw.rails import draw_rails
from app.architecture.draw.rooted import draw_tree
from app.architecture.draw.rows import Item, draw_chain, flow
from app.architecture.draw.shapes import shaped
from app.architecture.draw.shelves import shelve
from app.architecture.draw.sketch import Sketch, sketches
from app.architecture.draw.strip import Block, strip
from app.architecture.draw.tree import TreeSketch
from app.architecture.lower import lower
from app.space import ImageInput, Record, SearchSpace, Skeleton


def draw_svg(
    space: SearchSpace,
    genotype: object,
    skeleton: Skeleton | None = None,
    image: ImageInput | None = None,
    *,
    theme: Theme = "auto",
    width: int = PAGE,
) -> str:
    """The cells of a genotype, its chain, circuit or derivation, and above them the network where a skeleton is given.

    A document that stands for itself: no script, no link. `theme` `auto` follows the reader; `width` is the room in
    pixels that it is laid out for. InvalidGenotype of what is no member; LoweringError of a skeleton that does not fit.
    """
    canvas = Canvas(min(max(width, NARROWEST), WIDEST))
    found = sketches(space, genotype)
    builds = _builds(space)
    places = None
    y = MARGIN
    if skeleton is not None:
        image = image or space.input
        places = Places(lower(space.grammar, skeleton, image, space.plan.read(genotype)))
        y = draw_network(canvas, y, strip(places, skeleton, image))
        found = shaped(found, builds, places, skeleton)
    panels = [(_path(space, sketch) if builds == "trellis" else None) or sketch for sketch in found]
    y = shelve(canvas, y, [partial(draw_panel, sketch=panel) for panel in panels])
    draw_legend(canvas, y, families(panels), asked=False)
    return canvas.finish(f"{space.name}: {', '.join(sketch.title for sketch in found)}", theme)


def _builds(space: SearchSpace) -> str:
    root = space.grammar.follow(space.grammar.root)
    return root.builds if isinstance(root, Record) else ""


def _path(space: SearchSpace, sketch: Sketch) -> LatticeSketch | None:
    """The trellis that a path goes through; None of any other panel."""
    if not isinstance(sketch, ChainSketch):
        return None
    return lattice(space, tuple(int(row.rpartition(" ")[2]) for row in sketch.operations))


def draw_heading(canvas: Canvas, y: float, title: str, notes: Sequence[str] = ()) -> float:
    """The title of a panel and the lines under it."""
    canvas.text(MARGIN, y + SIZE, title, "title")
    y += SIZE + (6 if notes else 14)
    for note in notes:
        y = canvas.paragraph(MARGIN, y, note)
    return y + (8 if notes else 0)


def draw_panel(canvas: Canvas, y: float, sketch: Sketch | LatticeSketch) -> float:
    """One cell, chain or derivation from `y` on; returns where the next panel may begin."""
    y = draw_heading(canvas, y, sketch.title, sketch.notes)
    match sketch:
        case CellSketch():
            wide = draw_columns(canvas, y, sketch)
            y = draw_rails(canvas, y, sketch) if wide is None else wide
        case ChainSketch():
            y = draw_chain(canvas, y, sketch)
        case TreeSketch():
            y = draw_tree(canvas, y, sketch)
        case LatticeSketch():
            y = draw_lattice(canvas, y, sketch)
    return y + 14


def draw_network(canvas: Canvas, y: float, blocks: Sequence[Block]) -> float:
    """The skeleton as a strip of blocks, each with the shape of its output."""
    y = draw_heading(canvas, y, "network")
    return flow(canvas, y, [Item(block.title, "block", block.shape) for block in blocks]) + 8
