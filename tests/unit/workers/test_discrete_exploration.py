"""One search without a job: what it asks, tells and remembers, and that its states lose nothing."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from random import Random
from typing import Any

import pytest

from app.architecture import price_of
from app.architecture.entries import entries
from app.architecture.lower import lower
from app.architecture.prices import least_prices
from app.experiment import (
    ORACLE,
    Bounds,
    CatalogueEvaluator,
    DiscreteSearchRequest,
    Latencies,
    MeasuredEvaluation,
    Measurement,
    SoughtMetric,
    SpaceVersion,
)
from app.experiment.latency import Unmeasured
from app.experiment.strategies import DISCRETE_STRATEGIES, DiscreteStrategyName
from app.space import SearchSpace, space_to_json
from app.space.zoo import ZOO, nasbench201, nasbench_macro
from workers.discrete.exploration import Exploration
from workers.evaluators import Costs, Reading
from workers.strategies.discrete import Proposal

SPACE = nasbench201()
ACCURACY, MACS = SoughtMetric(metric="accuracy"), SoughtMetric(metric="macs", goal="minimise")
SETTINGS: dict[str, Mapping[str, int]] = {
    "random": {},
    "evolution": {"population": 4, "tournament": 2},
    "local_search": {"starts": 2},
    "bananas": {"initial": 4, "networks": 2, "candidates": 10, "chosen": 3},
    "nsga2": {"population": 4},
    "successive_halving": {"least": 1, "most": 4, "eta": 2},
}
ORACLES = CatalogueEvaluator(
    dataset="cifar10", split="test", recipe_name="r", recipe_digest="0" * 64, viewer="local", as_of="2026-01-01T00:00Z"
)


def asked(
    strategy: DiscreteStrategyName = "random", space: SearchSpace = SPACE, **fields: Any
) -> DiscreteSearchRequest:
    given: dict[str, Any] = {
        "space": SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        "document": space_to_json(space),
        "strategy": strategy,
        "parameters": DISCRETE_STRATEGIES[strategy].completed(SETTINGS[strategy]),
        "objectives": (ACCURACY, MACS) if strategy == "nsga2" else (ACCURACY,),
        "evaluator": ORACLES,
        "budget": 30,
        "skeleton": next(iter(space.skeletons.values())),
        "image": space.input,
        "seed": 1,
    }
    return DiscreteSearchRequest(**(given | fields))


class Drawn:
    """An evaluator whose values are drawn by rank: some members fail, some have several results."""

    metrics = ("accuracy", "loss")
    expensive = False

    def __init__(self, value: Callable[[int], float] | None = None) -> None:
        self._value = value or (lambda rank: Random(rank).uniform(10, 90))
        self.batches: list[tuple[int, tuple[Proposal, ...]]] = []
        self.fail = 7

    def judged_by(self) -> Mapping[str, object]:
        return {"drawn": "by rank"}

    def provenance(self) -> Mapping[str, object]:
        return {"device": "cpu", "torch_version": None}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        self.batches.append((first, tuple(proposals)))
        return [self._reading(one) for one in proposals]

    def _reading(self, proposal: Proposal) -> Reading:
        rank, extra = proposal.rank, proposal.fidelity or 0
        if self.fail and rank % self.fail == 0:
            return Reading(values=None, failure=f"{rank} is a multiple of {self.fail}")
        values = {"accuracy": self._value(rank) + extra / 100, "loss": float("nan")}
        if rank % 5 == 0:
            return Reading(values=values, several=3, deviations={"accuracy": 0.5})
        return Reading(values=values)

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        return ()

    def gpu_hours(self) -> float:
        return 0.25

    def state(self) -> Mapping[str, object]:
        return {"batches": len(self.batches)}

    def restore(self, document: Mapping[str, object]) -> None:
        assert isinstance(document["batches"], int)


def explored(request: DiscreteSearchRequest, evaluator: Drawn | None = None, **how: Any) -> Exploration:
    exploration = Exploration(request, SPACE, evaluator or Drawn(), **how)
    exploration.run()
    return exploration


class Cut(Exception):
    """The process ended here."""


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("strategy", SETTINGS)
def test_a_search_that_was_cut_anywhere_goes_on_as_if_it_had_not_been(
    strategy: DiscreteStrategyName, batch: int
) -> None:
    request = asked(strategy, batch=batch, budget=12 if strategy == "bananas" else 30)  # it learns anew after each cut
    whole = explored(request)
    pauses: list[str] = []
    Exploration(request, SPACE, Drawn()).run(lambda: pauses.append(""))

    for cut in range(1, len(pauses) + 1):
        first, left, states = Exploration(request, SPACE, Drawn()), [cut], list[str]()

        def pause(first: Exploration = first, left: list[int] = left, states: list[str] = states) -> None:
            states[:] = [json.dumps(first.state(), allow_nan=False)]
            left[0] -= 1
            if not left[0]:
                raise Cut

        with pytest.raises(Cut):
            first.run(pause)
        second = Exploration(request, SPACE, Drawn())
        second.restore(json.loads(states[0]))
        assert second.trajectory == first.trajectory
        second.run()
        assert second.trajectory == whole.trajectory
        for one, other in ((second.report(), whole.report()),):
            assert replace(one, strategy_seconds=0.0) == replace(other, strategy_seconds=0.0)


def test_the_same_seed_gives_the_same_trajectory_and_another_does_not() -> None:
    one, same, other = (explored(asked("evolution", seed=seed)).trajectory for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_a_trajectory_says_what_was_measured_what_it_costs_and_what_failed() -> None:
    trajectory = explored(asked(budget=100)).trajectory
    assert [one.n for one in trajectory] == list(range(1, 101))
    assert len({one.index for one in trajectory}) == 100, "nobody is measured twice"
    failed = [one for one in trajectory if one.values is None]
    assert failed
    for one in failed:
        assert (int(one.index) % 7, one.failure) == (0, f"{one.index} is a multiple of 7")
    for one in trajectory:
        rank = int(one.index)
        price = price_of(SPACE, asked().skeleton, SPACE.input, rank)
        if one.values is not None:
            expected = {"accuracy": Random(rank).uniform(10, 90), "params": price.params, "macs": price.macs}
            assert one.values == expected, "and no loss, which is not a number"
            assert (one.several, one.deviations) == ((3, {"accuracy": 0.5}) if rank % 5 == 0 else (1, None))
            assert one.failure is None


def test_batches_are_asked_together_and_end_with_the_budget() -> None:
    evaluator = Drawn()
    explored(asked(budget=10, batch=4), evaluator)
    assert [(first, len(batch)) for first, batch in evaluator.batches] == [(1, 4), (5, 4), (9, 2)]


def test_a_warm_start_is_measured_first_as_part_of_the_budget_and_never_again() -> None:
    for strategy in ("random", "evolution", "local_search", "bananas", "nsga2"):
        exploration = explored(asked(strategy, budget=12, batch=3), warm=(500, 3, 9_999, 3, 8))
        first, rest = exploration.trajectory[:4], exploration.trajectory[4:]
        assert [(one.index, one.by) for one in first] == [(i, "warm start") for i in ("500", "3", "9999", "8")]
        assert {one.by for one in rest} == {"strategy"}
        assert len(exploration.trajectory) == 12
        assert not {"500", "3", "9999", "8"} & {one.index for one in rest}


def test_a_local_search_climbs_from_the_best_of_a_warm_start() -> None:
    """The values of a warm start are told to the strategy, not only kept."""
    top = 7_002
    around = set(SPACE.plan.neighbour_indices(top))
    best = Drawn(lambda rank: 90.0 if rank == top else 1.0)
    trajectory = explored(asked("local_search", parameters={"starts": 1}, budget=12), best, warm=(top,)).trajectory
    assert trajectory[0].index == str(top)
    assert all(int(one.index) in around for one in trajectory[2:]), "but for the one start that is drawn"


def test_a_small_space_is_exhausted_and_the_report_says_so() -> None:
    small = nasbench201(operations=("none", "skip_connect"))
    request = asked(space=small, budget=100)
    evaluator = Drawn()
    evaluator.fail = 0
    exploration = Exploration(request, small, evaluator)
    exploration.run()
    report = exploration.report()
    assert (report.evaluations, report.exhausted, report.budget) == (small.plan.size, True, 100)
    assert {int(one.index) for one in exploration.trajectory} == set(range(small.plan.size))
    assert any("nothing left to propose after 64 evaluations" in note for note in report.notes)


def test_bounds_keep_members_from_being_proposed_by_every_strategy() -> None:
    drawn = Random(5).sample(range(SPACE.plan.size), 600)
    costs = sorted(price_of(SPACE, asked().skeleton, SPACE.input, rank).params for rank in drawn)
    bound = costs[len(costs) // 3]
    for strategy in SETTINGS:
        request = asked(DISCRETE_STRATEGIES[strategy].name, bounds=Bounds(max_params=bound))
        exploration = explored(request)
        assert exploration.trajectory
        for one in exploration.trajectory:
            assert price_of(SPACE, request.skeleton, SPACE.input, int(one.index)).params <= bound
        (note,) = (note for note in exploration.report().notes if "keep to the bounds" in note)
        kept = int(note.removeprefix("of 1000 members drawn uniformly ").split()[0])
        expected = 1000 * sum(cost <= bound for cost in costs) / len(costs)
        assert abs(kept - expected) < 60, note


def test_bounds_that_hardly_any_member_keeps_to_are_reached_and_the_report_says_how() -> None:
    """The least of 20,000 members drawn uniformly has 117,338 params."""
    space, bound = ZOO["darts"], 101_000
    for strategy in ("random", "evolution"):
        request = asked(DISCRETE_STRATEGIES[strategy].name, space, bounds=Bounds(max_params=bound), budget=10)
        least, _, _ = least_prices(space, request.skeleton, space.input)
        assert least < bound
        exploration = Exploration(request, space, Drawn())
        exploration.run()
        report = exploration.report()
        assert report.evaluations == 10
        for one in exploration.trajectory:
            assert price_of(space, request.skeleton, space.input, int(one.index)).params <= bound
        assert report.notes[-2].startswith("of 1000 members drawn uniformly 0 keep to the bounds")
        assert report.notes[-1].startswith("members within the bounds are rare")


def table_of(space: SearchSpace, ranks: Sequence[int]) -> dict[str, float]:
    """A lookup table that covers some members: every entry takes as long as its name."""
    skeleton = next(iter(space.skeletons.values()))
    found: dict[str, float] = {}
    for rank in ranks:
        graph = lower(space.grammar, skeleton, space.input, space.plan.read(space.plan.unrank(rank)))
        found |= {entry.key: len(entry.key) / 1000 for entry in entries(graph)}
    return found


def test_latencies_are_the_factor_times_the_sum_of_the_entries_and_bound_like_any_cost() -> None:
    uniform = [sum(choice * 5**i for i in range(6)) for choice in range(5)]
    table = table_of(SPACE, [*uniform, 5_000, 12_345])
    plain = asked(latencies=Latencies(device="d", entries=table, factor=2.0))
    costs = Costs(plain, SPACE)
    graph = lower(SPACE.grammar, plain.skeleton, SPACE.input, SPACE.plan.read(SPACE.plan.unrank(12_345)))
    by_hand = 2.0 * sum(len(entry.key) / 1000 * times for entry, times in entries(graph).items())
    assert costs.of(12_345)["latency_ms"] == pytest.approx(by_hand)
    assert not costs.bounded
    low, high = sorted(costs.of(rank)["latency_ms"] for rank in (5_000, 12_345))
    bounded = Costs(replace(plain, bounds=Bounds(max_latency_ms=(low + high) / 2)), SPACE)
    assert [bounded.feasible(rank) for rank in (5_000, 12_345)] == [
        costs.of(rank)["latency_ms"] == low for rank in (5_000, 12_345)
    ]
    with pytest.raises(ValueError, match="/bounds/max_latency_ms"):
        Costs(asked(bounds=Bounds(max_latency_ms=1.0)), SPACE)


def test_what_a_lookup_table_lacks_is_a_failure_and_within_no_bound() -> None:
    table = table_of(SPACE, [12_345])
    request = asked(latencies=Latencies(device="d", entries=table))
    costs = Costs(replace(request, bounds=Bounds(max_latency_ms=1e9)), SPACE)
    for _ in range(2):
        with pytest.raises(Unmeasured):
            costs.of(7_812)  # of another operation alone
    assert [costs.feasible(rank) for rank in (7_812, 12_345)] == [False, True]
    assert costs.excess(7_812) == float("inf")
    reasons = {one.failure for one in explored(replace(request, budget=10)).trajectory if one.values is None}
    assert any(reason and "were never measured" in reason for reason in reasons)


def test_an_excess_says_how_far_a_member_is_beyond_its_bounds() -> None:
    params, macs = 500_000, 50_000_000
    costs = Costs(asked(bounds=Bounds(max_params=params, max_macs=macs)), SPACE)
    for rank in (0, 6_111, 15_624):
        price = price_of(SPACE, asked().skeleton, SPACE.input, rank)
        over = max(0, price.params / params - 1) + max(0, price.macs / macs - 1)
        assert costs.excess(rank) == pytest.approx(over)
        assert costs.feasible(rank) == (over == 0)


def test_values_that_are_no_numbers_or_not_what_is_sought_are_failures() -> None:
    infinite = explored(asked(budget=3), Drawn(lambda rank: float("inf")))
    assert {one.values for one in infinite.trajectory} == {None}
    assert infinite.trajectory[0].failure == "accuracy is inf, no finite number"
    unknown = explored(asked(budget=3, objectives=(SoughtMetric(metric="synflow"),)))
    reasons = {one.failure for one in unknown.trajectory if int(one.index) % 7}
    assert reasons == {"synflow was not measured, only accuracy, loss, macs, params"}
    report = unknown.report()
    assert (report.best, report.curve, report.failed) == (None, (None,) * 3, 3)


def test_a_cost_alone_can_be_sought() -> None:
    exploration = explored(
        asked("local_search", objectives=(SoughtMetric(metric="params", goal="minimise"),), budget=300)
    )
    best = exploration.report().best
    assert best is not None
    measured = [one.values["params"] for one in exploration.trajectory if one.values is not None]
    assert best.values["params"] == min(measured)


def test_a_search_on_the_test_split_is_labelled() -> None:
    assert (explored(asked(budget=1)).report().oracle, explored(asked(budget=1)).report().label) == (True, ORACLE)
    honest = explored(asked(budget=1, evaluator=replace(ORACLES, split="selection"))).report()
    assert (honest.oracle, honest.label) == (False, None)


def test_the_report_holds_what_was_asked_and_what_it_is_judged_by() -> None:
    request = asked("evolution", budget=40)
    exploration = explored(request)
    report = exploration.report(seconds=3.0, notes=("first of all",))
    assert report.judged_by == {"drawn": "by rank"}
    assert (report.strategy, report.parameters, report.evaluator) == ("evolution", request.parameters, "catalogue")
    assert (report.seconds, report.gpu_hours, report.notes[0]) == (3.0, 0.25, "first of all")
    assert 0 < report.strategy_seconds < 60
    failed = sum(one.values is None for one in exploration.trajectory)
    assert report.failed == failed
    assert any(f"{failed} of 40 evaluations failed; the first, evaluation" in note for note in report.notes)
    json.dumps(asdict(report), allow_nan=False)


def test_only_the_highest_fidelity_says_what_was_found() -> None:
    exploration = explored(asked("successive_halving", budget=40))
    fidelities = {one.fidelity for one in exploration.trajectory}
    assert fidelities == {1, 2, 4}
    report = exploration.report()
    assert report.fidelity == 4
    assert report.best is not None
    high = [one for one in exploration.trajectory if one.fidelity == 4 and one.values is not None]
    assert report.best.values["accuracy"] == max(one.values["accuracy"] for one in high if one.values is not None)
    first = high[0].n
    assert report.curve[: first - 1] == (None,) * (first - 1)
    assert report.curve[first - 1] is not None
    low = 40 - report.failed - len(high)
    assert any(f"{low} evaluations were at lower fidelities" in note for note in report.notes)


def test_members_may_be_measured_again_where_that_is_asked_for() -> None:
    small = nasbench201(operations=("none", "skip_connect"))
    exploration = Exploration(asked(space=small, budget=200, repeats=True), small, Drawn())
    exploration.run()
    assert len(exploration.trajectory) == 200
    assert len({one.index for one in exploration.trajectory}) <= 64


def test_several_searches_share_costs_without_changing_each_other() -> None:
    space = nasbench_macro()
    request = asked(space=space, bounds=Bounds(max_macs=100_000_000))
    shared = Costs(request, space)
    found: list[list[Measurement]] = []
    for costs in (shared, shared, None):
        exploration = Exploration(request, space, Drawn(), costs=costs)
        exploration.run()
        found.append(exploration.trajectory)
    assert found[0] == found[1] == found[2]
