"""Estimates: planted laws are found again, and the band holds what it says it holds."""

import math
import random
from dataclasses import replace

import pytest

from app.experiment.estimate import LEVEL, Band, peak_bytes, predicted, seconds_per_step
from app.experiment.pace import Load, Pace

LOAD = Load(
    subject="network", strategy=None, macs=10**6, extent=10**7, batch_size=64, precision="float32", recompute=False
)
PACE = Pace(
    load=LOAD,
    params=1000,
    steps=10,
    seconds=1.0,
    peak_memory_bytes=2 * 10**7,
    device="cpu, 1 thread",
    device_type="cpu",
    torch_version="2",
)


@pytest.mark.parametrize(("a", "b"), [(2e-9, 1.0), (1e-4, 0.4), (3.0, 0.0)])
def test_a_law_without_noise_is_found_exactly_within_what_was_measured(a: float, b: float) -> None:
    band, level = predicted([(x, a * x**b) for x in (10.0, 20.0, 100.0, 3000.0)], 400.0)
    assert band.expected == pytest.approx(a * 400.0**b, rel=1e-9)
    assert (band.low, band.high) == (pytest.approx(band.expected), pytest.approx(band.expected))
    assert level == LEVEL


@pytest.mark.parametrize("n", [3, 5, 8, 9, 20])
def test_the_band_holds_four_of_five_new_measurements(n: int) -> None:
    rng, runs, held = random.Random(n), 1500, 0

    def measured(x: float) -> float:
        return 1e-6 * x**0.8 * math.exp(rng.gauss(0, 0.3))

    for _ in range(runs):
        xs = [1.0, 50.0, *(math.exp(rng.uniform(0, math.log(50))) for _ in range(n - 2))]
        new = math.exp(rng.uniform(0, math.log(50)))
        band, _ = predicted([(x, measured(x)) for x in xs], new)
        held += band.low <= measured(new) <= band.high
    # Few points err on the safe side: of nine the extremes are taken, of three each is held to a slope that is assumed.
    assert LEVEL - 0.05 <= held / runs <= (0.99 if n == 3 else 0.93)


def test_the_band_widens_away_from_what_was_measured() -> None:
    points = [(x, x * noise) for x, noise in zip((10.0, 20.0, 40.0, 80.0), (1.1, 0.9, 1.0, 1.05), strict=True)]
    widths = [(band.high / band.low, level) for band, level in (predicted(points, x) for x in (30.0, 300.0, 3e4))]
    assert widths[0][0] < widths[1][0] < widths[2][0]
    assert [level for _, level in widths] == [LEVEL, None, None]


def test_one_point_scales_with_the_work_and_says_that_its_band_is_assumed() -> None:
    band, level = predicted([(10.0, 3.0)], 20.0)
    assert band.expected == pytest.approx(6.0)
    assert band.low < 6.0 / 3.9
    assert band.high > 6.0 * 3.9
    assert level is None


def test_seconds_are_those_of_the_same_device_and_kind_of_step() -> None:
    others = replace(PACE, device="another", seconds=1000.0)
    recomputed = replace(PACE, load=replace(LOAD, recompute=True), seconds=50.0)
    found = seconds_per_step([others, recomputed, PACE], replace(LOAD, macs=2 * 10**6), PACE.device)
    assert found is not None
    assert found.band.expected == pytest.approx(0.2)
    assert (found.points, found.alike, found.nearest) == (1, True, 0.5)
    assert seconds_per_step([others], LOAD, PACE.device) is None


def test_another_kind_of_step_is_scaled_by_its_passes_within_a_wider_band() -> None:
    supernet = replace(LOAD, subject="supernet", strategy="darts_second_order")
    found, own = (seconds_per_step([PACE], load, PACE.device) for load in (supernet, LOAD))
    assert found is not None
    assert own is not None
    assert found.band.expected == pytest.approx(0.1 * 5)
    assert not found.alike
    assert found.band.high / found.band.low > 8 * own.band.high / own.band.low


def test_memory_is_scaled_by_what_was_predicted_and_never_from_another_kind() -> None:
    found = peak_bytes([PACE], replace(LOAD, extent=3 * 10**7), PACE.device)
    assert found is not None
    assert found.band.expected == pytest.approx(6 * 10**7)
    assert peak_bytes([PACE], replace(LOAD, subject="supernet", strategy="darts"), PACE.device) is None
    assert peak_bytes([PACE], replace(LOAD, extent=None), PACE.device) is None


def test_bands_add_and_multiply_end_by_end() -> None:
    band = Band(expected=2.0, low=1.0, high=4.0)
    assert band.times(3).plus(band) == Band(expected=8.0, low=4.0, high=16.0)
