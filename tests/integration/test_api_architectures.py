"""Architectures of the catalogue over HTTP."""

import ast
import copy

import pytest
from fastapi.testclient import TestClient

from app.api.examples import DARTS_V2, TINY
from app.space.zoo import ZOO

IMAGE = {"channels": 1, "height": 8, "width": 8}
SMALL = {"space": "darts", "genotype": DARTS_V2, "skeleton": TINY, "input": IMAGE}


def test_an_architecture_is_stored_once(api: TestClient) -> None:
    created = api.post("/v1/architectures", json=SMALL | {"genotype": ZOO["darts"].plan.unrank(5)})
    assert created.status_code == 201
    found = created.json()
    assert len(found["id"]) == 32
    assert created.headers["location"] == f"/v1/architectures/{found['id']}"
    again = api.post("/v1/architectures", json=SMALL | {"genotype": ZOO["darts"].plan.unrank(5)})
    assert again.status_code == 200
    assert again.json() == found
    assert api.get(found["links"]["self"]).json() == found
    assert found["space"] == ZOO["darts"].identity
    assert found["index"] == "5"


def test_relabelled_genotypes_are_one_architecture(api: TestClient) -> None:
    # Nodes 3 and 4 read only the cell's inputs and nothing reads them: only their labels are exchanged.
    swapped = copy.deepcopy(DARTS_V2)
    swapped["normal"]["node3"], swapped["normal"]["node4"] = DARTS_V2["normal"]["node4"], DARTS_V2["normal"]["node3"]
    assert ZOO["darts"].plan.rank(swapped) != ZOO["darts"].plan.rank(DARTS_V2)
    first = api.post("/v1/architectures", json=SMALL).json()
    second = api.post("/v1/architectures", json=SMALL | {"genotype": swapped})
    assert second.status_code == 200
    assert second.json()["id"] == first["id"]


def test_another_skeleton_or_image_is_another_architecture(api: TestClient) -> None:
    ids = {
        api.post("/v1/architectures", json=SMALL | change).json()["id"]
        for change in (
            {},
            {"skeleton": TINY | {"channels": 4}},
            {"input": IMAGE | {"channels": 3}},
            {"skeleton": "cifar"},
        )
    }
    assert len(ids) == 4


def test_it_can_be_drawn_and_exported(api: TestClient) -> None:
    links = api.post("/v1/architectures", json=SMALL).json()["links"]
    svg = api.get(links["svg"])
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert "<svg" in svg.text
    export = api.get(links["export"]).json()
    nodes = export["graph"]["nodes"]
    assert sum(node["params"] for node in nodes) == export["architecture"]["params"]
    known: set[str] = set()
    for node in nodes:
        assert set(node["inputs"]) <= known
        known.add(node["name"])
    assert set(export["graph"]["outputs"]) <= known
    logits = next(node for node in nodes if node["name"] == export["graph"]["outputs"][0])
    assert logits["channels"] == 10
    assert api.get(links["evaluations"]).json() == {"items": [], "next": None}


def test_it_can_be_exported_as_a_file_of_python(api: TestClient) -> None:
    view = api.post("/v1/architectures", json=SMALL).json()
    answer = api.get(view["links"]["self"] + "/export", params={"format": "python"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/x-python")
    assert answer.headers["content-disposition"] == f'attachment; filename="{view["id"]}.py"'
    tree = ast.parse(answer.text)
    assert "Network" in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    text = ast.get_docstring(tree) or ""
    for said in (view["id"], view["space"]["digest"], f"params: {view['params']:,}", f"MACs: {view['macs']:,}"):
        assert said in text


def test_it_can_be_exported_for_graphviz(api: TestClient) -> None:
    links = api.post("/v1/architectures", json=SMALL).json()["links"]
    answer = api.get(links["self"] + "/export", params={"format": "dot"})
    assert answer.headers["content-type"].startswith("text/vnd.graphviz")
    nodes = api.get(links["export"]).json()["graph"]["nodes"]
    assert answer.text.count(" -> ") == sum(len(node["inputs"]) for node in nodes)
    assert all(f'"{node["name"]}" [label=' in answer.text for node in nodes)


@pytest.mark.parametrize("part", ["", ".svg", "/evaluations", "/export"])
@pytest.mark.parametrize("identity", ["0" * 32, "nowhere", "%00"])
def test_an_unknown_architecture_is_a_404(api: TestClient, part: str, identity: str) -> None:
    answer = api.get(f"/v1/architectures/{identity}{part}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_known_formats_are_exported(api: TestClient) -> None:
    links = api.post("/v1/architectures", json=SMALL).json()["links"]
    answer = api.get(links["self"] + "/export", params={"format": "pickle"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/format"


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"space": "nowhere"}, 404, None),
        ({"space": "../etc/passwd"}, 422, "/space"),
        ({"genotype": {}}, 422, "/genotype/normal"),
        ({"skeleton": "nowhere"}, 422, "/skeleton"),
        ({"id": "0" * 32}, 422, "/id"),
    ],
)
def test_what_cannot_be_catalogued_is_refused(api: TestClient, change: dict, status: int, pointer: str | None) -> None:
    answer = api.post("/v1/architectures", json=SMALL | change)
    assert answer.status_code == status
    assert pointer is None or answer.json()["errors"][0]["pointer"] == pointer
