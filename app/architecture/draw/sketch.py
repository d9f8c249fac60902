"""Sketches: what there is to draw of a genotype or of a space, before any coordinates."""

from app.architecture.cursor import Cursor
from app.architecture.draw.circuit import circuit
from app.architecture.draw.menus import Menus
from app.architecture.draw.panels import Arrow, CellSketch, ChainSketch
from app.architecture.draw.stages import stages
from app.architecture.draw.structures import STRUCTURES, path
from app.architecture.draw.tree import TreeSketch, tree
from app.architecture.errors import LoweringError
from app.architecture.guard import FALSE, TRUE
from app.architecture.lower import cells, edge_cells, recurrent, widths
from app.space import SearchSpace, Subset

ARROWS = 40  # of a circuit; a larger body is drawn as a tree

Sketch = CellSketch | ChainSketch | TreeSketch


def sketches(space: SearchSpace, genotype: object) -> tuple[Sketch, ...]:
    """The cells, the chain or the circuit of a member, else its derivation; InvalidGenotype of anything else."""
    root = Cursor.root(space.grammar, space.plan.read(genotype))
    try:
        if root.builds == "free":
            body = circuit(root["body"])
            return (body if len(body.arrows) <= ARROWS else tree(root),)
        return known(space, root, Menus()) or (tree(root),)
    except LoweringError:
        return (tree(root),)


def known(space: SearchSpace, root: Cursor, menus: Menus) -> tuple[Sketch, ...]:
    """The panels of what has a form of its own, open decisions among them; nothing of anything else."""
    match root.builds:
        case "cells":
            return tuple(
                _cell("cell" if name == "cell" else f"{name} cell", cell, menus) for name, cell in root.fields.items()
            )
        case "shared_cell":
            return (_cell("cell", root, menus),)
        case "edge_cells":
            return (_edge_cell(root, menus),)
        case "chain":
            return (_chain(root, menus),)
        case "mobile" | "units" | "mnas":
            return stages(space, root, menus)
        case "transformer":
            return (_transformer(root, menus),)
        case "widths":
            return (_widths(root, menus),)
        case "recurrent":
            return (_recurrent(root, menus),)
        case "trellis":
            return (_cell("cell", root["cell"], menus), path(root))
        case builds if builds in STRUCTURES:
            return STRUCTURES[builds](root, menus)
        case _:
            return ()


def _cell(title: str, cursor: Cursor, menus: Menus) -> CellSketch:
    cell = cells.read_cell(cursor)
    vertices = ["input 0", "input 1"]
    arrows: list[Arrow] = []
    for node, place in zip(cell.nodes, cursor.fields.values(), strict=True):
        target = len(vertices)
        many = len(node.edges)
        taken = isinstance(place.term, Subset) and many > place.term.k
        name = f"{node.name}: {place.term.k} of {many}" if isinstance(place.term, Subset) and taken else node.name
        if node.concat is TRUE:
            name = f"{name} concat"
        elif node.concat is not FALSE:
            name = f"{name} {menus.letter(cells.COMBINATIONS)}"
        vertices.append(name)
        for edge in node.edges:
            text = menus.of(edge.operations, under=cursor.path)
            sources = [j for _, j in edge.sources]
            if len(sources) > 1:
                text = menus.mark(f"{text} ← 1 of {len(sources)}")
            sure = edge.guard is TRUE and len(sources) == 1
            arrows.append(Arrow(sources[0], target, text, sure, tuple(sources[1:])))
    kept = tuple(i for i, node in enumerate(cell.nodes, start=2) if node.kept is not FALSE)
    maybe = frozenset(i for i in kept if cell.nodes[i - 2].kept is not TRUE)
    asked = frozenset(menus.asked)
    notes = menus.under(cursor.path)
    return CellSketch(title, tuple(vertices), 2, tuple(arrows), kept, notes=notes, asked=asked, maybe=maybe)


def _said(row: Cursor, menus: Menus) -> tuple[str, ...]:
    """What is said of an open list."""
    return (*menus.under(row.path), *menus.lengths(row))


def _edge_cell(cursor: Cursor, menus: Menus) -> CellSketch:
    into = edge_cells.read_edges(cursor)
    arrows = [Arrow(i, j, menus.of(choice, under=cursor.path)) for j, sources in into.items() for i, choice in sources]
    last = max(into)
    names = ("input 0", *(f"node {j}" for j in range(1, last)), f"output {last}")
    return CellSketch("cell", names, 1, tuple(arrows), notes=menus.under(cursor.path), asked=frozenset(menus.asked))


def _chain(cursor: Cursor, menus: Menus) -> ChainSketch:
    items = cursor["layers"].items()
    operations = tuple(menus.of(item) for _, _, item in items)
    return ChainSketch(
        "chain", operations, _said(cursor["layers"], menus), frozenset(menus.asked), least=menus.least(items)
    )


def _transformer(root: Cursor, menus: Menus) -> ChainSketch:
    """Two rows a layer; what the skeleton decides is not said."""
    features = f" of {menus.of(root['embed'])} features" if "embed" in root.fields else ""
    rows: list[str] = []
    items = root["layers"].items()
    for _, _, layer in items:
        said = {name: menus.of(field) for name, field in layer.fields.items()}
        heads = [f"{said['heads']} heads"] if "heads" in said else []
        ratio = [f"ratio {said['mlp_ratio']}"] if "mlp_ratio" in said else []
        for kind, number in (("attention", heads), ("ffn", ratio)):
            parts = [f"{kind} {said.get(kind, '')}".strip(), *number, said.get("norm", "")]
            rows.append(menus.mark_if_open(", ".join(parts).strip(", ")))
    least = menus.least(items)
    return ChainSketch(
        f"layers{features}",
        tuple(rows),
        _said(root["layers"], menus),
        frozenset(menus.asked),
        least=None if least is None else 2 * least,
    )


def _widths(root: Cursor, menus: Menus) -> ChainSketch:
    widths.read_widths(root)
    kinds = ("cell", "reduction")
    rows = [
        menus.mark_if_open(f"convolutional {kinds[i % 2]}, {menus.of(choice)} channels")
        for i, choice in enumerate(root.fields.values())
    ]
    return ChainSketch("stages", tuple(rows), menus.under(root.path), frozenset(menus.asked))


def _recurrent(root: Cursor, menus: Menus) -> CellSketch:
    steps = recurrent.read_steps(root)
    arrows: list[Arrow] = []
    for i, ((_, inputs, _), step) in enumerate(zip(steps, root.fields.values(), strict=True), 1):
        sources = [j for _, j in inputs]
        text = menus.of(step["activation"], under=root.path)
        if len(sources) > 1:
            text = menus.mark(f"{text} ← 1 of {len(sources)}")
        arrows.append(Arrow(sources[0], i, text, len(sources) == 1, tuple(sources[1:])))
    vertices = ("state 0", *(name for name, _, _ in steps))
    last = tuple(range(1, 1 + len(steps)))
    return CellSketch("recurrent cell", vertices, 1, tuple(arrows), last, "mean", asked=frozenset(menus.asked))
