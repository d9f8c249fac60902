"""Evaluations over HTTP: filters, pages, and no ranking of what does not compare."""

import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database, architectures, evaluations
from app.jobs import submit
from app.space.zoo import ZOO

QUICK, SLOW = "1" * 64, "2" * 64


@pytest.fixture(scope="module")
def measured(api_database: Database) -> list[float]:
    """Nine evaluations of three architectures: six under one recipe, three under another."""
    space, accuracies = ZOO["nasbench201"], []
    with api_database.transaction() as session:
        for number in range(9):
            identity = f"{number % 3:032x}"
            architectures.ensure(
                session,
                id=identity,
                space=space.identity,
                index=number % 3,
                genotype=space.plan.unrank(number % 3),
                skeleton={"family": "edge_cells"},
                input={"channels": 1, "height": 8, "width": 8},
                params=100 * (number % 3),
                macs=1000,
            )
            job = submit(session, kind="training", request={}, owner="local" if number < 8 else "else", queue="cpu").job
            evaluations.record(
                session,
                architecture_id=identity,
                job_id=job.id,
                kind="trained",
                dataset="digits" if number % 2 else "fashion_mnist",
                split="test",
                recipe_name="quick" if number < 6 else "slow",
                recipe_digest=QUICK if number < 6 else SLOW,
                recipe={"name": "quick"},
                seed=number,
                metrics={"accuracy": 90.0 + number % 4},
                params=100 * (number % 3),
                macs=1000,
                device="cpu",
                torch_version="2.13.0",
                code_version="test",
                seconds=2.5,
                owner="local" if number < 8 else "else",
            )
            accuracies.append(90.0 + number % 4)
    return accuracies[:8]


def listed(api: TestClient, **query: object) -> list[dict]:
    answer = api.get("/v1/evaluations", params={"limit": 200} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


@pytest.mark.usefixtures("measured")
def test_the_newest_come_first_and_others_are_not_seen(api: TestClient) -> None:
    assert [item["seed"] for item in listed(api)] == [7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize(
    ("query", "seeds"),
    [
        ({"dataset": "digits"}, {1, 3, 5, 7}),
        ({"recipe": "slow"}, {6, 7}),
        ({"recipe": QUICK}, {0, 1, 2, 3, 4, 5}),
        ({"architecture": f"{1:032x}"}, {1, 4, 7}),
        ({"max_params": 100}, {0, 1, 3, 4, 6, 7}),
        ({"max_macs": 999}, set()),
        ({"space": "nasbench201"}, set(range(8))),
        ({"space": "nasbench201@1", "dataset": "digits", "recipe": "quick"}, {1, 3, 5}),
        ({"space": "nasbench201@2"}, set()),
        ({"space": ZOO["nasbench201"].digest}, set(range(8))),
        ({"space": "darts"}, set()),
        ({"split": "selection"}, set()),
        ({"kind": "baseline"}, set()),
    ],
)
def test_filters_narrow(api: TestClient, query: dict, seeds: set[int]) -> None:
    assert {item["seed"] for item in listed(api, **query)} == seeds


@pytest.mark.parametrize("space", ["", "darts@", "darts@0", "darts@x", "Darts", "a" * 65])
def test_a_space_that_cannot_be_is_refused(api: TestClient, space: str) -> None:
    for path in ("evaluations", "evaluations.csv", "pareto"):
        answer = api.get(f"/v1/{path}", params={"space": space})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/space")


@pytest.mark.usefixtures("measured")
def test_an_evaluation_says_what_it_means(api: TestClient) -> None:
    item = listed(api, recipe="slow")[0]
    assert (item["recipe"], item["recipe_digest"], item["split"], item["device"]) == ("slow", SLOW, "test", "cpu")
    assert (item["torch_version"], item["code_version"], item["seconds"]) == ("2.13.0", "test", 2.5)
    assert item["space"] == ZOO["nasbench201"].identity
    assert item["genotype"] == ZOO["nasbench201"].plan.unrank(1)
    assert api.get(f"/v1/evaluations/{item['id']}").json() == item
    assert api.get(item["links"]["architecture"]).status_code == 200
    assert api.get(item["links"]["job"]).status_code == 200
    own = api.get(f"/v1/architectures/{item['architecture_id']}/evaluations").json()["items"]
    assert {evaluation["seed"] for evaluation in own} == {1, 4, 7}


@pytest.mark.usefixtures("measured")
def test_ranking_across_recipes_is_refused_unless_told_to(api: TestClient) -> None:
    refused = api.get("/v1/evaluations", params={"sort": "-accuracy", "dataset": "digits"})
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:cellar:problem:mixed-results"
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/recipe"]
    assert len(refused.json()["errors"][0]["allowed"]) == 2
    told = listed(api, sort="-accuracy", across_recipes=True)
    assert [item["accuracy"] for item in told] == sorted((item["accuracy"] for item in told), reverse=True)
    assert len(told) == 8
    one = listed(api, sort="-accuracy", recipe="quick", dataset="digits")
    assert [item["accuracy"] for item in one] == [93.0, 91.0, 91.0]


@pytest.mark.usefixtures("measured")
def test_ranking_across_data_sets_is_refused_too(api: TestClient) -> None:
    refused = api.get("/v1/evaluations", params={"sort": "-accuracy", "recipe": "quick"})
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/dataset"]
    assert refused.json()["errors"][0]["allowed"] == ["digits", "fashion_mnist"]


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("sort", ["accuracy", "-accuracy", "params", "-params", "macs", "created_at", "-created_at"])
def test_pages_of_every_order_follow_without_gap_or_overlap(api: TestClient, sort: str) -> None:
    query: dict = {"sort": sort, "across_recipes": True}
    whole = [item["id"] for item in listed(api, **query)]
    seen: list[str] = []
    query["limit"] = 3
    while True:
        page = api.get("/v1/evaluations", params=query).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == whole
    assert len(seen) == 8


@pytest.mark.usefixtures("measured")
def test_a_cursor_belongs_to_its_order_and_filters(api: TestClient) -> None:
    cursor = api.get("/v1/evaluations", params={"limit": 2}).json()["next"]
    assert api.get("/v1/evaluations", params={"limit": 2, "cursor": cursor}).status_code == 200
    for other in ({"sort": "params"}, {"dataset": "digits"}):
        answer = api.get("/v1/evaluations", params={"limit": 2, "cursor": cursor} | other)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/cursor"


@pytest.mark.parametrize(
    "query", [{"sort": "loss"}, {"limit": 0}, {"split": "train"}, {"max_params": -1}, {"job": "x"}, {"recipe": "\0"}]
)
def test_a_query_has_bounds(api: TestClient, query: dict) -> None:
    answer = api.get("/v1/evaluations", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/" + next(iter(query))


def test_an_unknown_evaluation_is_a_404(api: TestClient) -> None:
    assert api.get("/v1/evaluations/00000000-0000-0000-0000-000000000000").status_code == 404


@pytest.mark.usefixtures("measured")
def test_a_comparison_has_accuracies_apart_by_what_does_not_compare(api: TestClient) -> None:
    body = {"spaces": ["nasbench201", "darts"], "skeletons": ["small", "small"], "count": 2}
    first, second = api.post("/v1/compare", json=body).json()["spaces"]
    assert second["accuracy"] == []
    found = {(a["dataset"], a["recipe"]): a for a in first["accuracy"]}
    # Seeds 1, 3, 5 and 7 were on digits: 91, 93 and 91 under the quick recipe, 93 under the slow one.
    assert set(found) == {
        ("digits", "quick"),
        ("fashion_mnist", "quick"),
        ("digits", "slow"),
        ("fashion_mnist", "slow"),
    }
    quick = found["digits", "quick"]
    assert (quick["count"], quick["minimum"], quick["median"], quick["maximum"]) == (3, 91.0, 91.0, 93.0)
    assert quick["p75"] == 92.0
    assert found["digits", "slow"]["count"] == 1
