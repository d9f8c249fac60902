"""The network around a genotype as a row of blocks with the shapes of their outputs."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.architecture.graph import Graph, Node
from app.architecture.lower import lower
from app.architecture.lower.cells import reductions
from app.space import CellSkeleton, ChainSkeleton, EdgeCellSkeleton, ImageInput, MobileSkeleton, SearchSpace, Skeleton
from app.space.skeleton import RecurrentSkeleton, TransformerSkeleton, WidthSkeleton


@dataclass(frozen=True, slots=True)
class Block:
    """One block, or a run of equal ones: its title and the shape of its output, channels x height x width."""

    title: str
    shape: str


def strip(space: SearchSpace, genotype: object, skeleton: Skeleton, image: ImageInput) -> tuple[Block, ...]:
    """The blocks of a member on a skeleton; LoweringError where they do not fit."""
    graph = lower(space.grammar, skeleton, image, space.plan.read(genotype))
    start = Block("image", f"{image.channels}×{image.height}×{image.width}")
    maps = bool(graph.nodes[graph.outputs[0]].size)  # the last blocks are outputs themselves
    end = [] if maps else [Block("classifier", f"{skeleton.num_classes} classes")]
    return tuple(_runs([start, *_inner(graph, skeleton), *end]))


def _inner(graph: Graph, skeleton: Skeleton) -> Iterator[Block]:
    match skeleton:
        case CellSkeleton():
            yield from (Block(at, _shape(graph, at)) for at in ("stem", "stem0", "stem1") if _last(graph, at))
            for i in range(skeleton.num_cells):
                kind = "reduction" if i in reductions(skeleton.num_cells) else "normal"
                yield Block(kind, _shape(graph, f"cell{i}"))
                if skeleton.auxiliary and i == reductions(skeleton.num_cells)[1]:
                    yield Block("auxiliary head", f"{skeleton.num_classes} classes")
        case EdgeCellSkeleton():
            shape = _shape(graph, "stem")
            yield Block("stem", shape)
            for stage in range(3):
                if stage:
                    shape = _shape(graph, f"reduction{stage}")
                    yield Block("reduction", shape)
                yield from [Block("cell", shape)] * skeleton.num_cells
        case ChainSkeleton():
            shape = _shape(graph, "stem")
            yield Block("stem", shape)
            for i in range(_layers(graph)):
                shape = _shape(graph, f"layer{i}") or shape
                yield Block(f"layer {i}", shape)
        case TransformerSkeleton():
            yield Block("embedding", _shape(graph, "stem"))
            for at in _places(graph, "layer"):
                yield Block("layer", _shape(graph, at))
        case WidthSkeleton():
            yield Block("stem", _shape(graph, "stem"))
            for i, at in enumerate(_places(graph, "stage")):
                yield Block("reduction" if i % 2 else "cell", _shape(graph, at))
        case RecurrentSkeleton():
            yield from [Block("step", _shape(graph, "step0"))] * len(_places(graph, "step"))
        case MobileSkeleton() if any(name.startswith("layer") for name in graph.nodes):
            yield from _stages(graph, skeleton)
        case _:
            places = dict.fromkeys(name.partition("/")[0] for name in graph.nodes)
            yield from (Block(at, _shape(graph, at)) for at in places if at not in ("image", "head"))


def _stages(graph: Graph, skeleton: MobileSkeleton) -> Iterator[Block]:
    """The stages of a mobile network; a layer that keeps its input left no node."""
    shape, start = "", 0
    for at in ("stem", "first"):
        if _last(graph, at):
            shape = _shape(graph, at)
            yield Block(at, shape)
    for i, depth in enumerate(skeleton.depths):
        found = [_shape(graph, f"layer{n}") for n in range(start, start + depth)]
        shape, start = next((s for s in reversed(found) if s), shape), start + depth
        yield Block(f"stage {i} of {depth}", shape)
    if _last(graph, "tail"):
        yield Block("tail", _shape(graph, "tail"))


def _layers(graph: Graph) -> int:
    """Layers of a chain, identities that left no node among them: its exit is named after the last."""
    exits = [name.removeprefix("exit").removesuffix("/mean") for name in graph.nodes if name.startswith("exit")]
    return 1 + int(exits[0]) if exits and exits[0] else 0


def _places(graph: Graph, kind: str) -> list[str]:
    """The places layer0, layer1, ... of a graph, in their order."""
    found = dict.fromkeys(name.partition("/")[0] for name in graph.nodes)
    return [at for at in found if at.removeprefix(kind).isdecimal()]


def _last(graph: Graph, place: str) -> Node | None:
    under = [node for name, node in graph.nodes.items() if name.startswith(f"{place}/") or name == place]
    return under[-1] if under else None


def _shape(graph: Graph, place: str) -> str:
    node = _last(graph, place)
    return "" if node is None else "×".join(str(n) for n in (len(node.axis), *node.size))


def _runs(blocks: list[Block]) -> Iterator[Block]:
    """Equal neighbours as one block that says how many."""
    start = 0
    for i in range(1, len(blocks) + 1):
        if i == len(blocks) or blocks[i] != blocks[start]:
            many = i - start
            yield Block(f"{many} x {blocks[start].title}", blocks[start].shape) if many > 1 else blocks[start]
            start = i
