"""The geometry of drawings: no label on another or across an edge, no box on another, no wire through either.

Members and whole spaces of the zoo, of the guide and of documents with odd names, for pages and for phones.
"""

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import isfinite
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.architecture import draw_svg
from app.architecture.draw import draw_supernet
from app.architecture.draw.canvas import ADVANCE, SIZE
from app.space import SearchSpace, space_from_json
from app.space.zoo import ZOO, darts, enas_macro, nas_fpn, nasbench201, nasnet

SVG = "{http://www.w3.org/2000/svg}"
DOCUMENTS = Path(__file__).parents[2] / "docs" / "spaces"
PAGE, PHONE = 1200, 390
TAGS = {"svg", "title", "style", "path", "rect", "text", "circle"}


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float
    what: str

    def meets(self, other: "Box", slack: float = 0.02) -> bool:
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )

    def holds(self, other: "Box") -> bool:
        return (
            self.left <= other.left + 0.02
            and other.right <= self.right + 0.02
            and self.top <= other.top + 0.02
            and other.bottom <= self.bottom + 0.02
        )

    def crossed(self, line: "Line", inset: float) -> bool:
        """Whether a line passes through the inside (Liang and Barsky, 1984)."""
        (x, y), (x1, y1) = line
        dx, dy = x1 - x, y1 - y
        low, high = 0.0, 1.0
        for p, q in (
            (-dx, x - self.left - inset),
            (dx, self.right - inset - x),
            (-dy, y - self.top - inset),
            (dy, self.bottom - inset - y),
        ):
            if p == 0:
                if q <= 0:
                    return False
                continue
            at = q / p
            low, high = (max(low, at), high) if p < 0 else (low, min(high, at))
        return low < high


Line = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Drawn:
    page: Box
    boxes: list[Box]
    labels: list[Box]
    wires: list[Line]


def cells(text: str) -> int:
    """The room that a text takes in a monospaced font, in characters."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text
    )


def read(svg: str) -> Drawn:
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= TAGS
    for element in root.iter():
        for name, value in element.attrib.items():
            if name not in ("class", "style", "role", "text-anchor", "lengthAdjust"):
                assert all(isfinite(float(n)) for n in re.findall(r"[^ ML]+", value)), (name, value)
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    assert (x, y) == (0, 0)
    boxes = [
        Box(x := float(r.attrib["x"]), y := float(r.attrib["y"]), x + float(r.attrib["width"]),
            y + float(r.attrib["height"]), r.attrib["class"])
        for r in root.iter(f"{SVG}rect")
    ]  # fmt: skip
    labels: list[Box] = []
    for text in root.iter(f"{SVG}text"):
        shown = text.text or ""
        x, y, wide = float(text.attrib["x"]), float(text.attrib["y"]), cells(shown) * ADVANCE
        wide = max(wide, float(text.attrib.get("textLength", 0)))
        left = x - wide / 2 if text.attrib["text-anchor"] == "middle" else x
        labels.append(Box(left, y - SIZE * 0.8, left + wide, y + SIZE * 0.25, shown))
    wires: list[Line] = []
    for path in root.iter(f"{SVG}path"):
        points = [(float(p.split()[0]), float(p.split()[1])) for p in path.attrib["d"][1:].split(" L")]
        wires += pairwise(points)
    return Drawn(Box(0, 0, width, height, "page"), boxes, labels, wires)


def near(boxes: list[Box]) -> Iterator[tuple[Box, Box]]:
    """Pairs whose heights overlap."""
    open_: list[Box] = []
    for box in sorted(boxes, key=lambda b: b.top):
        open_ = [other for other in open_ if other.bottom > box.top]
        yield from ((other, box) for other in open_)
        open_.append(box)


def assert_readable(svg: str, width: int) -> None:
    drawn = read(svg)
    assert drawn.page.right <= width + 0.02
    for text in drawn.labels:
        assert text.what.strip()
    for a, b in near(drawn.labels):
        assert not a.meets(b), (a, b)
    for a, b in near(drawn.boxes):
        assert not a.meets(b), (a, b)
    for text in drawn.labels:
        touched = [box for box in drawn.boxes if box.meets(text)]
        assert all(box.holds(text) for box in touched), (text, touched)
    assert all(drawn.page.holds(box) for box in (*drawn.boxes, *drawn.labels)), "something is outside of the page"
    solid = sorted(drawn.boxes, key=lambda b: b.top)
    for line in drawn.wires:
        (x0, y0), (x1, y1) = line
        left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        assert drawn.page.holds(Box(left, top, right, bottom, "wire")), line
        for box in solid:
            if box.top > bottom:
                break
            assert not box.crossed(line, 0.6), (line, box)
        for text in drawn.labels:
            if text.top < bottom and text.bottom > top and text.left < right and text.right > left:
                assert not text.crossed(line, 0.6), (line, text)


# -- spaces ----------------------------------------------------------------------------------------------------------

LARGER = [
    darts(6, none=True),
    nasnet(combine=("add", "concat")),
    nasbench201(6),
    enas_macro(14),
    nas_fpn(12, (3, 4, 5, 6, 7)),
]


@cache
def spaces() -> dict[str, SearchSpace]:
    own = [space_from_json(json.loads(path.read_text())) for path in sorted(DOCUMENTS.glob("*.json"))]
    named = {space.name: space for space in (*ZOO.values(), *own)}
    return named | {f"{space.name}, larger": space for space in LARGER}


NAMES = list(spaces())


def draw_some(space: SearchSpace, rng: Random, count: int) -> Iterator[tuple[str, int]]:
    """Members on the skeletons in turn, some without any, on pages and on phones in turn."""
    skeletons = [*space.skeletons.values(), None]
    for i, genotype in enumerate(space.plan.sample(rng, count)):
        width = (PHONE, PAGE)[i % 2]
        yield draw_svg(space, genotype, skeletons[i // 2 % len(skeletons)], width=width), width


@pytest.mark.parametrize("name", NAMES)
def test_members_are_readable(name: str) -> None:
    for svg, width in draw_some(spaces()[name], Random(name), 2):
        assert_readable(svg, width)


@pytest.mark.parametrize("name", NAMES)
def test_whole_spaces_are_readable_and_bounded(name: str) -> None:
    for width in (PHONE, PAGE):
        svg = draw_supernet(spaces()[name], width=width)
        assert_readable(svg, width)
        assert len(svg) < 100_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_many_members_are_readable(name: str) -> None:
    for svg, width in draw_some(spaces()[name], Random(f"many {name}"), 50):
        assert_readable(svg, width)


# -- documents with odd names ------------------------------------------------------------------------------------------

ODD = (
    "conv_3x3", "skip_connect", "none", "sep_conv_5x5", "x" * 64, "<b>&amp;</b>", "a\"b'c", "{}", "-", "…", "a b  c",
    "日本語の畳み込み演算", "畳" * 60, "👩👩👧👦" * 9, "e" + "\u0301" * 30, "\u0301", "مرحبا بالعالم", "\ufdfa" * 12,
    "W" * 39, "i" * 41, "naïve", "\uff46\uff55\uff4c\uff4c", "नमस्ते दुनिया", "∑" * 40,
)  # fmt: skip


def named(rng: Random, count: int) -> list[str]:
    return rng.sample(ODD, count)


def document(rng: Random) -> dict[str, Any]:
    """A space whose operations, nodes and rules have odd names."""

    def ops(least: int = 1) -> Any:
        return {"choice": named(rng, rng.randint(least, 6))}

    def cell() -> Any:
        nodes: dict[str, Any] = {}
        for i, name in enumerate(named(rng, rng.randint(1, 7)), 2):
            edges = [{"record": "edge", "fields": {"input": j, "op": ops()}} for j in range(i)]
            nodes[name] = {"subset": edges, "k": rng.randint(1, len(edges))}
        return {"record": "shared_cell", "fields": nodes}

    def edges() -> Any:
        last = rng.randint(1, 7)
        return {
            "record": "edge_cells",
            "fields": {f"{i}->{j}": ops() for j in range(1, last + 1) for i in range(j)},
        }

    def row() -> Any:
        lengths = sorted(rng.sample(range(30), 2))
        return {"record": "chain", "fields": {"layers": {"repeat": ops(), "lengths": lengths}}}

    def term(depth: int) -> Any:
        match rng.randint(0, 4 if depth else 1):
            case 0:
                return ops()
            case 1:
                return rng.choice(ODD)
            case 2:
                fields = {name: term(depth - 1) for name in named(rng, rng.randint(1, 3))}
                return {"record": "thing", "fields": fields}
            case 3:
                return {"repeat": term(depth - 1), "lengths": [1, 2]}
            case _:
                inner = [term(depth - 1) for _ in range(rng.randint(2, 3))]
                return {"choice": [{"record": "r", "fields": {"kind": i, "x": x}} for i, x in enumerate(inner)]}

    start = rng.choice([cell, edges, row, lambda: {"record": "thing", "fields": {"a": term(4)}}])()
    return {"name": rng.choice(ODD), "grammar": {"start": "net", "rules": {"net": start}}}


def assert_odd(seeds: range) -> None:
    drawn = 0
    for seed in seeds:
        rng = Random(seed)
        made = document(rng)
        space = space_from_json(made | {"name": "odd"})
        for width in (PHONE, PAGE):
            for genotype in space.plan.sample(rng, 2):
                assert_readable(draw_svg(space, genotype, width=width), width)
            assert_readable(draw_supernet(space, width=width), width)
        drawn += 1
    assert drawn == len(seeds)


def test_odd_names_are_readable() -> None:
    assert_odd(range(12))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_odd_names_are_readable() -> None:
    assert_odd(range(12, 600))
