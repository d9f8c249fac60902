"""Latencies from a table: additive, scaled by what was measured whole, and their error as it is defined."""

import pytest

from app.experiment.latency import Unmeasured, WholeLatency, predict

TABLE = {"conv": 2.0, "relu": 0.5, "sum": 0.25}


def whole(ms: float, **entries: int) -> WholeLatency:
    return WholeLatency(entries, ms)


def test_a_prediction_is_the_sum_of_what_is_computed() -> None:
    found = predict({"conv": 3, "relu": 2}, TABLE, ())
    assert (found.ms, found.sum_ms, found.factor, found.error) == (7.0, 7.0, 1.0, None)
    both = predict({"conv": 3, "relu": 2, "sum": 4}, TABLE, ())
    assert both.ms == found.ms + predict({"sum": 4}, TABLE, ()).ms


def test_what_was_never_measured_is_named() -> None:
    with pytest.raises(Unmeasured, match="2 of its computations") as missing:
        predict({"conv": 1, "pool": 1, "gelu": 2}, TABLE, ())
    assert missing.value.keys == ("pool", "gelu")


def test_one_measured_architecture_judges_the_sum_and_scales_nothing() -> None:
    found = predict({"conv": 1}, TABLE, [whole(5.0, conv=2)])
    assert (found.ms, found.factor) == (2.0, 1.0)
    assert found.error is not None
    assert (found.error.mape_percent, found.error.architectures) == (pytest.approx(20.0), 1)


def test_several_scale_and_the_error_leaves_each_out() -> None:
    # Sums 2, 4, 8; ratios 1, 1.5, 2: the factors of the others are 1.75, 1.5 and 1.25.
    measured = [whole(2.0, conv=1), whole(6.0, conv=2), whole(16.0, conv=4)]
    found = predict({"relu": 2}, TABLE, measured)
    assert (found.sum_ms, found.factor, found.ms) == (1.0, 1.5, 1.5)
    assert found.error is not None
    errors = [abs(1.75 * 2 - 2) / 2, abs(1.5 * 4 - 6) / 6, abs(1.25 * 8 - 16) / 16]
    assert found.error.mape_percent == pytest.approx(100 * sum(errors) / 3)
    assert found.error.architectures == 3


def test_a_common_factor_is_no_error() -> None:
    measured = [whole(2.6, conv=1), whole(5.2, conv=2), whole(0.65, relu=1)]
    found = predict({"conv": 1, "sum": 1}, TABLE, measured)
    assert found.ms == pytest.approx(1.3 * 2.25)
    assert found.error is not None
    assert found.error.mape_percent == pytest.approx(0.0, abs=1e-9)


def test_architectures_that_the_table_does_not_cover_tell_nothing() -> None:
    found = predict({"conv": 1}, TABLE, [whole(5.0, conv=1, pool=1), whole(4.0)])
    assert (found.factor, found.error) == (1.0, None)
