"""Sketches of networks whose structure is decided as a whole: skips, branches, motifs, paths, pyramids, heads."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from app.architecture.cursor import Cursor
from app.architecture.draw.dag import graph
from app.architecture.draw.menus import Menus
from app.architecture.draw.panels import Arrow, CellSketch, ChainSketch
from app.architecture.guard import FALSE, TRUE
from app.architecture.lower.detection import NONE, read_head
from app.architecture.lower.edge_cells import read_edges
from app.architecture.lower.fpn import levels_of, read_inputs
from app.architecture.lower.skips import read_skips
from app.architecture.lower.trellis import read_level
from app.space.algebra import Subset

Panel = CellSketch | ChainSketch


def _skips(root: Cursor, menus: Menus) -> tuple[Panel, ...]:
    """Every layer reads the state before it; the others that it merges are arrows too, in one row where open."""
    vertices, arrows = ["stem"], list[Arrow]()
    for i, (name, layer) in enumerate(root.fields.items()):
        arrows.append(Arrow(i, i + 1, menus.of(layer["op"], under=root.path)))
        skips = {j: guard for j, guard in read_skips(layer, i + 1).items() if guard is not FALSE}
        arrows += [Arrow(j, i + 1, "skip") for j, guard in skips.items() if guard is TRUE]
        maybe = [j for j, guard in skips.items() if guard is not TRUE]
        if maybe:
            text = menus.mark(f"{name}/skip ← any of {len(maybe)}")
            arrows.append(Arrow(maybe[0], i + 1, text, sure=False, others=tuple(maybe[1:])))
        vertices.append(name)
    return (CellSketch("layers", tuple(vertices), 1, tuple(arrows), asked=frozenset(menus.asked)),)


def _branches(root: Cursor, menus: Menus) -> tuple[Panel, ...]:
    """One module: the last vertex of every branch is merged."""
    vertices, arrows, ends = ["input"], list[Arrow](), list[int]()
    paths = root["paths"].items()
    notes = [*menus.lengths(root["paths"])]
    maybe = set[int]()
    for i, (present, _, path) in enumerate(paths):
        end = 0
        layers = path["layers"].items()
        notes += menus.lengths(path["layers"])[: 1 - min(i, 1)]
        for j, (there, _, layer) in enumerate(layers):
            sure = present is TRUE and there is TRUE
            arrows.append(Arrow(end, len(vertices), menus.of(layer, under=root.path), sure))
            end = len(vertices)
            vertices.append(f"{i}.{j}")
        ends.append(end)
        if present is not TRUE:
            maybe.add(end)
    joins = menus.of(root["merge"])
    cell = CellSketch("module", tuple(vertices), 1, tuple(arrows), tuple(ends) or (0,), joins)
    return (replace(cell, notes=tuple(notes), asked=frozenset(menus.asked), maybe=frozenset(maybe)),)


def _hierarchy(root: Cursor, menus: Menus) -> tuple[Panel, ...]:
    """The cell, then every motif that it comes to name."""
    panels: list[Panel] = []
    names = ["cell"]
    for name in names:
        edges = read_edges(root[name])
        choices = [(i, j, choice) for j, sources in edges.items() for i, choice in sources]
        arrows = [Arrow(i, j, menus.of(choice, under=root[name].path)) for i, j, choice in choices]
        last = max(edges)
        vertices = ("input 0", *(f"node {j}" for j in range(1, last)), f"output {last}")
        panels.append(CellSketch(name, vertices, 1, tuple(arrows), asked=frozenset(menus.asked)))
        named = dict.fromkeys(str(value) for _, _, choice in choices for _, value in choice.values())
        names += [a for a in named if a in root.fields and a not in names]
    return tuple(panels)


def path(root: Cursor) -> ChainSketch:
    """The levels of a path, layer by layer."""
    rows: list[str] = []
    state, before = root["path"].cases()[0][1], 0
    while True:
        level = read_level(state)
        move = "" if level == before or not before else "down to " if level > before else "up to "
        rows.append(f"{move}level {level}")
        if "next" not in state.fields:
            return ChainSketch("path", tuple(rows))
        state, before = state["next"].cases()[0][1], level


def _fpn(root: Cursor, menus: Menus) -> tuple[Panel, ...]:
    """Maps in their order; the last merges are the outputs."""
    levels = levels_of(root)
    vertices, arrows = [f"level {level}" for level in levels], list[Arrow]()
    for name, merge in root.fields.items():
        target = len(vertices)
        reads = read_inputs(merge, target)
        text = menus.of(merge["op"], under=root.path)
        if all(guard is TRUE for guard, _ in reads):
            arrows += [Arrow(j, target, text) for _, j in reads]
        else:
            k = merge["inputs"].term.k if isinstance(merge["inputs"].term, Subset) else 1
            text = menus.mark(f"{text} ← {k} of {len(reads)}")
            arrows.append(Arrow(reads[0][1], target, text, sure=False, others=tuple(j for _, j in reads[1:])))
        vertices.append(f"{name} at level {menus.of(merge['level'])}")
    outputs = tuple(range(len(vertices) - len(levels), len(vertices)))
    asked = frozenset(menus.asked)
    return (CellSketch("pyramid", tuple(vertices), len(levels), tuple(arrows), outputs, "outputs", asked=asked),)


def _head(root: Cursor, menus: Menus) -> tuple[Panel, ...]:
    """The links that are there, each making a new version of its level, then the towers."""
    towers, links = read_head(root)
    vertices, arrows = [f"level {level}" for level in towers], list[Arrow]()
    now = {level: i for i, level in enumerate(towers)}
    for source, target, choice in links:
        operation = menus.of(choice, under=root.path)
        if operation != NONE:
            new = len(vertices)
            arrows += [Arrow(now[target], new, "identity"), Arrow(now[source], new, operation)]
            vertices.append(f"level {target}")
            now[target] = new
    chains: list[Panel] = []
    for level, tower in towers.items():
        items = tower["layers"].items()
        row = tuple(menus.of(layer) for _, _, layer in items)
        notes = menus.lengths(tower["layers"])
        asked = frozenset(menus.asked)
        chains.append(ChainSketch(f"tower of level {level}", row, notes, asked, least=menus.least(items)))
    outputs = tuple(now.values())
    cell = CellSketch("links", tuple(vertices), len(towers), tuple(arrows), outputs, "towers")
    linked = [replace(cell, asked=frozenset(menus.asked))] if arrows else []
    return (*linked, *chains)


def _dag(root: Cursor, menus: Menus) -> tuple[Panel, ...]:
    """A cell; of several numbers of vertices the largest."""
    cases = root["cell"].cases()
    cell = graph("cell", cases[-1][1], menus)
    notes = (f"/cell: one of {len(cases)} numbers of vertices; the last is drawn",) if len(cases) > 1 else ()
    return (replace(cell, notes=(*notes, *cell.notes)),)


STRUCTURES: Mapping[str, Callable[[Cursor, Menus], tuple[Panel, ...]]] = {
    "dag_cells": _dag,
    "dag_network": lambda root, menus: (graph("network", root, menus),),
    "skips": _skips,
    "branches": _branches,
    "hierarchy": _hierarchy,
    "fpn": _fpn,
    "head": _head,
}
