"""Sketches: what there is to draw of a genotype, before any coordinates."""

from app.architecture.cursor import Cursor
from app.architecture.draw.circuit import circuit
from app.architecture.draw.panels import Arrow, CellSketch, ChainSketch
from app.architecture.draw.stages import stages
from app.architecture.draw.structures import STRUCTURES, path
from app.architecture.draw.tree import TreeSketch, tree
from app.architecture.errors import LoweringError
from app.architecture.guard import TRUE
from app.architecture.lower import cells, edge_cells, recurrent, widths
from app.space import SearchSpace

ARROWS = 40  # of a circuit; a larger body is drawn as a tree

Sketch = CellSketch | ChainSketch | TreeSketch


def sketches(space: SearchSpace, genotype: object) -> tuple[Sketch, ...]:
    """The cells, the chain or the circuit of a member, else its derivation; InvalidGenotype of anything else."""
    root = Cursor.root(space.grammar, space.plan.read(genotype))
    try:
        return _known(space, root)
    except LoweringError:
        return (tree(root),)


def _known(space: SearchSpace, root: Cursor) -> tuple[Sketch, ...]:
    match root.builds:
        case "cells":
            return tuple(
                _cell("cell" if name == "cell" else f"{name} cell", cell) for name, cell in root.fields.items()
            )
        case "shared_cell":
            return (_cell("cell", root),)
        case "edge_cells":
            return (_edge_cell(root),)
        case "chain":
            return (_chain(root),)
        case "mobile" | "units" | "mnas":
            return stages(space, root)
        case "transformer":
            return (_transformer(root),)
        case "widths":
            return (_widths(root),)
        case "recurrent":
            return (_recurrent(root),)
        case "free" if len((sketch := circuit(root["body"])).arrows) <= ARROWS:
            return (sketch,)
        case "trellis":
            return (_cell("cell", root["cell"]), path(root))
        case builds if builds in STRUCTURES:
            return STRUCTURES[builds](root)
        case _:
            return (tree(root),)


def _operation(choice: Cursor) -> str:
    return str(choice.values()[0][1])


def _cell(title: str, cursor: Cursor) -> CellSketch:
    cell = cells.read_cell(cursor)
    vertices = ["input 0", "input 1"]
    arrows: list[Arrow] = []
    for node in cell.nodes:
        target = len(vertices)
        vertices.append(f"{node.name} concat" if node.concat is TRUE else node.name)
        arrows += [Arrow(edge.sources[0][1], target, _operation(edge.operations)) for edge in node.edges]
    kept = tuple(i for i, node in enumerate(cell.nodes, start=2) if node.kept is TRUE)
    return CellSketch(title, tuple(vertices), 2, tuple(arrows), kept)


def _edge_cell(cursor: Cursor) -> CellSketch:
    into = edge_cells.read_edges(cursor)
    arrows = [Arrow(i, j, _operation(choice)) for j, sources in into.items() for i, choice in sources]
    last = max(into)
    names = ("input 0", *(f"node {j}" for j in range(1, last)), f"output {last}")
    return CellSketch("cell", names, 1, tuple(arrows))


def _chain(cursor: Cursor) -> ChainSketch:
    return ChainSketch("chain", tuple(_operation(item) for _, _, item in cursor["layers"].items()))


def _transformer(root: Cursor) -> ChainSketch:
    """Two rows a layer; what the skeleton decides is not said."""
    features = f" of {_operation(root['embed'])} features" if "embed" in root.fields else ""
    rows: list[str] = []
    for _, _, layer in root["layers"].items():
        said = {name: _operation(field) for name, field in layer.fields.items()}
        heads = [f"{said['heads']} heads"] if "heads" in said else []
        ratio = [f"ratio {said['mlp_ratio']}"] if "mlp_ratio" in said else []
        for kind, number in (("attention", heads), ("ffn", ratio)):
            rows.append(", ".join([f"{kind} {said.get(kind, '')}".strip(), *number, said.get("norm", "")]).strip(", "))
    return ChainSketch(f"layers{features}", tuple(rows))


def _widths(root: Cursor) -> ChainSketch:
    stages = [cases[0][1] for cases in widths.read_widths(root)]
    kinds = ("cell", "reduction")
    return ChainSketch("stages", tuple(f"convolutional {kinds[i % 2]}, {n} channels" for i, n in enumerate(stages)))


def _recurrent(root: Cursor) -> CellSketch:
    steps = recurrent.read_steps(root)
    arrows = [Arrow(inputs[0][1], i, activations[0][1]) for i, (_, inputs, activations) in enumerate(steps, 1)]
    vertices = ("state 0", *(name for name, _, _ in steps))
    return CellSketch("recurrent cell", vertices, 1, tuple(arrows), tuple(range(1, 1 + len(steps))), "mean")
