"""docs/reliability.md names every test of a fault, and no other."""

import ast
import itertools
import re
from pathlib import Path

from tests.acceptance.faults.disturbances import DISTURBANCES
from tests.acceptance.faults.test_short import ROUNDS

HERE = Path(__file__).parent
GUIDE = HERE.parents[2] / "docs" / "reliability.md"
MODULES = [file for file in HERE.glob("test_*.py") if file.stem not in ("test_guide", "test_proxy")]
CASES = {
    "test_killed_at": [
        f"{a}-{b}"
        for a, b in itertools.product(("checkpoint", "kept", "uncommitted", "committed"), ("child", "worker"))
    ],
    "test_asleep_past_the_lease": ["worker", "child", "both"],
    "test_disturbed": list(DISTURBANCES),
    "test_one_fault_after_another": list(ROUNDS),
}


def test_the_table_is_the_suite() -> None:
    found = {
        node.name
        for module in MODULES
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert CASES.keys() <= found
    tests = {f"{name}[{case}]" for name, cases in CASES.items() for case in cases} | (found - CASES.keys())
    named = re.findall(r"`(test_[a-z0-9_]+(?:\[[a-z_-]+\])?)`", GUIDE.read_text())
    assert sorted(named) == sorted(tests)
