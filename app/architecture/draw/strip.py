"""The network around a genotype as a row of blocks with the shapes of their outputs."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.architecture.draw.places import Places
from app.architecture.lower.cells import reductions
from app.space import CellSkeleton, ChainSkeleton, EdgeCellSkeleton, ImageInput, MobileSkeleton, Skeleton
from app.space.skeleton import RecurrentSkeleton, TransformerSkeleton, WidthSkeleton


@dataclass(frozen=True, slots=True)
class Block:
    """One block, or a run of equal ones: its title and the shape of its output, channels x height x width."""

    title: str
    shape: str


def strip(places: Places, skeleton: Skeleton, image: ImageInput) -> tuple[Block, ...]:
    """The blocks of a member on a skeleton, lowered."""
    graph = places.graph
    start = Block("image", f"{image.channels}×{image.height}×{image.width}")
    maps = bool(graph.nodes[graph.outputs[0]].size)  # the last blocks are outputs themselves
    end = [] if maps else [Block("classifier", f"{skeleton.num_classes} classes")]
    return tuple(_runs([start, *_inner(places, skeleton), *end]))


def _inner(places: Places, skeleton: Skeleton) -> Iterator[Block]:
    match skeleton:
        case CellSkeleton():
            yield from (Block(at, places.shape(at)) for at in ("stem", "stem0", "stem1") if places.last(at))
            for i in range(skeleton.num_cells):
                kind = "reduction" if i in reductions(skeleton.num_cells) else "normal"
                yield Block(kind, places.shape(f"cell{i}"))
                if skeleton.auxiliary and i == reductions(skeleton.num_cells)[1]:
                    yield Block("auxiliary head", f"{skeleton.num_classes} classes")
        case EdgeCellSkeleton():
            shape = places.shape("stem")
            yield Block("stem", shape)
            for stage in range(3):
                if stage:
                    shape = places.shape(f"reduction{stage}")
                    yield Block("reduction", shape)
                yield from [Block("cell", shape)] * skeleton.num_cells
        case ChainSkeleton():
            shape = places.shape("stem")
            yield Block("stem", shape)
            for i in range(_layers(places)):
                shape = places.shape(f"layer{i}") or shape
                yield Block(f"layer {i}", shape)
        case TransformerSkeleton():
            yield Block("embedding", places.shape("stem"))
            for at in _places(places, "layer"):
                yield Block("layer", places.shape(at))
        case WidthSkeleton():
            yield Block("stem", places.shape("stem"))
            for i, at in enumerate(_places(places, "stage")):
                yield Block("reduction" if i % 2 else "cell", places.shape(at))
        case RecurrentSkeleton():
            yield from [Block("step", places.shape("step0"))] * len(_places(places, "step"))
        case MobileSkeleton() if any(name.startswith("layer") for name in places.graph.nodes):
            yield from _stages(places, skeleton)
        case _:
            yield from (Block(at, places.shape(at)) for at in places.below("") if at not in ("image", "head"))


def _stages(places: Places, skeleton: MobileSkeleton) -> Iterator[Block]:
    """The stages of a mobile network; a layer that keeps its input left no node."""
    shape, start = "", 0
    for at in ("stem", "first"):
        if places.last(at):
            shape = places.shape(at)
            yield Block(at, shape)
    for i, depth in enumerate(skeleton.depths):
        found = [places.shape(f"layer{n}") for n in range(start, start + depth)]
        shape, start = next((s for s in reversed(found) if s), shape), start + depth
        yield Block(f"stage {i}, {depth} layer{'s' if depth > 1 else ''}", shape)
    if places.last("tail"):
        yield Block("tail", places.shape("tail"))


def _layers(places: Places) -> int:
    """Layers of a chain, identities that left no node among them: its exit is named after the last."""
    exits = [name.removeprefix("exit").removesuffix("/mean") for name in places.graph.nodes if name.startswith("exit")]
    return 1 + int(exits[0]) if exits and exits[0] else 0


def _places(places: Places, kind: str) -> list[str]:
    """The places layer0, layer1, ... of a graph, in their order."""
    return [at for at in places.below("") if at.removeprefix(kind).isdecimal()]


def _runs(blocks: list[Block]) -> Iterator[Block]:
    """Equal neighbours as one block that says how many."""
    start = 0
    for i in range(1, len(blocks) + 1):
        if i == len(blocks) or blocks[i] != blocks[start]:
            many = i - start
            yield Block(f"{many} x {blocks[start].title}", blocks[start].shape) if many > 1 else blocks[start]
            start = i
