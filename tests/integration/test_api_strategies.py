"""GET /v1/strategies: what a search may ask for is what is described."""

from typing import Any, get_args

import pytest
from fastapi.testclient import TestClient

from app.experiment import DISCRETE_STRATEGIES, Strategy


@pytest.fixture
def described(api: TestClient) -> dict[str, Any]:
    return {item["name"]: item for item in api.get("/v1/strategies").json()["items"]}


def test_every_strategy_is_described(described: dict[str, Any]) -> None:
    assert list(described) == [*get_args(Strategy), *DISCRETE_STRATEGIES]
    assert {name for name, item in described.items() if item["draws"] == "weights"} == {*get_args(Strategy)}
    for name, declared in DISCRETE_STRATEGIES.items():
        item = described[name]
        assert (item["title"], item["paper"]) == (declared.title, declared.paper)
        assert [need["name"] for need in item["needs"]] == list(declared.needs)
        assert all(need["meaning"] for need in item["needs"])
        found = {p["name"]: (p["default"], p["least"], p["most"], p["values"]) for p in item["parameters"]}
        assert found == {p.name: (p.default, p.least, p.most, []) for p in declared.parameters}


def test_parameters_that_bound_each_other_say_so(described: dict[str, Any]) -> None:
    bananas = {p["name"]: p["description"] for p in described["bananas"]["parameters"]}
    assert bananas["chosen"].endswith("; at most `candidates`")
    assert "at most" not in bananas["candidates"]


def test_what_is_described_is_what_a_search_may_ask_for(api: TestClient, described: dict[str, Any]) -> None:
    """Each number a step beyond its bounds, and each name that is not there, is refused and the bounds are named."""
    for name in DISCRETE_STRATEGIES:
        for parameter in described[name]["parameters"]:
            for value in (parameter["least"] - 1, parameter["most"] + 1):
                answer = asked(api, name, {parameter["name"]: value})
                (error,) = answer["errors"]
                assert error["pointer"].startswith("/parameters"), answer
                assert f"{parameter['least']} to {parameter['most']}" in error["message"]
        (error,) = asked(api, name, {"populace": 1})["errors"]
        assert error["pointer"] == "/parameters/populace"


def asked(api: TestClient, strategy: str, parameters: dict[str, int]) -> Any:
    evaluator = {"kind": "proxies", "dataset": "digits"}
    body = {"space": "nasbench201", "strategy": strategy, "parameters": parameters, "evaluator": evaluator, "budget": 5}
    answer = api.post("/v1/searches", params={"dry_run": True}, json=body)
    assert answer.status_code == 422, answer.text
    return answer.json()
