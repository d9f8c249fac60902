"""Rank correlations by bounded work, against `ranks`, against enumeration, and against chance itself."""

from itertools import pairwise, permutations, product
from math import erfc, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.experiment import correlation, ranks
from app.experiment.correlation import LEAST_P, associations, inversions

few = st.lists(st.integers(0, 6), min_size=2, max_size=30)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 5), st.integers(0, 70_000)), max_size=60))
def test_inversions_are_those_of_every_pair(values: list[int]) -> None:
    expected = sum(values[i] > values[j] for j in range(len(values)) for i in range(j))
    assert inversions(np.array(values, dtype=np.int64)) == expected


@settings(deadline=None, max_examples=12)
@given(few, st.randoms(use_true_random=False))
def test_coefficients_are_those_of_few_things(x: list[int], rng) -> None:
    y = [float(rng.randrange(5)) for _ in x]
    rho, tau, top = associations([float(a) for a in x], y, (1,), seed=0)
    for found, measure in ((rho, ranks.spearman), (tau, ranks.kendall)):
        expected = measure(x, y)
        assert found.value == (None if expected is None else pytest.approx(expected))
        assert found.n == len(x)
    assert (top.value is None) == (rho.value is None)


@settings(deadline=None)
@given(few, st.data())
def test_a_resample_has_the_coefficients_of_its_things_written_out(x: list[int], data) -> None:
    y = data.draw(st.lists(st.integers(0, 4), min_size=len(x), max_size=len(x)))
    drawn = np.sort(np.array(data.draw(st.lists(st.integers(0, len(x) - 1), min_size=len(x), max_size=len(x)))))
    gx, gy = (np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (x, y))
    order = np.lexsort((gy, gx))
    tau = correlation._tau(gx[order], gy[order], drawn)
    rho = correlation._rho(gx, gy, np.bincount(drawn, minlength=len(x)))
    for value, measure, places in ((tau, ranks.kendall, order[drawn]), (rho, ranks.spearman, drawn)):
        expected = measure([x[i] for i in places], [y[i] for i in places])
        assert value == (None if expected is None else pytest.approx(expected))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.data())
def test_an_overlap_is_the_mean_over_every_way_to_break_ties(x: list[int], data) -> None:
    y = data.draw(st.lists(st.integers(0, 3), min_size=len(x), max_size=len(x)))
    k = data.draw(st.integers(1, len(x)))
    if len(set(x)) == 1 or len(set(y)) == 1:
        return

    def best(values: list[int]) -> list[set[int]]:
        orders = permutations(range(len(values)))
        return [set(o[:k]) for o in orders if all(values[a] >= values[b] for a, b in pairwise(o))]

    shares = [len(a & b) / k for a, b in product(best(x), best(y))]
    (top,) = (a for a in associations([*map(float, x)], [*map(float, y)], (k,), seed=0) if a.k == k)
    assert top.value == pytest.approx(sum(shares) / len(shares))


def test_the_chance_of_an_overlap_is_counted_over_all_orders() -> None:
    x, y = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [6.0, 1.0, 5.0, 3.0, 4.0, 2.0]
    *_, top = associations(x, y, (3,), seed=0)
    assert top.value == pytest.approx(2 / 3)
    hits = [len({0, 1, 2} & set(sorted(range(6), key=lambda i: -order[i])[:3])) >= 2 for order in permutations(y)]
    assert top.p_value == pytest.approx(sum(hits) / len(hits))
    assert top.p_method.startswith("hypergeometric")
    *_, tied = associations([2.0, 2.0, 2.0, 1.0, 1.0, 1.0], y, (2,), seed=0)
    assert "ties at the 2th place" in tied.p_method
    assert tied.p_value is not None
    # At least 2/3 of a place is expected in common with the two best of y, 0 and 2: both are among the first three.
    exact = [len({0, 1, 2} & set(sorted(range(6), key=lambda i: -order[i])[:2])) == 2 for order in permutations(y)]
    assert tied.p_value == pytest.approx(sum(exact) / len(exact), abs=0.04)


def test_the_normal_limit_has_the_variance_of_all_orders() -> None:
    x, y = np.array([0, 0, 1, 2, 2, 3, 4]), np.array([0, 1, 1, 1, 2, 3, 3])
    taus = [ranks.kendall(x.tolist(), order) for order in permutations(y.tolist())]
    rhos = [ranks.spearman(x.tolist(), order) for order in permutations(y.tolist())]
    deviation = sqrt(sum(t * t for t in taus if t is not None) / len(taus))
    assert correlation._kendall_z(0.5, x, y) == pytest.approx(0.5 / deviation)
    assert sum(r * r for r in rhos if r is not None) / len(rhos) == pytest.approx(1 / 6)  # 1 / (n - 1)


def test_chance_changes_its_method_and_hardly_its_answer() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=150)
    y = np.round(0.15 * x + rng.normal(size=150), 1)
    drawn = associations(x.tolist(), y.tolist(), (), seed=1)
    assert all("2000 random orders" in a.p_method for a in drawn)
    for a in drawn:
        assert a.value is not None
        gx, gy = (np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (x, y))
        z = a.value * sqrt(149) if a.statistic == "spearman" else correlation._kendall_z(a.value, gx, gy)
        assert a.p_value == pytest.approx(erfc(abs(z) / sqrt(2)), abs=0.03)


def test_thousands_of_things_say_how_often_they_were_resampled() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=12_000)
    y = x + rng.normal(size=12_000)
    first = associations(x.tolist(), y.tolist(), (100,), seed=7)
    assert first == associations(x.tolist(), y.tolist(), (100,), seed=7)
    rho, tau, top = first
    assert (rho.resamples, tau.resamples, top.resamples) == (1000, 250, 500)
    assert rho.p_value == LEAST_P
    for a in first:
        assert a.low is not None
        assert a.value is not None
        assert a.high is not None
        assert a.low <= a.value <= a.high
    # A bivariate normal with correlation r: tau = 2 asin(r) / pi, rho = 6 asin(r / 2) / pi. Here r = 1 / sqrt 2.
    assert tau.value == pytest.approx(0.5, abs=0.02)
    assert rho.value == pytest.approx(6 * np.arcsin(sqrt(2) / 4) / np.pi, abs=0.02)


def test_intervals_cover_what_they_estimate() -> None:
    rng, truth, hits = np.random.default_rng(6), 6 * np.arcsin(sqrt(2) / 4) / np.pi, 0
    for seed in range(60):
        x = rng.normal(size=80)
        gx, gy = (np.argsort(np.argsort(v)).astype(np.int64) for v in (x, x + rng.normal(size=80)))
        low, high, _ = correlation._interval("spearman", gx, gy, seed)
        assert low is not None
        assert high is not None
        hits += low <= truth <= high
    assert hits >= 50  # of 60 at 95 %: fewer come once in 10,000 times


@pytest.mark.parametrize(("y", "tops"), [([], ()), ([1.0], ()), ([1.0, 2.0], (0,)), ([1.0, 2.0], (3,))])
def test_what_cannot_be_compared_is_refused(y: list[float], tops: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected as many, and tops from 1 to"):
        associations([1.0, 2.0] if y else [], y, tops, seed=0)


def test_without_an_order_nothing_is_said() -> None:
    for found in associations([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], (1,), seed=0):
        assert (found.value, found.low, found.high, found.p_value, found.resamples) == (None, None, None, None, 0)
