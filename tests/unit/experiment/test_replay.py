"""What is told of a search and its replay: by records that are equal, differ, and differ for a reason."""

from typing import Any

import pytest

from app.experiment.replay import replayed

CATALOGUE = {"evaluator": {"kind": "catalogue"}}
TRAINING = {"evaluator": {"kind": "training", "recipe": {"deterministic": True}}}
SUPERNET = {"recipe": {"deterministic": True}, "retrain_recipe": {"deterministic": True}}


def result(**changes: Any) -> dict[str, Any]:
    steps = [{"n": n, "index": str(7 * n), "values": {"accuracy": 90.0 + n}, "job": f"job {n}"} for n in (1, 2, 3)]
    report = {"judged_by": {"results_digest": "d1"}, "best": {"index": "21"}, "seconds": 2.0, "notes": []}
    return {
        "genotype": {"op": "a"},
        "trajectory": steps,
        "report": report,
        "seconds": 2.0,
        "code_version": "1",
        "torch_version": "2.13.0",
        "device": "cpu, 1 thread",
    } | changes


def test_trainings_that_check_shared_weights_are_compared_by_what_they_came_to() -> None:
    pair = {"index": "3", "inherited": 50.0, "standalone": 60.0, "jobs": ["a"]}
    ours, theirs, other = (
        result(report={"sharing": {"pairs": [pair | change]}})
        for change in ({}, {"jobs": ["b"]}, {"jobs": ["b"], "standalone": 61.0})
    )
    check = {"recipe": {"deterministic": True}}
    asked = {"evaluator": {"kind": "inherited", "recipe": {"deterministic": True}, "check": check}}
    assert replayed("discrete_search", asked, ours, theirs).identical is True, "by other jobs"
    assert replayed("discrete_search", asked, ours, other).identical is False
    open_order = {"evaluator": asked["evaluator"] | {"check": {"recipe": {"deterministic": False}}}}
    assert replayed("discrete_search", open_order, ours, other).identical is None, "the order of sums is not known"
    unasked = {"evaluator": asked["evaluator"] | {"check": None}}
    assert replayed("discrete_search", unasked, ours, ours).identical is True


def test_times_jobs_and_notes_are_no_difference() -> None:
    again = result(seconds=9.0)
    again["report"] = again["report"] | {"seconds": 9.0, "notes": ["started twice"]}
    again["trajectory"] = [step | {"job": None} for step in again["trajectory"]]
    found = replayed("discrete_search", CATALOGUE, result(), again)
    assert (found.identical, found.difference, found.evaluations) == (True, None, 3)
    assert found.compared == ("report/judged_by", "trajectory", "genotype", "report")


@pytest.mark.parametrize(
    ("change", "place", "of", "replay"),
    [
        ({"genotype": {"op": "b"}}, "/genotype/op", "a", "b"),
        ({"genotype": None}, "/genotype", {"op": "a"}, None),
        (
            {"trajectory": []},
            "/trajectory/0",
            {"n": 1, "index": "7", "values": {"accuracy": 91.0}, "job": "job 1"},
            None,
        ),
        (
            {"report": {"judged_by": {"results_digest": "d1"}, "best": {"index": "22"}}},
            "/report/best/index",
            "21",
            "22",
        ),
    ],
)
def test_the_first_difference_has_its_place_and_both_values(change: dict, place: str, of: Any, replay: Any) -> None:
    found = replayed("discrete_search", CATALOGUE, result(), result(**change))
    assert found.identical is False
    assert found.difference is not None
    assert (found.difference.place, found.difference.of, found.difference.replay) == (place, of, replay)


def test_equal_steps_are_counted_to_the_first_that_differs() -> None:
    again = result()
    again["trajectory"][1] = again["trajectory"][1] | {"values": {"accuracy": 91.5}}
    found = replayed("discrete_search", CATALOGUE, result(), again)
    assert found.evaluations == 1
    assert found.difference is not None
    assert found.difference.place == "/trajectory/1/values/accuracy"


def test_a_true_is_no_one_and_a_float_is_its_whole_number() -> None:
    assert replayed("discrete_search", CATALOGUE, result(genotype=[1]), result(genotype=[1.0])).identical is True
    assert replayed("discrete_search", CATALOGUE, result(genotype=[1]), result(genotype=[True])).identical is False


@pytest.mark.parametrize(
    ("kind", "request_", "change", "name"),
    [
        ("discrete_search", CATALOGUE, {"code_version": "2"}, "code_version"),
        ("discrete_search", CATALOGUE, {"code_version": None}, "code_version"),
        ("discrete_search", CATALOGUE, {"report": {"judged_by": {"results_digest": "d2"}}}, "results_digest"),
        ("discrete_search", TRAINING, {"device": "NVIDIA H100"}, "device"),
        ("search", SUPERNET, {"torch_version": "2.14.0"}, "torch_version"),
    ],
)
def test_other_conditions_make_a_difference_no_contradiction(
    kind: str, request_: dict, change: dict, name: str
) -> None:
    same = replayed(kind, request_, result(), result(genotype=None))
    assert same.identical is False
    found = replayed(kind, request_, result(), result(genotype=None, **change))
    assert found.identical is None
    assert [condition.name for condition in found.conditions if not condition.same] == [name]
    assert found.reason is not None
    assert name in found.reason


def test_records_that_are_equal_are_so_on_whatever_device() -> None:
    assert replayed("search", SUPERNET, result(), result(device="NVIDIA H100")).identical is True


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("search", SUPERNET | {"retrain_recipe": {"deterministic": False}}),
        ("discrete_search", {"evaluator": {"kind": "training", "recipe": {"deterministic": False}}}),
    ],
)
def test_a_recipe_that_is_not_deterministic_leaves_the_order_of_sums_open(kind: str, request_: dict) -> None:
    found = replayed(kind, request_, result(), result(genotype=None))
    assert found.identical is None
    assert found.reason is not None
    assert "order of sums: not known and not known" in found.reason


def test_proxies_have_no_recipe_to_be_open() -> None:
    request = {"evaluator": {"kind": "proxies"}}
    assert replayed("discrete_search", request, result(), result(genotype=None)).identical is False
