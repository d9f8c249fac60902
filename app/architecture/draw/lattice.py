"""Trellises: the levels that a path may take at every layer, and the ways between them."""

from dataclasses import dataclass

from app.architecture.cursor import Cursor
from app.architecture.draw.canvas import MARGIN, PAD, PILL, SIZE, Canvas, width_of
from app.architecture.lower.trellis import read_level
from app.space import SearchSpace
from app.space.algebra import Path

LAYERS = 60  # of a drawing
LEVELS = 8


@dataclass(frozen=True, slots=True)
class LatticeSketch:
    """Layers of levels; `steps` has (layer, from, to), `chosen` the levels of a path, empty where it is open."""

    title: str
    layers: tuple[tuple[int, ...], ...]
    steps: tuple[tuple[int, int, int], ...]
    chosen: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def operations(self) -> tuple[str, ...]:
        """None: what stands in every state is the cell."""
        return ()


def lattice(space: SearchSpace, chosen: tuple[int, ...] = ()) -> LatticeSketch | None:
    """The trellis of a space, and a path through it; None where it is too large to be drawn."""
    now: dict[Path, Cursor] = {c.path: c for _, c in Cursor.root(space.grammar)["path"].cases()}
    layers: list[tuple[int, ...]] = []
    steps: list[tuple[int, int, int]] = []
    while now:
        layers.append(tuple(sorted({read_level(state) for state in now.values()})))
        if len(layers) > LAYERS or len(layers[-1]) > LEVELS:
            return None
        onward: dict[Path, Cursor] = {}
        for state in now.values():
            for _, to in state["next"].cases() if "next" in state.fields else ():
                onward[to.path] = to
                steps.append((len(layers) - 1, read_level(state), read_level(to)))
        now = onward
    open_ = ("where to go next is a decision of every state",)
    return LatticeSketch("path", tuple(layers), tuple(dict.fromkeys(steps)), chosen, notes=() if chosen else open_)


def draw_lattice(canvas: Canvas, y: float, sketch: LatticeSketch) -> float:
    """Layers from left to right, or from top to bottom where the page is too narrow for them."""
    levels = sorted({level for layer in sketch.layers for level in layer})
    many = len(sketch.layers)
    head = width_of(f"level {levels[-1]}") + PAD
    wide = min(78.0, (canvas.width - 2 * MARGIN - head) / many)
    across = wide >= 54.0
    if not across:
        head = width_of(f"{many}") + PAD
        wide = min(78.0, (canvas.width - 2 * MARGIN - head) / len(levels))
    box = wide - (26.0 if across else 12.0)
    row = {level: i for i, level in enumerate(levels)}
    tall = 48.0 if across else 44.0

    def place(layer: int, level: int) -> tuple[float, float]:
        """Left edge and top of a state."""
        if across:
            return MARGIN + head + layer * wide, y + 22 + row[level] * tall
        return MARGIN + head + row[level] * wide, y + 22 + layer * tall

    for layer, source, target in sketch.steps:
        (x0, y0), (x1, y1) = place(layer, source), place(layer + 1, target)
        start, end = (
            ((x0 + box, y0 + PILL / 2), (x1, y1 + PILL / 2))
            if across
            else ((x0 + box / 2, y0 + PILL), (x1 + box / 2, y1))
        )
        on = sketch.chosen[layer : layer + 2] == (source, target)
        canvas.wire([start, end], "way" if on else "wire", sure=on or not sketch.chosen)
    for layer, found in enumerate(sketch.layers):
        for level in found:
            on = layer < len(sketch.chosen) and sketch.chosen[layer] == level
            x, top = place(layer, level)
            kind = "way block" if on else "state"
            canvas.box(x, top, box, f"{level}", kind, sure=on or not sketch.chosen)
    for i, level in enumerate(levels):
        if across:
            canvas.text(MARGIN, y + 22 + i * tall + PILL / 2 + SIZE * 0.35, f"level {level}", "quiet")
    for layer in range(many):
        if across:
            canvas.text(place(layer, levels[0])[0] + box / 2, y + SIZE, f"{layer}", "quiet", anchor="middle", longest=4)
        else:
            top = place(layer, levels[0])[1]
            canvas.text(MARGIN, top + PILL / 2 + SIZE * 0.35, f"{layer}", "quiet", longest=4)
    if not across:
        canvas.text(MARGIN + head, y + SIZE, "levels, layer by layer", "quiet")
    return y + 22 + (len(levels) if across else many) * tall
