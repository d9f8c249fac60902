"""The contract of discrete strategies: each of them on every published space and on two users' spaces."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.architecture import faults_of
from app.experiment import DiscreteStrategyName
from app.space import OutOfRange, SearchSpace, space_from_json, space_to_json
from app.space.errors import Unmet
from app.space.zoo import ZOO, nasbench_macro
from workers.strategies.discrete import (
    DISCRETE,
    DiscreteStrategy,
    Measured,
    Objective,
    Problem,
    Proposal,
)

Make = Callable[[Problem], DiscreteStrategy]
SMALL: dict[DiscreteStrategyName, dict[str, int]] = {  # so that few evaluations reach every part of a strategy
    "random": {},
    "evolution": {"population": 5, "tournament": 3},
    "local_search": {"starts": 2},
    "bananas": {"initial": 4, "networks": 2, "candidates": 10, "chosen": 3},
    "nsga2": {"population": 4},
    "successive_halving": {"least": 1, "most": 9},
}
STRATEGIES: dict[str, Make] = {name: partial(DISCRETE[name], **given) for name, given in SMALL.items()}


def with_a_subset() -> SearchSpace:
    """Two of four operations, one of which opens a field, one to three times; `pool` at most once."""
    options = ["conv", "pool", "skip", {"record": "wide", "fields": {"op": "wide", "width": {"choice": [8, 16]}}}]
    layers = {"repeat": {"subset": options, "k": 2}, "lengths": [1, 2]}
    document = {
        "name": "with_a_subset",
        "grammar": {"start": "net", "rules": {"net": {"record": "net", "fields": {"layers": layers}}}},
        "constraints": [{"name": "option_count", "parameters": {"option": "pool", "at": "", "max": 1}}],
    }
    return space_from_json(json.loads(json.dumps(document)))


def with_a_bound() -> SearchSpace:
    """Three layers of NAS-Bench-Macro's kind, on a skeleton of a user's own, with a bound on parameters."""
    document: Any = json.loads(json.dumps(space_to_json(nasbench_macro())))
    document |= {
        "name": "with_a_bound",
        "constraints": [{"name": "max_params", "parameters": {"value": 76_000, "skeleton": "mine"}}],
        "skeletons": {"mine": document["skeletons"]["cifar"] | {"depths": [1, 1, 1], "widths": [16, 24, 32]}},
    }
    document["grammar"]["rules"]["nasbench_macro"]["fields"]["layers"]["lengths"] = [3]
    return space_from_json(document)


USERS = {"with_a_subset": with_a_subset(), "with_a_bound": with_a_bound()}
SPACES = {**ZOO, **USERS}
every_strategy = pytest.mark.parametrize("name", list(STRATEGIES))
every_user_space = pytest.mark.parametrize("space", list(USERS.values()), ids=list(USERS))


def problem_of(space: SearchSpace, seed: int = 0, **given: Any) -> Problem:
    return Problem(space=space, objectives=(Objective("accuracy"),), seed=seed, **given)


def is_valid(space: SearchSpace, rank: int) -> bool:
    return not faults_of(space, space.plan.unrank(rank))


def members(space: SearchSpace) -> set[int]:
    return {rank for rank in range(space.plan.size) if is_valid(space, rank)}


def measured(proposal: Proposal, failed: bool = False, violation: float = 0.0) -> Measured:
    """Any value, always the same for a member."""
    return Measured(proposal, None if failed else (Random(proposal.rank).random(),), violation)


def exhaust(strategy: DiscreteStrategy, n: int = 7) -> list[Proposal]:
    found: list[Proposal] = []
    while asked := strategy.ask(n):
        found += asked
        strategy.tell(map(measured, asked))
    return found


def walk(make: Make, problem: Problem, seed: int, steps: int, *, killed: bool) -> tuple[list[Proposal], Any]:
    """Asks and tells in a drawn order; what was proposed, and the last state. Killed: each step is a new process."""
    rng, strategy = Random(seed), make(problem)
    found: list[Proposal] = []
    open_: list[Proposal] = []
    told: set[int] = set()
    for _ in range(steps):
        if rng.random() < 0.6:
            n = rng.randrange(6)
            asked = strategy.ask(n)
            assert len(asked) <= n
            assert not {proposal.rank for proposal in asked} & told, "a warm start is met"
            found += asked
            open_ += asked
        else:
            rng.shuffle(open_)
            some = [open_.pop() for _ in range(rng.randint(0, len(open_)))]
            if rng.random() < 0.3:
                stranger = Proposal(rng.randrange(problem.space.plan.size))
                if all(proposal.rank != stranger.rank for proposal in found):
                    told.add(stranger.rank)
                    some.append(stranger)
            strategy.tell([measured(one, rng.random() < 0.1, rng.choice((0.0, 0.5))) for one in some])
        if killed:
            document = json.loads(json.dumps(strategy.state(), allow_nan=False))
            strategy = make(problem)
            strategy.restore(document)
    return found, strategy.state()


def contract(name: str, space: SearchSpace, seed: int, steps: int) -> None:
    problem = problem_of(space, seed, feasible=lambda rank: rank % 3 != 0)
    found, state = walk(STRATEGIES[name], problem, seed, steps, killed=False)
    assert found
    assert len(set(found)) == len(found), "nothing twice"
    if name != "successive_halving":
        assert len({proposal.rank for proposal in found}) == len(found), "no member twice"
        assert {proposal.fidelity for proposal in found} == {None}
    assert all(proposal.rank % 3 for proposal in found)
    assert all(is_valid(space, proposal.rank) for proposal in found)
    assert walk(STRATEGIES[name], problem, seed, steps, killed=True) == (found, state), "killed after every step"


@every_strategy
@pytest.mark.parametrize("space", list(SPACES.values()), ids=list(SPACES))
def test_every_space_is_searched(name: str, space: SearchSpace) -> None:
    contract(name, space, seed=3, steps=20)


@every_strategy
@every_user_space
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), steps=st.integers(10, 40))
def test_asks_and_tells_in_any_order(name: str, space: SearchSpace, seed: int, steps: int) -> None:
    problem = problem_of(space, seed)
    found, state = walk(STRATEGIES[name], problem, seed, steps, killed=False)
    assert len(set(found)) == len(found)
    assert {proposal.rank for proposal in found} <= members(space)
    assert walk(STRATEGIES[name], problem, seed, steps, killed=True) == (found, state)


@every_strategy
@every_user_space
def test_every_valid_member_is_proposed_and_then_none(name: str, space: SearchSpace) -> None:
    assert 0 < len(members(space)) < space.plan.size, "the constraint says something"
    strategy = STRATEGIES[name](problem_of(space))
    found = exhaust(strategy)
    assert {proposal.rank for proposal in found} == members(space)
    assert len(set(found)) == len(found)
    assert strategy.ask(1) == ()


@every_strategy
@every_user_space
def test_every_feasible_member_is_proposed(name: str, space: SearchSpace) -> None:
    some = {rank for rank in members(space) if rank % 2}
    found = exhaust(STRATEGIES[name](problem_of(space, feasible=some.__contains__)))
    assert {proposal.rank for proposal in found} == some


@every_strategy
@pytest.mark.parametrize("space", [*USERS.values(), ZOO["darts"]], ids=[*USERS, "darts"])
def test_that_nothing_is_feasible_is_said(name: str, space: SearchSpace) -> None:
    strategy = STRATEGIES[name](problem_of(space, feasible=lambda rank: False))
    with pytest.raises(Unmet, match="too few members meet the constraints"):
        strategy.ask(1)


@every_strategy
def test_repeats_where_they_are_allowed(name: str) -> None:
    space = USERS["with_a_bound"]
    strategy, found = STRATEGIES[name](problem_of(space, repeats=True)), list[Proposal]()
    for _ in range(30):
        asked = strategy.ask(4)
        assert len(asked) == 4
        strategy.tell(map(measured, asked))
        found += asked
    assert len(set(found)) < len(found) == 120
    assert {proposal.rank for proposal in found} <= members(space)


@pytest.mark.parametrize("space", list(SPACES.values()), ids=list(SPACES))
def test_every_space_is_searched_for_several_objectives(space: SearchSpace) -> None:
    """Some measurements fail and some pass a bound; what may be proposed is kept to, and a kill changes nothing."""
    objectives = Objective("accuracy"), Objective("loss", "minimise"), Objective("latency", "minimise")
    problem = Problem(space=space, objectives=objectives, seed=5, feasible=lambda rank: rank % 3 != 0)

    def search(*, killed: bool) -> tuple[list[Proposal], Any]:
        strategy, found = STRATEGIES["nsga2"](problem), list[Proposal]()
        for step in range(8):
            asked = strategy.ask(3)
            found += asked
            for proposal in asked:
                rng = Random(proposal.rank)
                values = None if rng.random() < 0.1 else (rng.random(), rng.random(), float(rng.randrange(3)))
                strategy.tell([Measured(proposal, values, rng.choice((0.0, 0.0, 0.5)))])
            if killed and step % 2:
                document = json.loads(json.dumps(strategy.state(), allow_nan=False))
                strategy = STRATEGIES["nsga2"](problem)
                strategy.restore(document)
        return found, strategy.state()

    found, state = search(killed=False)
    assert len({proposal.rank for proposal in found}) == len(found) > 0
    assert all(proposal.rank % 3 and is_valid(space, proposal.rank) for proposal in found)
    assert state["parents"]
    assert search(killed=True) == (found, state)


@every_strategy
def test_a_seed_decides(name: str) -> None:
    def first(seed: int) -> tuple[list[Proposal], Any]:
        return walk(STRATEGIES[name], problem_of(ZOO["darts"], seed), 0, 10, killed=False)

    assert first(1) == first(1)
    assert first(1)[0] != first(2)[0]


@every_strategy
def test_what_makes_no_sense_is_refused_whole(name: str) -> None:
    strategy = STRATEGIES[name](problem_of(ZOO["nasbench201"]))
    (good,) = strategy.ask(1)
    before = strategy.state()
    wrong: Iterable[tuple[Measured, type[Exception], str]] = (
        (Measured(Proposal(15_625), (1.0,)), OutOfRange, "15625"),
        (Measured(Proposal(-1), (1.0,)), OutOfRange, "-1"),
        (Measured(Proposal(7), (1.0, 2.0)), ValueError, "each of accuracy"),
        (Measured(Proposal(7), (float("nan"),)), ValueError, "values of member 7"),
        (Measured(Proposal(7), (1.0,), -1.0), ValueError, "violation of member 7"),
    )
    for one, error, words in wrong:
        with pytest.raises(error, match=words):
            strategy.tell([measured(good), one])
        assert strategy.state() == before


@every_strategy
def test_the_state_of_another_is_refused(name: DiscreteStrategyName) -> None:
    strategy = STRATEGIES[name](problem_of(ZOO["darts"]))
    other = next(make for key, make in STRATEGIES.items() if key != name)
    foreign: dict[str, DiscreteStrategy] = {
        "strategy": other(problem_of(ZOO["darts"])),
        "space": STRATEGIES[name](problem_of(ZOO["nasbench201"])),
        "seed": STRATEGIES[name](problem_of(ZOO["darts"], 7)),
        "repeats": STRATEGIES[name](problem_of(ZOO["darts"], repeats=True)),
        "objectives": STRATEGIES[name](
            Problem(space=ZOO["darts"], objectives=(Objective("loss", "minimise"),), seed=0)
        ),
    }
    if name != "random":
        foreign["parameters"] = DISCRETE[name](problem_of(ZOO["darts"]))
    for place, of in foreign.items():
        with pytest.raises(ValueError, match=f"^/{place}: expected "):
            strategy.restore(of.state())
    with pytest.raises(ValueError, match="/version: expected 2, found 1"):
        strategy.restore({**strategy.state(), "version": 1})
