"""A supernet search and its replay, both run whole: the weights of the decisions are equal to the last bit."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.catalogue import Database
from app.settings import Settings
from tests.integration.recorded import run_next

BODY: dict[str, Any] = {
    "space": "nasbench201",
    "dataset": "digits",
    "skeleton": {"family": "edge_cells", "channels": 4, "num_cells": 1},
    "retrain_skeleton": {"family": "edge_cells", "channels": 4, "num_cells": 1},
    "recipe": {"epochs": 2, "batch_size": 64, "deterministic": True},
    "retrain_recipe": {"epochs": 1, "batch_size": 64, "deterministic": True},
    "seed": 5,
    "device": "cpu",
}


@pytest.mark.slow
def test_a_supernet_search_comes_to_the_same(api: TestClient, api_settings: Settings, api_database: Database) -> None:
    first = api.post("/v1/searches", json=BODY).json()["id"]
    run_next(api_settings, api_database, first)
    again = api.post(f"/v1/searches/{first}/replay").json()["id"]
    run_next(api_settings, api_database, again)
    found = api.get(f"/v1/searches/{again}/replay").json()
    assert found["identical"] is True, found
    assert (found["equal_steps"], found["compared"]) == (2, ["trajectory", "genotype", "report"])
    assert {condition["name"]: condition["same"] for condition in found["conditions"]} == {
        "code_version": True,
        "torch_version": True,
        "device": True,
        "order of sums": True,
    }
    row = api.get(f"/v1/searches/{again}/provenance").json()
    assert (row["replays"], row["state"]) == (first, "succeeded")
    assert row["torch_version"]
    other = api.post("/v1/searches", json=BODY | {"seed": 6}).json()["id"]
    run_next(api_settings, api_database, other)
    trajectories = [api.get(f"/v1/searches/{id}/trajectory").json()["items"] for id in (first, again, other)]
    assert trajectories[0] == trajectories[1] != trajectories[2]
    items = {item["number"]: item for item in api.get(f"/v1/searches/{first}/checklist").json()["items"]}
    assert (items["s3"]["answer"], items["2f"]["answer"], items["3b"]["answer"]) == ("yes", "yes", "yes")
