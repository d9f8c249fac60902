"""Rank correlations against values worked out by hand, with ties, and the limits of what they say."""

from fractions import Fraction
from itertools import combinations
from math import sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.experiment.ranks import correlation, kendall, ranks, regret, spearman, top_overlap

# Six things; x ties two pairs of the 15, y three.
X = (1.0, 2.0, 2.0, 3.0, 3.0, 4.0)
Y = (1.0, 2.0, 2.0, 2.0, 5.0, 6.0)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert ranks((30.0, 10.0, 20.0, 20.0)) == [4.0, 1.0, 2.5, 2.5]
    assert ranks(()) == []


def test_tau_b_with_ties_is_that_worked_out_by_hand() -> None:
    # pairs (i, j): concordant 01 02 03 04 05 14 15 24 25 35 45; tied in x 12 34; tied in y 12 13 23
    assert kendall(X, Y) == pytest.approx(11 / sqrt(13 * 12))
    assert kendall((1, 2, 3, 4), (1, 3, 2, 4)) == pytest.approx(4 / 6)  # one of six pairs is discordant


def by_pairs(x: tuple[float, ...], y: tuple[float, ...]) -> float | None:
    """Tau-b by its definition: every pair is looked at."""
    signs = [((a > b) - (a < b), (c > d) - (c < d)) for (a, c), (b, d) in combinations(zip(x, y, strict=True), 2)]
    untied = sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)
    return sum(a * b for a, b in signs) / sqrt(untied) if untied else None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from((-1.5, 0.0, 1e-9, 2.0, 7.0)), st.integers(-4, 4).map(float)), max_size=40))
def test_counting_inversions_finds_what_looking_at_every_pair_does(things: list[tuple[float, float]]) -> None:
    x, y = tuple(a for a, _ in things), tuple(b for _, b in things)
    assert kendall(x, y) == by_pairs(x, y)  # to the last bit: both divide the same whole numbers


def test_rho_with_ties_is_that_worked_out_by_hand() -> None:
    # ranks 1, 2.5, 2.5, 4.5, 4.5, 6 and 1, 3, 3, 3, 5, 6 about their mean 3.5
    sxy = Fraction(-5, 2) ** 2 + 2 * Fraction(-1) * Fraction(-1, 2) + Fraction(-1, 2) + Fraction(3, 2) + Fraction(25, 4)
    sxx = 2 * Fraction(25, 4) + 4
    syy = 2 * Fraction(25, 4) + Fraction(3, 4) + Fraction(9, 4)
    assert spearman(X, Y) == pytest.approx(float(sxy) / sqrt(sxx * syy))
    # without ties the textbook's 1 - 6 sum(d^2) / (n (n^2 - 1))
    assert spearman((1, 2, 3, 4, 5), (2, 1, 4, 3, 5)) == pytest.approx(1 - 6 * 4 / (5 * 24))


def test_orders_turn_the_sign_and_scales_do_nothing() -> None:
    rng = Random(0)
    x, y = ([rng.randrange(8) for _ in range(20)] for _ in range(2))
    for measure in (kendall, spearman):
        found = measure(x, y)
        assert found is not None
        assert measure(y, x) == pytest.approx(found)
        assert measure([-a for a in x], y) == pytest.approx(-found)
        assert measure([a**3 for a in x], y) == pytest.approx(found)
        assert measure(x, x) == pytest.approx(1.0)
        assert measure([5.0] * 20, y) is None


def test_the_exact_test_counts_orders() -> None:
    # of the 24 orders of four things only the same and the reverse have |tau| = 1
    found = correlation(kendall, (1, 2, 3, 4), (10, 20, 30, 40), seed=0)
    assert (found.coefficient, found.p_value, found.n) == (1.0, pytest.approx(2 / 24), 4)
    assert "all 24 orders" in found.p_method
    flat = correlation(spearman, (1, 1, 1), (1, 2, 3), seed=0)
    assert (flat.coefficient, flat.low, flat.high, flat.p_value) == (None, None, None, None)


def test_intervals_hold_the_coefficient_and_are_a_seeds_own() -> None:
    rng = Random(1)
    x = [rng.random() for _ in range(24)]
    y = [a + rng.random() / 2 for a in x]
    first, again = (correlation(spearman, x, y, seed=3) for _ in range(2))
    assert first == again
    assert first.low is not None
    assert first.coefficient is not None
    assert first.high is not None
    assert -1 <= first.low < first.coefficient < first.high <= 1
    assert first.p_value == pytest.approx(1 / 2001)  # no random order comes near
    noise = correlation(spearman, x, [rng.random() for _ in x], seed=3)
    assert noise.p_value is not None
    assert noise.p_value > 0.05


def test_the_best_and_what_choosing_them_loses() -> None:
    source, target = (90.0, 95.0, 80.0, 95.0), (70.0, 60.0, 50.0, 68.0)
    assert top_overlap(source, target, 1) == 0.0
    assert top_overlap(source, target, 2) == 0.5
    assert regret(source, target) == 70.0 - 64.0
    assert regret(target, target) == 0.0


@pytest.mark.slow
def test_scipy_agrees_where_there_is_one() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = Random(2)
    for _ in range(20):
        x, y = ([rng.randrange(6) for _ in range(15)] for _ in range(2))
        assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
