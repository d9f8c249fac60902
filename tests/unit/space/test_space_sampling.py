"""Samples are uniform over the space, or uniform per choice, and only the generator decides."""

from collections import Counter
from itertools import chain as joined
from random import Random

from app.space import Choice, Grammar, Repeat, Subset, Term, Value, compile_plan, one_of, record
from app.space.plan import Plan
from app.space.zoo import ZOO


def plan(term: Term) -> Plan:
    return compile_plan(Grammar({"g": term}, "g"))


def chi_square(counts: Counter[int], cells: int) -> float:
    expected = counts.total() / cells
    return sum((counts[i] - expected) ** 2 / expected for i in range(cells))


def test_samples_are_uniform_over_the_space() -> None:
    """Chi-square with 47 degrees of freedom: above 85 has probability below 0.001."""
    edges = tuple(record("edge", input=Value(i), op=one_of("a", "b")) for i in range(3))
    space = plan(record("r", pair=Subset(edges, 2), n=Repeat(one_of(1, 2, 3), (0, 1))))
    assert space.size == 48
    counts = Counter(space.rank(g) for g in space.sample(Random(0), 48_000))
    assert chi_square(counts, 48) < 85


def test_samples_per_choice_are_uniform_per_decision() -> None:
    big = record("conv", kind=Value("conv"), kernel=one_of(*range(100)))
    space = plan(Choice((Value("skip"), big)))
    rng = Random(0)
    skips = sum(space.sample_per_choice(rng) == "skip" for _ in range(10_000))
    assert abs(skips - 5_000) < 250  # five standard deviations
    assert sum(g == "skip" for g in space.sample(Random(0), 10_000)) < 200
    lengths = Counter(len(g) for g in (plan(Repeat(one_of(1, 2), (1, 9))).sample_per_choice(rng) for _ in range(1_000)))  # type: ignore[arg-type]
    assert abs(lengths[1] - 500) < 80
    members = Counter(
        joined.from_iterable(plan(Subset(tuple(map(Value, range(5))), 2)).sample_per_choice(rng) for _ in range(1_000))
    )  # type: ignore[misc]
    assert all(abs(members[i] - 400) < 80 for i in range(5))


def test_a_sample_is_the_same_for_the_same_seed_and_shares_nothing() -> None:
    for space in ZOO.values():
        first, again = space.plan.sample(Random(9), 20), space.plan.sample(Random(9), 20)
        assert first == again
        assert first != space.plan.sample(Random(10), 20)
    darts = ZOO["darts"].plan
    one, other = darts.unrank(12345), darts.unrank(12345)
    one["normal"]["node2"][0]["op"] = "changed"  # type: ignore[index, call-overload]
    one["reduce"]["node5"].pop()  # type: ignore[index, call-overload, union-attr]
    assert other == darts.unrank(12345)
    assert darts.check(other) == ()


def test_no_sample_at_all() -> None:
    assert ZOO["chain"].plan.sample(Random(0), 0) == []
