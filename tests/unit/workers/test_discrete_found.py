"""What a search found, against what its definition says, on trajectories drawn at random."""

from random import Random

import pytest

from app.experiment import Measurement, SoughtMetric
from app.experiment.fronts import hypervolume
from app.space.zoo import nasbench201
from workers.discrete import found, record

ACCURACY, MACS = SoughtMetric(metric="accuracy"), SoughtMetric(metric="macs", goal="minimise")
LATENCY = SoughtMetric(metric="latency_ms", goal="minimise")


def drawn(seed: int, count: int = 60, fidelities: tuple[int | None, ...] = (None,)) -> list[Measurement]:
    """Measurements with ties and failures."""
    rng = Random(seed)
    return [
        Measurement(
            n=n,
            index=str(10**30 + n),
            fidelity=rng.choice(fidelities),
            values=None
            if rng.random() < 0.2
            else {"accuracy": rng.randint(0, 12) / 4, "macs": rng.randint(1, 9), "latency_ms": rng.random()},
        )
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_is_the_best_value_so_far_and_ends_with_the_best(seed: int) -> None:
    trajectory = drawn(seed)
    for sought, better in ((ACCURACY, max), (MACS, min)):
        curve = found.curve(trajectory, sought)
        for i in range(len(trajectory)):
            values = [one.values[sought.metric] for one in trajectory[: i + 1] if one.values is not None]
            assert curve[i] == (better(values) if values else None)
        best = found.best(trajectory, sought)
        assert best is not None
        assert best.values is not None
        assert best.values[sought.metric] == curve[-1]
        assert best.n == 1 + curve.index(curve[-1]), "of equals the first"


@pytest.mark.parametrize("seed", range(5))
def test_a_front_is_what_no_other_evaluation_dominates(seed: int) -> None:
    trajectory = drawn(seed)
    kept = found.front(trajectory, (ACCURACY, MACS))
    points = [(one.values["accuracy"], one.values["macs"], one.n) for one in trajectory if one.values is not None]

    def beaten(a: float, m: float) -> bool:
        return any(x >= a and y <= m and (x, y) != (a, m) for x, y, _ in points)

    alone = {(a, m): n for a, m, n in reversed(points) if not beaten(a, m)}
    assert [one.n for one in kept] == [n for _, n in sorted(alone.items(), reverse=True)]


@pytest.mark.parametrize("seed", range(3))
def test_a_hypervolume_grows_to_that_of_the_whole_with_the_worst_as_reference(seed: int) -> None:
    trajectory, sought = drawn(seed), (ACCURACY, MACS, LATENCY)
    volume = found.volume(trajectory, sought)
    assert volume is not None
    measured = [one.values for one in trajectory if one.values is not None]
    worst = {"accuracy": min, "macs": max, "latency_ms": max}
    assert volume.reference == {name: pick(values[name] for values in measured) for name, pick in worst.items()}
    reference = (-volume.reference["accuracy"], volume.reference["macs"], volume.reference["latency_ms"])
    for i in range(len(trajectory)):
        points = [found.point(one, sought) for one in trajectory[: i + 1] if one.values is not None]
        assert volume.curve[i] == pytest.approx(hypervolume(points, reference))
    assert volume.curve[-1] == volume.value > 0
    given = found.volume(trajectory, sought, (0.0, 10.0, 2.0))
    assert given is not None
    assert given.reference == {"accuracy": 0.0, "macs": 10.0, "latency_ms": 2.0}


def test_only_the_highest_fidelity_counts_everywhere() -> None:
    trajectory = drawn(7, fidelities=(1, 3, 9))
    assert found.highest(trajectory) == 9
    alone = [one for one in trajectory if one.fidelity == 9]
    best, kept = found.best(trajectory, ACCURACY), found.front(trajectory, (ACCURACY, MACS))
    assert best == found.best(alone, ACCURACY)
    assert kept == found.front(alone, (ACCURACY, MACS))
    assert found.curve(trajectory, ACCURACY)[-1] == found.curve(alone, ACCURACY)[-1]
    volume, only = (found.volume(some, (ACCURACY, MACS)) for some in (trajectory, alone))
    assert volume is not None
    assert only is not None
    assert (volume.value, volume.reference) == (only.value, only.reference)


def test_nothing_measured_is_nothing_found() -> None:
    failed = [Measurement(n=1, index="0", fidelity=None, values=None, failure="a reason")]
    for trajectory in ([], failed):
        assert found.best(trajectory, ACCURACY) is None
        assert found.front(trajectory, (ACCURACY, MACS)) == []
        assert found.volume(trajectory, (ACCURACY, MACS)) is None
    assert found.curve(failed, ACCURACY) == (None,)


def test_what_is_found_has_its_genotype() -> None:
    space = nasbench201()
    one = Measurement(n=4, index="6111", fidelity=None, values={"accuracy": 94.37})
    assert found.as_found(one, space).genotype == space.plan.unrank(6111)


def test_a_measurement_comes_back_from_a_record_as_it_was() -> None:
    several = Measurement(
        n=3,
        index=str(2**80),
        fidelity=9,
        values={"accuracy": 1 / 3, "params": 7},
        by="warm start",
        several=3,
        deviations={"accuracy": 0.1},
        job="9a0e45f7-8317-4d19-b61b-0176ae459c3d",
    )
    for one in (*drawn(1), several, Measurement(n=1, index="0", fidelity=None, values=None, failure="a reason")):
        assert record.read(record.written(one)) == one
