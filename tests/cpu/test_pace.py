"""What is timed of a fit, and what a worker says of its device."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.experiment import TrainingRecipe
from app.space import CellSkeleton
from app.space.zoo import darts
from workers import hardware
from workers.data import load
from workers.gauges import NOTHING, GpuUse
from workers.training.discrete import candidate
from workers.training.pace import Stopwatch, device_words, peak_above

SPACE = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect"))
MIB = 1 << 20


def test_all_steps_but_the_first_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = TrainingRecipe(name="test", epochs=2, batch_size=280, learning_rate=0.1)
    genotype = SPACE.plan.unrank(0)
    made = candidate(
        SPACE,
        genotype,
        CellSkeleton(channels=4, num_cells=3),
        recipe,
        load("digits", None),
        seed=0,
        device=torch.device("cpu"),
    )
    watch = Stopwatch(made.trainer)
    watch.advance()
    assert watch.measured() is None, "one step tells of what is done once"
    for _ in range(3):
        watch.advance()
    pace = watch.measured()
    assert pace is not None
    assert (pace.steps, pace.load.batch_size, pace.load.subject) == (3, 280, "network")
    assert pace.params == sum(p.numel() for p in made.trainer.network.parameters())
    assert pace.device == device_words(torch.device("cpu"))


def test_a_fit_without_a_graph_is_only_advanced() -> None:
    calls: list[int] = []
    fit: Any = SimpleNamespace(network=nn.Identity(), step=1, advance=lambda: calls.append(1))
    watch = Stopwatch(fit)
    for _ in range(3):
        watch.advance()
    assert (len(calls), watch.measured()) == (3, None)


def test_the_largest_moment_counts_and_not_what_was_there_before() -> None:
    before: list[Tensor] = [torch.ones(16 * MIB // 4)]
    found = peak_above(torch.device("cpu"))
    if (quiet := found()) is None and not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system does not tell")
    held = torch.ones(64 * MIB // 4)
    del held
    most = found()
    assert most is not None
    assert 60 * MIB <= most <= 80 * MIB
    assert (quiet or 0) < 8 * MIB
    assert before


@pytest.mark.parametrize(("omp", "threads"), [("3", 3), ("2,1", 2), ("none", None)])
def test_a_worker_names_the_threads_that_its_jobs_have(
    monkeypatch: pytest.MonkeyPatch, omp: str, threads: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", omp)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)))
    assert hardware.device_name(None) == f"cpu, {threads or 4} threads"


def test_memory_is_that_of_the_part_that_a_container_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 800 kB\n")
    monkeypatch.setattr(hardware, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    assert hardware.memory(None, NOTHING) == hardware.Memory(memory_total=1_024_000, memory_available=819_200)
    (tmp_path / "memory.max").write_text("500000\n")
    (tmp_path / "memory.current").write_text("100000\n")
    assert hardware.memory(None, NOTHING) == hardware.Memory(memory_total=500_000, memory_available=400_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.memory(None, NOTHING).memory_total == 1_024_000
    use = GpuUse(gpu_memory_used=30, gpu_memory_total=100)
    assert hardware.memory("GPU-1", use) == hardware.Memory(memory_total=100, memory_available=70)
    assert hardware.memory("GPU-1", NOTHING) == hardware.Memory()
