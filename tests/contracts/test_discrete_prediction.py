"""BANANAS: what its networks see, what they learn, and what it proposes."""

from random import Random

import numpy as np
import pytest

from app.space import SearchSpace, space_from_json
from app.space.zoo import ZOO
from tests.contracts.test_discrete_strategies import USERS
from workers.strategies.discrete import Bananas, Measured, Objective, Problem, Proposal
from workers.strategies.discrete.bananas import normal_scores
from workers.strategies.discrete.features import COLUMNS, WAYS, Columns, Features
from workers.strategies.discrete.predictor import Ensemble

CELLS = ZOO["nasbench201"]


def cell(*operations: str) -> int:
    """NAS-Bench-201's member with these operations on 0->1, 0->2, 1->2, 0->3, 1->3, 2->3."""
    edges = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    return CELLS.plan.rank(dict(zip(edges, operations, strict=True)))


def test_ways_through_a_cell_are_seen() -> None:
    """Two cells which differ in an edge that nothing passes look alike; and 3x3 after 1x1 is not 1x1 after 3x3."""
    of = Features(CELLS).of
    first = cell("nor_conv_3x3", "none", "none", "none", "nor_conv_1x1", "none")
    assert of(first) == (("", "nor_conv_3x3", "nor_conv_1x1"),)
    assert of(first) == of(cell("nor_conv_3x3", "nor_conv_3x3", "none", "none", "nor_conv_1x1", "none"))
    assert of(first) != of(cell("nor_conv_1x1", "none", "none", "none", "nor_conv_3x3", "none"))


@pytest.mark.parametrize("space", [*ZOO.values(), *USERS.values()], ids=[*ZOO, *USERS])
def test_members_of_every_space_have_features(space: SearchSpace) -> None:
    of, rng = Features(space).of, Random(1)
    ranks = [rng.randrange(space.plan.size) for _ in range(20)]
    found = [of(rank) for rank in ranks]
    assert found == [Features(space).of(rank) for rank in ranks]
    assert all(len(set(features)) == len(features) for features in found)
    assert len(set(map(frozenset, found))) > 1
    x = Columns(found).matrix(found)
    assert x.shape == (20, Columns(found).count)
    assert set(x.flat) == {0.0, 1.0}
    assert (x.any(0) & ~x.all(0)).all(), "every column tells members apart"


def test_decisions_are_seen_where_there_are_no_cells() -> None:
    space = ZOO["nasbench_macro"]
    features = Features(space).of(7)
    assert len(features) == len(space.plan.read(space.plan.unrank(7)))


def test_cells_with_many_ways_are_seen_by_their_decisions() -> None:
    assert WAYS < 2**11, "the ways through a chain of twelve layers with every skip"
    assert all("=" in feature for feature in Features(ZOO["enas_macro"]).of(12_345))


def test_the_rarest_features_are_cut_off() -> None:
    members = [(("often", i % 2), ("seldom", i)) for i in range(2 * COLUMNS)]
    columns = Columns(members)
    assert columns.count == COLUMNS
    assert (columns.matrix([(("often", 0),)]).sum(), columns.matrix([(("never",),)]).sum()) == (1.0, 0.0)


def test_an_ensemble_learns_and_is_unsure_of_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (300, 12)).astype(np.float32)
    x[:, 11] = 0.0
    y = (x[:, :6].sum(1) + 2 * x[:, 0] * x[:, 1] - 3.5).astype(np.float32)
    ensemble = Ensemble(12, 5, (1, 2))
    ensemble.fit(x[:200], y[:200])
    found = ensemble.predict(x[200:])
    assert found.shape == (5, 100)
    assert np.corrcoef(found.mean(0), y[200:])[0, 1] > 0.98
    strange = x[200:].copy()
    strange[:, 11] = 1.0
    assert ensemble.predict(strange).std(0).mean() > 1.5 * found.std(0).mean()
    again = Ensemble(12, 5, (1, 2))
    again.fit(x[:200], y[:200])
    assert np.array_equal(again.predict(x[200:]), found)
    other = Ensemble(12, 5, (1, 3))
    other.fit(x[:200], y[:200])
    assert not np.array_equal(other.predict(x[200:]), found)


def test_gradients_are_those_of_the_squared_error() -> None:
    """Against differences: the sum over networks of the mean squared error, moved a little in every weight."""
    rng = np.random.default_rng(3)
    x, y = rng.random((2, 7, 4)).astype(np.float32), rng.random((2, 7)).astype(np.float32)
    ensemble = Ensemble(4, 2, (0,))
    weights = ensemble._weights  # pyright: ignore[reportPrivateUsage]
    weights[:] = [w.astype(np.float64) for w in weights]  # pyright: ignore

    def error() -> float:
        return float(((ensemble._layers(x)[-1][:, :, 0] - y) ** 2).mean(1).sum())  # pyright: ignore[reportPrivateUsage]

    slopes = ensemble._slopes(x, y)  # pyright: ignore[reportPrivateUsage]
    for w, slope in zip(weights, slopes, strict=True):
        for place in [tuple(rng.integers(w.shape)) for _ in range(12)]:
            before, step = w[place], 1e-5
            w[place] = before + step
            above = error()
            w[place] = before - step
            below = error()
            w[place] = before
            assert (above - below) / (2 * step) == pytest.approx(slope[place], rel=1e-3, abs=1e-4)


def test_normal_scores() -> None:
    """Quartiles of the standard normal distribution; a violation is below every value, and equals are equal."""
    found = normal_scores([(0.0, 93.0), (-0.5, 99.0), (0.0, 94.0), (0.0, 93.0)])
    assert found.tolist() == pytest.approx([0.0, -1.15035, 1.15035, 0.0], abs=1e-5)


def test_the_chosen_are_mutants_of_the_best() -> None:
    """Of NAS-Bench-201's members with a known order: more 3x3 convolutions, and among equals fewer skips."""

    def worth(rank: int) -> float:
        answers = [answer[0] for answer in CELLS.plan.read(CELLS.plan.unrank(rank)).values()]
        return answers.count("nor_conv_3x3") - 0.1 * answers.count("skip_connect")

    strategy = Bananas(Problem(space=CELLS, objectives=(Objective("accuracy"),), seed=4), initial=150)
    first = strategy.ask(150)
    strategy.tell(Measured(proposal, (worth(proposal.rank),)) for proposal in first)
    best = sorted((worth(proposal.rank) for proposal in first), reverse=True)[:10]
    chosen = strategy.ask(10)
    mutants = [near for p in first if worth(p.rank) >= best[-1] for near in CELLS.plan.neighbour_indices(p.rank)]
    assert {proposal.rank for proposal in chosen} <= set(mutants)
    assert np.mean([worth(p.rank) for p in chosen]) > np.mean([worth(near) for near in mutants]) + 0.5


def test_what_was_told_since_is_learnt_when_the_chosen_are_spent() -> None:
    def after(value: float) -> tuple[Proposal, ...]:
        strategy = Bananas(Problem(space=CELLS, objectives=(Objective("accuracy"),), seed=0), chosen=5)
        strategy.tell(Measured(p, (float(i),)) for i, p in enumerate(strategy.ask(10)))
        asked = strategy.ask(2)
        strategy.tell([Measured(p, (value,)) for p in asked])
        return strategy.ask(8)

    high, low = after(100.0), after(-100.0)
    assert high[:3] == low[:3]
    assert high[3:] != low[3:]


def test_a_space_of_two_members_is_searched() -> None:
    document = {
        "name": "two",
        "grammar": {"start": "net", "rules": {"net": {"record": "net", "fields": {"op": {"choice": ["a", "b"]}}}}},
    }
    strategy = Bananas(Problem(space=space_from_json(document), objectives=(Objective("accuracy"),), seed=0), initial=2)
    asked = strategy.ask(2)
    strategy.tell(Measured(p, (1.0,)) for p in asked)
    assert {p.rank for p in asked} == {0, 1}
    assert strategy.ask(1) == ()
