"""Each discrete strategy does what its paper says."""

from itertools import pairwise
from random import Random
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.space import Edit
from app.space.zoo import ZOO
from workers.strategies.discrete import (
    NSGA2,
    DiscreteStrategy,
    Evolution,
    LocalSearch,
    Measured,
    Objective,
    Problem,
    Proposal,
    RandomSearch,
    SuccessiveHalving,
)
from workers.strategies.discrete.nsga2 import Individual, crowding, fronts, survivors

SPACE = ZOO["nasbench201"]
ACCURACY, MACS = Objective("accuracy"), Objective("macs", "minimise")


def problem(seed: int = 0, *objectives: Objective, **given: Any) -> Problem:
    return Problem(space=SPACE, objectives=objectives or (ACCURACY,), seed=seed, **given)


def convolutions(rank: int) -> float:
    """How many edges of the cell are 3x3 convolutions: 0 to 6, and one member has six."""
    return float(sum(answer == ("nor_conv_3x3",) for answer in SPACE.plan.read(SPACE.plan.unrank(rank)).values()))


def distance(first: int, second: int) -> int:
    script: tuple[Edit, ...] = SPACE.plan.edits(SPACE.plan.unrank(first), SPACE.plan.unrank(second))
    return len(script)


def search(strategy: DiscreteStrategy, evaluations: int, sign: float = 1.0) -> list[int]:
    found: list[int] = []
    for _ in range(evaluations):
        (proposal,) = strategy.ask(1)
        strategy.tell([Measured(proposal, (sign * convolutions(proposal.rank),))])
        found.append(proposal.rank)
    return found


def test_random_search_is_uniform() -> None:
    """The mean of 6 edges that are one of 5 operations is 1.2, its deviation over 2,000 draws 0.022."""
    found = [proposal.rank for proposal in RandomSearch(problem()).ask(2_000)]
    assert abs(fmean(map(convolutions, found)) - 1.2) < 0.1


@pytest.mark.parametrize("make", [Evolution, LocalSearch])
def test_what_is_learnt_is_used(make: type[Evolution] | type[LocalSearch]) -> None:
    """150 evaluations find the one best of 15,625 members, upwards or downwards; random search seldom does."""
    for seed in range(5):
        assert max(map(convolutions, search(make(problem(seed)), 150))) == 6
        fewer = search(make(problem(seed, Objective("loss", "minimise"))), 150, sign=-1.0)
        assert max(map(convolutions, fewer)) == 6
    assert sum(max(map(convolutions, search(RandomSearch(problem(seed)), 150))) == 6 for seed in range(5)) <= 1


def test_the_oldest_dies_not_the_worst() -> None:
    strategy = Evolution(problem(), population=3, tournament=50)
    asked = strategy.ask(3)
    strategy.tell(Measured(one, (value,)) for one, value in zip(asked, (9.0, 1.0, 2.0), strict=True))
    (child,) = strategy.ask(1)
    assert distance(child.rank, asked[0].rank) == 1, "of the best"
    strategy.tell([Measured(child, (0.0,))])
    (child,) = strategy.ask(1)
    assert distance(child.rank, asked[2].rank) == 1, "the best was the oldest"


def test_a_warm_start_has_children() -> None:
    strategy = Evolution(problem(), population=2, tournament=20)
    strategy.tell([Measured(Proposal(77), (5.0,)), Measured(Proposal(12_000), (1.0,))])
    assert all(distance(proposal.rank, 77) == 1 for proposal in strategy.ask(5))


def test_exceeding_a_bound_is_worse_than_any_value() -> None:
    strategy = Evolution(problem(), population=2, tournament=20)
    strategy.tell([Measured(Proposal(77), (5.0,), violation=0.1), Measured(Proposal(12_000), (1.0,))])
    assert all(distance(proposal.rank, 12_000) == 1 for proposal in strategy.ask(5))


def test_a_climb_moves_among_neighbours_and_starts_anew() -> None:
    strategy = LocalSearch(problem(), starts=1)
    (start,) = strategy.ask(1)
    strategy.tell([Measured(start, (1.0,))])
    around = strategy.ask(24)
    assert {proposal.rank for proposal in around} == set(SPACE.plan.neighbour_indices(start.rank))
    better = around[5]
    strategy.tell([Measured(better, (2.0,))])
    (following,) = strategy.ask(1)
    assert distance(following.rank, better.rank) == 1
    rest = strategy.ask(30)
    near = [distance(proposal.rank, better.rank) == 1 for proposal in rest]
    assert near == sorted(near, reverse=True), "its neighbours first, then a random member"
    assert not all(near)


def test_rungs_halve_their_members() -> None:
    strategy = SuccessiveHalving(problem(), least=2, most=60, eta=3)
    rungs: list[list[Proposal]] = []
    for n in (27, 9, 3, 1):
        asked = list(strategy.ask(n))
        rungs.append(asked)
        Random(n).shuffle(asked)
        strategy.tell(Measured(proposal, (float(proposal.rank),)) for proposal in asked)
    assert [{proposal.fidelity for proposal in rung} for rung in rungs] == [{2}, {6}, {18}, {54}]
    for above, below in pairwise(rungs):
        ranks = sorted((proposal.rank for proposal in above), reverse=True)
        assert sorted((proposal.rank for proposal in below), reverse=True) == ranks[: len(below)]
    assert {proposal.fidelity for proposal in strategy.ask(27)} == {2}, "the next bracket"


def test_the_next_bracket_does_not_wait_and_failures_are_not_promoted() -> None:
    strategy = SuccessiveHalving(problem(), most=3, eta=3)
    first, second = strategy.ask(3), strategy.ask(3)
    assert {proposal.fidelity for proposal in (*first, *second)} == {1}
    strategy.tell(Measured(proposal, None) for proposal in first)
    strategy.tell([Measured(second[0], None), Measured(second[1], (1.0,)), Measured(second[2], (0.0,))])
    assert strategy.ask(1) == (Proposal(second[1].rank, 3),)


individuals = st.lists(
    st.builds(
        Individual,
        rank=st.integers(0, 99),
        violation=st.sampled_from([0.0, 0.0, 0.5]),
        costs=st.tuples(st.integers(0, 5).map(float), st.integers(0, 5).map(float)),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(individuals)
def test_fronts_are_peeled_off(given: list[Individual]) -> None:
    """Against the definition: what nothing that is left dominates, again and again."""
    left = list(given)
    for front in fronts(given):
        expected = [one for one in left if not any(other.dominates(one) for other in left)]
        assert sorted(map(repr, front)) == sorted(map(repr, expected))
        left = [one for one in left if any(other.dominates(one) for other in left)]
    assert not left


def test_domination_and_crowding_by_hand() -> None:
    a, b, c, d = (Individual(i, 0.0, costs) for i, costs in enumerate([(0.0, 4.0), (1.0, 2.0), (3.0, 1.0), (4.0, 0.0)]))
    assert fronts([d, c, b, a]) == [[d, c, b, a]]
    inf = float("inf")
    assert crowding([a, b, c, d]) == [inf, 3 / 4 + 3 / 4, 3 / 4 + 2 / 4, inf]
    assert survivors([a, b, c, d], 3) == [a, d, b]
    worse, broken = Individual(4, 0.0, (4.0, 4.0)), Individual(5, 0.1, (0.0, 0.0))
    assert fronts([broken, worse, a]) == [[a], [worse], [broken]]
    assert not a.dominates(a)


def test_nsga2_finds_more_of_a_front_than_random() -> None:
    """Convolutions against skips: of k convolutions, the best have 6 - k skips, so seven points are the front."""

    def skips(rank: int) -> float:
        return float(sum(a == ("skip_connect",) for a in SPACE.plan.read(SPACE.plan.unrank(rank)).values()))

    def points(strategy: DiscreteStrategy) -> int:
        found: set[tuple[float, float]] = set()
        for _ in range(300):
            (proposal,) = strategy.ask(1)
            values = convolutions(proposal.rank), -skips(proposal.rank)
            strategy.tell([Measured(proposal, values)])
            found.add(values)
        return sum(value - negative == 6 for value, negative in found)

    objectives = Objective("convolutions"), Objective("missing", "minimise")
    assert points(NSGA2(problem(0, *objectives))) >= 6
    assert points(RandomSearch(problem(0, *objectives))) <= 3


def test_wrong_parameters_are_refused() -> None:
    for make, words in (
        (lambda: Evolution(problem(), population=0), "population 0"),
        (lambda: LocalSearch(problem(), starts=0), "starts 0"),
        (lambda: NSGA2(problem(), population=1), "population 1"),
        (lambda: SuccessiveHalving(problem(), least=3, most=2), "least 3, most 2"),
        (lambda: Evolution(problem(0, ACCURACY, MACS)), "objectives: accuracy, macs; evolution takes one"),
        (lambda: NSGA2(Problem(space=SPACE, objectives=(), seed=0)), "objectives: none"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
