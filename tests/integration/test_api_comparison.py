"""Two spaces side by side over HTTP."""

from random import Random

import pytest
from fastapi.testclient import TestClient

from app.api import comparison
from app.architecture import cost, lower
from app.space.zoo import ZOO

SMALL = {"channels": 1, "height": 8, "width": 8}


def compare(api: TestClient, **body: object) -> dict:
    answer = api.post("/v1/compare", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_sizes_and_costs_of_uniform_samples(api: TestClient) -> None:
    body = {"spaces": ["nasbench201", "chain"], "skeletons": ["small", "small"], "input": SMALL, "count": 60, "seed": 5}
    found = compare(api, **body, bins=6)
    first, second = found["spaces"]
    assert first["sizes"]["raw"]["exact"] == "15625"
    space, image = ZOO["nasbench201"], ZOO["nasbench201"].input.__class__(**SMALL)
    rng = Random(5)
    expected = []
    for _ in range(60):
        genotype = space.plan.unrank(rng.randrange(space.plan.size))
        expected.append(cost(lower(space.grammar, space.skeletons["small"], image, space.plan.read(genotype))))
    for name in ("params", "macs"):
        numbers = sorted(getattr(c, name) for c in expected)
        view = first[name]
        assert (view["count"], view["minimum"], view["maximum"]) == (60, numbers[0], numbers[-1])
        assert view["mean"] == pytest.approx(sum(numbers) / 60)
        assert view["median"] == (numbers[29] + numbers[30]) / 2
        edges = found[f"{name}_edges"]["values"]
        assert len(edges) == 7
        assert edges == sorted(edges)
        for side in (first, second):
            assert sum(side[name]["histogram"]) == side[name]["count"] == 60
        lowest = sum(number < edges[1] for number in numbers)
        assert view["histogram"][0] == lowest
    assert first["priced"] == second["priced"] == "each exactly"
    assert compare(api, **body, bins=6) == found
    assert compare(api, **body | {"seed": 6}, bins=6) != found


def test_time_bounds_a_sample_and_is_said(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SECONDS", 0.0)
    (first, _) = compare(api, spaces=["nasbench201", "chain"], skeletons=["small", "small"], count=9)["spaces"]
    assert first["params"]["count"] == 1
    assert "1 of 9" in first["priced"]


def test_a_space_without_networks_is_compared_by_size(api: TestClient) -> None:
    layers = {"repeat": {"choice": ["a", "b"]}, "lengths": [3]}
    grammar = {"start": "x", "rules": {"x": {"record": "mystery", "fields": {"layers": layers}}}}
    assert api.post("/v1/spaces", json={"name": "bare", "grammar": grammar}).status_code == 201
    found = compare(api, spaces=["bare", "chain"], skeletons=[None, "small"], count=5)
    assert found["spaces"][0]["sizes"]["raw"]["exact"] == "8"
    assert found["spaces"][0]["params"] is None
    assert found["spaces"][0]["skeleton"] is None
    assert "no skeleton" in found["spaces"][0]["priced"]
    assert found["spaces"][1]["params"]["count"] == 5


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"spaces": ["darts"]}, "/spaces"),
        ({"spaces": ["darts", "nasbench201"], "skeletons": [None, "nowhere"]}, "/skeletons/1"),
        ({"spaces": ["darts", "nasbench201"], "count": 10_000}, "/count"),
    ],
)
def test_what_does_not_fit_is_pointed_at(api: TestClient, body: dict, pointer: str) -> None:
    answer = api.post("/v1/compare", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    unknown = api.post("/v1/compare", json={"spaces": ["darts", "nowhere"]})
    assert unknown.status_code == 404
