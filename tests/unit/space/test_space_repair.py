"""The nearest member keeps what still fits."""

import copy
from random import Random
from typing import Any

from app.space import Choice, Grammar, Repeat, Subset, Value, compile_plan, one_of, record
from app.space.zoo import ZOO, darts

DARTS = ZOO["darts"].plan


def test_one_broken_operation_changes_only_itself() -> None:
    for genotype in DARTS.sample(Random(0), 30):
        broken: Any = copy.deepcopy(genotype)
        broken["normal"]["node4"][1]["op"] = "conv"
        expected: Any = copy.deepcopy(genotype)
        expected["normal"]["node4"][1]["op"] = "max_pool_3x3"
        assert DARTS.repair(broken) == expected


def test_a_repeated_edge_moves_with_its_operation() -> None:
    genotype: Any = DARTS.unrank(0)
    genotype["normal"]["node3"] = [{"input": 2, "op": "skip_connect"}, {"input": 2, "op": "sep_conv_5x5"}]
    repaired: Any = DARTS.repair(genotype)
    assert repaired["normal"]["node3"] == [{"input": 0, "op": "sep_conv_5x5"}, {"input": 2, "op": "skip_connect"}]


def test_an_edge_from_nowhere_keeps_its_operation() -> None:
    genotype: Any = DARTS.unrank(0)
    genotype["normal"]["node2"] = [{"input": 9, "op": "dil_conv_5x5"}, {"input": 0, "op": "skip_connect"}]
    repaired: Any = DARTS.repair(genotype)
    assert repaired["normal"]["node2"] == [{"input": 0, "op": "skip_connect"}, {"input": 1, "op": "dil_conv_5x5"}]


def test_of_too_many_edges_those_without_faults_stay() -> None:
    genotype: Any = DARTS.unrank(0)
    edges = [{"input": 0, "op": "conv"}, {"input": 2, "op": "skip_connect"}, {"input": 1, "op": "sep_conv_3x3"}]
    genotype["normal"]["node3"] = edges
    repaired: Any = DARTS.repair(genotype)
    assert repaired["normal"]["node3"] == [{"input": 1, "op": "sep_conv_3x3"}, {"input": 2, "op": "skip_connect"}]


def test_what_is_missing_is_the_first_member() -> None:
    for space in ZOO.values():
        for value in (None, "x", 3, []):
            assert space.plan.repair(value) == space.plan.unrank(0)
    half: Any = DARTS.unrank(DARTS.size - 1)
    rest = {"normal": half["normal"], "junk": 1}
    assert DARTS.repair(rest) == {"normal": half["normal"], "reduce": DARTS.unrank(0)["reduce"]}  # type: ignore[index, call-overload]


def test_lists_take_the_nearest_length_and_keep_their_front() -> None:
    plan = compile_plan(Grammar({"g": Repeat(one_of("a", "b", "c"), (2, 5, 9))}, "g"))
    assert plan.repair(["c"]) == ["c", "a"]
    assert plan.repair(["c", "b", "c"]) == ["c", "b"]
    assert plan.repair(["c", "b", "c", "x"]) == ["c", "b", "c", "a", "a"]
    assert plan.repair(["c"] * 7) == ["c"] * 7 + ["a"] * 2  # as far from 5 as from 9: the longer keeps more
    assert plan.repair(["c"] * 99) == ["c"] * 9


def test_an_object_that_names_no_option_becomes_the_one_it_fits_best() -> None:
    options = (
        record("pool", kind=Value("pool"), size=one_of(2, 3)),
        record("conv", kind=Value("conv"), kernel=one_of(1, 3), groups=one_of(1, 2)),
    )
    plan = compile_plan(Grammar({"g": Choice(options)}, "g"))
    assert plan.repair({"kind": "convolution", "kernel": 3, "groups": 2}) == {"kind": "conv", "kernel": 3, "groups": 2}
    assert plan.repair({"size": 3}) == {"kind": "pool", "size": 3}
    assert plan.repair({"kind": "conv", "size": 3}) == {"kind": "conv", "kernel": 1, "groups": 1}


def test_scalars_of_a_subset() -> None:
    plan = compile_plan(Grammar({"g": Subset(tuple(map(Value, (0, 1, 2, 3, 4))), 3)}, "g"))
    assert plan.repair([4, 1, 4]) == [0, 1, 4]
    assert plan.repair([4, 3, 2, 1]) == [2, 3, 4]
    assert plan.repair([4.0, True]) == [0, 1, 4]


def test_the_repair_shares_nothing_with_what_it_was_given() -> None:
    genotype: Any = DARTS.unrank(5)
    genotype["junk"] = 0
    repaired: Any = DARTS.repair(genotype)
    repaired["normal"]["node2"][0]["op"] = "changed"
    repaired["normal"]["node2"].clear()
    assert genotype["normal"]["node2"][0]["op"] != "changed"
    assert len(genotype["normal"]["node2"]) == 2


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the scalars of a genotype stand."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return [place for key, item in inner for place in leaves(item, (*at, key))]
    return [at]


def test_one_broken_scalar_costs_one_decision() -> None:
    """Whatever scalar is broken, the repair differs from the member in that decision and in nothing else."""
    for space in (*ZOO.values(), darts(none=True)):
        for genotype in space.plan.sample(Random(4), 10):
            made = space.plan.read(genotype)
            for place in leaves(genotype):
                broken: Any = copy.deepcopy(genotype)
                target = broken
                for key in place[:-1]:
                    target = target[key]
                target[place[-1]] = "garbage"
                repaired: Any = space.plan.repair(broken)
                if place[-1] == "input" and isinstance(place[-2], int):  # an edge of a Subset moves with its operation
                    node, old = at(repaired, place[:2]), at(genotype, place[:2])
                    kept = [edge for i, edge in enumerate(old) if i != place[2]]
                    assert all(edge in node for edge in kept)
                    assert sorted(edge["op"] for edge in node) == sorted(edge["op"] for edge in old)
                    target["input"] = at(genotype, place)
                    broken[place[0]][place[1]] = repaired[place[0]][place[1]] = []
                    assert broken == repaired
                else:
                    read = space.plan.read(repaired)
                    if any(path.startswith("@") for path in made):  # another step of a path leads to another rule
                        assert sum(at(repaired, p) != at(genotype, p) for p in leaves(genotype)) <= 1
                        continue
                    assert read.keys() == made.keys()
                    assert sum(read[path] != made[path] for path in made) <= 1


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def test_a_long_list_of_garbage_is_repaired_quickly() -> None:
    value = {"normal": {"node5": [{"input": i, "op": None} for i in range(50_000)]}}
    assert DARTS.check(DARTS.repair(value)) == ()
