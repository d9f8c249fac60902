"""The tables of the guides: they say what was measured, and the arithmetic behind them is right."""

import csv
import importlib.util
import json
import sys
from itertools import combinations
from pathlib import Path
from statistics import fmean
from types import ModuleType

import pytest

from app.architecture import lower
from app.architecture.receptive_field import receptive_field
from app.space import space_from_json

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


def above(low: float, high: float) -> int:
    """1 where an interval is above 0, -1 where it is below, 0 where nothing can be told."""
    return (low > 0) - (high < 0)


def test_what_the_guides_conclude_is_in_the_measurements(tables: ModuleType) -> None:
    measured = tables.measurements()

    def against(name: str, other: str) -> int:
        return above(*tables.difference_interval(measured.named(name).accuracies, measured.named(other).accuracies))

    assert against("macro", "cell") == 0
    means = {g.name: fmean(g.accuracies) for g in measured.of("published")}
    assert sorted(means, key=means.__getitem__) == ["nasbench201", "enas_macro", "nasbench_macro", "darts"]
    assert {n: against(n, "chain") for n in ("residual", "dense", "dag", "tree")} == {
        "residual": 0, "dense": 1, "dag": 0, "tree": 1,
    }  # fmt: skip
    assert {n: against(n, "plain") for n in ("plain-identity", "plain-pools", "separable", "separable-pools")} == {
        "plain-identity": 0, "plain-pools": 1, "separable": 1, "separable-pools": 1,
    }  # fmt: skip
    assert [m.index for m in measured.named("chain").members] == [m.index for m in measured.named("dense").members]


def test_what_the_guides_say_of_costs_is_in_the_measurements(tables: ModuleType) -> None:
    measured = tables.measurements()
    taus: dict[str, list[float]] = {cost: [] for cost in tables.COSTS}
    told = set()
    for group in measured.groups:
        for cost in tables.COSTS:
            tau = tables.kendall([getattr(m, cost) for m in group.members], group.accuracies)
            taus[cost] += [] if tau is None else [tau]
        if above(*tables.tau_interval([m.params for m in group.members], group.accuracies)):
            told.add(group.name)
        if group.name in ("cell", "macro"):
            assert taus["depth"][-1] < -0.6
    assert told == {"dag", "plain-identity"}
    assert {cost: above(*tables.mean_interval(found)) for cost, found in taus.items()} == {
        "params": 1, "macs": 1, "depth": 0,
    }  # fmt: skip


def test_the_member_at_chance_sees_nothing(tables: ModuleType) -> None:
    (poor,) = [m for m in tables.measurements().named("dag").members if m.test < 50]
    found = json.loads((ROOT / "docs" / "guides" / "measurements.json").read_text())
    (group,) = [g for g in found["groups"] if g["space"]["name"] == "measured-dag"]
    space = space_from_json(group["document"])
    genotype = space.plan.unrank(int(poor.index))
    graph = lower(space.grammar, space.skeletons["small"], space.input, space.plan.read(genotype))
    assert receptive_field(graph).height == 0
