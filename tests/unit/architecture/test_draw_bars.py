"""Bar charts: nothing overlaps, nothing sticks out, and bars are as long as what they stand for."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from app.architecture.draw.bars import STEEP, Bar, BarGroup, draw_bars
from app.architecture.draw.canvas import ADVANCE, SIZE

SVG = "{http://www.w3.org/2000/svg}"
OPERATIONS = (
    ("none", 0.0),
    ("skip_connect", 0.0),
    ("sep_conv_5x5", 67_129_344.0),
    ("dil_conv_3x3", 27_371_520.0),
    ("a_layer_whose_name_is_longer_than_any_that_fits", 4.0e6),
)
GROUPS = [
    BarGroup([f"/normal/node{i}/0/op" for i in range(2, 9)], [Bar(*pair) for pair in OPERATIONS]),
    BarGroup(["/layers#"], [Bar("1", 0.5), Bar("2", 0.5 * STEEP), Bar("3", 5e12)]),
    BarGroup(["/free<&>"], [Bar("true", 0.0), Bar("false", 0.0)]),
]


def boxes(svg: str) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]], tuple[float, float]]:
    """(bars, texts, size of the page), each as (left, top, right, bottom)."""
    root = ElementTree.fromstring(svg)
    bars = [tuple(float(r.get(k, 0)) for k in ("x", "y", "width", "height")) for r in root.iter(f"{SVG}rect")]
    texts = []
    for t in root.iter(f"{SVG}text"):
        x, y, width = float(t.get("x", 0)), float(t.get("y", 0)), len(t.text or "") * ADVANCE
        assert t.get("text-anchor") == "start"
        texts.append((x, y - 0.8 * SIZE, x + width, y + 0.2 * SIZE))
    size = (float(root.get("width", 0)), float(root.get("height", 0)))
    return [(x, y, x + w, y + h) for x, y, w, h in bars], texts, size


@pytest.mark.parametrize("width", [320, 375, 1200])
def test_nothing_overlaps_and_nothing_sticks_out(width: int) -> None:
    bars, texts, (right, bottom) = boxes(draw_bars("darts on cifar", "MACs", GROUPS, width=width))
    assert len(bars) == 6
    everything = [*bars, *texts]
    assert right <= width
    for i, (x0, y0, x1, y1) in enumerate(everything):
        assert 0 <= x0 < x1 <= right
        assert 0 <= y0 < y1 <= bottom
        for u0, v0, u1, v1 in everything[:i]:
            assert x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0


def test_bars_are_as_long_as_costs_or_as_factors() -> None:
    bars, _, _ = boxes(draw_bars("t", "MACs", GROUPS))
    lengths = [x1 - x0 for x0, _, x1, _ in bars]
    (separable, dilated, small), steep = lengths[:3], lengths[3:]
    assert dilated / separable == pytest.approx(27_371_520 / 67_129_344, rel=0.02)
    assert small < dilated
    least, twenty, most = steep  # a factor of 20, and one of 5e11: logarithms
    assert (twenty - least) / (most - least) == pytest.approx(2.9957 / 29.934, rel=0.01)
    alike = [BarGroup(["/p"], [Bar("a", 1.0), Bar("b", 3.0)])]
    one, three = (x1 - x0 for x0, _, x1, _ in boxes(draw_bars("t", "ms", alike))[0])
    assert three / one == pytest.approx(3, rel=0.01)


def test_what_is_not_drawn_is_said() -> None:
    assert "logarithmic" in draw_bars("t", "MACs", GROUPS[1:2])
    assert "logarithmic" not in draw_bars("t", "MACs", [BarGroup(["/p"], [Bar("a", 1.0), Bar("b", 3.0)])])
    many = draw_bars("t", "MACs", [BarGroup([f"/p{i}"], [Bar("a", 1.0)]) for i in range(70)])
    assert "10 further groups" in many
    assert "the options of all decisions cost the same" in draw_bars("t", "MACs", [])
    assert "of 3 further decisions" in draw_bars("t", "MACs", GROUPS, alike=3)
    rows = sorted({float(y) for y in re.findall(r'<rect[^>]* y="([\d.]+)"', many)})
    assert all(b > a for a, b in pairwise(rows))
