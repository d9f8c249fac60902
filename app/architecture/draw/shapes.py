"""Shapes of tensors on a skeleton: of every state of a cell at its first place, of every layer of a chain."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.architecture.draw.panels import CellSketch, ChainSketch
from app.architecture.draw.places import Places
from app.architecture.draw.sketch import Sketch
from app.architecture.lower.cells import reductions
from app.space import CellSkeleton, Skeleton


def shaped(found: Sequence[Sketch], builds: str, places: Places, skeleton: Skeleton) -> tuple[Sketch, ...]:
    """The panels of a member with the shapes that it has on a skeleton, and where that is."""
    return tuple(_shaped(found, builds, places, skeleton))


def _shaped(found: Sequence[Sketch], builds: str, places: Places, skeleton: Skeleton) -> Iterator[Sketch]:
    counted = 0
    stem = places.shape("stem", "image")
    for sketch in found:
        match sketch:
            case CellSketch():
                yield _cell(sketch, builds, places, skeleton, stem)
            case ChainSketch():
                many = len(sketch.operations)
                yield replace(sketch, shapes=_filled(_chain(sketch, builds, places, counted), stem))
                counted += many
            case _:
                yield sketch


def _filled(shapes: Sequence[str], first: str) -> tuple[str, ...]:
    """What left no node has the shape before it."""
    known: list[str] = []
    for shape in shapes:
        first = shape or first
        known.append(first)
    return tuple(known)


def _chain(sketch: ChainSketch, builds: str, places: Places, start: int) -> list[str]:
    """The shapes of the layers of a chain, whose panel begins at some layer."""
    every = range(len(sketch.operations))
    match builds:
        case "chain" | "mobile":
            return [places.shape(f"layer{start + i}") for i in every]
        case "units" if sketch.title == "resolution":
            return [places.shape("resolution", "image")]
        case "units":
            return [places.shape(f"{sketch.title}/block{i}") for i in every]
        case "mnas":
            return [places.shape(f"block{i}") for i in every]
        case "transformer":
            return [places.shape(f"layer{i // 2}/{('attention', 'ffn')[i % 2]}") for i in every]
        case "widths":
            return [places.shape(f"stage{i}") for i in every]
        case "head":
            return [places.shape(f"lateral/{sketch.title.rpartition(' ')[2]}") for _ in every]
        case _:
            return [""] * len(every)


def _cell(sketch: CellSketch, builds: str, places: Places, skeleton: Skeleton, stem: str) -> CellSketch:
    inner = len(sketch.vertices) - sketch.inputs
    match builds:
        case "cells" | "shared_cell" if isinstance(skeleton, CellSkeleton):
            reducing = reductions(skeleton.num_cells)
            normal = (i for i in range(skeleton.num_cells) if i not in reducing)
            at = f"cell{reducing[0] if sketch.title == 'reduce cell' else next(normal, 0)}"
            return _placed(sketch, at, (places.shape(f"{at}/pre0"), places.shape(f"{at}/pre1")), places)
        case "trellis":
            at = next(iter(places.below("layer1")), "layer1")
            return _placed(sketch, at, (places.shape(f"{at}/before"), places.shape(f"{at}/last")), places)
        case "edge_cells" | "hierarchy":
            at = "stage0/cell0"
            shapes = [stem, *[places.shape(at) or stem] * inner]
            return replace(sketch, title=f"{sketch.title}, as {at}" if builds == "edge_cells" else sketch.title,
                           shapes=tuple(shapes))  # fmt: skip
        case "dag_cells":
            at = "stack0/cell0"
            inside = next((p for p in places.below(at) if p.removeprefix(f"{at}/").startswith("n")), at)
            shapes = [stem, *(places.shape(f"{inside}/v{v}") for v in range(1, inner)), places.shape(at)]
            return replace(sketch, title=f"{sketch.title}, as {at}", shapes=tuple(shapes))
        case "dag_network":
            halved = [name for name in places.below("") if name.startswith("stem")]
            start = places.shape(*reversed(halved), "stem")
            shapes = [start, *(places.shape(f"v{v}") for v in range(1, inner)), places.shape("last", "output")]
            return replace(sketch, shapes=tuple(shapes))
        case "skips":
            return replace(sketch, shapes=(stem, *(places.shape(f"layer{i}") for i in range(inner))))
        case "branches":
            return replace(sketch, title="module, as module0", shapes=(stem,) * (len(sketch.vertices) + 1))
        case "fpn":
            levels = [places.shape(f"lateral/{name.rpartition(' ')[2]}") for name in sketch.vertices[: sketch.inputs]]
            merges = [places.shape(f"pyramid0/merge{i}") for i in range(inner)]
            return replace(sketch, title=f"{sketch.title}, as pyramid0", shapes=(*levels, *merges))
        case "head":
            return replace(
                sketch, shapes=tuple(places.shape(f"lateral/{name.rpartition(' ')[2]}") for name in sketch.vertices)
            )
        case "recurrent":
            return replace(sketch, shapes=(places.shape("start"), *[places.shape("step0")] * (inner + 1)))
        case "free":
            at = "stage0/cell0"
            return replace(sketch, title=f"{sketch.title}, as {at}",
                           shapes=(stem, *[""] * (inner - 1), places.shape(at) or stem))  # fmt: skip
        case _:
            return sketch


def _placed(sketch: CellSketch, at: str, inputs: tuple[str, str], places: Places) -> CellSketch:
    """A cell at a place: its states have the width of its inputs and the extents of its output."""
    out = places.last(at)
    width = inputs[1].partition("×")[0]
    state = "×".join(map(str, (width, *out.size))) if out is not None and width else ""
    shapes = (*inputs, *[state] * (len(sketch.vertices) - 2), places.shape(at))
    return replace(sketch, title=f"{sketch.title}, as {at}", shapes=shapes)
