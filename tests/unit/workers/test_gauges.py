"""The GPU's gauge over NVIDIA's own bindings, whose functions are replaced: no driver is here to be asked."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from app.embedded import wait_until
from workers import gauges
from workers.gauges import NOTHING, GpuGauge, GpuUse

UUID = "GPU-5d5ad8f8-0000-0000-0000-000000000001"
GIB = 1 << 30


class Driver:
    """What NVML answers."""

    def __init__(self) -> None:
        self.memory: Callable[[], Any] = lambda: SimpleNamespace(used=3 * GIB, total=80 * GIB)
        self.computed: Callable[[], Any] = lambda: SimpleNamespace(gpu=75, memory=40)
        self.loads = 0

    def load(self) -> None:
        self.loads += 1


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    monkeypatch.setattr(gauges, "READ_SECONDS", 0.01)
    monkeypatch.setattr(pynvml, "nvmlInit", made.load)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: {UUID: "the device"}[uuid])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda device: {"the device": made.memory}[device]())
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda device: {"the device": made.computed}[device]())
    return made


@pytest.fixture
def gauge() -> Iterator[GpuGauge]:
    made = GpuGauge(UUID)
    yield made
    made.stop()


def raising(error: Exception) -> Callable[[], Any]:
    def ask() -> Any:
        raise error

    return ask


def test_it_reads_use_and_memory(driver: Driver, gauge: GpuGauge) -> None:
    assert gauge.use == NOTHING
    gauge.start()
    expected = GpuUse(gpu_utilisation=0.75, gpu_memory_used=3 * GIB, gpu_memory_total=80 * GIB)
    assert wait_until(lambda: gauge.use == expected, 5)
    driver.computed = lambda: SimpleNamespace(gpu=0, memory=0)
    assert wait_until(lambda: gauge.use.gpu_utilisation == 0, 5)
    assert driver.loads == 1


def test_a_part_of_a_device_has_memory_and_no_counter(driver: Driver, gauge: GpuGauge) -> None:
    driver.computed = raising(pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED))
    gauge.start()
    assert wait_until(lambda: gauge.use.gpu_memory_used == 3 * GIB, 5)
    assert gauge.use.gpu_utilisation is None


def test_a_device_that_falls_off_its_bus_comes_back(driver: Driver, gauge: GpuGauge) -> None:
    gauge.start()
    assert wait_until(lambda: gauge.use != NOTHING, 5)
    working = driver.memory
    driver.memory = raising(pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST))
    assert wait_until(lambda: gauge.use == NOTHING, 5)
    driver.memory = working
    assert wait_until(lambda: gauge.use != NOTHING, 5)
    assert driver.loads > 1


def test_a_driver_that_hangs_is_in_nobody_s_way(
    driver: Driver, gauge: GpuGauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauge.start()
    assert wait_until(lambda: gauge.use != NOTHING, 5)
    monkeypatch.setattr(gauges, "STALE_SECONDS", 0.2)
    answers, working = threading.Event(), driver.memory
    driver.memory = lambda: answers.wait(30) and working()
    assert wait_until(lambda: gauge.use == NOTHING, 5)
    gauge.stop()  # returns at once
    answers.set()


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(pynvml.NVMLError):  # of the real library, with a driver or without
        gauges.opened(UUID)
