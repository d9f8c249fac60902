"""Predicted peak memory against what torch's allocator measures: three configurations always, all of them if asked.

The table of docs/memory.md is the whole list; `python tests/benchmarks/bench_memory.py` prints it anew.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from app.architecture.memory import ERROR

ROOT = Path(__file__).parents[2]


def _benchmark() -> ModuleType:
    described = importlib.util.spec_from_file_location("bench_memory", ROOT / "tests/benchmarks/bench_memory.py")
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[described.name] = module
    described.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()

# kernels lay out as many channels side by side as fit a register, and bfloat16 has kernels of its own elsewhere
as_predicted = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX2", reason="the model is that of kernels for AVX2"
)


def within(configuration: object) -> None:
    predicted, measured = configuration.predicted(), configuration.measured()  # pyright: ignore[reportAttributeAccessIssue]
    assert predicted / measured == pytest.approx(1, abs=ERROR)


@as_predicted
@pytest.mark.parametrize("number", BENCHMARK.CHEAP)
def test_predictions_hold(number: int) -> None:
    within(BENCHMARK.CONFIGURATIONS[number])


@pytest.mark.slow
@as_predicted
@pytest.mark.parametrize("number", range(len(BENCHMARK.CONFIGURATIONS)))
def test_every_prediction_holds(number: int) -> None:
    within(BENCHMARK.CONFIGURATIONS[number])


def test_the_table_of_the_guide_is_that_of_the_list() -> None:
    """Every configuration has its row, no row is further off than is said, and predictions are still those written."""
    rows = [line.split("|")[1:5] for line in (ROOT / "docs/memory.md").read_text().splitlines() if " x " in line]
    rows = [row for row in rows if len(row) == 4]
    assert [row[0].strip() for row in rows] == [c.label for c in BENCHMARK.CONFIGURATIONS]
    for _, predicted, measured, error in rows:
        assert abs(float(error.strip(" %"))) <= 100 * ERROR
        assert float(predicted) / float(measured) == pytest.approx(1, abs=ERROR)
    for number in BENCHMARK.CHEAP:
        assert f"{BENCHMARK.CONFIGURATIONS[number].predicted() / 2**20:.1f}" == rows[number][1].strip()
