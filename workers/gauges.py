"""How busy a worker's GPU is, asked of the driver, for those who watch the service."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog

log = structlog.get_logger(__name__)

READ_SECONDS = 5.0
STALE_SECONDS = 30.0
"""A reading that is older says nothing: the driver hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """What a device does, by whatever process. None: there is no device, or it does not say."""

    gpu_utilisation: float | None = None  # share of the last moments, a second at most, in which it computed; 0 to 1
    gpu_memory_used: int | None = None  # bytes
    gpu_memory_total: int | None = None  # bytes


NOTHING = GpuUse()


class GpuGauge:
    """Reads one device every few seconds in a thread of its own: a driver that hangs is in nobody's way."""

    def __init__(self, uuid: str) -> None:
        """
        Args:
            uuid: of the device, as the driver names it.
        """
        self._uuid = uuid
        self._stopping = threading.Event()
        self._last = (NOTHING, time.monotonic())
        self._thread = threading.Thread(target=self._read_on, name="gpu gauge", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; returns at once."""
        self._stopping.set()

    @property
    def use(self) -> GpuUse:
        """The last reading."""
        read, moment = self._last
        return read if time.monotonic() - moment < STALE_SECONDS else NOTHING

    def _read_on(self) -> None:
        device: Any = None
        told = False
        while not self._stopping.is_set():
            try:
                device = device or opened(self._uuid)
                self._last = (read(device), time.monotonic())
                told = False
            except Exception as error:  # the driver's own errors, and whatever a broken one brings
                device = None
                self._last = (NOTHING, time.monotonic())
                if not told:
                    told = True
                    log.warning("the GPU does not say what it does", gpu=self._uuid, error=str(error))
            self._stopping.wait(READ_SECONDS)


def opened(uuid: str) -> Any:
    """A handle of the device. Raises pynvml.NVMLError, and ImportError where the driver's library is not installed."""
    import pynvml

    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetHandleByUUID(uuid)


def read(device: Any) -> GpuUse:
    """What the device does now. Raises pynvml.NVMLError."""
    import pynvml

    driver: Any = pynvml
    memory = driver.nvmlDeviceGetMemoryInfo(device)
    try:
        computed = driver.nvmlDeviceGetUtilizationRates(device).gpu / 100
    except driver.NVMLError_NotSupported:
        computed = None  # a part of a device has memory of its own, and no counter
    return GpuUse(gpu_utilisation=computed, gpu_memory_used=int(memory.used), gpu_memory_total=int(memory.total))
