"""Neighbours, counted by hand."""

from itertools import islice
from random import Random

import pytest

from app.space import Choice, Grammar, InvalidGenotype, Repeat, Subset, Term, Value, compile_plan, one_of, record
from app.space.plan import Plan
from app.space.zoo import ZOO


def plan(term: Term) -> Plan:
    return compile_plan(Grammar({"g": term}, "g"))


def near(space: Plan, genotype: object) -> list[object]:
    return sorted(space.neighbours(genotype), key=repr)


def test_counts_of_the_zoo() -> None:
    """DARTS: 6 other operations on 16 edges; one of two inputs exchanged for one of n - 2: 12 a cell."""
    counts = {
        "darts": 16 * 6 + 2 * 2 * (0 + 1 + 2 + 3),
        "nasbench201": 6 * 4,
        "simple_cell": 2 * (1 + 2 + 3 + 4) + 8 * 7,
    }
    for name, count in counts.items():
        for genotype in ZOO[name].plan.sample(Random(1), 5):
            assert len(list(ZOO[name].plan.neighbours(genotype))) == count


def test_an_exchanged_input_keeps_its_operation() -> None:
    edges = tuple(record("edge", input=Value(i), op=one_of("a", "b")) for i in range(3))
    found = near(plan(Subset(edges, 2)), [{"input": 2, "op": "b"}, {"input": 0, "op": "a"}])
    assert found == [
        [{"input": 0, "op": "a"}, {"input": 1, "op": "b"}],
        [{"input": 0, "op": "a"}, {"input": 2, "op": "a"}],
        [{"input": 0, "op": "b"}, {"input": 2, "op": "b"}],
        [{"input": 1, "op": "a"}, {"input": 2, "op": "b"}],
    ]


def test_another_option_takes_every_answer_for_what_only_it_asks() -> None:
    pool = record("pool", kind=Value("pool"), stride=one_of(1, 2))
    conv = record("conv", kind=Value("conv"), stride=one_of(1, 2), kernel=one_of(1, 3, 5))
    space = plan(Choice((pool, conv, Value("skip"))))
    assert (
        near(space, {"kind": "pool", "stride": 2})
        == [
            "skip",
            {"kind": "conv", "stride": 2, "kernel": 1},
            {"kind": "conv", "stride": 2, "kernel": 3},
            {"kind": "conv", "stride": 2, "kernel": 5},
            {"kind": "pool", "stride": 1},
        ]
        or near(space, {"kind": "pool", "stride": 2})[0] == "skip"
    )
    assert len(near(space, {"kind": "conv", "stride": 1, "kernel": 3})) == 1 + 2 + 1 + 1
    assert len(near(space, "skip")) == 2 + 6


def test_a_list_grows_and_shrinks_at_its_end_to_the_next_length() -> None:
    space = plan(Repeat(one_of("a", "b"), (5, 1, 2)))
    longer = [["a", "b", x, y, z] for x in "ab" for y in "ab" for z in "ab"]
    assert near(space, ["a", "b"]) == sorted([["a", "a"], ["b", "b"], ["a"], *longer], key=repr)
    assert near(space, ["a"]) == [["a", "a"], ["a", "b"], ["b"]]
    assert ["b", "a"] in near(space, ["b", "a", "a", "b", "b"])


def test_a_list_of_one_length_keeps_it() -> None:
    assert near(plan(Repeat(one_of(0, 1), (2,))), [0, 0]) == [[0, 1], [1, 0]]


def test_neighbours_share_nothing() -> None:
    darts = ZOO["darts"].plan
    genotype = darts.unrank(0)
    first, second = islice(darts.neighbours(genotype), 2)
    before = repr((genotype, second))
    first["reduce"]["node2"].clear()  # type: ignore[index, call-overload, union-attr]
    assert repr((genotype, second)) == before


def test_huge_neighbourhoods_are_lazy() -> None:
    body = record("r", **{f"f{i}": one_of(*range(9)) for i in range(40)})
    space = plan(Repeat(body, (1, 3)))
    assert len(list(islice(space.neighbours(space.unrank(0)), 1_000))) == 1_000


def test_only_members_have_neighbours() -> None:
    with pytest.raises(InvalidGenotype):
        ZOO["darts"].plan.neighbours({})
