"""A path through layers and levels (Auto-DeepLab, Liu et al., 2019): a cell at every step, logits at every pixel.

    builds     fields
    trellis    cell: a cell; path: a state, or a Choice of states
    state      level: its stride, a power of two from 4; next: a state, or a Choice of states; the last has none

Paths that meet in a state of one layer meet in a guarded sum: nothing is unfolded. A cell reads the outputs of the two
layers before it, each resized bilinearly and projected by a 1x1 convolution to the width of its level; the first two
are those of the stem at strides 2 and 4. Where a path ends an atrous spatial pyramid gives logits, resized to the
image.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of, any_of
from app.architecture.lower.cells import Cell, build_cell, read_cell
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import atrous_pyramid
from app.space.algebra import Path
from app.space.skeleton import ImageInput, TrellisSkeleton

FIRST = 4  # the stride of the stem


@dataclass(slots=True)
class Source:
    """What a layer put out at a level, and when a state reads it."""

    level: int
    node: Node
    guards: list[Guard]


@dataclass(slots=True)
class State:
    """A state of one layer with everything that leads to it."""

    cursor: Cursor
    level: int
    last: dict[str, Source] = field(default_factory=dict[str, Source])  # by the names of the nodes that they read
    before: dict[str, Source] = field(default_factory=dict[str, Source])

    @property
    def reached(self) -> Guard:
        """When the path comes here."""
        return any_of(*(guard for source in self.last.values() for guard in source.guards))


def network(b: Layers, cursor: Cursor, skeleton: TrellisSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, layer after layer of states, the logits of every state where a path may end."""
    positive(
        channels=skeleton.channels,
        stem_channels=skeleton.stem_channels,
        head_channels=skeleton.head_channels,
        num_classes=skeleton.num_classes,
    )
    before, last = _stem(b, skeleton, image)
    cell = read_cell(cursor["cell"])
    ends: list[tuple[Guard, Node]] = []
    starts = [(guard, state, Source(FIRST, last, [TRUE])) for guard, state in cursor["path"].cases()]
    states: dict[Path, State] = {}
    for guard, state, source in starts:
        _arrive(states, guard, state, source, [Source(FIRST // 2, before, [TRUE])])
    layer = 1
    while states:
        onward: dict[Path, State] = {}
        levels: dict[int, Path] = {}
        for path, state in sorted(states.items(), key=lambda item: item[1].level):  # however they were met
            other = levels.setdefault(state.level, path)
            if other != path:
                message = f"two states of layer {layer} at level {state.level}; let both be one shared rule"
                raise LoweringError(path, message, other, (path,))
            at = f"layer{layer}/level{state.level}"
            y = _cell(b, at, cell, state, skeleton, last.size)
            if "next" in state.cursor.fields:
                for guard, to in state.cursor["next"].cases():
                    here = Source(state.level, y, [state.reached])
                    _arrive(onward, guard, to, here, state.last.values())
            else:
                at, rate = f"head{layer}/level{state.level}", max(skeleton.rate // state.level, 1)
                y = atrous_pyramid(b, at, y, skeleton.head_channels, (rate,))
                logits = b.conv(f"{at}/logits", y, skeleton.num_classes, bias=True)
                pixels = b.resize(f"{at}/logits/resize", logits, (image.height, image.width), "bilinear")
                ends.append((state.reached, pixels))
        states, layer = onward, layer + 1
    return (b.sum("logits", ends),)


def _arrive(states: dict[Path, State], guard: Guard, cursor: Cursor, last: Source, before: Iterable[Source]) -> None:
    """Take a way into a state: whence it comes, and whence that came."""
    state = states.setdefault(cursor.path, State(cursor, read_level(cursor)))
    for found, sources in ((state.last, [last]), (state.before, before)):
        for source in sources:
            ways = found.setdefault(source.node.name, Source(source.level, source.node, [])).guards
            ways.extend(all_of(way, guard) for way in source.guards)


def read_level(state: Cursor) -> int:
    """The stride of a state."""
    level = state["level"].value
    if type(level) is not int or level < FIRST or level & (level - 1):
        raise LoweringError(f"{state.path}/level", f"a level is a power of two from {FIRST}, not {level!r}", level)
    return level


def _stem(b: Layers, skeleton: TrellisSkeleton, image: ImageInput) -> tuple[Node, Node]:
    """(maps at stride 2, maps at stride 4)."""
    half = max(skeleton.stem_channels // 2, 1)
    x = b.conv_norm_relu("stem/0", b.image(image), half, 3, 2)
    x = b.conv_norm_relu("stem/1", x, half, 3)
    return x, b.conv_norm_relu("stem/2", x, skeleton.stem_channels, 3, 2)


def _cell(b: Layers, at: str, cell: Cell, state: State, skeleton: TrellisSkeleton, extents: tuple[int, ...]) -> Node:
    """The cell at a state; `extents` are those of the first level."""
    width, level = skeleton.channels * state.level // FIRST, FIRST
    while level < state.level:
        extents, level = tuple((n - 1) // 2 + 1 for n in extents), 2 * level
    inputs: list[Node] = []
    for name, sources in (("before", state.before), ("last", state.last)):
        terms: list[tuple[Guard, Node]] = []
        for source in sorted(sources.values(), key=lambda source: source.level):
            here = f"{at}/{name}/{source.level}"
            x = b.resize(f"{here}/resize", source.node, extents, "bilinear")
            terms.append((any_of(*source.guards), b.relu_conv_norm(here, x, width)))
        inputs.append(b.sum(f"{at}/{name}", terms))
    return build_cell(b, at, cell, (inputs[0], inputs[1]), width)
