"""Comparison jobs on a table: every run as the search alone, resumption to the bit, cancelling, what fails."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pytest

from app.experiment import (
    Bounds,
    CatalogueEvaluator,
    ComparedStrategy,
    ComparisonRequest,
    DiscreteSearchRequest,
    JobResult,
    SoughtMetric,
    SpaceVersion,
)
from app.experiment.chance import expected_best
from app.experiment.strategies import DISCRETE_STRATEGIES, DiscreteStrategyName
from app.space import SearchSpace, space_to_json
from app.space.zoo import nasbench201, nasbench_macro
from workers.comparison import handler, inside, known
from workers.comparison.outcome import NoRun, search_of
from workers.discrete.exploration import Exploration
from workers.evaluators import Evaluator, Reading
from workers.evaluators.catalogue import Catalogue, Results, Table
from workers.progress import Progress, Stopped
from workers.run import plain

Memory = Any  # the class of tests/cpu/conftest.py

CELLS, MACRO = nasbench201(), nasbench_macro()
ACCURACY, MACS = SoughtMetric(metric="accuracy"), SoughtMetric(metric="macs", goal="minimise")
TEST = CatalogueEvaluator(
    dataset="cifar10", split="test", recipe_name="r", recipe_digest="0" * 64, viewer="ada", as_of="2026-01-01T00:00Z"
)


def one(name: DiscreteStrategyName, **parameters: int) -> ComparedStrategy:
    every = DISCRETE_STRATEGIES[name].completed(parameters)
    label = f"{name} {parameters}" if parameters else name
    return ComparedStrategy(label=label, strategy=name, parameters=every)


def asked(space: SearchSpace = CELLS, *strategies: ComparedStrategy, **fields: Any) -> ComparisonRequest:
    given: dict[str, Any] = {
        "space": SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        "document": space_to_json(space),
        "strategy": "random",
        "parameters": {},
        "objectives": (ACCURACY,),
        "evaluator": TEST,
        "budget": 12,
        "skeleton": next(iter(space.skeletons.values())),
        "image": space.input,
    }
    seeds = fields.pop("seeds", (3, 5))
    search = DiscreteSearchRequest(**(given | fields))
    chosen = strategies or (one("random"), one("evolution", population=4, tournament=2))
    return ComparisonRequest(search=search, strategies=chosen, seeds=seeds, device="cpu")


def value(rank: int) -> float:
    return round(Random(rank).uniform(10, 90), 3)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, float] | None]]:
    """Has comparisons judged by a table of accuracies drawn by rank, less what is left out."""

    def judged(
        space: SearchSpace = CELLS, missing: Callable[[int], bool] = lambda rank: False, digest: str = "d"
    ) -> list[dict[str, float] | None]:
        rows: list[dict[str, float] | None] = [
            None if missing(rank) else {"accuracy": value(rank)} for rank in range(space.plan.size)
        ]
        by_rank = {rank: Reading(values=row) for rank, row in enumerate(rows) if row is not None}
        results = Results(by_id={}, by_rank=by_rank, count=len(by_rank), digest=digest)

        def evaluator(request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> Evaluator:
            return Catalogue(request, Table(request, space, {None: results}))

        monkeypatch.setattr(inside, "evaluator_for", evaluator)
        return rows

    return judged


def timeless(result: JobResult) -> Any:
    """A result as it is stored, without what the clock decides."""

    def without(value: Any) -> Any:
        match value:
            case dict():
                names = ("seconds", "strategy_seconds", "gpu_hours")
                return {name: without(part) for name, part in value.items() if name not in names}  # pyright: ignore
            case list():
                return [without(part) for part in value]  # pyright: ignore[reportUnknownVariableType]
            case _:
                return value

    return without(json.loads(json.dumps(plain(result.result))))


def test_every_run_is_the_search_alone(table: Any, memory_progress: Memory, tmp_path: Path) -> None:
    table()
    request = asked()
    result = handler.run(request, memory_progress(tmp_path)).result
    report: Any = result["report"]
    for outcome, strategy in zip(report["strategies"], request.strategies, strict=True):
        assert outcome["label"] == strategy.label
        assert [run["seed"] for run in outcome["runs"]] == [3, 5]
        for run in outcome["runs"]:
            search = search_of(request, strategy, run["seed"])
            alone = Exploration(search, CELLS, inside.evaluator_for(search, CELLS, memory_progress(tmp_path / "x")))
            alone.run()
            found = alone.report().best
            assert found is not None
            assert (run["value"], run["index"], run["n"]) == (found.values["accuracy"], found.index, found.n)
            assert (run["evaluations"], run["failed"], run["exhausted"]) == (12, 0, False)
        assert outcome["mean"] == pytest.approx(fmean(run["value"] for run in outcome["runs"]))
    assert report["oracle"]
    assert "test split" in report["label"]
    assert report["judged_by"]["results_digest"] == "d"
    assert report["environment"].keys() == {"device", "torch_version", "code_version"}


def test_a_whole_table_gives_the_expectation_of_chance(table: Any, memory_progress: Memory, tmp_path: Path) -> None:
    rows = table()
    report: Any = handler.run(asked(), memory_progress(tmp_path)).result["report"]
    values = [row["accuracy"] for row in rows]
    whole = report["table"]
    assert (whole["members"], whole["best"], whole["worst"]) == (
        15_625,
        {"accuracy": max(values)},
        {"accuracy": min(values)},
    )
    assert whole["random"] == pytest.approx([expected_best(values, n) for n in range(1, 13)])
    assert report["strategies"][0]["regret"] == pytest.approx(max(values) - report["strategies"][0]["mean"])


def test_of_a_table_with_a_gap_nothing_is_said_of_chance(table: Any, memory_progress: Memory, tmp_path: Path) -> None:
    table(missing=lambda rank: rank == 15_000)
    report: Any = handler.run(asked(), memory_progress(tmp_path)).result["report"]
    assert report["table"] is None
    assert [outcome["regret"] for outcome in report["strategies"]] == [None, None]


def test_what_bounds_refuse_is_no_part_of_the_table(table: Any, memory_progress: Memory, tmp_path: Path) -> None:
    rows = table(MACRO)
    request = asked(MACRO, objectives=(ACCURACY, MACS), bounds=Bounds(max_params=2_000_000), seeds=(1,))
    request = replace(request, strategies=(one("random"), one("nsga2", population=4)))
    report: Any = handler.run(request, memory_progress(tmp_path)).result["report"]
    assert report["compared"] == "hypervolume"
    assert 0 < report["table"]["members"] < len(rows)
    assert report["reference"] == report["table"]["worst"]
    for outcome in report["strategies"]:
        assert 0 < outcome["of_front"] < 1


def test_a_comparison_killed_at_any_moment_ends_with_the_same_report(
    table: Any, memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table()
    monkeypatch.setattr(inside, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(inside, "SHARE", 0)
    monkeypatch.setattr(known, "LISTED", 0)  # the table is looked up at the end, as in every attempt
    request = asked(CELLS, one("evolution", population=4, tournament=2), one("local_search", starts=2), budget=6)
    progress = memory_progress(tmp_path / "whole")
    whole = timeless(handler.run(request, progress))
    assert progress.questions > 40
    for kill in range(1, progress.questions + 1):
        first = memory_progress(tmp_path / f"{kill}", kill_after=kill)
        with pytest.raises(first.killed):
            handler.run(request, first)
        second = first.next_attempt(tmp_path / f"{kill} again")
        assert timeless(handler.run(request, second)) == whole, kill
        assert not second.notes


def test_drained_comparisons_lose_nothing(table: Any, memory_progress: Memory, tmp_path: Path) -> None:
    table()
    whole = timeless(handler.run(asked(), memory_progress(tmp_path / "whole")))
    first = memory_progress(tmp_path / "first", stop_after=30, reason="drain")
    with pytest.raises(Stopped) as stopped:
        handler.run(asked(), first)
    assert stopped.value.best is None
    document = json.loads(first.last.file.read_text())
    assert len(document["runs"]) == 1
    assert len(document["going"]["exploration"]["trajectory"]) == 2
    assert timeless(handler.run(asked(), first.next_attempt(tmp_path / "second"))) == whole


def test_a_cancelled_comparison_keeps_the_runs_that_are_done(
    table: Any, memory_progress: Memory, tmp_path: Path
) -> None:
    table()
    whole = timeless(handler.run(asked(), memory_progress(tmp_path / "whole")))["report"]
    with pytest.raises(Stopped) as stopped:
        handler.run(asked(), memory_progress(tmp_path / "cut", stop_after=60))
    assert stopped.value.best is not None
    kept = timeless(stopped.value.best)
    assert kept["stopped_in"] == "compare"
    random, evolution = kept["report"]["strategies"]
    assert (random["n"], evolution["n"]) == (1, 1), "a seed of each strategy before the next seed"
    assert random["runs"] == whole["strategies"][0]["runs"][:1]
    assert "cancelled after 2 of 4 runs, which are all that is compared" in kept["report"]["notes"]
    with pytest.raises(Stopped) as stopped:
        handler.run(asked(), memory_progress(tmp_path / "at once", stop_after=1))
    assert stopped.value.best is not None
    assert stopped.value.best.result["report"] is None


def test_other_results_than_those_it_began_with_start_it_over(
    table: Any, memory_progress: Memory, tmp_path: Path
) -> None:
    table(digest="before")
    first = memory_progress(tmp_path / "first", stop_after=30, reason="drain")
    with pytest.raises(Stopped):
        handler.run(asked(), first)
    table(digest="after")
    second = first.next_attempt(tmp_path / "second")
    report: Any = handler.run(asked(), second).result["report"]
    assert report["judged_by"]["results_digest"] == "after"
    (note,) = second.notes
    assert note.startswith("starting over, for the earlier attempt is of no use:")
    assert report["notes"][0] == note
    assert [outcome["evaluations"] for outcome in report["strategies"]] == [24, 24]


def test_a_run_whose_state_is_another_versions_starts_over_alone(
    table: Any, memory_progress: Memory, tmp_path: Path
) -> None:
    table()
    whole = timeless(handler.run(asked(), memory_progress(tmp_path / "whole")))
    first = memory_progress(tmp_path / "first", stop_after=30, reason="drain")
    with pytest.raises(Stopped):
        handler.run(asked(), first)
    document = json.loads(first.last.file.read_text())
    document["going"]["exploration"]["strategy"]["strategy"] = "of old"
    first.last.file.write_text(json.dumps(document))
    second = first.next_attempt(tmp_path / "second")
    again = timeless(handler.run(asked(), second))
    (note,) = second.notes
    assert note.startswith("evolution, seed 3 starts over: ")
    again["report"]["notes"].remove(note)
    assert again == whole


def test_runs_that_measure_nothing_are_said_and_without_any_it_fails(
    table: Any, memory_progress: Memory, tmp_path: Path
) -> None:
    table(missing=lambda rank: True)
    with pytest.raises(NoRun, match="not one evaluation of 4 runs succeeded: random, seed 3: the catalogue has no"):
        handler.run(asked(), memory_progress(tmp_path / "none"))
    first = search_of(asked(), one("random"), 3)
    met = Exploration(first, CELLS, inside.evaluator_for(first, CELLS, memory_progress(tmp_path / "x")))
    met.run()
    ranks = {int(measurement.index) for measurement in met.trajectory}
    table(missing=lambda rank: rank in ranks)
    report: Any = handler.run(asked(), memory_progress(tmp_path / "some")).result["report"]
    random = report["strategies"][0]
    assert (random["n"], random["missing"], random["failed"]) == (1, 1, 12)
    assert any(note.startswith("random, seed 3: the catalogue has no result") for note in report["notes"])


def test_how_far_it_is_is_told_run_by_run(table: Any, memory_progress: Memory, tmp_path: Path) -> None:
    table()
    progress = memory_progress(tmp_path)
    handler.run(asked(), progress)
    assert progress.order == [("compare", done) for done in (1, 2, 3, 4)]
    assert progress.epochs["compare", 4] == {"evaluations": 48}
    many = memory_progress(tmp_path / "many")
    handler.run(asked(CELLS, one("random"), seeds=tuple(range(250)), budget=2), many)
    assert len(many.order) == 100
    assert many.order[-1] == ("compare", 250)


def test_a_request_comes_back_from_json_as_it_was() -> None:
    from pydantic import TypeAdapter

    request = asked()
    assert TypeAdapter(ComparisonRequest).validate_python(json.loads(json.dumps(asdict(request)))) == request
