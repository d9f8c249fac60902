"""Rank correlations over HTTP: of results that compare, joined by what is the same, and refused where they mix."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.api import correlations
from app.catalogue import Database
from app.experiment import ranks
from app.experiment.table import PublishedRecipe
from app.jobs import claim, finish, submit
from tests.integration.recorded import SPACE, identified, table

RANKS = tuple(range(7000, 7160, 4))
TENS = {rank: 60.0 + rank % 37 for rank in RANKS}
HUNDREDS = {rank: 30.0 + rank % 23 + rank % 37 / 10 for rank in RANKS[5:]}
SECOND = {rank: TENS[rank] + (rank % 3 - 1) / 2 for rank in RANKS[:30]}
LOSS = {rank: {"accuracy": TENS[rank], "loss": 9 - TENS[rank] / 20} for rank in RANKS}
OTHER = PublishedRecipe(name="short", source="a paper")

X: dict[str, Any] = {"dataset": "cifar10", "split": "selection", "recipe": "theirs"}
Y: dict[str, Any] = {"dataset": "cifar100"}


def by_accuracy(values: dict[int, float]) -> dict[int, dict[str, float]]:
    return {rank: {"accuracy": value} for rank, value in values.items()}


@pytest.fixture(scope="module", autouse=True)
def tabulated(api_database: Database) -> None:
    table(api_database, LOSS)
    table(api_database, by_accuracy(SECOND), seed=1)
    table(api_database, by_accuracy(HUNDREDS), dataset="cifar100", skeleton="small")
    table(api_database, by_accuracy({rank: 99 - TENS[rank] for rank in RANKS}), recipe=OTHER, sha256="6" * 64)
    table(api_database, by_accuracy(TENS), split="test")
    table(api_database, by_accuracy(TENS), dataset="theirs", owner="else", visibility="private")


def asked(api: TestClient, x: Any, y: Any, **more: Any) -> dict:
    answer = api.post("/v1/correlations", json={"space": "nasbench201", "x": x, "y": y} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def value(found: dict, statistic: str, k: int | None = None) -> float:
    (one,) = (c for c in found["correlations"] if (c["statistic"], c["k"]) == (statistic, k))
    assert one["n"] == found["n"]
    assert one["low"] <= one["value"] <= one["high"]
    return one["value"]


def means(rank: int) -> float:
    return (TENS[rank] + SECOND[rank]) / 2 if rank in SECOND else TENS[rank]


def test_two_data_sets_are_joined_by_genotype_and_seeds_are_averaged(api: TestClient) -> None:
    found = asked(api, X, Y, tops=[3, 5])
    common = [rank for rank in RANKS if rank in HUNDREDS]
    x, y = [means(rank) for rank in common], [HUNDREDS[rank] for rank in common]
    assert (found["n"], found["total"], found["joined_by"]) == (len(common), len(common), "genotype")
    assert value(found, "spearman") == pytest.approx(ranks.spearman(x, y))
    assert value(found, "kendall") == pytest.approx(ranks.kendall(x, y))
    best = [set(sorted(range(len(common)), key=lambda i: -side[i])[:5]) for side in (x, y)]
    assert len(set(x)) == len(x), "no ties: the best are certain"
    assert value(found, "top_overlap", 5) == pytest.approx(len(best[0] & best[1]) / 5)
    assert (found["x"]["architectures"], found["x"]["results"]) == (len(RANKS), [1, 2])
    assert (found["y"]["architectures"], found["y"]["results"]) == (len(HUNDREDS), [1, 1])
    assert (found["x"]["recipe"], found["x"]["seed"], found["y"]["dataset"]) == ("theirs", None, "cifar100")
    assert found["x"]["skeleton"] != found["y"]["skeleton"]
    assert found["space"] == SPACE.identity
    again = asked(api, X, Y, tops=[3, 5])
    assert again == found
    assert asked(api, Y, X, tops=[3])["correlations"][0]["value"] == pytest.approx(value(found, "spearman"))


def test_one_skeleton_joins_by_architecture_and_a_seed_can_be_named(api: TestClient) -> None:
    found = asked(api, X | {"seed": 0}, X | {"seed": 1})
    x, y = [TENS[rank] for rank in SECOND], list(SECOND.values())
    assert (found["joined_by"], found["n"]) == ("architecture", len(SECOND))
    assert value(found, "kendall") == pytest.approx(ranks.kendall(x, y))
    assert (found["x"]["seed"], found["y"]["seed"]) == (0, 1)
    assert [c["k"] for c in found["correlations"]] == [None, None, 10]


def test_costs_are_those_of_the_architectures(api: TestClient) -> None:
    for cost, place in (("params", 1), ("macs", 2)):
        found = asked(api, X | {"seed": 0}, cost)
        costs = [identified("cifar", rank)[place] for rank in RANKS]
        assert value(found, "spearman") == pytest.approx(ranks.spearman(list(TENS.values()), costs))
        assert (found["y"]["kind"], found["y"]["name"], found["y"]["dataset"]) == ("cost", cost, None)
        turned = asked(api, cost, X | {"seed": 0})
        assert value(turned, "kendall") == pytest.approx(value(found, "kendall"))


def test_a_loss_is_small_where_it_is_good(api: TestClient) -> None:
    found = asked(api, X | {"seed": 0}, X | {"metric": "loss"}, tops=[1, 7])
    assert (found["y"]["goal"], value(found, "spearman"), value(found, "top_overlap", 7)) == ("minimise", 1.0, 1.0)
    told = asked(api, X | {"seed": 0}, X | {"metric": "loss", "goal": "maximise"}, tops=[7])
    assert value(told, "spearman") == -1.0


@pytest.mark.parametrize(
    ("x", "slug", "pointers"),
    [
        ({}, "mixed-results", {"/x/dataset", "/x/split", "/x/recipe", "/x/skeleton"}),
        ({"dataset": "cifar10"}, "mixed-results", {"/x/split", "/x/recipe"}),
        ({"dataset": "cifar10", "split": "selection"}, "mixed-results", {"/x/recipe"}),
        ({"dataset": "theirs"}, "invalid-request", {"/x"}),
        ({"dataset": "cifar10", "recipe": "none"}, "invalid-request", {"/x"}),
        (X | {"skeleton": "cifar", "metric": "loss"}, None, set()),
        (X | {"skeleton": "small"}, "invalid-request", {"/x/skeleton"}),
        (X | {"metric": "latency"}, "invalid-request", {"/x/metric"}),
        (X | {"skeleton": {"family": "edge_cells", "channels": 3}}, "invalid-request", {"/x/skeleton"}),
        (X | {"seed": 5}, "invalid-request", {"/y"}),
        (X | {"split": "train"}, "invalid-request", {"/x/split"}),
        (X | {"more": 1}, "invalid-request", {"/x/more"}),
        ("latency_ms", "invalid-request", {"/x"}),
        (7, "invalid-request", {"/x"}),
        ({"job": str(uuid4()), "proxy": "synflow"}, "invalid-request", {"/x/job"}),
        ({"proxy": "synflow"}, "invalid-request", {"/x/job"}),
    ],
)
def test_what_does_not_compare_is_refused_at_its_place(
    api: TestClient, x: Any, slug: str | None, pointers: set[str]
) -> None:
    answer = api.post("/v1/correlations", json={"space": "nasbench201", "x": x, "y": Y})
    if slug is None:
        assert answer.status_code == 200, answer.text
        return
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == f"urn:cellar:problem:{slug}"
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers
    if slug == "mixed-results":
        assert all(len(fault["allowed"]) > 1 for fault in answer.json()["errors"])


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"tops": [0]}, "/tops/0"),
        ({"tops": [5, 36]}, "/tops/1"),
        ({"tops": [1] * 11}, "/tops"),
        ({"seed": -1}, "/seed"),
    ],
)
def test_the_best_are_among_those_there_are(api: TestClient, more: dict, pointer: str) -> None:
    answer = api.post("/v1/correlations", json={"space": "nasbench201", "x": X, "y": Y} | more)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_two_costs_are_no_question_to_the_catalogue(api: TestClient) -> None:
    answer = api.post("/v1/correlations", json={"space": "nasbench201", "x": "params", "y": "macs"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/x")


def profile(database: Database, rows: dict[int, float | None], owner: str = "local") -> str:
    """A finished profile with a proxy of these members."""
    request = {"space": SPACE.identity, "proxies": ["synflow"]}
    with database.transaction() as session:
        job = submit(session, kind="profile", request=request, owner=owner, queue="cpu", priority=100).job
    with database.transaction() as session:
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
        assert taken is not None
        assert taken.job.id == job.id
        scores = [{"index": str(rank), "values": {"synflow": score}} for rank, score in rows.items()]
        about = {"names": ["synflow"], "dataset": "digits", "split": "weights", "seed": 4}
        place = {"skeleton": {"family": "edge_cells"}, "input": {"channels": 1, "height": 8, "width": 8}}
        finish(session, taken.lease, {"proxies": about | place | {"architectures": scores}})
    return str(job.id)


def test_a_proxy_stands_beside_results_and_beside_a_proxy(api: TestClient, api_database: Database) -> None:
    scores = {rank: float(rank * 7919 % 101) for rank in RANKS[::2]}
    side = {"job": profile(api_database, scores | {RANKS[1]: None, 3: 5.0}), "proxy": "synflow"}
    found = asked(api, side, Y)
    common = [rank for rank in scores if rank in HUNDREDS]
    expected = ranks.spearman([scores[rank] for rank in common], [HUNDREDS[rank] for rank in common])
    assert (found["n"], found["joined_by"], found["x"]["architectures"]) == (len(common), "genotype", len(scores) + 1)
    assert value(found, "spearman") == pytest.approx(expected)
    assert (found["x"]["kind"], found["x"]["dataset"], found["x"]["job"]) == ("proxy", "digits", side["job"])
    turned = asked(api, Y, side)
    assert value(turned, "spearman") == pytest.approx(expected)
    assert turned["y"]["architectures"] == len(scores) + 1
    assert value(asked(api, side, side), "kendall") == 1.0
    refused = api.post("/v1/correlations", json={"space": "nasbench201", "x": side | {"proxy": "snip"}, "y": Y}).json()
    assert refused["errors"][0] == {
        "pointer": "/x/proxy",
        "message": "the profile did not compute it",
        "value": "snip",
        "allowed": ["synflow"],
    }
    foreign = {"job": profile(api_database, scores, owner="else"), "proxy": "synflow"}
    assert api.post("/v1/correlations", json={"space": "nasbench201", "x": foreign, "y": Y}).status_code == 422
    elsewhere = api.post("/v1/correlations", json={"space": "darts", "x": side, "y": side})
    assert elsewhere.json()["errors"][0]["pointer"] == "/x/job"


def test_of_too_many_a_sample_is_drawn_and_said_so(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlations, "MOST", 20)
    for y in (Y, "params"):
        found = asked(api, X, y)
        assert found["n"] == 20
        assert found["total"] == (len(HUNDREDS) if y == Y else len(RANKS))
        assert found == asked(api, X, y)


def test_what_others_measured_is_seen_once_it_is_public(api: TestClient, api_database: Database) -> None:
    hidden = {"dataset": "theirs"}
    assert api.post("/v1/correlations", json={"space": "nasbench201", "x": hidden, "y": Y}).status_code == 422
    with api_database.transaction() as session:
        session.execute(text("UPDATE evaluations SET visibility = 'public' WHERE dataset = 'theirs'"))
    assert asked(api, hidden, Y)["n"] == len(HUNDREDS)
