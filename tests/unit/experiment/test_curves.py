"""Anytime curves and random search's exact expectation, against counting."""

from itertools import combinations, product
from random import Random
from statistics import fmean, quantiles, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.experiment.chance import expected_best
from app.experiment.curves import PLACES, area, at, curve, percentile, places, reached

COURSE = [(2, 10.0), (4, 12.5), (5, 13.0)]


def test_a_course_holds_its_value_until_the_next_step() -> None:
    assert [at(COURSE, n) for n in range(1, 8)] == [None, 10, 10, 12.5, 13, 13, 13]
    assert at([], 3) is None


def test_area_is_the_mean_over_the_evaluations_with_a_value() -> None:
    assert area(COURSE, 6) == pytest.approx(fmean([10, 10, 12.5, 13, 13]))
    assert area([(1, 3.0)], 1) == 3
    assert area([], 6) is None


def test_when_a_target_was_reached() -> None:
    assert reached(COURSE, 12.5, maximise=True) == 4
    assert reached(COURSE, 13.1, maximise=True) is None
    assert reached([(1, 5.0), (3, 2.0)], 4.0, maximise=False) == 3


def test_a_curve_aligns_runs_and_counts_those_that_ended() -> None:
    courses = [COURSE, [(1, 20.0), (2, 21.0)], []]
    found = curve(courses, [6, 2, 6], budget=6)
    assert found.at == (1, 2, 3, 4, 5, 6)
    assert found.runs == (1, 2, 2, 2, 2, 2)
    assert found.ended == (0, 0, 1, 1, 1, 1)
    assert found.mean == (20, 15.5, 15.5, 16.75, 17, 17)
    assert found.deviation[0] is None
    assert found.deviation[1] == pytest.approx(stdev([10, 21]))
    assert found.p50[1:] == found.mean[1:], "of two runs the median is the mean"
    assert curve([[], []], [3, 3], budget=3).mean == (None, None, None)


@given(st.integers(1, 10_000))
def test_places_are_few_ascending_and_include_both_ends(budget: int) -> None:
    found = places(budget)
    assert (found[0], found[-1], len(found)) == (1, budget, min(budget, PLACES))
    assert list(found) == sorted(set(found))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    deciles = quantiles(values, n=10, method="inclusive")
    for share in (1, 5, 9):
        assert percentile(values, share / 10) == pytest.approx(deciles[share - 1], abs=1e-9)
    assert percentile([], 0.5) is None
    assert percentile([4.0], 0.9) == 4


VALUES = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=6)


@given(VALUES, st.integers(1, 7), st.booleans())
def test_expectation_without_repeats_is_the_mean_over_all_subsets(values: list[float], n: int, maximise: bool) -> None:
    best = max if maximise else min
    counted = fmean(best(drawn) for drawn in combinations(values, min(n, len(values))))
    assert expected_best(values, n, maximise=maximise) == pytest.approx(counted, abs=1e-12)


@given(VALUES, st.integers(1, 4), st.booleans())
def test_expectation_with_repeats_is_the_mean_over_all_draws(values: list[float], n: int, maximise: bool) -> None:
    best = max if maximise else min
    counted = fmean(best(drawn) for drawn in product(values, repeat=n))
    assert expected_best(values, n, maximise=maximise, repeats=True) == pytest.approx(counted, abs=1e-12)


@pytest.mark.parametrize("repeats", [False, True])
def test_expectation_in_a_large_table_is_what_draws_find(repeats: bool) -> None:
    rng = Random(0)
    values = [rng.gauss(90, 3) for _ in range(15_625)]
    draw = rng.choices if repeats else rng.sample
    drawn = [max(draw(values, k=200)) for _ in range(2000)]
    error = stdev(drawn) / len(drawn) ** 0.5
    assert fmean(drawn) == pytest.approx(expected_best(values, 200, repeats=repeats), abs=4 * error)


def test_nothing_to_draw_is_refused() -> None:
    for values, n in (([], 3), ([1.0], 0)):
        with pytest.raises(ValueError, match="expected at least one"):
            expected_best(values, n)
