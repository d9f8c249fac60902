"""Sketches of networks whose structure is decided as a whole: skips, branches, motifs, paths, pyramids, heads."""

from collections.abc import Callable, Mapping

from app.architecture.cursor import Cursor
from app.architecture.draw.dag import graph
from app.architecture.draw.panels import Arrow, CellSketch, ChainSketch
from app.architecture.guard import FALSE
from app.architecture.lower.detection import NONE, read_head
from app.architecture.lower.edge_cells import read_edges
from app.architecture.lower.fpn import levels_of, read_inputs
from app.architecture.lower.skips import read_skips
from app.architecture.lower.trellis import read_level

Panel = CellSketch | ChainSketch


def _answer(choice: Cursor) -> str:
    return str(choice.values()[0][1])


def _skips(root: Cursor) -> tuple[Panel, ...]:
    """Every layer reads the state before it; the others that it merges are arrows too."""
    vertices, arrows = ["stem"], list[Arrow]()
    for i, (name, layer) in enumerate(root.fields.items()):
        arrows.append(Arrow(i, i + 1, _answer(layer["op"])))
        arrows += [Arrow(j, i + 1, "skip") for j, guard in read_skips(layer, i + 1).items() if guard is not FALSE]
        vertices.append(name)
    return (CellSketch("layers", tuple(vertices), 1, tuple(arrows)),)


def _branches(root: Cursor) -> tuple[Panel, ...]:
    """One module: the last vertex of every branch is merged."""
    vertices, arrows, ends = ["input"], list[Arrow](), list[int]()
    for i, (_, _, path) in enumerate(root["paths"].items()):
        end = 0
        for j, (_, _, layer) in enumerate(path["layers"].items()):
            arrows.append(Arrow(end, len(vertices), _answer(layer)))
            end = len(vertices)
            vertices.append(f"{i}.{j}")
        ends.append(end)
    return (CellSketch("module", tuple(vertices), 1, tuple(arrows), tuple(ends) or (0,), _answer(root["merge"])),)


def _hierarchy(root: Cursor) -> tuple[Panel, ...]:
    """The cell, then every motif that it comes to name."""
    panels: list[Panel] = []
    names = ["cell"]
    for name in names:
        edges = read_edges(root[name])
        arrows = [Arrow(i, j, _answer(choice)) for j, sources in edges.items() for i, choice in sources]
        last = max(edges)
        vertices = ("input 0", *(f"node {j}" for j in range(1, last)), f"output {last}")
        panels.append(CellSketch(name, vertices, 1, tuple(arrows)))
        names += [a for a in dict.fromkeys(arrow.operation for arrow in arrows) if a in root.fields and a not in names]
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


def _fpn(root: Cursor) -> tuple[Panel, ...]:
    """Maps in their order; the last merges are the outputs."""
    levels = levels_of(root)
    vertices, arrows = [f"level {level}" for level in levels], list[Arrow]()
    for name, merge in root.fields.items():
        target = len(vertices)
        arrows += [Arrow(j, target, _answer(merge["op"])) for _, j in read_inputs(merge, target)]
        vertices.append(f"{name} at level {_answer(merge['level'])}")
    outputs = tuple(range(len(vertices) - len(levels), len(vertices)))
    return (CellSketch("pyramid", tuple(vertices), len(levels), tuple(arrows), outputs, "outputs"),)


def _head(root: Cursor) -> tuple[Panel, ...]:
    """The links that are there, each making a new version of its level, then the towers."""
    towers, links = read_head(root)
    vertices, arrows = [f"level {level}" for level in towers], list[Arrow]()
    now = {level: i for i, level in enumerate(towers)}
    for source, target, choice in links:
        operation = _answer(choice)
        if operation != NONE:
            new = len(vertices)
            arrows += [Arrow(now[target], new, "identity"), Arrow(now[source], new, operation)]
            vertices.append(f"level {target}")
            now[target] = new
    chains = [
        ChainSketch(f"tower of level {level}", tuple(_answer(layer) for _, _, layer in tower["layers"].items()))
        for level, tower in towers.items()
    ]
    outputs = tuple(now.values())
    linked = [CellSketch("links", tuple(vertices), len(towers), tuple(arrows), outputs, "towers")] if arrows else []
    return (*linked, *chains)


STRUCTURES: Mapping[str, Callable[[Cursor], tuple[Panel, ...]]] = {
    "dag_cells": lambda root: (graph("cell", root["cell"].cases()[0][1]),),
    "dag_network": lambda root: (graph("network", root),),
    "skips": _skips,
    "branches": _branches,
    "hierarchy": _hierarchy,
    "fpn": _fpn,
    "head": _head,
}
