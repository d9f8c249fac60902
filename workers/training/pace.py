"""How fast a phase goes and how much memory it holds, told once at its end."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch

from app.architecture import Graph, cost, count, macs
from app.architecture.extent import extent
from app.architecture.memory import peak_memory
from app.experiment import TrainingRecipe
from app.experiment.pace import Load, Pace

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5), clear_refs: the peak resident set is what is resident now


@runtime_checkable
class PaceKeeper(Protocol):
    """Who keeps what was measured; `workers.fenced.FencedProgress` is one."""

    def pace(self, phase: str, pace: Pace) -> None:
        """Keep what a phase took."""
        ...


class Stopwatch:
    """Times the steps of a fit. The first one is left out: in it kernels are chosen and memory is taken."""

    def __init__(self, fit: Any) -> None:
        """
        Args:
            fit: a `workers.training.Fit`; without a network that has a graph nothing is measured.
        """
        self._fit = fit
        self._graph: Graph | None = getattr(getattr(fit, "network", None), "graph", None)
        self._device: torch.device = getattr(fit, "device", torch.device("cpu"))
        self._started: float | None = None
        self._busy = 0.0
        self._steps = 0
        self._memory = peak_above(self._device) if self._graph is not None else lambda: None

    def advance(self) -> None:
        """One step of the fit."""
        if self._started is None:
            self._fit.advance()
            _wait(self._device)
            self._started = time.perf_counter()
            return
        before = time.perf_counter()
        self._fit.advance()
        if self._fit.step == 0:
            _wait(self._device)  # once an epoch: steps are queued faster than a GPU takes them
        self._busy += time.perf_counter() - before
        self._steps += 1

    def measured(self) -> Pace | None:
        """What was measured; None without a second step."""
        if self._graph is None or not self._steps:
            return None
        graph, recipe = self._graph, self._fit.recipe
        opened = bool(graph.open)
        if opened:
            params, work, held = count(graph), macs(graph), extent(graph, recipe.batch_size)
        else:
            total = cost(graph)
            params, work = total.params, total.macs
            held = training_extent(graph, recipe)
        return Pace(
            load=Load(
                subject="supernet" if opened else "network",
                strategy=None,  # the keeper knows it
                macs=work,
                extent=held,
                batch_size=recipe.batch_size,
                precision=recipe.precision,
            ),
            params=params,
            steps=self._steps,
            seconds=self._busy,
            peak_memory_bytes=self._memory(),
            device=device_words(self._device),
            device_type="cuda" if self._device.type == "cuda" else "cpu",
            torch_version=torch.__version__,
        )


def training_extent(graph: Graph, recipe: TrainingRecipe) -> int | None:
    """Bytes that a training step is predicted to hold; None where that is not modelled: a training must not fail by
    it."""
    try:
        found = peak_memory(
            graph,
            batch_size=recipe.batch_size,
            precision=recipe.precision,
            direction="training",
            drop_path=recipe.drop_path > 0,
        )
    except (ValueError, KeyError):
        return None
    return found.total


def device_words(device: torch.device) -> str:
    """The device in words, e.g. "NVIDIA H100 80GB HBM3" or "cpu, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' if threads > 1 else ''}"


def peak_above(device: torch.device) -> Callable[[], int | None]:
    """Starts to watch memory. The answer tells how many bytes more than now were held since at the largest moment: of
    torch's allocator on a GPU, of the process's resident set on a CPU; None where the system does not say."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return lambda: torch.cuda.max_memory_allocated(device)
    _give_back()
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return lambda: None
    before = _resident("VmRSS")
    if before is None:
        return lambda: None

    def found() -> int | None:
        most = _resident("VmHWM")
        return None if most is None or most <= before else most - before

    return found


def _resident(which: Literal["VmRSS", "VmHWM"]) -> int | None:
    """Bytes of the resident set, now or at most. proc(5)."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:")), None)


def _give_back() -> None:
    """What the C library has kept of earlier phases goes back to the system, so that it is not taken again unseen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
