"""Graphs whose vertices carry the operations: plain arrows between labelled vertices, all that a member says."""

import re

from app.architecture.cursor import Cursor
from app.architecture.draw.menus import Menus
from app.architecture.draw.panels import Arrow, CellSketch
from app.architecture.errors import LoweringError

_EDGE = re.compile(r"(\d{1,4})->(\d{1,4})")


def graph(title: str, cursor: Cursor, menus: Menus) -> CellSketch:
    """The graph of a member, also what lies on no way from input to output; open edges share one row a vertex."""
    fields = cursor.fields
    ends = [(int(found[1]), int(found[2])) for name in fields if (found := _EDGE.fullmatch(name))]
    last = max((target for _, target in ends), default=0)
    if not last:
        raise LoweringError(cursor.path, "a graph needs an edge", list(fields), ("0->1",))
    arrows: list[Arrow] = []
    for target in range(1, last + 1):
        bits = {i: [value for _, value in fields[f"{i}->{j}"].values()] for i, j in ends if j == target}
        arrows += [Arrow(i, target, "") for i, values in sorted(bits.items()) if values == [1]]
        maybe = sorted(i for i, values in bits.items() if len(values) > 1)
        if maybe:
            text = menus.mark(f"edges ← any of {len(maybe)}")
            arrows.append(Arrow(maybe[0], target, text, sure=False, others=tuple(maybe[1:])))
    names = ("input 0", *(f"{v}" for v in range(1, last)), f"output {last}")
    labels = ("", *(menus.of(cursor[f"v{v}"]) for v in range(1, last)), "")
    asked = frozenset(menus.asked)
    return CellSketch(title, names, 1, tuple(arrows), labels=labels, notes=menus.under(cursor.path), asked=asked)
