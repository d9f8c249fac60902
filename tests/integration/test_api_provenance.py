"""Provenance in one row: of searches on a table, of supernet searches, of comparisons; as JSON and as CSV."""

import csv
import hashlib
import io
import json
from dataclasses import asdict, replace
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.catalogue import Database
from app.experiment import (
    ORACLE,
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    Bounds,
    ComparedStrategy,
    ComparisonRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    SoughtMetric,
    TrainingEvaluator,
    WarmStart,
    recipe_digest,
)
from app.settings import Settings
from app.space.zoo import ZOO
from tests.integration.recorded import RECIPE, SPACE, run_next, search, submitted, table

RANKS = tuple(range(7000, 7400, 4))


@pytest.fixture(scope="module", autouse=True)
def tabulated(api_database: Database) -> None:
    table(api_database, {rank: {"accuracy": 60 + rank % 37} for rank in RANKS}, split="test")


def row_of(api: TestClient, id: str, kind: str = "searches") -> dict:
    answer = api.get(f"/v1/{kind}/{id}/provenance")
    assert answer.status_code == 200, answer.text
    assert all(not isinstance(value, dict | list) for value in answer.json().values()), "nothing is nested"
    return answer.json()


def test_a_search_on_a_table_says_which(api: TestClient, api_settings: Settings, api_database: Database) -> None:
    request = search(
        api_database,
        split="test",
        strategy="evolution",
        parameters={"population": 5, "tournament": 3},
        bounds=Bounds(max_params=1_400_000),
        budget=150,
        batch=5,
        seed=7,
    )
    id = submitted(api_database, request, visibility="public")
    before = row_of(api, id)
    assert (before["state"], before["results_digest"], before["seconds"], before["attempts"]) == (
        "queued",
        None,
        None,
        0,
    )
    run_next(api_settings, api_database, id)
    row = row_of(api, id)
    assert (row["id"], row["kind"], row["state"], row["visibility"]) == (id, "discrete_search", "succeeded", "public")
    assert (row["oracle"], row["label"]) == (True, ORACLE)
    space = row["space_name"], row["space_version"], row["space_digest"]
    assert space == (SPACE.name, SPACE.version, SPACE.digest)
    assert (row["strategy"], json.loads(row["parameters"])) == ("evolution", {"population": 5, "tournament": 3})
    assert (row["seed"], row["budget"], row["batch"], row["repeats"], row["strategies"]) == (7, 150, 5, False, None)
    assert json.loads(row["objectives"]) == [{"metric": "accuracy", "goal": "maximise"}]
    assert json.loads(row["bounds"]) == {"max_params": 1_400_000, "max_macs": None, "max_latency_ms": None}
    assert (row["evaluator"], row["dataset"], row["split"], row["evaluation"]) == (
        "catalogue",
        "cifar10",
        "test",
        "trained",
    )
    assert (row["recipe"], row["recipe_digest"], row["results"]) == ("theirs", RECIPE.digest, len(RANKS))
    tables = row["tables"], row["table_source"], row["table_licence"], row["table_sha256"]
    assert tables == (1, "a paper", "MIT", "5" * 64)
    assert row["results_digest"] == json.loads(row["judged_by"])["results_digest"]
    assert len(row["results_digest"]) == 64
    assert (row["evaluations"], row["attempts"], row["torch_version"]) == (150, 1, None)
    assert 0 < row["failed"] < 150
    assert row["code_version"]
    assert row["submitted_at"] < row["started_at"] < row["finished_at"]
    assert row["seconds"] > 0
    skeleton = json.dumps(asdict(SPACE.skeletons["cifar"]), sort_keys=True, separators=(",", ":"))
    assert row["skeleton_digest"] == hashlib.sha256(skeleton.encode()).hexdigest()
    found = api.get(f"/v1/jobs/{id}").json()["result"]["genotype"]
    assert json.loads(row["found"]) == found

    answer = api.get(f"/v1/searches/{id}/provenance.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert list(line) == list(row)
    assert line == {name: "" if value is None else str(value) for name, value in row.items()}


def test_tables_that_the_caller_does_not_see_are_not_named(api: TestClient, api_database: Database) -> None:
    table(api_database, {11_000: {"accuracy": 50.0}}, split="architecture", owner="else", visibility="private")
    id = submitted(api_database, search(api_database, split="architecture"))
    row = row_of(api, id)
    assert (row["tables"], row["table_source"]) == (0, None)
    later = submitted(api_database, search(api_database, split="weights"))
    table(api_database, {11_001: {"accuracy": 50.0}}, split="weights", sha256="6" * 64)
    assert row_of(api, later)["tables"] == 0, "it came after the moment of the search"
    both = submitted(api_database, search(api_database, split="weights"))
    table(api_database, {11_002: {"accuracy": 50.0}}, split="weights", sha256="7" * 64, seed=1)
    assert row_of(api, both)["tables"] == 1
    several = row_of(api, submitted(api_database, search(api_database, split="weights")))
    assert json.loads(several["table_sha256"]) == ["6" * 64, "7" * 64]


def test_a_supernet_search_has_the_same_columns(api: TestClient) -> None:
    job = api.post("/v1/searches", json={"space": "darts", "dataset": "digits", "seed": 4}).json()
    row = row_of(api, job["id"])
    assert (row["kind"], row["strategy"], row["evaluator"], row["split"]) == (
        "search",
        "darts",
        "supernet",
        "selection",
    )
    assert (row["recipe"], row["recipe_digest"]) == ("digits-quick", recipe_digest(SEARCH_RECIPES["digits-quick"]))
    assert row["retrain_recipe_digest"] == recipe_digest(TRAINING_RECIPES["digits-quick"])
    assert (row["dataset"], row["retrain_dataset"], row["dataset_digest"]) == ("digits", "digits", None)
    assert (row["seed"], row["budget"], row["oracle"], row["label"]) == (4, None, False, None)
    again = api.post(f"/v1/searches/{job['id']}/replay").json()["id"]
    assert row_of(api, again)["replays"] == job["id"]


def test_a_comparison_has_strategies_and_seeds(api: TestClient, api_database: Database) -> None:
    strategies = (
        ComparedStrategy(label="chance", strategy="random", parameters={}),
        ComparedStrategy(label="=HYPERLINK()", strategy="local_search", parameters={"starts": 3}),
    )
    request = ComparisonRequest(
        search=search(api_database, split="test"), strategies=strategies, seeds=(0, 1), device="cpu"
    )
    id = submitted(api_database, request, kind="comparison")
    row = row_of(api, id, "comparisons")
    assert (row["kind"], row["strategy"], row["parameters"], row["seed"]) == ("comparison", None, None, None)
    assert [one["label"] for one in json.loads(row["strategies"])] == ["chance", "=HYPERLINK()"]
    assert (json.loads(row["seeds"]), row["budget"], row["tables"], row["label"]) == ([0, 1], 12, 1, ORACLE)
    assert api.get(f"/v1/searches/{id}/provenance").status_code == 404
    (line,) = csv.DictReader(io.StringIO(api.get(f"/v1/comparisons/{id}/provenance.csv").text))
    assert json.loads(line["seeds"]) == [0, 1]


def test_other_evaluators_say_what_they_are_made_of(api: TestClient, api_database: Database) -> None:
    recipe = replace(TRAINING_RECIPES["digits-quick"], epochs=2)
    proxies = ProxyEvaluator(dataset="digits", images=32)
    warm = WarmStart(proxy="synflow", evaluator=proxies, candidates=20, kept=4)
    training = TrainingEvaluator(dataset="digits", recipe=recipe, seeds=(3, 4))
    row = row_of(api, submitted(api_database, replace(search(api_database), evaluator=training, warm_start=warm)))
    assert (row["evaluator"], row["dataset"], row["split"]) == ("training", "digits", "selection")
    assert (row["recipe_digest"], json.loads(row["training_seeds"])) == (recipe_digest(recipe), [3, 4])
    assert json.loads(row["warm_start"])["kept"] == 4
    assert (row["as_of"], row["tables"]) == (None, None)
    quick = SEARCH_RECIPES["digits-quick"]
    inherited = InheritedEvaluator(dataset="digits", recipe=quick, skeleton=SPACE.skeletons["small"])
    row = row_of(api, submitted(api_database, replace(search(api_database), evaluator=inherited)))
    assert row["recipe_digest"] == recipe_digest(replace(quick, strategy="single_path")) != recipe_digest(quick)
    sought = (SoughtMetric(metric="synflow"),)
    row = row_of(api, submitted(api_database, replace(search(api_database), evaluator=proxies, objectives=sought)))
    assert (row["evaluator"], row["dataset"], row["recipe"]) == ("proxies", "digits", None)


def test_a_line_of_a_stranger_is_not_there(api: TestClient, api_database: Database) -> None:
    id = submitted(api_database, search(api_database))
    with api_database.transaction() as session:
        session.execute(text("UPDATE jobs SET owner = 'else' WHERE id = :id"), {"id": id})
    for missing in (id, str(uuid4())):
        for path in (f"searches/{missing}/provenance", f"searches/{missing}/provenance.csv"):
            assert api.get(f"/v1/{path}").status_code == 404
        assert api.get(f"/v1/comparisons/{missing}/provenance").status_code == 404


def test_spaces_differ_in_their_digests(api: TestClient) -> None:
    job = api.post("/v1/searches", json={"space": "nasbench201", "dataset": "digits"}).json()
    assert row_of(api, job["id"])["space_digest"] == ZOO["nasbench201"].digest
