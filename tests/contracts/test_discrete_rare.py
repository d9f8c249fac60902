"""Where members that may be proposed are rare: they are found, or it is said what was tried."""

import json
from typing import Any

import pytest

from app.architecture import excess_of, price_of
from app.experiment import DiscreteStrategyName
from app.space import SearchSpace, space_from_json, space_to_json
from app.space.errors import Unmet
from app.space.zoo import ZOO, proxylessnas
from tests.contracts.test_discrete_strategies import SMALL, USERS, exhaust, is_valid, measured, members, problem_of
from workers.strategies.discrete import DISCRETE, DiscreteStrategy, SuccessiveHalving

every_strategy = pytest.mark.parametrize("name", list(SMALL))
LARGE = ZOO["proxylessnas"]
BOUND = 2_300_000  # parameters; the least of 20,000 members drawn uniformly (seed 5) is 2,544,280


def params(rank: int) -> int:
    return price_of(LARGE, LARGE.skeletons["imagenet"], LARGE.input, rank).params


def excess(rank: int) -> float:
    return max(0.0, params(rank) / BOUND - 1)


def made(name: DiscreteStrategyName, space: SearchSpace, **given: Any) -> DiscreteStrategy:
    return DISCRETE[name](problem_of(space, **given), **SMALL[name])


def found(strategy: DiscreteStrategy, evaluations: int) -> list[int]:
    ranks: list[int] = []
    while len(ranks) < evaluations and (asked := strategy.ask(3)):
        strategy.tell(map(measured, asked))
        ranks += [proposal.rank for proposal in asked]
    return ranks


@every_strategy
def test_searches_are_led_to_rare_members(name: DiscreteStrategyName) -> None:
    def new() -> DiscreteStrategy:
        return made(name, LARGE, feasible=lambda rank: params(rank) <= BOUND, excess=excess)

    strategy = new()
    assert strategy.notes() == ()
    ranks = found(strategy, 15)
    assert len(ranks) >= 15
    assert all(params(rank) <= BOUND for rank in ranks)
    (note,) = strategy.notes()
    assert "rare" in note
    again = new()
    again.restore(json.loads(json.dumps(strategy.state())))
    assert again.notes() == (note,)
    assert found(again, 6) == found(strategy, 6)


def test_a_bound_of_the_space_itself_leads_too() -> None:
    document: Any = json.loads(json.dumps(space_to_json(proxylessnas())))
    document |= {"name": "bounded", "constraints": [{"name": "max_params", "parameters": {"value": BOUND}}]}
    space = space_from_json(document)
    ranks = found(made("random", space), 5)
    assert len(ranks) >= 5
    assert all(is_valid(space, rank) for rank in ranks)


def test_the_excess_of_a_space_with_bounds() -> None:
    """0 of those that are valid; else the share of the bound by which the parameters pass it."""
    space = USERS["with_a_bound"]
    by_how_much = excess_of(space)
    assert by_how_much is not None
    for rank in range(space.plan.size):
        of = price_of(space, space.skeletons["mine"], space.input, rank).params
        assert by_how_much(rank) == pytest.approx(max(0.0, of / 76_000 - 1))
    assert excess_of(LARGE) is None


def test_what_was_tried_is_said() -> None:
    def error(space: SearchSpace, **given: Any) -> str:
        with pytest.raises(Unmet) as raised:
            made("random", space, **given).ask(1)
        return str(raised.value)

    def nothing(rank: int) -> bool:
        return False

    drawn = "too few members meet the constraints to draw more: 0 of {} members that were drawn do"
    assert error(LARGE, feasible=nothing) == drawn.format(20_000)
    led = ", nor did 5 descents of up to 2000 changes towards the bounds reach one"
    assert error(LARGE, feasible=nothing, excess=lambda rank: 1.0) == drawn.format(2_000) + led
    assert error(ZOO["nasbench_macro"], feasible=nothing) == drawn.format(6_561)


def test_what_is_used_up_is_not_an_error() -> None:
    """In a space too large to list, of which two members may be proposed: descents reach both."""
    some = {1, 2}
    strategy = made("random", LARGE, feasible=some.__contains__, excess=lambda rank: 0.0 if rank < 3 else 1.0 + rank)
    first = strategy.ask(4)
    assert {proposal.rank for proposal in first} == some
    assert strategy.ask(1) == ()


@every_strategy
def test_one_member_in_ten_thousand_is_found_in_a_space_that_can_be_listed(name: DiscreteStrategyName) -> None:
    some = {3, 31_000, 32_767}
    strategy = made(name, ZOO["nats_size"], feasible=some.__contains__)
    proposals = exhaust(strategy)
    assert {proposal.rank for proposal in proposals} == some
    assert strategy.notes() == ()


def test_a_list_is_gone_through_in_a_random_order() -> None:
    space = USERS["with_a_subset"]
    orders = {tuple(proposal.rank for proposal in exhaust(made("random", space, seed=seed))) for seed in range(5)}
    assert len(orders) == 5
    assert {frozenset(order) for order in orders} == {frozenset(members(space))}


def test_what_repeats_mean_for_halving() -> None:
    """A member stands in one bracket only; with repeats it may stand in several, and be measured in each."""
    space, three = USERS["with_a_subset"], set(list(members(USERS["with_a_subset"]))[:3])

    def proposed(repeats: bool) -> list[tuple[int, int | None]]:
        problem = problem_of(space, feasible=three.__contains__, repeats=repeats)
        strategy = SuccessiveHalving(problem, least=1, most=3, eta=3)
        proposals: list[tuple[int, int | None]] = []
        while len(proposals) < 16 and (asked := strategy.ask(1)):
            strategy.tell(map(measured, asked))
            proposals += [(proposal.rank, proposal.fidelity) for proposal in asked]
        return proposals

    once = proposed(repeats=False)
    assert [fidelity for _, fidelity in once] == [1, 1, 1, 3]
    assert {rank for rank, fidelity in once if fidelity == 1} == three
    again = proposed(repeats=True)
    assert [fidelity for _, fidelity in again] == [1, 1, 1, 3] * 4
    assert {rank for rank, _ in again} <= three
