"""Decision paths, and genotypes read and written through them."""

import pytest

from app.space import (
    Choice,
    Decision,
    Factor,
    Grammar,
    GrammarError,
    InvalidGenotype,
    Ref,
    Repeat,
    Subset,
    Value,
    compile_plan,
    one_of,
    record,
    step,
)
from app.space.zoo import DARTS_OPERATIONS, ZOO

DARTS = ZOO["darts"].plan


def test_paths_of_the_zoo() -> None:
    places = {d.path: d for d in DARTS.decisions()}
    assert places["/normal/node3"] == Decision("/normal/node3", "subset", (0, 1, 2), 2)
    assert places["/reduce/node3/1/op"] == Decision("/reduce/node3/1/op", "choice", DARTS_OPERATIONS, 1)
    assert len(places) == 2 * (4 + 2 + 3 + 4 + 5)
    assert places["/normal/node2"].answers == 1
    assert places["/normal/node3"].answers == 3
    chain = {d.path: d for d in ZOO["chain"].plan.decisions()}
    assert chain["/layers#"] == Decision("/layers#", "length", (4, 5, 6, 7, 8), 1)
    assert set(chain) == {"/layers#", *(f"/layers/{i}" for i in range(8))}
    assert [d.path for d in ZOO["nasbench201"].plan.decisions()] == [
        "/0->1",
        "/0->2",
        "/1->2",
        "/0->3",
        "/1->3",
        "/2->3",
    ]
    assert "/node1/left/input" in {d.path for d in ZOO["simple_cell"].plan.decisions()}


def test_a_genotype_is_read_as_its_decisions() -> None:
    genotype = {"normal": {}, "reduce": {}}
    for cell in genotype.values():
        for n in range(2, 6):
            cell[f"node{n}"] = [{"input": 1, "op": "sep_conv_3x3"}, {"input": 0, "op": "skip_connect"}]
    made = DARTS.read(genotype)
    assert len(made) == 2 * 4 * 3
    assert made["/normal/node5"] == (0, 1)
    assert made["/normal/node5/1/op"] == ("sep_conv_3x3",)
    assert DARTS.write(made) == DARTS.normalise(genotype)


def test_decisions_for_a_whole_supernet_are_more_than_enough() -> None:
    everything = {d.path: d.options[-d.k :] for d in DARTS.decisions()}
    assert DARTS.write(everything) == DARTS.unrank(DARTS.size - 1)
    assert DARTS.write(everything | {"/unknown": ("x",)}) == DARTS.unrank(DARTS.size - 1)


def test_what_cannot_be_otherwise_need_not_be_said() -> None:
    made = dict(DARTS.read(DARTS.unrank(77)))
    del made["/normal/node2"]
    assert DARTS.write(made) == DARTS.unrank(77)


def test_wrong_decisions_are_all_named() -> None:
    made = dict(DARTS.read(DARTS.unrank(77)))
    del made["/normal/node3"]
    made["/normal/node4"] = (0, 1, 2)
    made["/normal/node5"] = (0, 0)
    made["/reduce/node2/0/op"] = ("conv",)
    made["/reduce/node2/1/op"] = ()
    with pytest.raises(InvalidGenotype) as raised:
        DARTS.write(made)
    faults = {f.pointer: f for f in raised.value.faults}
    assert set(faults) == {
        "/normal/node3",
        "/normal/node4",
        "/normal/node5",
        "/reduce/node2/0/op",
        "/reduce/node2/1/op",
    }
    assert "is not made" in faults["/normal/node3"].message
    assert faults["/reduce/node2/0/op"].allowed == DARTS_OPERATIONS


def test_no_two_places_share_a_path() -> None:
    inner = one_of("a", "b")
    options = (record("r", kind=Value("x/y"), f=inner), record("r", kind=Value("x"), **{"y/f": inner}))
    grammar = Grammar(
        {"g": record("r", **{"list": Repeat(inner, (1, 2)), "list#": inner, "~2": inner, "pick": Choice(options)})}, "g"
    )
    plan = compile_plan(grammar)
    paths = [d.path for d in plan.decisions()]
    assert paths == ["/list#", "/list/0", "/list/1", "/list~2", "/~02", "/pick", "/pick/x~1y/f", "/pick/x/y~1f"]
    for i in range(plan.size):
        assert plan.rank(plan.write(plan.read(plan.unrank(i)))) == i
    assert step("/a", True) == "/a/true"
    assert step("/a", 0.5) == "/a/0.5"


def shared_trellis() -> Grammar:
    state = record("state", level=Value(0), move=one_of("up", "down"))
    ways = tuple(record("way", kind=Value(k), to=Ref("state", shared=True)) for k in ("left", "right"))
    return Grammar({"net": record("net", first=Choice(ways)), "state": state}, "net")


def test_decisions_of_a_shared_rule_belong_to_the_rule() -> None:
    plan = compile_plan(shared_trellis())
    assert [d.path for d in plan.decisions()] == ["/first", "@state/move"]
    genotype = plan.unrank(plan.size - 1)
    assert plan.read(genotype) == {"/first": ("right",), "@state/move": ("down",)}
    assert plan.write({"/first": ("left",), "@state/move": ("down",)}) == plan.unrank(1)
    assert plan.factors() == (Factor("/first", 4),)


def test_a_shared_rule_that_a_derivation_meets_twice_is_refused() -> None:
    state = record("state", move=one_of("up", "down"))
    ref = Ref("state", shared=True)
    twice = [
        record("net", a=ref, b=ref),
        record("net", a=Repeat(ref, (0, 2))),
        Subset(tuple(record("way", kind=Value(k), to=ref) for k in (1, 2, 3)), 2),
        record(
            "net", a=ref, b=record("inner", c=Choice((record("x", kind=Value(0)), record("x", kind=Value(1), to=ref))))
        ),
    ]
    for term in twice:
        with pytest.raises(GrammarError, match="meet the shared rule 'state' twice") as raised:
            compile_plan(Grammar({"net": term, "state": state}, "net"))
        assert raised.value.pointer == "/rules/state"
    once = [Repeat(ref, (0, 1)), record("net", a=ref, b=Ref("state")), Subset((record("w", kind=Value(1), to=ref),), 1)]
    for term in once:
        assert compile_plan(Grammar({"net": term, "state": state}, "net")).size >= 2


def test_a_shared_rule_that_meets_itself_is_refused() -> None:
    term = Choice((Value("end"), record("next", kind=Value("next"), then=Ref("term", shared=True))))
    rules = {"net": record("net", a=Ref("term", shared=True)), "term": term}
    with pytest.raises(GrammarError, match="twice"):
        compile_plan(Grammar(rules, "net", depth=2))
    assert compile_plan(Grammar(rules, "net", depth=1)).size == 1


def test_factors() -> None:
    sizes = {f.path: f.size for f in DARTS.factors()}
    assert sizes == {
        f"/{c}/node{n}": s for c in ("normal", "reduce") for n, s in zip(range(2, 6), (49, 147, 294, 490), strict=True)
    }


def test_too_many_places_are_refused_with_the_cap() -> None:
    pair = record("seq", kind=Value("seq"), a=Ref("t"), b=Ref("t"), c=one_of(1, 2))
    plan = compile_plan(Grammar({"t": Choice((Value("leaf"), pair))}, "t", depth=5))
    assert len(plan.decisions()) == 1 + 2 + 4 + 8 + 16 + 15
    wide = [record("r", kind=Value(i), a=Ref("t"), b=Ref("t"), c=Ref("t")) for i in range(6)]
    plan = compile_plan(Grammar({"t": Choice((Value("leaf"), *wide))}, "t", depth=6))
    with pytest.raises(GrammarError, match="more than 10000 places"):
        plan.decisions()
