"""Members by rank, and random ones."""

import pytest
from fastapi.testclient import TestClient

from app.space.zoo import ZOO


def test_a_seed_gives_the_same_members(api: TestClient) -> None:
    body = {"count": 20, "seed": 5}
    first = api.post("/v1/spaces/darts/sample", json=body).json()
    assert first == api.post("/v1/spaces/darts/sample", json=body).json()
    assert first != api.post("/v1/spaces/darts/sample", json=body | {"seed": 6}).json()
    plan = ZOO["darts"].plan
    assert all(plan.rank(item["genotype"]) == int(item["index"]) for item in first["items"])
    assert len({item["index"] for item in first["items"]}) == 20


def test_uniform_over_members_is_not_uniform_over_choices(api: TestClient) -> None:
    # A chain of five depths has almost only deep members; each depth is one choice of five.
    shares = {}
    for distribution in ("uniform", "per-choice"):
        body = {"count": 1000, "seed": 1, "distribution": distribution}
        items = api.post("/v1/spaces/chain/sample", json=body).json()["items"]
        shares[distribution] = sum(len(item["genotype"]["layers"]) == 8 for item in items) / 1000
    assert shares["uniform"] > 0.75
    assert 0.15 < shares["per-choice"] < 0.25


@pytest.mark.parametrize(
    "body", [{"count": 0}, {"count": 1001}, {"seed": -1}, {"seed": 2**63}, {"seed": "1"}, {"n": 3}]
)
def test_a_sample_has_bounds(api: TestClient, body: dict) -> None:
    answer = api.post("/v1/spaces/darts/sample", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/" + next(iter(body))


def test_members_are_enumerated_by_rank(api: TestClient) -> None:
    seen: list[str] = []
    start = "15500"
    while start is not None:
        page = api.get("/v1/spaces/nasbench201/members", params={"start": start, "limit": 60}).json()
        seen += [item["index"] for item in page["items"]]
        start = page["next"]
    assert seen == [str(i) for i in range(15500, 15625)]


def test_a_member_is_found_by_its_rank_alone(api: TestClient) -> None:
    index = str(10**17)
    found = api.get(f"/v1/spaces/darts@1/members/{index}")
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert ZOO["darts"].plan.rank(found.json()["genotype"]) == 10**17
    links = found.json()["links"]
    assert links["self"] == f"/v1/spaces/darts@1/members/{index}"
    cost = api.get(links["cost"]).json()
    assert cost["index"] == index
    assert cost["params"] > 100_000
    canonical = api.get(links["canonical"]).json()
    assert int(canonical["index"]) <= 10**17
    svg = api.get(links["svg"])
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.lstrip().startswith("<svg")
    assert "sandbox" in svg.headers["content-security-policy"]


def test_the_cost_of_a_member_is_that_of_its_genotype(api: TestClient) -> None:
    member = api.get("/v1/spaces/nasbench201/members/777").json()
    by_rank = api.get("/v1/spaces/nasbench201/members/777/cost", params={"skeleton": "small"}).json()
    body = {"genotype": member["genotype"], "skeleton": "small"}
    assert api.post("/v1/spaces/nasbench201/cost", json=body).json() == by_rank


@pytest.mark.parametrize("index", ["15625", "-1", "1.5", "x", "1e3", "٣", "9" * 4090])
@pytest.mark.parametrize("part", ["", "/cost", "/canonical", "/svg"])
def test_there_is_no_member_outside_the_space(api: TestClient, index: str, part: str) -> None:
    answer = api.get(f"/v1/spaces/nasbench201/members/{index}{part}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", [{"start": "15625"}, {"start": "-1"}, {"start": ""}, {"limit": 0}, {"limit": 201}])
def test_a_page_has_bounds(api: TestClient, query: dict) -> None:
    answer = api.get("/v1/spaces/nasbench201/members", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/" + next(iter(query))


def test_an_unknown_skeleton_is_named_with_those_there_are(api: TestClient) -> None:
    answer = api.get("/v1/spaces/darts/members/1/cost", params={"skeleton": "nowhere"})
    assert answer.status_code == 422
    assert "cifar" in answer.json()["errors"][0]["allowed"]
