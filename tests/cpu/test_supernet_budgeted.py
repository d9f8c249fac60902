"""Genotypes within bounds: against all members of small spaces, priced and scored one by one."""

import itertools
import math
import random
from collections.abc import Mapping, Sequence

import pytest

from app.architecture import cost, faults_of, lower, price_of
from app.architecture.bounded import Unattainable
from app.architecture.entries import entries
from app.architecture.workload import workload
from app.experiment import Bounds
from app.space import SearchSpace, Skeleton, space_from_json
from app.space.zoo import ZOO
from workers.supernet.budgeted import within
from workers.supernet.discretise import decode

Weights = Mapping[str, tuple[float, ...]]


def drawn(space: SearchSpace, seed: int) -> Weights:
    rng = random.Random(seed)
    return {d.path: tuple(rng.uniform(0.05, 1) for _ in d.options) for d in space.plan.decisions()}


def small(space: SearchSpace) -> Skeleton:
    return space.skeletons.get("small") or next(iter(space.skeletons.values()))


OPS = ["conv_3x3", "conv_1x1", "skip_connect"]


def layers(constraints: Sequence[object] = ()) -> SearchSpace:
    """One, three or four layers, each one of three operations: 3 + 27 + 81 members."""
    layer = {"repeat": {"choice": OPS}, "lengths": [1, 3, 4]}
    return space_from_json(
        {
            "name": "layers",
            "grammar": {"start": "chain", "rules": {"chain": {"record": "chain", "fields": {"layers": layer}}}},
            "skeletons": {"tiny": {"family": "chain", "channels": 4, "reductions": [1]}},
            "constraints": [*constraints],
        }
    )


def scored_by_hand(space: SearchSpace, weights: Weights, index: int) -> float:
    """Sum over what a member decides of log weight less that of the heaviest; for spaces of choices and lengths."""
    made = space.plan.read(space.plan.unrank(index))
    options = {d.path: d.options for d in space.plan.decisions()}
    return sum(
        math.log(weights[path][options[path].index(symbol)] / max(weights[path])) for path, (symbol,) in made.items()
    )


def members(space: SearchSpace, weights: Weights) -> list[tuple[float, int, int]]:
    """(score, params, MACs) of every valid member, each lowered alone."""
    found: list[tuple[float, int, int]] = []
    for index in range(space.plan.size):
        genotype = space.plan.unrank(index)
        if not faults_of(space, genotype):
            price = cost(lower(space.grammar, small(space), space.input, space.plan.read(genotype)))
            found.append((scored_by_hand(space, weights, index), price.params, price.macs))
    return found


ONE_OR_TWO = [{"name": "option_count", "parameters": {"option": "conv_1x1", "min": 1, "max": 2}}]


@pytest.mark.parametrize("space", [layers(), layers(ONE_OR_TWO)], ids=["free", "constrained"])
def test_within_bounds_is_the_best_of_all_members(space: SearchSpace) -> None:
    for seed in range(6):
        weights = drawn(space, seed)
        every = members(space, weights)
        rng = random.Random(seed)
        for _ in range(8):
            _, params, macs = rng.choice(every)
            bounds = [Bounds(max_params=params), Bounds(max_macs=macs), Bounds(max_params=params, max_macs=macs)]
            for bound in bounds:
                most = (bound.max_params or math.inf, bound.max_macs or math.inf)
                best = max(s for s, p, m in every if p <= most[0] and m <= most[1])
                found = within(space, small(space), space.input, weights, "argmax", bound)
                assert not faults_of(space, found.genotype)
                assert found.costs["params"] <= most[0]
                assert found.costs["macs"] <= most[1]
                assert found.optimal
                assert found.score == pytest.approx(best, abs=1e-9)
                assert found.unbounded == pytest.approx(max(s for s, _, _ in every), abs=1e-9)


def test_of_unequal_edges_against_all_members_of_nasbench201() -> None:
    """All 15,625: what an operation costs is counted by hand, as all edges of a cell are alike."""
    space = ZOO["nasbench201"]
    skeleton, decisions = small(space), space.plan.decisions()
    unit = {}
    base = None
    for op in decisions[0].options:  # the cost of an operation on one edge beside five of `none`
        made = {d.path: ("none",) for d in decisions} | {decisions[0].path: (op,)}
        unit[op] = cost(lower(space.grammar, skeleton, space.input, made)).params
        base = unit["none"]
    assert base is not None
    for seed in range(3):
        weights = drawn(space, seed)
        for edges in (1.5, 2.0, 3.0):
            limit = int(base + edges * (unit["nor_conv_3x3"] - base))
            best = -math.inf
            for answer in itertools.product(range(5), repeat=6):
                params = base + sum(unit[d.options[i]] - base for d, i in zip(decisions, answer, strict=True))
                if params <= limit:
                    score = sum(
                        math.log(weights[d.path][i] / max(weights[d.path]))
                        for d, i in zip(decisions, answer, strict=True)
                    )
                    best = max(best, score)
            found = within(space, skeleton, space.input, weights, "argmax", Bounds(max_params=limit))
            assert found.optimal
            assert found.costs["params"] <= limit
            assert found.score == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("name", sorted(ZOO))
@pytest.mark.parametrize("rule", ["darts", "argmax"])
def test_without_bounds_it_is_what_weights_decode_to(name: str, rule) -> None:
    space = ZOO[name]
    weights = drawn(space, 1)
    found = within(space, small(space), space.input, weights, rule, Bounds())
    decoded = space.plan.normalise(space.plan.write(decode(space.plan, weights, rule)))
    assert not faults_of(space, found.genotype)
    if faults_of(space, decoded):
        assert found.score < 0
    else:
        assert found.genotype == decoded
        assert (found.optimal, found.score) == (True, 0)


@pytest.mark.parametrize("share", [0.9, 0.7])
def test_of_a_space_too_large_to_look_at_darts_keeps_to_both_bounds(share: float) -> None:
    space = ZOO["darts"]
    weights = drawn(space, 2)
    free = within(space, small(space), space.input, weights, "darts", Bounds())
    bounds = Bounds(max_params=int(free.costs["params"] * share), max_macs=int(free.costs["macs"] * share))
    found = within(space, small(space), space.input, weights, "darts", bounds)
    price = cost(lower(space.grammar, small(space), space.input, space.plan.read(found.genotype)))
    assert bounds.max_params is not None
    assert bounds.max_macs is not None
    assert (price.params, price.macs) == (found.costs["params"], found.costs["macs"])
    assert price.params <= bounds.max_params
    assert price.macs <= bounds.max_macs
    assert found.optimal
    assert found.score < 0 == free.score


def test_impossible_bounds_say_what_there_is_at_least() -> None:
    space = layers()
    weights = drawn(space, 0)
    least = min(params for _, params, _ in members(space, weights))
    with pytest.raises(Unattainable, match=f"at least {least} params, allowed are {least - 1}"):
        within(space, small(space), space.input, weights, "argmax", Bounds(max_params=least - 1))


def test_no_neighbour_within_bounds_has_a_higher_score_in_darts() -> None:
    """The score of a cell is the sum of log(weight of an edge x weight of its operation), but for a constant."""
    space = ZOO["darts"]
    weights = drawn(space, 3)
    options = {d.path: d.options for d in space.plan.decisions()}

    def raw(index: int) -> float:
        made = space.plan.read(space.plan.unrank(index))
        return sum(math.log(weights[p][options[p].index(symbol)]) for p, answer in made.items() for symbol in answer)

    free = within(space, small(space), space.input, weights, "darts", Bounds())
    limit = int(free.costs["params"] * 0.6)
    found = within(space, small(space), space.input, weights, "darts", Bounds(max_params=limit))
    here = space.plan.rank(found.genotype)
    assert found.score == pytest.approx(raw(here) - raw(space.plan.rank(free.genotype)), abs=1e-9)
    for near in space.plan.neighbour_indices(here):
        if raw(near) > raw(here):
            assert price_of(space, small(space), space.input, near).params > limit


def test_latencies_are_sums_of_what_a_network_computes() -> None:
    """One millisecond an entry: a latency is then the number of distinct computations, of the network lowered alone."""
    space = layers()
    weights = drawn(space, 4)
    graph = lower(space.grammar, small(space), space.input)
    table = {entry.key: 1.0 for _, _, entry in workload(graph)}
    counted: list[tuple[float, float]] = []
    for index in range(space.plan.size):
        made = lower(space.grammar, small(space), space.input, space.plan.read(space.plan.unrank(index)))
        counted.append((scored_by_hand(space, weights, index), 2.0 * sum(entries(made).values())))
    for limit in sorted({ms for _, ms in counted}):
        bounds = Bounds(max_latency_ms=limit)
        found = within(space, small(space), space.input, weights, "argmax", bounds, latencies=table, factor=2.0)
        best = max(score for score, ms in counted if ms <= limit)
        assert found.costs["latency_ms"] <= limit
        assert (found.optimal, found.score) == (True, pytest.approx(best, abs=1e-9))


def test_what_hangs_together_is_never_better_than_the_best_of_all_members() -> None:
    """Without elimination and with few members looked at in order, what neighbours lead to says that it is that."""
    space = layers()
    weights = drawn(space, 5)
    every = members(space, weights)
    limit = sorted(params for _, params, _ in every)[len(every) // 20]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("app.architecture.fronts.STEPS", 5)
        patched.setattr("app.architecture.extremes.STEPS", 5)
        patched.setattr("app.architecture.bounded.PRICED", 3)
        found = within(space, small(space), space.input, weights, "argmax", Bounds(max_params=limit))
    assert not found.optimal
    assert found.costs["params"] <= limit
    assert found.score <= max(score for score, params, _ in every if params <= limit) + 1e-9
