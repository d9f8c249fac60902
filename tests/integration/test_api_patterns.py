"""Connectivity patterns over HTTP: their counts, and the same counts of the spaces that they build."""

import pytest
from fastapi.testclient import TestClient

from app.space.patterns import PATTERNS

OPERATIONS = ["conv_3x3", "skip_connect", "max_pool_3x3"]


def test_the_numbers_that_make_the_case_for_cells(api: TestClient) -> None:
    query = {"operations": 7, "layers": 20, "blocks": 4}
    case = api.get("/v1/patterns", params=query).json()["case_for_cells"]
    assert case["network"]["exact"] == str(7**20)
    assert case["cell"]["exact"] == str(7**4)
    assert case["log10_ratio"] == pytest.approx(case["network"]["log10"] - case["cell"]["log10"])


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_in_a_document_has_the_size_of_its_formula(api: TestClient, name: str) -> None:
    items = api.get("/v1/patterns", params={"operations": 3, "nodes": 3}).json()["items"]
    listed = {item["name"]: item for item in items}
    term = {"pattern": name, "nodes": 3, "operations": OPERATIONS}
    if name == "cell":
        root = {"record": "cells", "fields": {"normal": term}}
    else:
        root = {"record": "free", "fields": {"body": term}}
    document = {"name": f"pattern-{name}", "grammar": {"start": "net", "rules": {"net": root}}}
    size = api.post("/v1/size", json={"space": document})
    assert size.status_code == 200, size.text
    assert size.json()["raw"]["exact"] == listed[name]["size"]["exact"]
    assert api.post("/v1/spaces", json=document).status_code == 201


def test_more_nodes_than_a_pattern_has_are_not_counted(api: TestClient) -> None:
    listed = {i["name"]: i["size"] for i in api.get("/v1/patterns", params={"nodes": 20}).json()["items"]}
    assert listed["tree"] is None
    assert listed["chain"]["exact"] == str(7**20)
    assert api.get("/v1/patterns", params={"nodes": 1001}).status_code == 422
