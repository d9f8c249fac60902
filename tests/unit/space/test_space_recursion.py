"""Which rules recurse into one another, against plain reachability; and what an index is made of."""

from itertools import product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.space import Grammar, Ref, Repeat, Subset, Term, Value, compile_plan, digits, one_of, record
from app.space.part import Members, Sequence, ways
from app.space.recursion import components, reachable, references


@given(
    st.integers(1, 7).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_components_are_the_rules_that_reach_one_another(graph: tuple[int, set[tuple[int, int]]]) -> None:
    n, edges = graph
    rules: dict[str, Term] = {
        f"r{i}": record("r", **{f"f{j}": Ref(f"r{j}") for j in range(n) if (i, j) in edges}) for i in range(n)
    }
    grammar = Grammar(rules, "r0")
    found = components(grammar)
    beyond = {
        rule: {r for s in inner for r in reachable(references(grammar), s)}
        for rule, inner in references(grammar).items()
    }
    for a, b in product(rules, rules):
        together = a in found and b in found and found[a] == found[b]
        assert together == (a in beyond[b] and b in beyond[a])


def test_a_long_ring_of_rules_needs_no_recursion() -> None:
    ring = {f"r{i}": record("r", to=Ref(f"r{(i + 1) % 2_000}")) for i in range(2_000)}
    assert len(set(components(Grammar(ring, "r0")).values())) == 1
    assert len(components(Grammar(ring, "r0"))) == 2_000


def test_ways_are_the_elementary_symmetric_polynomials() -> None:
    table = ways([2, 3, 5, 7], 3)
    assert [row[0] for row in table] == [1, 17, 101, 247]
    assert [row[2] for row in table] == [1, 12, 35, 0]
    assert table[1][4] == 0


def test_an_index_of_a_subset_is_its_positions_and_their_digits() -> None:
    options = tuple(record("o", k=Value(i), x=one_of(*range(i + 1))) for i in range(5))
    part = compile_plan(Grammar({"g": Subset(options, 3)}, "g")).part
    assert isinstance(part, Members)
    for index in range(part.size):
        chosen = digits.members(part, index)
        assert [p for p, _ in chosen] == sorted({p for p, _ in chosen})
        assert digits.members_index(part, Random(index).sample(chosen, 3)) == index


def test_an_index_of_a_list_is_its_length_and_its_items() -> None:
    plan = compile_plan(Grammar({"g": Repeat(one_of(0, 1, 2), (2, 0, 1))}, "g"))
    assert isinstance(plan.part, Sequence)
    for index in range(plan.size):
        n, rest = digits.length(plan.part, index)
        assert digits.items(plan.part, n, rest) == plan.unrank(index)
