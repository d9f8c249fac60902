"""Measures how long a graph takes and how much memory: warm, in interleaved rounds, on one device.

A sample is the mean of several passes in a row, long enough for the clock. All subjects of a block take one sample in
turn, round after round, so that a disturbance hits all of them and not one. On CUDA the clock is a pair of events.
"""

import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import torch
from torch import Tensor

from app.architecture import Graph
from app.experiment import Direction, Precision
from workers.network import Network
from workers.peak import METHOD, peak_of
from workers.training.determinism import seeded

SAMPLE_MS = 5.0
MOST_RUNS = 1000  # in a sample
WARM_PASSES = 3
WARM_MS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a measurement depends on besides what is measured."""

    device: torch.device
    batch_size: int
    precision: Precision
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured of one subject; times are milliseconds of one pass."""

    n: int
    runs: int
    median_ms: float
    q1_ms: float
    q3_ms: float
    minimum_ms: float
    peak_memory_bytes: int
    memory_method: str


class Subject:
    """A graph ready to be run: its network with fresh weights, and random inputs."""

    def __init__(self, graph: Graph, conditions: Conditions, gradient: Mapping[str, bool]) -> None:
        """`gradient` says of every input whether a backward pass goes on to it."""
        self.conditions = conditions
        self.backward = conditions.direction == "forward+backward"
        device = conditions.device
        with seeded(0, "profile"):
            self.network = Network(graph).to(device).train(self.backward)
            self.inputs = {
                node.name: torch.rand(conditions.batch_size, *_shape(node.axis.extent, node.size))
                .to(device)
                .requires_grad_(self.backward and gradient[node.name])
                for node in graph.nodes.values()
                if node.op == "input"
            }
        self._seeds: list[Tensor] = []
        self.runs = 1

    def __call__(self) -> None:
        """One pass over the batch."""
        c = self.conditions
        with torch.autocast(c.device.type, torch.bfloat16, enabled=c.precision == "bfloat16"):
            if not self.backward:
                with torch.inference_mode():
                    self.network(self.inputs)
                return
            out = self.network(self.inputs)
        wanted = [y for y in (out if isinstance(out, tuple) else (out,)) if y.requires_grad]
        if wanted:
            self._seeds = self._seeds or [torch.ones_like(y) for y in wanted]
            torch.autograd.backward(wanted, self._seeds)
            self.forget()

    def forget(self) -> None:
        """Drop the gradients, as an optimiser does before its next step."""
        for tensor in (*self.network.parameters(), *self.inputs.values()):
            tensor.grad = None

    @property
    def resident(self) -> int:
        """Bytes that are there before and after a pass: weights, statistics, inputs."""
        tensors = (*self.network.parameters(), *self.network.buffers(), *self.inputs.values())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def sample(self) -> float:
        """Milliseconds of a pass, the mean of `runs` in a row."""
        if self.conditions.device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(self.runs):
                self()
            end.record()
            end.synchronize()
            return max(start.elapsed_time(end), 1e-4) / self.runs
        begun = time.perf_counter_ns()
        for _ in range(self.runs):
            self()
        return max(time.perf_counter_ns() - begun, 1) / 1e6 / self.runs

    def warm(self) -> None:
        """Run until caches and allocators have seen everything, and choose how many passes a sample takes."""
        for _ in range(WARM_PASSES):
            self()
        spent = 0.0
        while spent < WARM_MS:
            ms = self.sample()
            spent += ms * self.runs
            self.runs = min(MOST_RUNS, max(self.runs, math.ceil(SAMPLE_MS / ms)))

    def peak_memory(self) -> tuple[int, str]:
        """(bytes at the largest moment of a pass, how they were counted)."""
        device = self.conditions.device
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            self()
            torch.cuda.synchronize(device)
            return self.resident + torch.cuda.max_memory_allocated(device) - before, "torch.cuda.max_memory_allocated"
        return self.resident + peak_of(self), METHOD


def measure(subjects: Sequence[Subject], rounds: int, pause: Callable[[int], None]) -> list[Reading]:
    """Readings of all subjects from interleaved rounds; `pause` is called after each round with its number."""
    for subject in subjects:
        subject.warm()
    memories = [subject.peak_memory() for subject in subjects]
    samples: list[list[float]] = [[] for _ in subjects]
    for number in range(1, rounds + 1):
        for subject, taken in zip(subjects, samples, strict=True):
            taken.append(subject.sample())
        pause(number)
    readings: list[Reading] = []
    for subject, taken, (peak, method) in zip(subjects, samples, memories, strict=True):
        q1, middle, q3 = quantiles(taken, n=4, method="inclusive")
        readings.append(
            Reading(
                n=len(taken),
                runs=subject.runs,
                median_ms=middle,
                q1_ms=q1,
                q3_ms=q3,
                minimum_ms=min(taken),
                peak_memory_bytes=peak,
                memory_method=method,
            )
        )
    return readings


def device_name(device: torch.device) -> str:
    """Name of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, named), platform.processor() or platform.machine())


def _shape(channels: int, size: tuple[int, ...]) -> tuple[int, ...]:
    return (*size, channels) if len(size) == 1 else (channels, *size)
