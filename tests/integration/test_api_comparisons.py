"""Comparisons of strategies over HTTP: what is accepted, what is answered, and what does not compare."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from itertools import product
from random import Random
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from app.architecture import architecture_id
from app.catalogue import Database
from app.experiment import ORACLE, Bounds, SoughtMetric
from app.experiment.strategies import DISCRETE_STRATEGIES
from app.jobs import submit
from app.settings import Settings
from tests.integration.recorded import SPACE, run_next, search, submitted, table

SVG = "{http://www.w3.org/2000/svg}"
LEAST = 73_306  # learnable numbers of cells without a convolution, of which there are 729
OPERATIONS = ("none", "skip_connect", "avg_pool_3x3")
WITHIN = Bounds(max_params=LEAST)
TABLE: dict[str, Any] = {
    "space": "nasbench201",
    "evaluator": {"kind": "catalogue", "dataset": "cifar10", "split": "test"},
    "strategies": [{"strategy": "random"}, {"strategy": "evolution", "parameters": {"population": 4, "tournament": 2}}],
    "seeds": 3,
    "budget": 30,
    "max_params": LEAST,
}
PROXIES = TABLE | {"evaluator": {"kind": "proxies", "dataset": "digits"}}
TRAINING = TABLE | {"evaluator": {"kind": "training", "dataset": "digits"}, "budget": 4}


@cache
def architectures() -> Mapping[int, float]:
    """A rank of every architecture without a convolution, and an accuracy."""
    first: Any = SPACE.plan.unrank(0)
    edges = list(first)
    cells = [dict(zip(edges, chosen, strict=True)) for chosen in product(OPERATIONS, repeat=len(edges))]
    found = {architecture_id(SPACE, SPACE.skeletons["cifar"], SPACE.input, cell): cell for cell in cells}
    return {rank: round(50 + 40 * Random(rank).random(), 2) for rank in map(SPACE.plan.rank, found.values())}


@pytest.fixture(scope="module", autouse=True)
def results(api_database: Database) -> None:
    """A test table of all cells without a convolution, and another table of a few of them."""
    found = {rank: {"accuracy": value} for rank, value in architectures().items()}
    table(api_database, found, split="test")
    few = dict(list(found.items())[:40])
    table(api_database, few, dataset="tens", split="selection", sha256="6" * 64)


def started(api: TestClient, **changes: Any) -> str:
    answer = api.post("/v1/comparisons", json=TABLE | changes)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def made(api: TestClient, settings: Settings, database: Database, **changes: Any) -> str:
    id = started(api, **changes)
    run_next(settings, database, id)
    return id


def searched(settings: Settings, database: Database, **changes: Any) -> str:
    """A search that has succeeded."""
    id = submitted(database, search(database, **({"bounds": WITHIN, "split": "test"} | changes)))
    run_next(settings, database, id)
    return id


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def fault(answer: Any) -> Mapping[str, Any]:
    assert answer.status_code == 422, answer.text
    return answer.json()["errors"][0]


# -- asking


def test_a_dry_run_says_what_would_be_run(api: TestClient) -> None:
    plan = api.post("/v1/comparisons?dry_run=true", json=TABLE).json()
    assert (plan["runs"], plan["evaluations"], plan["trainings"], plan["jobs"]) == (6, 180, 0, False)
    assert plan["strategies"] == ["random", "evolution population=4 tournament=2"]
    assert (plan["oracle"], plan["label"]) == (True, ORACLE)
    request = plan["request"]
    assert (request["seeds"], request["device"]) == ([0, 1, 2], "cpu")
    assert "document" not in request["search"]
    assert request["strategies"][1]["parameters"] == {"population": 4, "tournament": 2}
    trained = api.post("/v1/comparisons?dry_run=true", json=TRAINING).json()
    assert (trained["runs"], trained["trainings"], trained["jobs"], trained["oracle"]) == (6, 24, True, False)
    assert trained["epochs"] == 24 * trained["request"]["search"]["evaluator"]["recipe"]["epochs"]


@pytest.mark.parametrize(
    ("changes", "pointer", "message"),
    [
        ({"strategies": [{"strategy": "random"}, {"strategy": "random"}]}, "/strategies/1/label", "label too"),
        (
            {"strategies": [{"strategy": "random"}, {"strategy": "random", "label": "r"}]},
            "/strategies/1",
            "the strategy of /strategies/0 again",
        ),
        (
            {
                "strategies": [
                    {"strategy": "evolution"},
                    {"strategy": "evolution", "label": "e", "parameters": {"population": 20}},
                ]
            },
            "/strategies/1",
            "again, every parameter the same",
        ),
        (
            {"strategies": [{"strategy": "random"}, {"strategy": "evolution", "parameters": {"starts": 1}}]},
            "/strategies/1/parameters/starts",
            "no such parameter",
        ),
        (
            {"objectives": [{"metric": "accuracy"}, {"metric": "macs"}]},
            "/strategies/1/strategy",
            "evolution seeks one objective",
        ),
        ({"strategies": []}, "/strategies", "at least 1"),
        ({"strategies": [{"strategy": "random"}] * 21}, "/strategies", "at most 20"),
        ({"seeds": 501}, "/seeds", "less than or equal to 500"),
        ({"strategies": [{"strategy": "random", "label": "<script>"}]}, "/strategies/0/label", "pattern"),
        ({"seed": 1}, "/seed", "Extra inputs"),
        (
            {"evaluator": {"kind": "inherited", "dataset": "digits", "check": {"members": 9}}, "max_params": None},
            "/evaluator/check",
            "ask it of one search",
        ),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(
    api: TestClient, changes: Any, pointer: str, message: str
) -> None:
    found = fault(api.post("/v1/comparisons", json=TABLE | changes))
    assert found["pointer"] == pointer
    assert message in found["message"]


def test_more_work_than_a_comparison_may_be_is_refused(api: TestClient) -> None:
    found = fault(api.post("/v1/comparisons", json=PROXIES | {"seeds": 500, "budget": 201}))
    assert (found["pointer"], found["allowed"]) == ("/budget", ["at most 200"])
    found = fault(api.post("/v1/comparisons", json=TRAINING | {"seeds": 101}))
    assert (found["pointer"], found["allowed"]) == ("/seeds", ["at most 100"])
    many = TRAINING["evaluator"] | {"seeds": list(range(10))}
    found = fault(api.post("/v1/comparisons", json=TRAINING | {"evaluator": many, "seeds": 100, "budget": 6}))
    assert (found["pointer"], found["allowed"]) == ("/budget", ["at most 5"])


def test_the_same_key_is_the_same_job(api: TestClient, api_database: Database) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first, second = (api.post("/v1/comparisons", json=PROXIES, headers=headers).json()["id"] for _ in range(2))
    assert first == second
    api.post(f"/v1/jobs/{first}/cancel")


# -- answering


def test_a_comparison_from_end_to_end(api: TestClient, api_settings: Settings, api_database: Database) -> None:
    id = started(api)
    view = api.get(f"/v1/comparisons/{id}").json()
    assert (view["state"], view["runs"], view["seeds"], view["label"]) == ("queued", 6, [0, 1, 2], ORACLE)
    early = api.get(f"/v1/comparisons/{id}/report")
    assert (early.status_code, early.headers["retry-after"]) == (404, "2")
    job = api.get(f"/v1/jobs/{id}").json()
    assert (job["kind"], job["oracle"], job["label"]) == ("comparison", True, ORACLE)
    run_next(api_settings, api_database, id)

    report = api.get(f"/v1/comparisons/{id}/report").json()["report"]
    assert (report["oracle"], report["label"], report["compared"]) == (True, ORACLE, "accuracy")
    assert [one["label"] for one in report["strategies"]] == view["strategies"]
    for one in report["strategies"]:
        assert (one["evaluations"], one["failed"], one["n"], len(one["runs"])) == (90, 0, 3, 3)
    assert report["judged_by"]["dataset"] == "cifar10"
    assert report["table"]["members"] == 729
    assert report["table"]["best"] == {"accuracy": max(architectures().values())}
    assert len(report["table"]["random"]) == 30

    answer = api.get(f"/v1/comparisons/{id}/report.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = lines(answer.text)
    assert [row["label"] for row in rows] == view["strategies"]
    for row, one in zip(rows, report["strategies"], strict=True):
        assert row["mean"] == ("" if one["mean"] is None else str(one["mean"]))
        assert (row["oracle_label"], row["split"]) == (ORACLE, "test")
    assert rows[1]["parameters"] == "population=4 tournament=2"
    curves = lines(api.get(f"/v1/comparisons/{id}/curves.csv").text)
    assert [row["evaluations"] for row in curves] == [str(n) for n in range(1, 31)] * 3
    assert {row["label"] for row in curves} == {*view["strategies"], "(random, exact expectation)"}
    assert {row["oracle_label"] for row in curves} == {ORACLE}

    drawn = api.get(f"/v1/comparisons/{id}/report.svg")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in drawn.headers["content-security-policy"]
    assert drawn.text == api.get(f"/v1/comparisons/{id}/report.svg").text
    texts = [text.text for text in ElementTree.fromstring(drawn.text).iter(f"{SVG}text")]
    assert ORACLE in texts
    for label in view["strategies"]:
        assert any((text or "").startswith(f"{label}: ") for text in texts)
    for link in view["links"].values():
        assert api.get(link).status_code == 200, link
    assert api.get("/v1/jobs?kind=comparison").json()["items"][0]["id"] == id


def test_a_cancelled_comparison_says_so(api: TestClient) -> None:
    id = started(api, first_seed=7)
    assert api.post(f"/v1/jobs/{id}/cancel").json()["state"] == "cancelled"
    answer = api.get(f"/v1/comparisons/{id}/report")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "the comparison is cancelled"


@pytest.mark.parametrize("part", ["", "/report", "/report.csv", "/curves.csv", "/report.svg"])
def test_what_is_no_comparison_is_not_found(api: TestClient, api_database: Database, part: str) -> None:
    other = submitted(api_database, search(api_database))
    for id in (uuid4(), other):
        assert api.get(f"/v1/comparisons/{id}{part}").status_code == 404
    api.post(f"/v1/jobs/{other}/cancel")


# -- of searches that exist


def timeless(value: Any) -> Any:
    match value:
        case dict():
            apart = ("seconds", "strategy_seconds", "gpu_hours", "search", "environment", "as_of")
            return {name: timeless(part) for name, part in value.items() if name not in apart}
        case list():
            return [timeless(part) for part in value]
        case _:
            return value


def test_searches_alone_give_the_report_of_a_comparison(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    chosen = [{"strategy": "random"}, {"strategy": "local_search"}]
    whole = made(api, api_settings, api_database, strategies=chosen, budget=12)
    report = api.get(f"/v1/comparisons/{whole}/report").json()["report"]
    ids = [
        searched(
            api_settings,
            api_database,
            strategy=strategy,
            parameters=DISCRETE_STRATEGIES[strategy].completed({}),
            seed=seed,
        )
        for strategy in ("random", "local_search")
        for seed in range(3)
    ]
    answer = api.post("/v1/comparisons/of-searches", json={"searches": ids})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["comparison_id"] is None
    alone, together = timeless(found["report"]), timeless(report)
    assert (alone.pop("table"), together.pop("table")["members"]) == (None, 729), "whose table nobody has read"
    for one in together["strategies"]:
        assert one.pop("regret") >= 0
    for one in alone["strategies"]:
        assert one.pop("regret") is None
    assert alone == together
    assert [run["search"] for one in found["report"]["strategies"] for run in one["runs"]] == ids
    assert (found["report"]["oracle"], found["report"]["label"]) == (True, ORACLE)
    rows = lines(api.post("/v1/comparisons/of-searches", json={"searches": ids, "form": "csv"}).text)
    assert [row["label"] for row in rows] == ["random", "local_search"]
    curves = lines(api.post("/v1/comparisons/of-searches", json={"searches": ids, "form": "curves"}).text)
    assert len(curves) == 24
    drawn = api.post("/v1/comparisons/of-searches", json={"searches": ids, "form": "svg", "width": 400})
    assert float(ElementTree.fromstring(drawn.text).get("width", 0)) <= 400

    again = searched(api_settings, api_database, seed=1)
    refused = fault(api.post("/v1/comparisons/of-searches", json={"searches": [*ids, again]}))
    assert (refused["pointer"], refused["value"]) == ("/searches/6", again)
    assert f"it is the search {ids[1]} again, seed 1 too" in refused["message"]


def test_searches_on_another_footing_do_not_compare(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    one = searched(api_settings, api_database)
    plain = search(api_database)
    few = replace(plain.evaluator, dataset="tens", split="selection")
    others = {
        "/budget": {"budget": 13},
        "/batch": {"batch": 2},
        "/bounds/max_params": {"bounds": Bounds(max_params=LEAST + 1)},
        "/objectives": {"objectives": (SoughtMetric(metric="accuracy", goal="minimise"),)},
        "/evaluator/dataset": {"evaluator": few},
    }
    for place, changes in others.items():
        other = searched(api_settings, api_database, seed=1, **changes)
        answer = api.post("/v1/comparisons/of-searches", json={"searches": [one, other]})
        assert answer.status_code == 422
        problem = answer.json()
        assert problem["type"].endswith("mixed-results")
        found = {error["value"]: error["message"] for error in problem["errors"]}
        assert place in found
        assert f"of {one}" in found[place]
        assert f"of {other}" in found[place]
        assert place in problem["detail"]
        assert ("/evaluator/split" in found) == (place == "/evaluator/dataset"), "every difference, and no other"


def test_results_that_came_later_are_another_footing(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    first = searched(api_settings, api_database, seed=0)
    other = next(rank for rank in range(SPACE.plan.size) if "nor_conv_3x3" in str(SPACE.plan.unrank(rank)))
    table(api_database, {other: {"accuracy": 1.0}}, split="test", sha256="7" * 64)
    second = searched(api_settings, api_database, seed=1)
    problem = api.post("/v1/comparisons/of-searches", json={"searches": [first, second]}).json()
    assert [error["value"] for error in problem["errors"]] == ["/judged_by/results", "/judged_by/results_digest"]
    third = searched(api_settings, api_database, seed=2)
    assert api.post("/v1/comparisons/of-searches", json={"searches": [second, third]}).status_code == 200


def test_only_searches_that_succeeded_and_that_one_may_see_compare(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    done = searched(api_settings, api_database, seed=5)
    waits = submitted(api_database, search(api_database, seed=6))
    refused = fault(api.post("/v1/comparisons/of-searches", json={"searches": [done, waits]}))
    assert (refused["pointer"], refused["message"]) == (
        "/searches/1",
        "the search is queued: only those that succeeded compare",
    )
    twice = fault(api.post("/v1/comparisons/of-searches", json={"searches": [done, done]}))
    assert (twice["pointer"], twice["message"]) == ("/searches/1", "it is among the searches already")
    api.post(f"/v1/jobs/{waits}/cancel")
    with api_database.transaction() as session:
        request = asdict(search(api_database))
        foreign = submit(session, kind="discrete_search", request=request, owner="ada", queue="gpu").job
    for id in (uuid4(), foreign.id):
        assert api.post("/v1/comparisons/of-searches", json={"searches": [done, str(id)]}).status_code == 404
