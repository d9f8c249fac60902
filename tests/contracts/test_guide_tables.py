"""The tables of the guides: they say what was measured, and the arithmetic behind them is right."""

import csv
import importlib.util
import sys
from itertools import combinations
from pathlib import Path
from statistics import fmean
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The script that makes them."""
    found = importlib.util.spec_from_file_location("space_tables", ROOT / "tests" / "benchmarks" / "space_tables.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["space_tables"] = module  # its dataclasses look themselves up
    found.loader.exec_module(module)
    return module


def test_every_table_is_what_the_measurements_give(tables: ModuleType) -> None:
    made = tables.tables(tables.measurements())
    shown = set()
    for path in GUIDES:
        text = path.read_text()
        assert tables.renewed(text, made) == text, f"{path.name}: run tests/benchmarks/space_tables.py --write"
        assert text.count("<!-- table: ") == text.count("<!-- end of table -->")
        shown |= {match[2] for match in tables._TABLE.finditer(text)}
    assert shown == set(made)


def test_a_changed_number_is_noticed(tables: ModuleType) -> None:
    text = "<!-- table: a -->\n| 97.1 |\n<!-- end of table -->\nmore"
    assert tables.renewed(text, {"a": ["| 97.1 |"]}) == text
    assert tables.renewed(text, {"a": ["| 97.2 |"]}) == text.replace("97.1", "97.2")
    with pytest.raises(KeyError):
        tables.renewed(text, {})


def test_the_two_files_of_measurements_agree_and_every_member_is_one(tables: ModuleType) -> None:
    measured = tables.measurements()
    kept = {
        (group.name, member.index, str(member.seed), str(member.test))
        for group in measured.groups
        for member in (*group.members, *group.repeated)
    }
    with (ROOT / "docs" / "guides" / "measurements.csv").open(newline="") as stream:
        lines = {
            (row["space"].removeprefix("measured-"), row["index"], row["seed"], row["test"])
            for row in csv.DictReader(stream)
        }
    assert lines == kept
    for group in measured.groups:
        assert len({m.index for m in group.members}) == len(group.members) > 1
        assert all(int(m.index) < group.size for m in group.members)


def test_the_best_of_a_few_draws_is_the_mean_over_all_of_them(tables: ModuleType) -> None:
    values = [90.2, 95.0, 91.4, 95.0, 80.0, 97.2]
    for draws in (1, 2, 4, 6):
        assert tables.expected_best(values, draws) == pytest.approx(
            fmean(max(chosen) for chosen in combinations(values, draws))
        )


def test_an_interval_is_about_as_wide_as_theory_says(tables: ModuleType) -> None:
    values = [90.0, 92.0] * 50  # the mean of 100 of these has a standard deviation of 0.1
    low, high = tables.mean_interval(values)
    assert low < 91 < high
    assert 0.3 < high - low < 0.5
    assert tables.difference_interval([3.0, 3.0], [1.0, 1.0]) == (2.0, 2.0)
