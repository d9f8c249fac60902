"""Significance tests against enumeration, pair counting and textbook numbers."""

from fractions import Fraction
from itertools import combinations
from math import comb, isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiment import significance
from app.experiment.significance import (
    RESAMPLES,
    difference,
    holm,
    magnitude,
    mann_whitney,
    resampled_means,
    vargha_delaney,
)

SAMPLES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=5)


def won(x: list[float], y: list[float]) -> Fraction:
    """Pairs that the first wins, ties by half: U by its definition."""
    return sum((Fraction((a > b) - (a < b) + 1, 2) for a in x for b in y), Fraction(0))


def by_enumeration(x: list[float], y: list[float]) -> Fraction:
    """The two-sided p-value: every way to call so many of the values the first sample."""
    values, n = [*x, *y], len(x)
    expected = Fraction(n * len(y), 2)
    far, hits = abs(won(x, y) - expected), 0
    for chosen in combinations(range(len(values)), n):
        first = [values[i] for i in chosen]
        second = [values[i] for i in range(len(values)) if i not in chosen]
        hits += abs(won(first, second) - expected) >= far
    return Fraction(hits, comb(len(values), n))


@given(SAMPLES, SAMPLES)
def test_the_exact_test_is_what_enumeration_finds_with_ties_and_without(x: list[float], y: list[float]) -> None:
    found = mann_whitney(x, y)
    assert found.u == won(x, y)
    assert isclose(found.p_value, by_enumeration(x, y), rel_tol=1e-12)
    assert found.method == f"exact, over all {comb(len(x) + len(y), len(x))} ways to divide the ranks"
    assert isclose(vargha_delaney(x, y), won(x, y) / (len(x) * len(y)), rel_tol=1e-12)


@given(SAMPLES, SAMPLES)
def test_which_sample_is_called_the_first_does_not_matter(x: list[float], y: list[float]) -> None:
    there, back = mann_whitney(x, y), mann_whitney(y, x)
    assert isclose(there.p_value, back.p_value)
    assert there.u + back.u == len(x) * len(y)
    assert isclose(vargha_delaney(x, y) + vargha_delaney(y, x), 1)


def test_critical_values_of_published_tables() -> None:
    """Two-sided 5 %: U = 2 of 5 and 5, 23 of 10 and 10, 127 of 20 and 20 (Mann and Whitney's test, any textbook)."""
    for n, critical in ((5, 2), (10, 23), (20, 127)):
        assert p_of_u(n, critical) <= 0.05 < p_of_u(n, critical + 1)


def p_of_u(n: int, u: int) -> float:
    """The p-value of a division of 1 … 2n that has this U."""
    first, left = list(range(1, n + 1)), u
    for i in reversed(range(n)):
        step = min(left, n)
        first[i] += step
        left -= step
    second = [value for value in range(1, 2 * n + 1) if value not in first]
    found = mann_whitney(first, second)
    assert found.u == u
    return found.p_value


def test_large_samples_are_approximated_and_the_approximation_is_near_the_exact_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = Random(0)
    for ties in (False, True):
        x, y = ([rng.gauss(shift, 1) for _ in range(20)] for shift in (0.4, 0.0))
        if ties:
            x, y = ([round(value) for value in values] for values in (x, y))
        exact = mann_whitney(x, y)
        monkeypatch.setattr(significance, "EXACT", 0)
        near = mann_whitney(x, y)
        monkeypatch.undo()
        assert near.method.startswith("normal approximation")
        assert exact.p_value == pytest.approx(near.p_value, abs=0.006)


def test_equal_values_say_nothing() -> None:
    assert mann_whitney([3.0] * 30, [3.0] * 30).p_value == 1
    assert mann_whitney([3.0], [3.0]).p_value == 1


def test_with_three_seeds_a_side_nothing_can_be_significant() -> None:
    found = mann_whitney([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert found.p_value == found.least_p == pytest.approx(0.1)
    assert mann_whitney([1.0], [2.0]).least_p == 1
    assert mann_whitney(range(4), range(4, 8)).least_p == pytest.approx(2 / 70)


def test_p_values_of_alike_samples_are_uniform() -> None:
    """Of 2,000 tests without an effect about one in twenty is below 0.05: never more than by chance."""
    rng = Random(1)
    below = sum(
        mann_whitney([rng.random() for _ in range(12)], [rng.random() for _ in range(9)]).p_value <= 0.05
        for _ in range(2000)
    )
    assert 60 <= below <= 130  # 100 expected, standard deviation 9.7


def test_holm_by_hand() -> None:
    """The example of Holm's procedure: sorted p × (m, m-1, …), never less than the one before, at most 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_holm_adjusts_as_the_step_down_procedure_rejects(p_values: list[float], level: float) -> None:
    rejected: set[int] = set()
    for place, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - place) * p_values[i] > level:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


def test_names_of_effects() -> None:
    named = [magnitude(a12) for a12 in (0.5, 0.44, 0.56, 0.64, 0.3, 0.71, 0.0)]
    assert named == ["negligible", "small", "small", "medium", "medium", "large", "large"]


def test_bootstrap_interval_of_a_difference() -> None:
    rng = Random(3)
    x, y = [rng.gauss(5, 1) for _ in range(200)], [rng.gauss(4, 2) for _ in range(100)]
    means = resampled_means(x, "0 x"), resampled_means(y, "0 y")
    assert [len(found) for found in means] == [RESAMPLES, RESAMPLES]
    found = difference(x, y, *means)
    assert found == difference(x, y, resampled_means(x, "0 x"), resampled_means(y, "0 y")), "chance comes from the seed"
    assert found.low is not None
    assert found.high is not None
    error = (1 / 200 + 4 / 100) ** 0.5  # of the difference, by the deviations that were drawn from
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.06)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.06)


def test_one_seed_has_no_interval() -> None:
    found = difference([2.0], [1.0, 3.0], resampled_means([2.0], "x"), resampled_means([1.0, 3.0], "y"))
    assert (found.mean, found.low, found.high) == (0, None, None)
