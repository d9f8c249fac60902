"""Mean and deviation over seeds, apart by what does not compare, against sums over the listing."""

from collections import defaultdict
from random import Random
from statistics import fmean, stdev
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database
from app.experiment.table import PublishedRecipe
from tests.integration.recorded import SPACE, table

RANKS = tuple(range(7000, 7060, 4))
SEEDS = (777, 888, 999)
OTHER = PublishedRecipe(name="short", source="a paper")


@pytest.fixture(scope="module", autouse=True)
def tabulated(api_database: Database) -> None:
    rng = Random(0)
    for n, seed in enumerate(SEEDS):
        values = {rank: {"accuracy": rng.uniform(50, 95), "loss": rng.random()} for rank in RANKS[n * 2 :]}
        table(api_database, values, seed=seed)
    table(api_database, {rank: {"accuracy": rng.uniform(50, 95)} for rank in RANKS}, recipe=OTHER, sha256="6" * 64)
    table(api_database, {rank: {"accuracy": 1.0} for rank in RANKS}, split="test", owner="else", visibility="private")


def summary(api: TestClient, **query: Any) -> dict:
    answer = api.get("/v1/evaluations/summary", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def every(api: TestClient, **query: Any) -> list[dict]:
    items: list[dict] = []
    while True:
        page = summary(api, **query)
        items += page["items"]
        if page["next"] is None:
            return items
        query["cursor"] = page["next"]


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
@pytest.mark.parametrize("limit", [1, 4, 200])
def test_groups_are_those_of_the_listing(api: TestClient, metric: str, limit: int) -> None:
    groups: dict[tuple, list[dict]] = defaultdict(list)
    for item in api.get("/v1/evaluations", params={"limit": 200}).json()["items"]:
        if metric in item["metrics"]:
            key = item["architecture_id"], item["dataset"], item["split"], item["kind"], item["recipe_digest"]
            groups[key].append(item)
    found = every(api, metric=metric, limit=limit)
    keys = [tuple(f[n] for n in ("architecture_id", "dataset", "split", "kind", "recipe_digest")) for f in found]
    assert keys == sorted(groups)
    assert {len(group) for group in groups.values()} == {1, 2, 3}
    for key, one in zip(keys, found, strict=True):
        values = [item["metrics"][metric] for item in groups[key]]
        assert (one["evaluations"], one["n"]) == (len(values), len(values))
        assert one["seeds"] == sorted(item["seed"] for item in groups[key])
        assert one["mean"] == pytest.approx(fmean(values))
        assert one["deviation"] == (pytest.approx(stdev(values)) if len(values) > 1 else None)
        assert (one["minimum"], one["maximum"]) == (min(values), max(values))
        assert one["metric"] == metric
        assert one["space"] == SPACE.identity


def test_links_lead_to_what_is_summed_up(api: TestClient) -> None:
    for one in every(api)[:6]:
        listed = api.get(one["links"]["evaluations"]).json()["items"]
        assert len(listed) == one["evaluations"]
        assert fmean(item["accuracy"] for item in listed) == pytest.approx(one["mean"])
        assert api.get(one["links"]["architecture"]).json()["index"] == one["index"]


def test_filters_narrow_what_is_summed_up(api: TestClient) -> None:
    (id, *_) = {one["architecture_id"] for one in every(api) if one["n"] == 3}
    two = every(api, architecture=id)
    assert sorted((one["recipe"], one["n"]) for one in two) == [("short", 1), ("theirs", 3)]
    assert [one["recipe"] for one in every(api, architecture=id, recipe="theirs")] == ["theirs"]
    assert every(api, space="darts") == every(api, split="test") == every(api, max_params=1) == []
    assert summary(api, metric="latency") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"metric": "A;b"}, "/metric"),
        ({"limit": 201}, "/limit"),
        ({"cursor": "x"}, "/cursor"),
        ({"split": "x"}, "/split"),
    ],
)
def test_what_cannot_be_asked_is_refused(api: TestClient, query: dict, pointer: str) -> None:
    answer = api.get("/v1/evaluations/summary", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"].lstrip("/")) == (422, pointer.lstrip("/"))


def test_a_cursor_belongs_to_its_question(api: TestClient) -> None:
    cursor = summary(api, limit=2)["next"]
    assert (
        api.get("/v1/evaluations/summary", params={"limit": 2, "metric": "loss", "cursor": cursor}).status_code == 422
    )
