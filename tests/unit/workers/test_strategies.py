"""Discrete strategies are had without torch."""

import subprocess
import sys


def test_discrete_strategies_are_imported_without_torch() -> None:
    code = "import sys, workers.strategies, workers.strategies.discrete; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
