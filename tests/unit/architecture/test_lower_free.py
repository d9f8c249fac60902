"""Free terms: what they cost by hand, and what is refused at its decision path."""

import pytest

from app.architecture import Cursor, LoweringError, count, lower, macs
from app.architecture.lower.free import TERMS
from app.space import (
    Choice,
    FreeSkeleton,
    Grammar,
    ImageInput,
    Ref,
    Repeat,
    Subset,
    Term,
    Value,
    compile_plan,
    one_of,
    record,
)

IMAGE = ImageInput(channels=1, height=8, width=8)
STEM = 9 * 4 + 2 * 4  # a 3x3 convolution of one channel to four, and its norm
HEAD = 4 * 10 + 10


def grammar(body: Term, depth: int = 1, **rules: Term) -> Grammar:
    return Grammar({"net": record("free", body=body), **rules}, "net", depth)


def params(body: Term, **skeleton: int) -> int:
    return count(lower(grammar(body), FreeSkeleton(channels=4, **skeleton), IMAGE))


CONV = 9 * 4 * 4 + 2 * 4
POINT = 4 * 4 + 2 * 4


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (Value("identity"), 0),
        (Value("conv_3x3"), CONV),
        (record("apply", op=Value("conv_1x1")), POINT),
        (record("sequence", kind=Value("x"), a=Value("conv_3x3"), b=Value("conv_1x1")), CONV + POINT),
        (record("residual", inner=Value("conv_3x3")), CONV),
        (record("stack", layers=Repeat(Value("conv_1x1"), (3,))), 3 * POINT),
        (Repeat(Value("conv_1x1"), (3,)), 3 * POINT),
        (Subset((Value("conv_3x3"), Value("conv_1x1")), 2), CONV + POINT),
        (record("parallel", a=Value("conv_3x3"), b=Value("conv_1x1")), CONV + POINT),
        (record("parallel", a=Value("identity"), b=Value("identity"), merge=Value("concat")), 8 * 4 + 2 * 4),
        (
            record("graph", **{"0->1": Value("conv_1x1"), "1->2": Value("conv_3x3"), "0->2": Value("none")}),
            POINT + CONV,
        ),
        # down to eight channels, the convolution there, back to four
        (
            record("scale", inner=Value("conv_3x3"), width=Value(2)),
            (9 * 4 * 8 + 2 * 8) + (9 * 8 * 8 + 2 * 8) + (8 * 4 + 2 * 4),
        ),
        # expand to twelve, depthwise, project, each with its norm
        (record("mbconv", kernel=Value(5), expand=Value(3)), (4 * 12 + 24) + (25 * 12 + 24) + (12 * 4 + 8)),
        # two norms; queries, keys, values of six features and back; four to eight and back
        (
            record("layer", heads=Value(2), head_dim=Value(3), mlp_ratio=Value(2)),
            2 * 8 + 3 * (4 * 6 + 6) + (6 * 4 + 4) + (4 * 8 + 8) + (8 * 4 + 4),
        ),
    ],
)
def test_the_parameters_of_a_term(body: Term, extra: int) -> None:
    assert params(body) == STEM + extra + HEAD


def test_a_width_changes_what_follows() -> None:
    body = record(
        "sequence", a=record("apply", op=Value("conv_3x3"), stride=Value(2), width=Value(1.5)), b=Value("conv_1x1")
    )
    assert params(body) == STEM + (9 * 4 * 6 + 12) + (6 * 6 + 12) + (6 * 10 + 10)
    graph = lower(grammar(body), FreeSkeleton(channels=4), IMAGE)
    assert macs(graph) == 36 * 64 + 9 * 4 * 6 * 16 + 36 * 16 + 60


def test_the_body_stands_in_every_place_of_the_skeleton() -> None:
    wide = 9 * 8 * 8 + 2 * 8
    expected = STEM + (9 * 4 * 4 + 8) + 2 * CONV + (9 * 4 * 8 + 16) + 2 * wide + (8 * 10 + 10)
    assert params(Value("conv_3x3"), halvings=1, num_stages=2, num_cells=2) == expected


STRIDED = record("apply", kind=Value("strided"), op=Value("conv_3x3"), stride=Value(2))


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        (Value("warp_drive"), "/body", "no operation 'warp_drive'"),
        (one_of("conv_1x1", "warp_drive"), "/body/warp_drive", "no operation"),
        (record("apply", op=one_of("conv_1x1", "warp_drive")), "/body/op", "no operation"),
        (record("apply"), "/body", "needs a field 'op'"),
        (record("sculpture"), "/body", "no term builds 'sculpture'; there are sequence"),
        (record("sequence", kind=Value("x")), "/body", "a sequence needs at least one term"),
        (record("parallel", merge=Value("add")), "/body", "at least one term"),
        (record("parallel", a=Value("identity"), merge=Value("multiply")), "/body", "do not merge by 'multiply'"),
        (record("residual", inner=STRIDED), "/body", "4x8x8 and 4x4x4"),
        (record("parallel", a=Value("identity"), b=STRIDED, merge=Value("concat")), "/body", "8x8 and 4x4 (height"),
        (record("sequence", a=Choice((Value("identity"), STRIDED))), "/body/a", "shapes that meet are alike"),
        (Repeat(STRIDED, (1, 2)), "/body", "shapes that meet are alike"),
        (record("graph", **{"0->1": STRIDED, "0->2": Value("identity"), "1->2": Value("identity")}), "/body", "alike"),
        (record("graph", **{"0->2": Value("identity")}), "/body", "no edge into node 1"),
        (record("graph", first=Value("identity")), "/body", "'first' is not an edge"),
        (record("stack", layers=Value("conv_1x1")), "/body/layers", "expected a repeat"),
        (record("apply", op=Value("conv_1x1"), stride=Value(3)), "/body/stride", "the stride is 1 or 2, not 3"),
        (record("apply", op=Value("conv_1x1"), stride=one_of(1, True)), "/body/stride", "not True"),
        (record("apply", op=Value("conv_1x1"), width=Value(0)), "/body/width", "a factor above 0"),
        (record("apply", op=Value("conv_1x1"), width=Value("2")), "/body/width", "not '2'"),
        (record("mbconv", kernel=Value(4), expand=Value(3)), "/body/kernel", "a kernel is odd"),
        (record("mbconv", kernel=Value(3), expand=Value(99)), "/body/expand", "an expansion is above 0, at most 16"),
        (record("layer", head_dim=Value(0)), "/body/head_dim", "1 to 1024 features"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused_at_its_path(body: Term, pointer: str, message: str) -> None:
    with pytest.raises(LoweringError) as raised:
        lower(grammar(body), FreeSkeleton(channels=4), IMAGE)
    assert message in raised.value.message
    assert raised.value.pointer == pointer


def test_a_member_may_have_a_meaning_where_the_choice_has_none() -> None:
    """Alternatives of unlike shapes cannot be added up, so there is no supernet; each is a network by itself."""
    found = grammar(Choice((Value("identity"), STRIDED)))
    plain = [lower(found, FreeSkeleton(channels=4), IMAGE, {"/body": (symbol,)}) for symbol in ("identity", "strided")]
    assert [count(graph) for graph in plain] == [STEM + HEAD, STEM + CONV + HEAD]


def test_a_supernet_that_is_too_large_is_refused_with_the_count() -> None:
    inner = Ref("term")
    wide = tuple(record("parallel", kind=Value(i), a=inner, b=inner) for i in range(6))
    found = grammar(inner, 6, term=Choice((Value("conv_1x1"), *wide)))
    with pytest.raises(LoweringError, match="more than 50000 nodes"):
        lower(found, FreeSkeleton(channels=1), IMAGE)


def test_rules_that_recurse_into_one_another_count_together() -> None:
    """As the plan counts them: the open decisions of the graph are those of the plan, their options too."""
    rules: dict[str, Term] = {
        "a": Choice((Value("conv_1x1"), record("residual", kind=Value("a"), inner=Ref("b")))),
        "b": Choice((Value("conv_3x3"), record("residual", kind=Value("b"), inner=Ref("a")))),
    }
    for depth in (1, 2, 3, 4):
        found = grammar(Ref("a"), depth, **rules)
        graph = lower(found, FreeSkeleton(channels=2), IMAGE)
        plan = compile_plan(found)
        decisions = {d.path: d.options for d in plan.decisions() if len(d.options) > 1}
        assert {path: options for path, (_, options) in graph.open.items()} == decisions
        assert len(decisions) == depth - 1


def test_a_cursor_never_enters_what_the_depth_forbids() -> None:
    deep = grammar(record("residual", inner=Ref("t")), 2, t=record("residual", inner=Ref("t")))
    cursor = Cursor.root(deep)["body"]["inner"]["inner"]
    with pytest.raises(LoweringError, match="would recurse more than 2 times"):
        _ = cursor["inner"]


def test_every_term_is_described_where_it_is_defined() -> None:
    from app.architecture.lower import free

    assert free.__doc__ is not None
    assert all(f"    {name} " in free.__doc__ for name in TERMS)
