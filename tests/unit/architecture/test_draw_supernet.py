"""Whole spaces are drawn with all that is open, and bounded; members on a skeleton with the shapes of their graphs."""

import re
import xml.etree.ElementTree as ET
from random import Random

import pytest

from app.architecture import draw_svg, lower
from app.architecture.draw import draw_supernet
from app.architecture.draw.places import shape_of
from app.space import ChainSkeleton, Choice, Grammar, Ref, Repeat, SearchSpace, Subset, Value, one_of, record
from app.space.zoo import ZOO, autodeeplab, chain, darts, hierarchical, mobilenet_ofa, nasbench101, nasnet, simple_cell

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def space_of(rules: dict[str, object], depth: int = 1, **more: object) -> SearchSpace:
    grammar = Grammar(rules, "net", depth)  # type: ignore[arg-type]
    return SearchSpace(name="mine", version=1, title="", paper="", grammar=grammar, skeletons={}, **more)  # type: ignore[arg-type]


def test_every_decision_of_a_cell_is_named_once() -> None:
    space = darts()
    shown = texts(draw_supernet(space))
    for decision in space.plan.decisions():
        if decision.path.startswith("/normal/") and decision.path.endswith("/op"):
            assert shown.count(f"{decision.path.removeprefix('/normal/')} [A]") == 1
    assert {"normal cell, and reduce cell alike", "decisions under /normal", "decisions under /reduce"} <= set(shown)
    assert [shown.count(f"node{i}: 2 of {i}") for i in (3, 4, 5)] == [1, 1, 1]
    assert shown.count("[A]: one of 7") == 1


def test_what_is_certain_is_drawn_through_and_what_is_open_is_dotted() -> None:
    wires = [path.attrib["class"] for path in ET.fromstring(draw_supernet(darts())).iter(f"{SVG}path")]
    assert wires.count("menu-wire") >= 2  # both edges into node2
    assert wires.count("menu-wire maybe") >= 12  # any two of the others
    decided = ET.fromstring(draw_svg(darts(), darts().plan.unrank(9)))
    assert not any("maybe" in path.attrib["class"] for path in decided.iter(f"{SVG}path"))


def test_an_open_input_is_one_row_with_a_dot_for_each() -> None:
    space = simple_cell()
    root = ET.fromstring(draw_supernet(space, width=390))
    (row,) = [t for t in root.iter(f"{SVG}text") if (t.text or "").startswith("node3/left/op")]
    assert (row.text or "").endswith("← 1 of 5")
    height = float(row.attrib["y"])
    assert sum(abs(float(dot.attrib["cy"]) - height) < 6 for dot in root.iter(f"{SVG}circle")) == 5


def test_lists_of_options_have_a_letter_each() -> None:
    shown = texts(draw_supernet(mobilenet_ofa((128, 224))))
    assert {"mb[B]_k[C]", "[A]: one of 2", "[B]: one of 3", "[C]: one of 3", "224"} <= set(shown)
    assert "/unit0/blocks#: one of 3 lengths, 2 to 4" in shown


def test_motifs_that_are_alike_are_drawn_once() -> None:
    shown = texts(draw_supernet(hierarchical()))
    assert [t for t in shown if t.startswith("motif") and "alike" in t] == ["motif1, and 5 more alike"]


def test_of_cells_of_several_sizes_the_last_is_drawn() -> None:
    shown = texts(draw_supernet(nasbench101()))
    assert "/cell: one of 6 numbers of vertices; the last is drawn" in shown
    assert "edges ← any of 6" in shown


def test_a_grammar_of_terms_is_its_rules() -> None:
    inner = Ref("term")
    term = Choice((record("residual", kind=Value("residual"), inner=inner), Value("conv_3x3"), Value("none")))
    shown = texts(draw_supernet(space_of({"net": record("free", body=inner), "term": term}, 3)))
    assert {"grammar", "rule net", "→ rule term", "one of 3", "rules may refer to one another 3 deep"} <= set(shown)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (space_of({"net": record("chain", layers=Repeat(one_of("conv_3x3", "none"), (400,)))}), "and 280 more layers"),
        (
            space_of({"net": record("thing", **{f"f{i}": one_of(i, "x") for i in range(400)})}),
            "and more than these 150 rows",
        ),
        (
            space_of({"net": record("thing", **{f"f{i}": one_of(i, "x") for i in range(60)})}),
            "and 40 more lists of options",
        ),
        (space_of({"net": record("thing", a=one_of(*range(90)))}), "and 66 more"),
    ],
    ids=["layers", "rows", "lists", "options"],
)
def test_what_is_left_out_is_said(space: SearchSpace, said: str) -> None:
    svg = draw_supernet(space)
    assert said in texts(svg)
    assert len(svg) < 100_000


def test_a_cell_of_many_edges_shares_rows() -> None:
    ops = one_of("conv_3x3", "none")
    nodes = {f"n{i}": Subset(tuple(record("edge", input=Value(j), op=ops) for j in range(i)), 2) for i in range(2, 14)}
    shown = texts(draw_supernet(space_of({"net": record("shared_cell", **nodes)})))
    assert "13 edges, each [A]" in shown


def test_a_larger_cell_still_is_its_rules() -> None:
    ops = [one_of("none", f"op{i}") for i in range(20)]
    nodes = {
        f"n{i}": Subset(tuple(record("edge", input=Value(j), op=ops[j]) for j in range(i)), 2) for i in range(2, 20)
    }
    assert "grammar" in texts(draw_supernet(space_of({"net": record("shared_cell", **nodes)})))


@pytest.mark.parametrize("name", ZOO)
def test_every_shape_is_one_of_the_graph(name: str) -> None:
    space = ZOO[name]
    genotype = space.plan.sample(Random(name), 1)[0]
    skeleton = space.skeletons.get("small") or next(iter(space.skeletons.values()))
    graph = lower(space.grammar, skeleton, space.input, space.plan.read(genotype))
    known = {shape_of(node) for node in graph.nodes.values()}
    shown = [
        text for text in texts(draw_svg(space, genotype, skeleton)) if re.fullmatch(r"\d+(×\d+)+|\d+ features", text)
    ]
    assert len(shown) > 3
    assert set(shown) <= known


def test_a_reduction_halves_inside_its_cell() -> None:
    space = darts()
    shown = texts(draw_svg(space, space.plan.unrank(3), space.skeletons["cifar"]))
    at = shown.index("reduce cell, as cell6")
    inside = [text for text in shown[at:] if "×" in text]
    assert sorted(inside) == ["288×16×16", *["72×16×16"] * 4, *["72×32×32"] * 2]


def test_a_chain_shows_where_its_shape_changes() -> None:
    space = chain((4,))
    layers = {"layers": ["conv_3x3", "skip_connect", "conv_3x3", "conv_3x3"]}
    shown = texts(draw_svg(space, layers, ChainSkeleton(channels=4, reductions=(2,))))
    after = shown[shown.index("chain") + 1 :]
    assert [text for text in after if "×" in text] == ["4×32×32", "8×16×16"]


def test_a_path_is_drawn_in_its_trellis() -> None:
    space = autodeeplab(4)
    path = {"level": 4, "next": {"level": 8, "next": {"level": 8, "next": {"level": 4}}}}
    genotype = space.plan.sample(Random(0), 1)[0] | {"path": path}  # type: ignore[operator]
    root = ET.fromstring(draw_svg(space, genotype))
    ways = [p.attrib["class"] for p in root.iter(f"{SVG}path")]
    states = [r.attrib["class"] for r in root.iter(f"{SVG}rect")]
    assert ways.count("way") == 3
    assert states.count("way block") == 4
    open_ = ET.fromstring(draw_supernet(space))
    steps = [p for p in open_.iter(f"{SVG}path") if p.attrib["class"] == "wire" and p.attrib["d"].count("L") == 1]
    assert len(steps) >= 12


def test_a_theme_is_one_of_three() -> None:
    def drawn(theme: str) -> str:
        return draw_svg(chain(), chain().plan.unrank(0), theme=theme)  # type: ignore[arg-type]

    assert "background:#ffffff" in drawn("light")
    assert "background:#14171b" not in drawn("light")
    assert "background:#14171b" in drawn("dark")
    assert "@media" not in drawn("dark")
    assert "@media (prefers-color-scheme: dark){svg{background:#14171b}" in drawn("auto")


def test_cells_that_fit_stand_side_by_side() -> None:
    genotype = nasnet().plan.unrank(5)
    tall = ET.fromstring(draw_svg(nasnet(), genotype, width=390)).attrib["height"]
    wide = ET.fromstring(draw_svg(nasnet(), genotype, width=1200)).attrib["height"]
    assert float(wide) < 0.6 * float(tall)
