"""The report of a transfer: what follows from numbers made up for it."""

from math import sqrt

import pytest

from app.experiment import Accuracy, TrainedThere, transfer_report
from app.experiment.transfer import Trained, standard_error


def there(selection: float, test: float, size: int) -> TrainedThere:
    accuracy = {
        "selection": Accuracy(percent=selection, split="selection", images=100),
        "test": Accuracy(percent=test, split="test", images=400),
    }
    return TrainedThere(accuracy=accuracy, params=size, macs=1000 - size)


def trained(*rows: tuple[float, float, int]) -> list[Trained]:
    """Of each: accuracy on the source's `selection`, on the target's `test`, params there; other splits mislead."""
    return [
        Trained(
            index=str(i), origin="given", genotype=i, source=there(source, 99 - i, 1), target=there(i, target, size)
        )
        for i, (source, target, size) in enumerate(rows)
    ]


def test_selection_on_the_source_predicts_test_on_the_target() -> None:
    rows = trained((80, 50, 5), (90, 60, 9), (85, 58, 8), (70, 40, 7))
    report = transfer_report(rows, seed=0, notes=("odd",), seconds=1.0, gpu_hours=0.0)
    assert report is not None
    assert report.accuracy.kendall.coefficient == report.accuracy.spearman.coefficient == 1.0
    assert [(row.source_rank, row.target_rank) for row in report.rows] == [(3, 3), (1, 1), (2, 2), (4, 4)]
    params, macs = report.baselines
    assert params.kendall.coefficient == pytest.approx(4 / 6)  # of the six pairs one is the other way round
    assert macs.kendall.coefficient == pytest.approx(-4 / 6)
    assert report.beats_baselines is True
    assert (report.regret, report.regret_by_chance) == (0.0, 60 - 52)
    assert [(top.k, top.share, top.by_chance) for top in report.tops] == [(1, 1.0, 0.25), (3, 1.0, 0.75)]
    assert report.notes == ("odd",)


def test_a_baseline_that_orders_as_well_backwards_is_not_beaten() -> None:
    rows = trained((80, 50, 9), (90, 60, 5), (85, 58, 6), (70, 40, 10))
    report = transfer_report(rows, seed=0, notes=(), seconds=1.0, gpu_hours=0.0)
    assert report is not None
    assert report.baselines[0].kendall.coefficient == -1.0
    assert report.beats_baselines is False


def test_equal_accuracies_are_no_order_and_one_architecture_no_report() -> None:
    flat = transfer_report(trained((80, 50, 1), (80, 60, 2)), seed=0, notes=(), seconds=0.0, gpu_hours=0.0)
    assert flat is not None
    assert (flat.accuracy.kendall.coefficient, flat.beats_baselines) == (None, None)
    assert flat.regret == 60 - 55
    assert any("no order" in limit for limit in flat.limits)
    assert transfer_report(trained((80, 50, 1)), seed=0, notes=(), seconds=0.0, gpu_hours=0.0) is None


def test_the_standard_error_is_the_binomials() -> None:
    half = Accuracy(percent=50.0, split="test", images=100)
    sure = Accuracy(percent=100.0, split="test", images=100)
    assert standard_error([half]) == pytest.approx(100 * sqrt(0.25 / 100))
    assert standard_error([half, sure]) == pytest.approx(2.5)
