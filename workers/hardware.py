"""What a worker's jobs compute on, found out without torch: the device's name and its memory."""

import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from workers.gauges import GpuUse, opened

log = structlog.get_logger(__name__)

MOST_THREADS = 8  # as workers.training.determinism.limit_threads has it
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")  # version 2, of this process's own namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes that processes of this worker may have."""

    memory_total: int | None = None
    memory_available: int | None = None


def device_name(gpu: str | None) -> str | None:
    """As measurements name it: the GPU's name, or "cpu, 2 threads". None where the driver does not say."""
    if gpu is None:
        threads = cpu_threads()
        return f"cpu, {threads} thread{'s' if threads > 1 else ''}"
    try:
        import pynvml

        name = pynvml.nvmlDeviceGetName(opened(gpu))
    except Exception as error:  # the driver's own errors, and whatever a broken one brings
        log.warning("the GPU does not say its name", gpu=gpu, error=str(error))
        return None
    return name.decode() if isinstance(name, bytes) else str(name)


def cpu_threads() -> int:
    """Threads that jobs compute with on a CPU."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    return max(1, min(MOST_THREADS, len(os.sched_getaffinity(0)) - 1))


def memory(gpu: str | None, use: GpuUse) -> Memory:
    """Of the GPU, as last read; without one of the machine, or of the container where that has a smaller part."""
    if gpu is not None:
        used, total = use.gpu_memory_used, use.gpu_memory_total
        free = None if used is None or total is None else max(0, total - used)
        return Memory(memory_total=total, memory_available=free)
    try:
        rows = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        total, free = (int(rows[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError, IndexError):
        return Memory()
    limit, held = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if limit is not None and limit < total:
        total, free = limit, min(free, max(0, limit - (held or 0)))
    return Memory(memory_total=total, memory_available=free)


def _number(file: Path) -> int | None:
    """What a file of the kernel says; None where it is not there, or says "max"."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
