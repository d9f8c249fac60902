"""Discrete searches as jobs: told, checkpointed, killed, cancelled, with children and without."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from app.experiment import (
    CatalogueEvaluator,
    DiscreteSearchRequest,
    JobResult,
    MeasuredEvaluation,
    SoughtMetric,
    SpaceVersion,
    WarmStart,
)
from app.experiment.strategies import DISCRETE_STRATEGIES, DiscreteStrategyName
from app.space import space_to_json
from app.space.zoo import nasbench201
from workers.discrete import handler, record
from workers.discrete.exploration import NothingMeasured
from workers.evaluators import Reading
from workers.evaluators.catalogue import ResultsChanged
from workers.progress import Stopped, Waiting
from workers.strategies.discrete import Proposal

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = nasbench201()
SETTINGS: dict[str, Mapping[str, int]] = {
    "random": {},
    "evolution": {"population": 4, "tournament": 2},
    "local_search": {"starts": 2},
    "bananas": {"initial": 4, "networks": 2, "candidates": 10, "chosen": 3},
    "nsga2": {"population": 4},
    "successive_halving": {"least": 1, "most": 4, "eta": 2},
}


def asked(strategy: DiscreteStrategyName = "evolution", **fields: Any) -> DiscreteSearchRequest:
    objectives = SoughtMetric(metric="accuracy"), SoughtMetric(metric="params", goal="minimise")
    given: dict[str, Any] = {
        "space": SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
        "document": space_to_json(SPACE),
        "strategy": strategy,
        "parameters": DISCRETE_STRATEGIES[strategy].completed(SETTINGS[strategy]),
        "objectives": objectives if strategy == "nsga2" else objectives[:1],
        "evaluator": CatalogueEvaluator(
            dataset="cifar10",
            split="test",
            recipe_name="r",
            recipe_digest="0" * 64,
            viewer="local",
            as_of="2026-01-01T00:00:00+00:00",
        ),
        "budget": 12,
        "skeleton": next(iter(SPACE.skeletons.values())),
        "image": SPACE.input,
        "seed": 2,
    }
    return DiscreteSearchRequest(**(given | fields))


class Measuring:
    """An evaluator of drawn values; as an expensive one each batch waits once for jobs of its own."""

    metrics = ("accuracy",)

    def __init__(self, *, expensive: bool = False, digest: str = "a", fails: int = 5) -> None:
        self.expensive, self.digest, self.fails = expensive, digest, fails
        self.waited: set[int] = set()  # what the queue knows: it is not this process's
        self.asked: list[tuple[int, tuple[Proposal, ...]]] = []

    def judged_by(self) -> Mapping[str, object]:
        return {"digest": self.digest}

    def provenance(self) -> Mapping[str, object]:
        return {"device": "cpu", "torch_version": None}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        self.asked.append((first, tuple(proposals)))
        if self.expensive and first not in self.waited:
            self.waited.add(first)
            raise Waiting(f"{first} is being measured")
        return [
            Reading(values=None, failure="it diverged")
            if self.fails and one.rank % self.fails == 0
            else Reading(values={"accuracy": Random(f"{one.rank} {one.fidelity}").uniform(0, 100)})
            for one in proposals
        ]

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        return ()

    def gpu_hours(self) -> float:
        return 0.0

    def state(self) -> Mapping[str, object]:
        return {"digest": self.digest}

    def restore(self, document: Mapping[str, object]) -> None:
        if document["digest"] != self.digest:
            raise ResultsChanged(f"{document['digest']} before, {self.digest} now")


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    """What every search of a test is measured by."""
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    evaluator = Measuring()
    monkeypatch.setattr(handler, "evaluator_for", lambda request, space, progress: evaluator)
    return evaluator


def comparable(outcome: JobResult) -> dict[str, Any]:
    """A result without what depends on the clock."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in ("seconds", "strategy_seconds")}
        return [timeless(v) for v in value] if isinstance(value, list | tuple) else value

    return timeless(asdict(outcome))


def test_a_search_tells_how_far_it_is_and_what_it_found(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    progress = memory_progress(tmp_path)
    result = handler.run(asked(budget=23), progress).result
    report: Any = result["report"]
    trajectory: Any = result["trajectory"]
    assert len(trajectory) == report["evaluations"] == 23
    values = [one["values"]["accuracy"] for one in trajectory if one["values"] is not None]
    assert report["best"]["values"]["accuracy"] == max(values)
    assert result["genotype"] == SPACE.plan.unrank(int(report["best"]["index"]))
    assert progress.order == [("search", n) for n in (1, 2, 5, 10, 20, 23)]
    failed = sum(one["values"] is None for one in trajectory)
    assert progress.epochs["search", 23] == {"best_accuracy": max(values), "failed": failed}
    told = {name: result[name] for name in ("device", "torch_version", "code_version", "seed")}
    assert told == {"device": "cpu", "torch_version": None, "code_version": "test", "seed": 2}
    json.dumps(result, allow_nan=False)


def test_several_objectives_tell_the_size_of_their_front(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    progress = memory_progress(tmp_path)
    result = handler.run(asked("nsga2", budget=30, seed=1), progress).result
    report: Any = result["report"]
    assert progress.epochs["search", 30]["front"] == len(report["front"]) > 1
    assert (result["genotype"], report["best"], report["curve"]) == (None, None, ())
    assert report["hypervolume"]["curve"][-1] == report["hypervolume"]["value"] > 0


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("strategy", SETTINGS)
def test_a_search_killed_at_any_step_gives_what_an_undisturbed_one_gives(
    strategy: DiscreteStrategyName,
    batch: int,
    measuring: Measuring,
    memory_progress: Memory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = asked(strategy, batch=batch)
    whole = memory_progress(tmp_path / "whole")
    expected = comparable(handler.run(request, whole))
    monkeypatch.setattr(handler, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(handler, "SHARE", 0)
    assert whole.questions == 2 * 12 // batch
    for kill in range(1, whole.questions + 1):
        killed = memory_progress(tmp_path / f"killed-{kill}", kill_after=kill)
        with pytest.raises(killed.killed):
            handler.run(request, killed)
        after = killed.next_attempt(tmp_path / f"after-{kill}")
        assert comparable(handler.run(request, after)) == expected
        assert after.epochs == whole.epochs


def test_what_came_after_the_last_checkpoint_is_done_again_with_the_same_outcome(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    """Cheap evaluations are not committed one by one: a kill may lose the last second of them."""
    expected = comparable(handler.run(asked(), memory_progress(tmp_path / "whole")))
    killed = memory_progress(tmp_path / "killed", kill_after=15)
    with pytest.raises(killed.killed):
        handler.run(asked(), killed)
    assert killed.last is None, "all of it took less than a second"
    after = killed.next_attempt(tmp_path / "after")
    assert comparable(handler.run(asked(), after)) == expected


@pytest.mark.parametrize("batch", [1, 4])
def test_a_search_that_waits_for_children_measures_every_member_once(
    batch: int, measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    request = asked(batch=batch)
    expected = comparable(handler.run(request, memory_progress(tmp_path / "whole")))
    measuring.asked.clear()
    measuring.expensive = True
    progress = memory_progress(tmp_path / "0")
    attempts = 0
    while True:
        try:
            outcome = handler.run(request, progress)
            break
        except Waiting:
            attempts += 1
            progress = progress.next_attempt(tmp_path / str(attempts))
    assert attempts == 12 // batch
    assert comparable(outcome) == expected
    by_first: dict[int, set[tuple[Proposal, ...]]] = {}
    for first, proposals in measuring.asked:
        by_first.setdefault(first, set()).add(proposals)
    assert all(len(batches) == 1 for batches in by_first.values()), "a number always stands for the same members"
    assert [first for first, _ in measuring.asked] == [n for n in range(1, 13, batch) for _ in range(2)]


@pytest.mark.parametrize("kill", range(1, 25))
def test_an_expensive_search_killed_anywhere_asks_for_the_same_members(
    kill: int, measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    measuring.expensive = True
    measuring.waited = set(range(100))  # all that it asks for is there
    request = asked()
    expected = comparable(handler.run(request, memory_progress(tmp_path / "whole")))
    known = dict(measuring.asked)
    measuring.asked.clear()
    killed = memory_progress(tmp_path / "killed", kill_after=kill)
    with pytest.raises(killed.killed):
        handler.run(request, killed)
    assert comparable(handler.run(request, killed.next_attempt(tmp_path / "after"))) == expected
    assert all(known[first] == proposals for first, proposals in measuring.asked)
    assert len(measuring.asked) <= 13, "at most one batch is asked for twice"


def test_a_cancelled_search_keeps_the_best_so_far(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    with pytest.raises(Stopped) as stopped:
        handler.run(asked(), memory_progress(tmp_path, stop_after=15))
    best = stopped.value.best
    assert best is not None
    report: Any = best.result["report"]
    assert (best.result["stopped_in"], report["evaluations"], report["budget"]) == ("search", 7, 12)
    assert report["best"]["values"]["accuracy"] == max(value for value in report["curve"] if value is not None)


def test_a_search_cancelled_while_its_children_run_keeps_the_best_so_far(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = measuring.measure

    def cancelled(first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        if first == 6:
            raise Stopped("cancel")
        return measure(first, proposals)

    monkeypatch.setattr(measuring, "measure", cancelled)
    with pytest.raises(Stopped) as stopped:
        handler.run(asked(), memory_progress(tmp_path))
    best = stopped.value.best
    assert best is not None
    assert len(best.result["trajectory"]) == 5  # type: ignore[arg-type]


def test_a_drained_search_goes_on_elsewhere(measuring: Measuring, memory_progress: Memory, tmp_path: Path) -> None:
    expected = comparable(handler.run(asked(), memory_progress(tmp_path / "whole")))
    drained = memory_progress(tmp_path / "drained", stop_after=10, reason="drain")
    with pytest.raises(Stopped) as stopped:
        handler.run(asked(), drained)
    assert (stopped.value.reason, stopped.value.best) == ("drain", None)
    assert (drained.last.phase, drained.last.epoch) == ("search", 5)
    measuring.asked.clear()
    assert comparable(handler.run(asked(), drained.next_attempt(tmp_path / "after"))) == expected
    assert measuring.asked[0][0] == 6, "nothing is measured again"


def test_a_search_judged_by_other_results_than_before_starts_over_and_says_so(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    drained = memory_progress(tmp_path / "drained", stop_after=10, reason="drain")
    with pytest.raises(Stopped):
        handler.run(asked(), drained)
    measuring.digest = "b"
    after = drained.next_attempt(tmp_path / "after")
    report: Any = handler.run(asked(), after).result["report"]
    (note,) = after.notes
    assert note == "starting over, for the earlier attempt is of no use: a before, b now"
    assert (report["notes"][0], report["judged_by"], report["evaluations"]) == (note, {"digest": "b"}, 12)


@pytest.mark.parametrize("damage", ["format", "text", "strategy"])
def test_a_checkpoint_of_another_version_starts_the_search_over(
    damage: str, measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    expected = comparable(handler.run(asked(), memory_progress(tmp_path / "whole")))
    drained = memory_progress(tmp_path / "drained", stop_after=10, reason="drain")
    with pytest.raises(Stopped):
        handler.run(asked(), drained)
    document = record.load(drained.last.file)
    match damage:
        case "format":
            drained.last.file.write_text(json.dumps(document | {"format": 99}))
        case "strategy":
            document["exploration"]["strategy"]["strategy"] = "annealing"
            record.save(drained.last.file, document)
        case _:
            drained.last.file.write_text("no JSON")
    after = drained.next_attempt(tmp_path / "after")
    outcome = handler.run(asked(), after)
    (note,) = after.notes
    assert note.startswith("starting over")
    assert comparable(outcome)["result"]["trajectory"] == expected["result"]["trajectory"]


def test_the_checkpoint_of_an_evaluators_own_phase_is_left_to_it(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    expected = comparable(handler.run(asked(), memory_progress(tmp_path / "whole")))
    progress = memory_progress(tmp_path / "other")
    progress.checkpoint("supernet", 3, lambda file: file.write_bytes(b"tensors"))
    killed = progress.next_attempt(tmp_path / "killed", kill_after=1)
    with pytest.raises(killed.killed):
        handler.run(asked(), killed)
    drained = killed.next_attempt(tmp_path / "drained", stop_after=1, reason="drain")
    with pytest.raises(Stopped):
        handler.run(asked(), drained)
    assert drained.last.phase == "supernet", "it is there until something is measured"
    after = drained.next_attempt(tmp_path / "after")
    assert comparable(handler.run(asked(), after)) == expected
    assert after.notes == []


def test_a_search_fails_where_nothing_could_be_measured_and_says_why(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    measuring.fails = 1
    with pytest.raises(NothingMeasured, match="none of 12 evaluations succeeded; the first: it diverged"):
        handler.run(asked(), memory_progress(tmp_path))


def test_failures_lose_nothing_of_the_rest(measuring: Measuring, memory_progress: Memory, tmp_path: Path) -> None:
    measuring.fails = 2
    result = handler.run(asked(budget=20), memory_progress(tmp_path)).result
    report: Any = result["report"]
    assert 0 < report["failed"] < 20
    assert report["evaluations"] == 20


def test_cheap_checkpoints_are_rare_and_expensive_ones_are_not(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    class Counting(memory_progress):  # type: ignore[misc]
        def checkpoint(self, phase: str, epoch: int, write: Any) -> None:
            counted.append(f"{phase} {epoch}")
            super().checkpoint(phase, epoch, write)

    handler.run(asked(), Counting(tmp_path / "cheap"))
    assert counted == [], "it took no second"
    measuring.expensive, measuring.waited = True, set(range(100))
    handler.run(asked(), Counting(tmp_path / "expensive"))
    after_each_and_before_the_next = [f"search {n}" for made in range(12) for n in (made, made + 1)][1:]
    assert counted == after_each_and_before_the_next


def test_what_successive_halving_measures_first_is_its_own_choice(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    evaluator: Any = asked().evaluator
    warm = WarmStart(proxy="synflow", evaluator=evaluator, candidates=10, kept=2)
    with pytest.raises(ValueError, match="/warm_start: successive halving"):
        handler.run(asked("successive_halving", warm_start=warm), memory_progress(tmp_path))


def test_milestones_grow_with_the_number() -> None:
    assert [handler.milestone(n) for n in (0, 1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 999, 10_000)] == [
        *(0, 1, 2, 2, 5, 5, 10, 10, 20, 20, 50, 500, 10_000)
    ]


def test_the_record_of_a_search_is_json_without_wall_clock_in_its_trajectory(
    measuring: Measuring, memory_progress: Memory, tmp_path: Path
) -> None:
    drained = memory_progress(tmp_path / "drained", stop_after=20, reason="drain")
    with pytest.raises(Stopped):
        handler.run(replace(asked(), replays=str(uuid4())), drained)
    document = json.loads(drained.last.file.read_text())
    assert set(document) == {"format", "exploration", "notes", "seconds"}
    for one in document["exploration"]["trajectory"]:
        assert set(one) <= {"n", "index", "values", "failure", "fidelity"}
