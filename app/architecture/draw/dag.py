"""Graphs whose vertices carry the operations: plain arrows between labelled vertices, all that a member says."""

from app.architecture.cursor import Cursor
from app.architecture.draw.panels import Arrow, CellSketch


def graph(title: str, cursor: Cursor) -> CellSketch:
    """The graph of a member, also what lies on no way from input to output."""
    said = {name: field.values()[0][1] for name, field in cursor.fields.items()}
    ends = [name.partition("->") for name in said if "->" in name]
    last = max(int(target) for _, _, target in ends)
    arrows = [Arrow(int(i), int(j), "") for i, arrow, j in ends if said[f"{i}{arrow}{j}"] == 1]
    names = ("input 0", *(f"{v}" for v in range(1, last)), f"output {last}")
    labels = ("", *(str(said[f"v{v}"]) for v in range(1, last)), "")
    arrows.sort(key=lambda arrow: (arrow.target, arrow.source))
    return CellSketch(title, names, 1, tuple(arrows), labels=labels)
