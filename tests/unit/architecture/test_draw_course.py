"""Curves: inside their frame, told apart without colour, readable by machines, and whatever a label says."""

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.architecture.draw.course import COLOURS, DASHES, Line, draw_courses, ticks

SVG = "{http://www.w3.org/2000/svg}"
STEPS = range(1, 101)


def line(name: str, top: float = 90.0) -> Line:
    values = [None, *(top - 50 / n for n in range(2, 101))]
    low, high = ([None if v is None else v + off for v in values] for off in (-1, 1))
    return Line(name=name, says=f"{top} ± 1 (n = 3)", at=STEPS, values=values, low=low, high=high)


def drawn(*lines: Line, **how: Any) -> ElementTree.Element:
    text = draw_courses("t", lines, across="evaluations", up="accuracy", **how)
    assert text == draw_courses("t", lines, across="evaluations", up="accuracy", **how)
    return ElementTree.fromstring(text)


def points(path: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path.get("d", ""))]


def paths(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [path for path in root.iter(f"{SVG}path") if path.get("class") == kind]


@pytest.mark.parametrize("width", [320, 1200])
def test_everything_is_inside_the_page_and_lines_inside_the_frame(width: int) -> None:
    root = drawn(line("a"), line("b", 95), width=width, level=("best", 96.0), above=["an oracle"], below=["a note"])
    assert float(root.get("width", 0)) <= width
    frame = points(paths(root, "wire")[0])
    (left, right), (top, bottom) = ((min(side), max(side)) for side in zip(*frame, strict=True))
    for colour in COLOURS[:2]:
        (curve, _in_legend) = paths(root, f"{colour}-wire way")
        (band,) = paths(root, colour)
        for x, y in [*points(curve), *points(band)]:
            assert left <= x <= right
            assert top <= y <= bottom
        assert points(curve)[-1][0] == right
        assert len(points(curve)) == 99, "where there is no value there is no line"
        assert all(a[0] < b[0] and a[1] >= b[1] for a, b in pairwise(points(curve))), "it only rises"


def test_twenty_lines_differ_by_colour_or_dash() -> None:
    root = drawn(*(line(f"s{i}", 80 + i) for i in range(20)))
    looks = [(p.get("class"), p.get("style")) for p in root.iter(f"{SVG}path") if "way" in (p.get("class") or "")]
    assert len(looks) == 40, "a line and its piece in the legend"
    assert len(set(looks)) == 20 == len(COLOURS) * len(DASHES) // 2


def test_title_description_and_legend_say_it_in_words() -> None:
    root = drawn(line("random"), line("evolution", 95), above=["oracle experiment"], below=["n is few"])
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.get("role") == "img"
    assert title.text == "t"
    told = "oracle experiment; random: 90.0 ± 1 (n = 3); evolution: 95 ± 1 (n = 3); n is few"
    assert (description.text or "").startswith(told)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for shown in ("oracle experiment", "random: 90.0 ± 1 (n = 3)", "evolution: 95 ± 1 (n = 3)", "n is few"):
        assert shown in texts


def test_what_is_cut_off_is_said() -> None:
    texts = [text.text or "" for text in drawn(line("a")).iter(f"{SVG}text")]
    assert any(text.startswith("what is worse than ") for text in texts)
    flat = Line(name="a", says="", at=STEPS, values=[5.0] * 100)
    texts = [text.text or "" for text in drawn(flat).iter(f"{SVG}text")]
    assert not any(text.startswith("what is worse") for text in texts)


def test_where_less_is_better_the_upper_end_is_cut() -> None:
    loss = Line(name="a", says="", at=STEPS, values=[100 / n for n in STEPS])
    root = drawn(loss, larger_is_better=False)
    curve, _ = paths(root, f"{COLOURS[0]}-wire way")
    heights = [y for _, y in points(curve)]
    assert heights == sorted(heights)
    assert len(set(heights)) == 92, "the first nine run along the upper edge"


def test_nothing_measured_is_said() -> None:
    empty = Line(name="a", says="nothing", at=STEPS, values=[None] * 100)
    assert "nothing was measured" in [text.text for text in drawn(empty).iter(f"{SVG}text")]
    assert "nothing was measured" in [text.text for text in drawn().iter(f"{SVG}text")]
    one = Line(name="a", says="5", at=[1], values=[5.0])
    assert paths(drawn(one), f"{COLOURS[0]}-wire way")


@given(st.text(max_size=60))
def test_any_label_is_text_and_no_more(label: str) -> None:
    root = drawn(line(f"<b>&{label}"), above=[f"]]>{label}"])
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{name}" for name in ("svg", "title", "desc", "style", "path", "text")
    }


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span, 5)
    assert 1 <= len(found) <= 7
    for tick in found:
        assert low - 1e-6 * max(1, abs(low)) <= tick <= low + span + 1e-6 * max(1, abs(low))
