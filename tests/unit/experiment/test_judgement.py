"""Reports of comparisons from runs whose every number can be worked out by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import pytest

from app.experiment import (
    DATASETS,
    ORACLE,
    ComparedStrategy,
    DiscreteSearchRequest,
    InheritedEvaluator,
    Measurement,
    ProxyEvaluator,
    RecipeAt,
    SoughtMetric,
    SpaceVersion,
    TrainingEvaluator,
)
from app.experiment.comparison import ComparisonReport
from app.experiment.discrete import CatalogueEvaluator
from app.experiment.fronts import costs, hypervolume
from app.experiment.judgement import LEVEL, comparison_report
from app.experiment.recipe import SEARCH_RECIPES, TRAINING_RECIPES
from app.experiment.runs import Run, own_fidelity, progressed
from app.experiment.significance import mann_whitney
from app.space import EdgeCellSkeleton, ImageInput

TEST = CatalogueEvaluator(
    dataset="digits", split="test", recipe_name="r", recipe_digest="a" * 64, viewer="ada", as_of="2026-01-01"
)
SEARCH = DiscreteSearchRequest(
    space=SpaceVersion(name="s", version=1, digest="c" * 64),
    document={},
    strategy="random",
    parameters={},
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=TEST,
    budget=4,
    skeleton=EdgeCellSkeleton(),
    image=ImageInput(channels=1, height=8, width=8),
)
BOTH = replace(SEARCH, objectives=(SoughtMetric(metric="accuracy"), SoughtMetric(metric="macs", goal="minimise")))
A, B, C = (ComparedStrategy(label=name, strategy="random", parameters={}) for name in "ABC")


def made(values: Iterable[Mapping[str, float] | None], fidelity: int | None = None) -> list[Measurement]:
    return [
        Measurement(n=n, index=str(100 + n), fidelity=fidelity, values=v, failure=None if v else "no")
        for n, v in enumerate(values, 1)
    ]


def run(search: DiscreteSearchRequest, label: str, seed: int, trajectory: list[Measurement], **more: Any) -> Run:
    found = progressed(trajectory, search.objectives, own_fidelity(search.evaluator))
    return Run(
        label=label,
        seed=seed,
        exhausted=False,
        evaluations=found.evaluations,
        failed=found.failed,
        fidelity=found.fidelity,
        steps=found.steps,
        worst=found.worst,
        **more,
    )


def single(label: str, seed: int, *accuracies: float | None) -> Run:
    return run(SEARCH, label, seed, made(None if a is None else {"accuracy": a, "macs": 1.0} for a in accuracies))


def report(search: DiscreteSearchRequest, runs: list[Run], **more: Any) -> ComparisonReport:
    strategies = [one for one in (A, B, C) if any(run.label == one.label for run in runs)]
    return comparison_report(search, strategies, runs, judged_by={"split": "test"}, environment={}, **more)


def test_only_what_brings_a_run_forward_is_kept() -> None:
    found = single("A", 0, 3.0, 2.0, None, 5.0)
    assert [(step.n, step.index, step.values) for step in found.steps] == [(1, "101", (3.0,)), (4, "104", (5.0,))]
    assert (found.evaluations, found.failed, found.worst) == (4, 1, (2.0,))
    points = [(3, 9), (5, 12), (2, 8), (3, 9), (1, 10), (6, 9)]
    several = run(BOTH, "A", 0, made({"accuracy": a, "macs": m} for a, m in points))
    assert [step.n for step in several.steps] == [1, 2, 3, 6], "what was dominated, or equal, when it came is not"
    assert several.worst == (1, 12)


def test_what_counts_is_measured_at_the_highest_fidelity() -> None:
    trajectory = [
        Measurement(n=1, index="1", fidelity=3, values={"accuracy": 99.0}),
        Measurement(n=2, index="2", fidelity=27, values={"accuracy": 50.0}),
        Measurement(n=3, index="3", fidelity=27, values=None),
    ]
    found = progressed(trajectory, SEARCH.objectives)
    assert (found.fidelity, found.worst, [step.n for step in found.steps]) == (27, (50.0,), [2])
    plain = Measurement(n=4, index="4", fidelity=None, values={"accuracy": 40.0})
    assert progressed([*trajectory, plain], SEARCH.objectives).fidelity is None, "the evaluator's own counts most"
    own = progressed([*trajectory, plain], SEARCH.objectives, 27)
    assert (own.fidelity, own.worst) == (27, (40.0,)), "and may be the number that a strategy names"


def test_the_fidelity_that_an_evaluator_has_of_its_own() -> None:
    recipe = TRAINING_RECIPES["digits-quick"]
    assert own_fidelity(TrainingEvaluator(dataset="digits", recipe=recipe)) == recipe.epochs
    assert own_fidelity(ProxyEvaluator(dataset="digits", images=32)) == 32
    shared = InheritedEvaluator(
        dataset="digits", recipe=next(iter(SEARCH_RECIPES.values())), skeleton=EdgeCellSkeleton()
    )
    assert own_fidelity(shared) == DATASETS["digits"].splits["selection"]
    assert own_fidelity(TEST) is None
    levels = tuple(RecipeAt(fidelity=f, recipe_name="r", recipe_digest=d * 64) for f, d in ((12, "b"), (200, "a")))
    assert own_fidelity(replace(TEST, fidelities=levels)) == 200


def test_statistics_are_over_the_final_values() -> None:
    runs = [single("A", 0, 1, 3, 2, 4), single("A", 1, 2, 1, 1, 1), single("A", 2, None, None, None, None)]
    found = report(SEARCH, [*runs, single("B", 0, 5, 5, 5, 5)])
    a, b = found.strategies
    assert (a.n, a.missing, a.mean, a.median, a.least, a.most) == (2, 1, 3, 3, 2, 4)
    assert a.deviation == pytest.approx(stdev([4, 2]))
    assert (b.n, b.mean, b.deviation) == (1, 5, None)
    assert (a.evaluations, a.failed) == (12, 4)
    assert [(end.seed, end.value, end.index, end.n) for end in a.runs] == [
        (0, 4, "104", 4),
        (1, 2, "101", 1),
        (2, None, None, None),
    ]
    assert a.curve.mean == (1.5, 2.5, 2.5, 3)
    assert a.area == pytest.approx(fmean([(1 + 3 + 3 + 4) / 4, 2]))
    assert (found.target, a.reached, b.reached, b.evaluations_to_target) == (3, 1, 1, 1)
    assert a.evaluations_to_target is None, "one of three runs reached it"
    assert (found.oracle, found.label, found.seeds, found.budget) == (True, ORACLE, (0, 1, 2), 4)
    assert "A: 1 of 3 runs have no value that counts" in found.notes
    assert any(note.startswith("few seeds: A 2, B 1") for note in found.notes)


def test_when_half_of_the_runs_had_reached_the_target() -> None:
    """The target is the worse median: half of the runs of its strategy reach it, wherever the others are."""
    a = [single("A", seed, 1, 1, 1 + seed, 1 + seed) for seed in range(4)]  # ends at 1, 2, 3, 4
    b = [single("B", seed, 9, 9, 9, 9) for seed in range(4)]
    found = report(SEARCH, [*a, *b])
    assert found.target == 2.5
    assert [(one.reached, one.evaluations_to_target) for one in found.strategies] == [(2, 3), (4, 1)]


def test_pairs_are_tested_and_corrected_for_all_of_them() -> None:
    values = {"A": range(20), "B": range(10, 30), "C": range(100, 120)}
    runs = [single(label, seed, float(value)) for label, of in values.items() for seed, value in enumerate(of)]
    pairs = {(pair.first, pair.second): pair for pair in report(SEARCH, runs).pairs}
    assert list(pairs) == [("A", "B"), ("A", "C"), ("B", "C")]
    p_values = {names: mann_whitney(values[names[0]], values[names[1]]).p_value for names in pairs}
    assert {names: pair.p_value for names, pair in pairs.items()} == p_values
    assert pairs["A", "B"].p_holm == p_values["A", "B"], "the largest is not raised"
    assert pairs["A", "C"].p_holm == pytest.approx(3 * p_values["A", "C"])
    assert [pair.better for pair in pairs.values()] == ["B", "C", "C"]
    assert pairs["A", "C"].a12 == 0
    assert pairs["A", "C"].effect == "large"
    assert pairs["A", "B"].difference == -10
    low, high = pairs["A", "B"].low, pairs["A", "B"].high
    assert low is not None
    assert high is not None
    assert low < -10 < high < 0
    assert pairs["A", "C"].says.startswith("C is better than A: p = ")


def test_with_less_to_be_sought_the_smaller_is_better() -> None:
    search = replace(SEARCH, objectives=(SoughtMetric(metric="loss", goal="minimise"),))
    runs = [
        run(search, label, seed, made({"loss": shift + seed - n / 10} for n in range(4)))
        for label, shift in (("A", 0.0), ("B", 100.0))
        for seed in range(8)
    ]
    found = report(search, runs, table=[(float(v),) for v in range(-1, 200)])
    a, b = found.strategies
    assert (a.least, b.least, found.goal) == (pytest.approx(-0.3), pytest.approx(99.7), "minimise")
    assert [pair.better for pair in found.pairs] == ["A"]
    assert found.target == b.median
    assert (a.reached, a.evaluations_to_target) == (8, 1)
    assert found.table is not None
    assert found.table.best == {"loss": -1}
    assert found.table.worst == {"loss": 199}
    assert a.regret == pytest.approx((a.mean or 0) + 1)
    assert list(found.table.random) == sorted(found.table.random, reverse=True)


def test_few_seeds_are_no_evidence_however_far_apart() -> None:
    runs = [single(label, seed, shift + seed) for label, shift in (("A", 0.0), ("B", 100.0)) for seed in range(3)]
    (pair,) = report(SEARCH, runs).pairs
    assert pair.p_value == pair.least_p == pytest.approx(0.1)
    assert pair.p_holm > LEVEL
    assert pair.better is None
    assert pair.says.startswith("no difference between A and B can be claimed: p = 0.1 after Holm's correction, n = 3;")


def test_ranks_and_means_may_disagree_and_the_sentence_says_so() -> None:
    """A is better in most runs and fails badly in few: what the test sees, and what the means see."""
    a = [10.0 + seed for seed in range(18)] + [-1000.0, -1000.0]
    b = [float(seed % 10) for seed in range(20)]
    runs = [single(label, seed, v) for label, values in (("A", a), ("B", b)) for seed, v in enumerate(values)]
    (pair,) = report(SEARCH, runs).pairs
    assert pair.better == "A"
    assert pair.difference < 0
    assert pair.says.startswith("A is better than B by ranks, though not by the mean: p = ")


def test_hypervolumes_have_one_reference_for_all_runs() -> None:
    first = run(BOTH, "A", 0, made({"accuracy": a, "macs": m} for a, m in ((3, 9), (5, 12), (2, 8))))
    second = run(BOTH, "B", 0, made({"accuracy": a, "macs": m} for a, m in ((1, 20), (6, 10))))
    found = report(BOTH, [first, second])
    assert (found.compared, found.goal, found.reference) == ("hypervolume", "maximise", {"accuracy": 1, "macs": 20})
    goals = ("maximise", "minimise")
    a, b = found.strategies
    steps = [costs(step.values, goals) for step in first.steps]
    volumes = [hypervolume(steps[:n], (-1.0, 20.0)) for n in (1, 2, 3)]
    assert volumes == [22, 38, 39]
    assert a.curve.mean == (22, 38, 39, 39)
    assert (a.mean, b.mean) == (39, 50)
    assert a.runs[0].index is None, "no single member stands for a front"
    whole = [(6.0, 8.0), (1.0, 20.0), (0.0, 30.0)]
    known = report(BOTH, [first, second], table=whole)
    assert known.reference == {"accuracy": 0, "macs": 30}
    assert known.table is not None
    assert known.table.front_hypervolume == 6 * 22
    assert known.table.random == ()
    assert known.strategies[0].of_front == pytest.approx((known.strategies[0].mean or 0) / 132)


def test_random_search_is_expected_exactly_where_the_table_is_known() -> None:
    found = report(SEARCH, [single("A", 0, 1, 2, 3, 4)], table=[(float(v),) for v in range(1, 6)])
    assert found.table is not None
    assert found.table.at == (1, 2, 3, 4)
    assert found.table.random == pytest.approx((3, 4, 4.5, 4.8))  # (N + 1) n / (n + 1) of 1 … N
    assert (found.table.members, found.table.best, found.strategies[0].regret) == (5, {"accuracy": 5}, 1)


def test_runs_that_never_came_to_the_fidelity_that_counts_have_no_value() -> None:
    high = run(SEARCH, "A", 0, made([{"accuracy": 50.0}], fidelity=27))
    low = run(SEARCH, "A", 1, made([{"accuracy": 90.0}], fidelity=9))
    found = report(SEARCH, [high, low])
    assert (found.fidelity, found.strategies[0].n, found.strategies[0].mean) == (27, 1, 50)
    assert "A: 1 runs were never measured at the fidelity 27, which counts" in found.notes


def test_runs_that_ended_early_are_said() -> None:
    found = report(SEARCH, [single("A", 0, 1, 2), single("A", 1, 1, 2, 3, 4)])
    assert found.strategies[0].curve.ended == (0, 0, 1, 1)
    assert "A: 1 of 2 runs ended before the budget of 4; curves carry their last value on" in found.notes


def test_nothing_measured_is_a_report_of_nothing() -> None:
    for search in (SEARCH, BOTH):
        found = report(search, [single("A", 0, None), single("B", 0, None)])
        assert [one.n for one in found.strategies] == [0, 0]
        assert (found.pairs, found.target, found.reference) == ((), None, None)
