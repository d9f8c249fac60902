"""Drawings hold what they should, overlap nowhere, and are safe whatever a space calls its parts."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from random import Random

import pytest

from app.architecture import LoweringError, draw_svg, draw_text
from app.architecture.draw.canvas import ADVANCE, SIZE, label
from app.architecture.draw.palette import FAMILIES, family
from app.architecture.vocabulary import OPERATIONS
from app.space import (
    ChainSkeleton,
    Choice,
    FreeSkeleton,
    Grammar,
    InvalidGenotype,
    Ref,
    Repeat,
    SearchSpace,
    Subset,
    Value,
    one_of,
    record,
)
from app.space.zoo import (
    ZOO,
    autoformer_t,
    chain,
    darts,
    darts_rnn,
    fbnet,
    mnasnet,
    mobilenet_ofa,
    nasbench101,
    nasbench201,
    nasbench_macro,
    nasnet,
    nats_size,
    pnasnet,
    proxylessnas,
    simple_cell,
    transformer,
    unconstrained_dag,
)

SVG = "{http://www.w3.org/2000/svg}"
SPACES = {
    "darts": darts(),
    "darts with none, six nodes": darts(6, none=True),
    "simple_cell": simple_cell(),
    "nasnet": nasnet(),
    "nasnet that also concatenates": nasnet(combine=("add", "concat")),
    "pnasnet": pnasnet(),
    "nasbench201": nasbench201(),
    "nasbench201, six nodes": nasbench201(6),
    "chain": chain(),
    "chain of many": chain((14, 30)),
    "chains, a stage each": nasbench_macro(),
    "chains of named positions": proxylessnas(),
    "chain of layers without a skeleton": fbnet(5),
}


def terms(depth: int) -> SearchSpace:
    """Free terms that nest: a circuit where they are few, else a tree."""
    inner = Ref("term")
    term = Choice(
        (
            record("sequence", kind=Value("sequence"), first=inner, second=inner),
            record("parallel", kind=Value("parallel"), a=inner, b=inner, merge=one_of("add", "concat")),
            record("residual", kind=Value("residual"), inner=inner),
            record("stack", kind=Value("stack"), layers=Repeat(one_of("conv_3x3", "sep_conv_3x3"), (0, 2))),
            record("graph", kind=Value("graph"), **{"0->1": inner, "0->2": inner, "1->2": one_of("none", "identity")}),
            record("apply", kind=Value("apply"), op=one_of("conv_3x3", "max_pool_3x3"), stride=Value(1)),
        )
    )
    return SearchSpace(
        name="terms",
        version=1,
        title="",
        paper="",
        grammar=Grammar({"net": record("free", body=inner), "term": term}, "net", depth),
        skeletons={"small": FreeSkeleton(channels=4), "stages": FreeSkeleton(channels=2, num_stages=3, num_cells=2)},
    )


OTHER = SearchSpace(
    name="other",
    version=1,
    title="",
    paper="",
    grammar=Grammar(
        {
            "net": record(
                "sculpture",
                stone=one_of("a", "b", "conv_3x3"),
                chips=Subset((Value(1), Value(2), record("chip", kind=Value("chip"), size=one_of(1.5, True))), 2),
                layers=Repeat(record("layer", op=one_of("x" * 40, "none"), more=Ref("more", shared=True)), (0, 1)),
            ),
            "more": record("more", a=one_of(0, 1), b=record("empty")),
        },
        "net",
    ),
    skeletons={},
)
DRAWN = SPACES | {
    "graph of a cell": nasbench101(),
    "graph of a network": unconstrained_dag(),
    "terms": terms(2),
    "terms, nested": terms(4),
    "other": OTHER,
    "chain of a transformer": transformer(),
    "chains, a unit each": mobilenet_ofa((128, 224)),
    "chain of MnasNet's blocks": mnasnet(),
    "chain of widths": nats_size(),
    "recurrent cell": darts_rnn(),
}


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float
    what: str

    def holds(self, other: "Box") -> bool:
        return (
            self.left <= other.left + 0.01
            and other.right <= self.right + 0.01
            and self.top <= other.top + 0.01
            and other.bottom <= self.bottom + 0.01
        )


def boxes(svg: str) -> tuple[list[Box], list[Box], Box]:
    """(rectangles, labels, page)."""
    root = ET.fromstring(svg)
    rectangles, labels = [], []
    for shape in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(shape.attrib[a]) for a in ("x", "y", "width", "height"))
        rectangles.append(Box(x, y, x + w, y + h, shape.attrib["class"]))
    for text in root.iter(f"{SVG}text"):
        if not text.text:
            continue
        x, y, width = float(text.attrib["x"]), float(text.attrib["y"]), len(text.text) * ADVANCE
        left = x - width / 2 if text.attrib["text-anchor"] == "middle" else x
        labels.append(Box(left, y - SIZE * 0.8, left + width, y + SIZE * 0.25, text.text))
    width, height = (float(root.attrib[a]) for a in ("width", "height"))
    return rectangles, labels, Box(0, 0, width, height, "page")


@pytest.mark.parametrize("name", SPACES)
def test_a_cell_shows_every_operation_once(name: str) -> None:
    space = SPACES[name]
    for genotype in space.plan.sample(Random(name), 4):
        chosen = sorted(
            str(answer[0])
            for path, answer in space.plan.read(genotype).items()
            if isinstance(answer[0], str) and answer[0] in OPERATIONS
        )
        root = ET.fromstring(draw_svg(space, genotype))
        shown = sorted(t.text for t in root.iter(f"{SVG}text") if t.text in OPERATIONS)
        assert shown == chosen
        text = draw_text(space, genotype)
        assert sorted(re.findall("|".join(rf"\b{o}\b" for o in OPERATIONS), text)) == chosen


def test_a_graph_has_its_operations_on_its_vertices() -> None:
    """Also on one that nothing reads and on one that nothing leads to; rows are plain arrows."""
    space = nasbench101()
    there = {(0, 1), (2, 3), (1, 3), (0, 4)}
    bits = {f"{i}->{j}": int((i, j) in there) for j in range(1, 5) for i in range(j)}
    operations = {"v1": "conv1x1-bn-relu", "v2": "maxpool3x3", "v3": "conv3x3-bn-relu"}
    genotype = {"cell": {"vertices": 5, **bits, **operations}}
    root = ET.fromstring(draw_svg(space, genotype))
    shown = {t.text for t in root.iter(f"{SVG}text")}
    assert shown >= {"input 0", "1 conv1x1-bn-relu", "2 maxpool3x3", "3 conv3x3-bn-relu", "output 4", "maximum pooling"}
    kinds = [shape.attrib["class"] for shape in root.iter(f"{SVG}rect")]
    assert [kinds.count(kind) for kind in ("state", "convolution", "max")] == [2, 3, 2]  # the legend has one each
    assert draw_text(space, genotype).splitlines() == [
        "cell",
        "├─ 1 conv1x1-bn-relu",
        "│  └─ input 0",
        "├─ 2 maxpool3x3",
        "├─ 3 conv3x3-bn-relu",
        "│  ├─ 1 conv1x1-bn-relu",
        "│  └─ 2 maxpool3x3",
        "└─ output 4",
        "   └─ input 0",
    ]


def test_the_legend_names_the_families_that_are_there() -> None:
    space = chain()
    svg = draw_svg(space, {"layers": ["conv_3x3", "conv_3x3", "skip_connect", "max_pool_3x3"]})
    titles = {title for title, *_ in FAMILIES.values()}
    shown = {t.text for t in ET.fromstring(svg).iter(f"{SVG}text")} & titles
    assert shown == {"convolution", "skip connection", "maximum pooling"}
    assert {family(operation) for operation in OPERATIONS} == set(FAMILIES) - {"merge", "activation", "other"}


def test_it_is_light_and_dark_and_loads_nothing() -> None:
    svg = draw_svg(darts(), darts().plan.unrank(0))
    assert "prefers-color-scheme: dark" in svg
    for word in ("<script", "href", "url(", "@import", "<image", "<foreignObject"):
        assert word not in svg
    assert svg.count("http") == 1  # the namespace


def test_the_network_shows_its_cells_with_their_sizes() -> None:
    space = darts()
    svg = draw_svg(space, space.plan.unrank(7), space.skeletons["cifar"])
    texts = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]
    assert texts[1:] [:16] == [
        "image", "3×32×32", "stem", "108×32×32", "6 x normal", "144×32×32", "reduction", "288×16×16",
        "6 x normal", "288×16×16", "reduction", "576×8×8", "6 x normal", "576×8×8", "classifier", "10 classes",
    ]  # fmt: skip


def test_the_network_of_a_chain_of_skips_has_all_its_layers() -> None:
    space = chain((4,))
    svg = draw_svg(space, {"layers": ["skip_connect"] * 4}, ChainSkeleton(channels=4, reductions=(2,)))
    texts = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]
    assert [t for t in texts if t and t.startswith("layer ")] == ["layer 0", "layer 1", "layer 2", "layer 3"]


EVIL = ("<script>alert(1)</script>", "a\"b'c&d", "]]>", "x" * 64, "&lt;", "{}", "' onload='")


def test_names_of_a_space_are_text_and_nothing_else() -> None:
    node = Subset(tuple(record("edge", input=Value(i), op=one_of(*EVIL)) for i in range(2)), 1)
    cell = record("shared_cell", **{'"/><script>': node, "</svg>": node})
    space = SearchSpace(
        name="mine & <yours>", version=1, title="", paper="", grammar=Grammar({"net": cell}, "net"), skeletons={}
    )
    for genotype in space.plan.sample(Random(0), 20):
        svg = draw_svg(space, genotype)
        root = ET.fromstring(svg)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg", "title", "style", "path", "rect", "text", "circle",
        }  # fmt: skip
        rectangles, labels, page = boxes(svg)
        assert all(page.holds(b) for b in (*rectangles, *labels))
        text = draw_text(space, genotype)
        assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202eevil", "\ufffdevil"),
        ("\x00\x1b[31m", "\ufffd\ufffd[31m"),
        ("a\n b\t c", "a b c"),
        ("x" * 500, "x" * 39 + "…"),
        ("\ud800", "\ufffd"),
    ],
)
def test_a_label_is_one_printable_line(text: str, shown: str) -> None:
    assert label(text) == shown


@pytest.mark.parametrize("name", DRAWN)
def test_text_stays_within_a_hundred_columns(name: str) -> None:
    space = DRAWN[name]
    for genotype in space.plan.sample(Random(name), 10):
        text = draw_text(space, genotype)
        assert all(len(line) <= 100 for line in text.splitlines())
        assert text.endswith("\n")


def test_text_is_a_tree() -> None:
    space = nasbench201(3)
    assert draw_text(space, {"0->1": "nor_conv_3x3", "0->2": "none", "1->2": "skip_connect"}).splitlines() == [
        "cell",
        "├─ node 1",
        "│  └─ input 0 ── nor_conv_3x3",
        "└─ output 2",
        "   ├─ input 0 ── none",
        "   └─ node 1  ── skip_connect",
    ]


def test_a_cell_ends_in_what_no_block_reads() -> None:
    space = nasnet(3, ("skip_connect", "conv_1x1"), combine=("add", "concat"))
    skip, conv = {"input": 0, "op": "skip_connect"}, {"input": 1, "op": "conv_1x1"}
    first = {"left": skip, "right": conv, "combine": "concat"}
    second = {"left": {"input": 2, "op": "conv_1x1"}, "right": conv, "combine": "add"}
    cell = {"block2": first, "block3": second, "block4": {"left": skip, "right": skip, "combine": "add"}}
    lines = draw_text(space, {"normal": cell, "reduce": cell}).splitlines()
    assert lines[: len(lines) // 2] == [
        "normal cell",
        "├─ block2 concat",
        "│  ├─ input 0       ── skip_connect",
        "│  └─ input 1       ── conv_1x1",
        "├─ block3",
        "│  ├─ block2 concat ── conv_1x1",
        "│  └─ input 1       ── conv_1x1",
        "├─ block4",
        "│  ├─ input 0       ── skip_connect",
        "│  └─ input 0       ── skip_connect",
        "└─ output = concat(block3, block4)",
    ]


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(InvalidGenotype):
        draw_svg(darts(), {"normal": {}})
    with pytest.raises(LoweringError):
        draw_svg(darts(), darts().plan.unrank(0), ChainSkeleton())


def test_terms_are_a_circuit() -> None:
    body = {
        "kind": "parallel",
        "a": {"kind": "residual", "inner": {"kind": "apply", "op": "conv_3x3", "stride": 1}},
        "b": {"kind": "stack", "layers": ["conv_3x3", "sep_conv_3x3"]},
        "merge": "concat",
    }
    assert draw_text(terms(3), {"body": body}).splitlines() == [
        "body",
        "├─ 1",
        "│  └─ input    ── conv_3x3",
        "├─ 2",
        "│  ├─ input    ── identity",
        "│  └─ input    ── conv_3x3 stride 1",
        "├─ 3 concat",
        "│  ├─ 2        ── identity",
        "│  └─ 1        ── sep_conv_3x3",
        "└─ output",
        "   └─ 3 concat ── conv_1x1",
    ]


def test_a_term_at_half_the_extents_goes_down_and_back() -> None:
    scale = record("scale", inner=record("layer", heads=one_of(2), norm=Value("pre")), width=Value(2))
    grammar = Grammar({"net": record("free", body=scale)}, "net")
    space = SearchSpace(name="u", version=1, title="", paper="", grammar=grammar, skeletons={})
    assert draw_text(space, {"body": {"inner": {"heads": 2, "norm": "pre"}, "width": 2}}).splitlines() == [
        "body",
        "├─ 1 half the extents",
        "│  └─ input              ── conv_3x3 stride 2",
        "├─ 2",
        "│  └─ 1 half the extents ── layer heads 2 norm pre",
        "└─ output",
        "   └─ 2                  ── conv_1x1 resized",
    ]


def test_what_has_no_meaning_is_drawn_as_its_derivation() -> None:
    genotype = {"stone": "conv_3x3", "chips": [2, {"kind": "chip", "size": True}]}
    layer = {"op": "none", "more": {"a": 0, "b": {}}}
    assert draw_text(OTHER, genotype | {"layers": [layer]}).splitlines() == [
        "sculpture",
        "├─ stone  conv_3x3",
        "├─ chips",
        "│  ├─ 0  2",
        "│  └─ 1  kind chip, size true",
        "└─ layers",
        "   └─ 0",
        "      ├─ op  none",
        "      └─ more",
        "         ├─ a  0",
        "         └─ b  empty",
    ]
    assert draw_text(OTHER, genotype | {"layers": []}).splitlines()[-1] == "└─ layers  nothing"
    with pytest.raises(LoweringError, match="sculpture"):
        draw_svg(OTHER, genotype | {"layers": [layer]}, ChainSkeleton())


def test_a_cell_that_has_no_meaning_is_drawn_as_its_derivation() -> None:
    cell = record("edge_cells", **{"0->1": one_of("conv_3x3"), "one->two": one_of("none")})
    space = SearchSpace(name="odd", version=1, title="", paper="", grammar=Grammar({"net": cell}, "net"), skeletons={})
    genotype = {"0->1": "conv_3x3", "one->two": "none"}
    assert draw_text(space, genotype).splitlines() == ["edge_cells", "├─ 0->1  conv_3x3", "└─ one->two  none"]
    assert "one-&gt;two" in draw_svg(space, genotype)


def test_a_derivation_of_many_rows_is_cut() -> None:
    long = Grammar({"net": record("row", items=Repeat(one_of(1, 2), (1_000,)))}, "net")
    space = SearchSpace(name="long", version=1, title="", paper="", grammar=long, skeletons={})
    lines = draw_text(space, {"items": [1] * 1_000}).splitlines()
    assert len(lines) == 402
    assert lines[-1] == "…"
    assert "and more than these 400 rows" in draw_svg(space, {"items": [1] * 1_000})


def test_the_layers_of_a_transformer_are_two_rows_each() -> None:
    genotype = {"embed": 192, "layers": [{"heads": 3, "mlp_ratio": 3.5}, *[{"heads": 4, "mlp_ratio": 4.0}] * 11]}
    lines = draw_text(autoformer_t(), genotype).splitlines()
    assert lines[:3] == ["layers of 192 features", "├─ 0  attention, 3 heads", "├─ 1  ffn, ratio 3.5"]
    assert len(lines) == 1 + 2 * 12
    whole = {"attention": "linear", "heads": 12, "ffn": "swiglu", "mlp_ratio": 2.0, "norm": "post"}
    drawn = draw_svg(transformer(), {"embed": 192, "layers": [whole] * 4}, transformer().skeletons["imagenet"])
    assert "attention linear, 12 heads, post" in drawn
    assert "ffn swiglu, ratio 2.0, post" in drawn
    assert "4 x layer" in drawn


def test_a_recurrent_cell_ends_in_a_mean() -> None:
    steps = {f"node{i}": {"input": i - 1, "activation": "tanh"} for i in range(1, 9)}
    lines = draw_text(darts_rnn(), steps).splitlines()
    assert lines[1:3] == ["├─ node1", "│  └─ state 0 ── tanh"]
    assert lines[-1].startswith("└─ output = mean(node1, node2")
    assert "35 x step" in draw_svg(darts_rnn(), steps, darts_rnn().skeletons["ptb"])


def test_every_zoo_space_can_be_drawn_on_its_skeletons() -> None:
    for space in ZOO.values():
        genotype = space.plan.sample(Random(0), 1)[0]
        for skeleton in space.skeletons.values():
            assert "<svg" in draw_svg(space, genotype, skeleton)
