"""What is said about a value that is no member: every fault, where it is, what was there and what was allowed."""

import copy
from typing import Any

import pytest

from app.space import (
    Choice,
    Fault,
    Grammar,
    InvalidGenotype,
    Record,
    Ref,
    Repeat,
    Subset,
    Value,
    compile_plan,
    one_of,
    record,
)
from app.space.plan import Plan
from app.space.zoo import DARTS_OPERATIONS, ZOO

DARTS = ZOO["darts"].plan
LONG = pytest.param(-(10**5000), id="an integer that Python does not write")


def member() -> Any:
    return copy.deepcopy(DARTS.unrank(123_456_789_012_345_678))


def found(plan: Plan, value: object) -> dict[str, Fault]:
    faults = plan.check(value)
    assert len({f.pointer for f in faults}) == len(faults)
    return {f.pointer: f for f in faults}


def test_a_bad_operation_inside_a_subset_is_reported_at_its_own_place() -> None:
    value = member()
    value["normal"]["node3"][1]["op"] = "sep_conv_9x9"
    (fault,) = DARTS.check(value)
    assert fault.pointer == "/normal/node3/1/op"
    assert fault.value == "sep_conv_9x9"
    assert fault.allowed == DARTS_OPERATIONS
    assert "'sep_conv_9x9'" in fault.message
    assert all(repr(op) in fault.message for op in DARTS_OPERATIONS)


def test_an_unknown_input_does_not_hide_the_operation_beside_it() -> None:
    value = member()
    value["reduce"]["node2"][0] = {"input": 2, "op": "conv", "extra": None}
    faults = found(DARTS, value)
    assert set(faults) == {"/reduce/node2/0/input", "/reduce/node2/0/op", "/reduce/node2/0/extra"}
    assert faults["/reduce/node2/0/input"].allowed == (0, 1)
    assert faults["/reduce/node2/0/extra"].allowed == ("input", "op")


def test_a_repeated_member_says_what_is_still_free() -> None:
    value = member()
    value["normal"]["node4"] = [{"input": 3, "op": "skip_connect"}, {"input": 3, "op": "max_pool_3x3"}]
    (fault,) = DARTS.check(value)
    assert (fault.pointer, fault.value, fault.allowed) == ("/normal/node4/1/input", 3, (0, 1, 2))
    assert "taken already, by item 0" in fault.message


def test_all_faults_come_at_once() -> None:
    value = member()
    value["normal"]["node2"] = value["normal"]["node2"][:1]
    value["normal"]["node3"] = "both"
    del value["normal"]["node4"]
    value["normal"]["node6"] = []
    value["reduce"] = ["not", "a", "cell"]
    faults = found(DARTS, value)
    assert set(faults) == {"/normal/node2", "/normal/node3", "/normal/node4", "/normal/node6", "/reduce"}
    assert "expected 2 items, found 1" in faults["/normal/node2"].message
    assert "'both'" in faults["/normal/node3"].message
    assert "missing" in faults["/normal/node4"].message
    assert faults["/normal/node6"].allowed == ("node2", "node3", "node4", "node5")
    assert faults["/reduce"].message.endswith("found a list of 3")
    with pytest.raises(InvalidGenotype, match=r"/normal/node2: .*; /normal/node3: ") as raised:
        DARTS.rank(value)
    assert raised.value.faults == DARTS.check(value)


@pytest.mark.parametrize("value", [None, True, 0, LONG, float("nan"), "text", [], [[]], {}, {"normal": None}])
def test_the_wrong_kind_of_value_is_a_fault_not_an_error(value: object) -> None:
    faults = DARTS.check(value)
    assert faults
    assert all(len(f.message) < 300 for f in faults)
    assert DARTS.check(DARTS.repair(value)) == ()


@pytest.mark.parametrize("value", [{}, [], [1], {"a": 1}, None, LONG, float("inf"), float("nan")])
def test_the_wrong_kind_of_operation_is_a_fault_not_an_error(value: object) -> None:
    genotype = member()
    genotype["normal"]["node2"][0]["op"] = value
    (fault,) = DARTS.check(genotype)
    assert fault.pointer == "/normal/node2/0/op"
    genotype = member()
    genotype["normal"]["node2"][0]["input"] = value
    assert [f.pointer for f in DARTS.check(genotype)] == ["/normal/node2/0/input"]


def test_a_value_is_shown_short_and_never_fails() -> None:
    plan = compile_plan(Grammar({"g": one_of("a", "b")}, "g"))
    for value, shown in (
        ("x" * 10_000, "of 10000 characters"),
        (10**5000, "an integer of 16610 bits"),
        ("\ud800", r"'\ud800'"),
        ([1] * 99, "a list of 99"),
        ({"a": {}}, "an object of 1 fields"),
        (None, "null"),
        (True, "true"),
    ):
        (fault,) = plan.check(value)
        assert shown in fault.message
        fault.message.encode()


def test_pointers_are_escaped() -> None:
    plan = compile_plan(Grammar({"g": record("r", **{"a/b": one_of(1, 2), "c~d": one_of(1, 2)})}, "g"))
    assert [f.pointer for f in plan.check({"a/b": 3, "c~d": 3, "~/": 0})] == ["/a~1b", "/c~0d", "/~0~1"]


def test_true_is_not_one_and_one_is_one_point_nought() -> None:
    plan = compile_plan(Grammar({"g": record("r", n=one_of(0, 1, 2.0), b=one_of(True, False), v=Value(1))}, "g"))
    assert plan.rank({"n": 1.0, "b": True, "v": 1.0}) == plan.rank({"n": 1, "b": True, "v": 1})
    written = plan.normalise({"n": 2, "b": False, "v": 1.0})
    assert written == {"n": 2.0, "b": False, "v": 1}
    assert isinstance(written, dict)
    assert [type(v) for v in written.values()] == [float, bool, int]
    assert set(found(plan, {"n": True, "b": 1, "v": True})) == {"/n", "/b", "/v"}


def test_booleans_and_numbers_are_different_options() -> None:
    plan = compile_plan(Grammar({"g": one_of(1, True, 0, False)}, "g"))
    assert [plan.rank(v) for v in (1, True, 0, False)] == [0, 1, 2, 3]
    keyed = Choice(tuple(record("r", kind=Value(v), x=one_of("a", "b")) for v in (True, 1, "1x")))
    plan = compile_plan(Grammar({"g": keyed}, "g"))
    assert [plan.rank({"kind": v, "x": "b"}) for v in (True, 1.0, "1x")] == [1, 3, 5]


def test_lengths() -> None:
    plan = compile_plan(Grammar({"g": Repeat(one_of("a", "b"), (2, 4))}, "g"))
    (fault,) = plan.check(["a", "b", "a"])
    assert (fault.pointer, fault.allowed) == ("", (2, 4))
    assert {f.pointer for f in plan.check(["a", "x", None])} == {"", "/1", "/2"}


def test_too_deep() -> None:
    leaf = record("leaf", kind=Value("leaf"))
    wrap = record("wrap", kind=Value("wrap"), inner=Ref("term"))
    plan = compile_plan(Grammar({"term": Choice((leaf, wrap))}, "term", depth=2))
    assert plan.size == 2
    deep = {"kind": "wrap", "inner": {"kind": "wrap", "inner": {"kind": "leaf"}}}
    (fault,) = plan.check(deep)
    assert fault.pointer == "/inner/kind"
    assert "nest deeper" in fault.message
    assert fault.allowed == ("leaf",)


def test_deep_garbage_is_not_followed() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert DARTS.check({"normal": value, "reduce": value})
    assert DARTS.check(DARTS.repair({"normal": value, "reduce": value})) == ()


def test_options_of_unlike_kinds() -> None:
    options = (Value("none"), Record("conv", (("kernel", Value(3)), ("groups", one_of(1, 2)))))
    plan = compile_plan(Grammar({"g": Subset(options, 2)}, "g"))
    assert plan.rank([{"groups": 2, "kernel": 3}, "none"]) == 1
    faults = found(plan, [{"kernel": 5, "groups": 4}, "nothing"])
    assert set(faults) == {"/0/kernel", "/0/groups", "/1"}
    assert faults["/1"].allowed == ("none", 3)
    assert "an object whose 'kernel' is 3, or 'none'" in faults["/1"].message


def test_an_object_where_only_scalars_are_allowed() -> None:
    plan = compile_plan(Grammar({"g": one_of("a", "b")}, "g"))
    (fault,) = plan.check({"a": 1})
    assert fault.allowed == ("a", "b")
