"""Questions about a genotype, each with its batch."""

import copy

import pytest
from fastapi.testclient import TestClient

from app.api.examples import BROKEN, DARTS_V2, TINY
from app.space.zoo import ZOO

QUESTIONS = ("neighbours", "canonical", "cost", "draw")
ODD = [
    None,
    True,
    3,
    -1.5,
    2**70,
    "",
    "x",
    [],
    [[]],
    {},
    {"normal": 1},
    {"normal": {}, "reduce": [], "": None},
    "\ud800",
]


def ask(api: TestClient, question: str, body: dict, space: str = "darts"):
    return api.post(f"/v1/spaces/{space}/{question}", json=body)


def test_a_member_has_a_rank_and_a_canonical_id(api: TestClient) -> None:
    answer = ask(api, "validate", {"genotype": DARTS_V2}).json()
    assert answer["valid"] is True
    assert answer["errors"] == []
    assert answer["repair"] is None
    assert int(answer["index"]) == ZOO["darts"].plan.rank(DARTS_V2)
    assert answer["canonical_id"].startswith(ZOO["darts"].digest[:16] + "-")
    assert answer["space"] == ZOO["darts"].identity


def test_every_fault_is_named_with_its_place_and_a_repair(api: TestClient) -> None:
    answer = ask(api, "validate", {"genotype": BROKEN})
    assert answer.status_code == 200
    found = answer.json()
    assert found["valid"] is False
    assert found["index"] is None
    pointers = [fault["pointer"] for fault in found["errors"]]
    assert len(pointers) >= 2
    assert any(pointer.startswith("/normal/node3") for pointer in pointers)
    assert "/normal/node5/0/op" in pointers
    misspelt = next(fault for fault in found["errors"] if fault["pointer"] == "/normal/node5/0/op")
    assert misspelt["value"] == "skip_conect"
    assert "skip_connect" in misspelt["allowed"]
    assert ask(api, "validate", {"genotype": found["repair"]}).json()["valid"] is True


@pytest.mark.parametrize("genotype", ODD, ids=repr)
def test_any_json_is_answered(api: TestClient, genotype: object) -> None:
    # Written by hand: the client's own encoder refuses a lone surrogate.
    text = '{"genotype": "\\ud800"}' if genotype == "\ud800" else None
    body = (
        {"content": text, "headers": {"content-type": "application/json"}} if text else {"json": {"genotype": genotype}}
    )
    answer = api.post("/v1/spaces/darts/validate", **body)
    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert answer.json()["errors"]
    assert ask(api, "validate", {"genotype": answer.json()["repair"]}).json()["valid"] is True
    for question in QUESTIONS:
        refused = api.post(f"/v1/spaces/darts/{question}", **body)
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:cellar:problem:invalid-genotype"
        assert all(fault["pointer"].startswith("/genotype") for fault in refused.json()["errors"])


def test_neighbours_are_members_one_decision_away(api: TestClient) -> None:
    answer = ask(api, "neighbours", {"genotype": DARTS_V2}).json()
    assert answer["complete"] is True
    indices = [int(item["index"]) for item in answer["items"]]
    assert len(indices) == len(set(indices)) == len(list(ZOO["darts"].plan.neighbours(DARTS_V2)))
    assert int(answer["index"]) not in indices
    cut = ask(api, "neighbours", {"genotype": DARTS_V2, "limit": 3}).json()
    assert cut["items"] == answer["items"][:3]
    assert cut["complete"] is False


def test_a_relabelled_cell_has_the_same_canonical_form(api: TestClient) -> None:
    # Nodes 3 and 4 of the normal cell read only the cell's inputs, and nothing after them reads either: swapped.
    swapped = copy.deepcopy(DARTS_V2)
    swapped["normal"]["node3"], swapped["normal"]["node4"] = DARTS_V2["normal"]["node4"], DARTS_V2["normal"]["node3"]
    first = ask(api, "canonical", {"genotype": DARTS_V2}).json()
    second = ask(api, "canonical", {"genotype": swapped}).json()
    assert (
        ask(api, "validate", {"genotype": swapped}).json()["index"] != first["index"]
        or first["index"] == second["index"]
    )
    assert first == second
    assert first["canonical_id"].endswith("-" + first["index"])


def test_the_cost_is_the_published_one(api: TestClient) -> None:
    answer = ask(api, "cost", {"genotype": DARTS_V2, "skeleton": "cifar"}).json()
    # quark0/darts, DARTS_V2 at 36 channels and 20 cells without its auxiliary head.
    assert (answer["params"], answer["macs"]) == (3_349_342, 528_359_040)
    assert sum(node["params"] for node in answer["by_node"]) == answer["params"]
    assert sum(node["macs"] for node in answer["by_node"]) == answer["macs"]
    assert ask(api, "cost", {"genotype": DARTS_V2}).json() == answer
    short = ask(api, "cost", {"genotype": DARTS_V2, "by_node": False}).json()
    assert short == answer | {"by_node": [], "receptive_field": None}


def test_a_receptive_field_is_told_where_it_is_asked_for(api: TestClient) -> None:
    # 3x3 stem; a normal cell adds 8 places (sep_conv_3x3, then dil_conv_3x3), a reduction 2, of 1, 2 and 4 pixels each
    extent = 1 + 2 + 6 * 8 + 2 + 2 * (6 * 8 + 2) + 4 * 6 * 8
    field = {"height": extent, "width": extent, "covers_input": True}
    assert ask(api, "cost", {"genotype": DARTS_V2}).json()["receptive_field"] == field
    short = ask(api, "cost", {"genotype": DARTS_V2, "by_node": False, "receptive_field": True}).json()
    assert (short["by_node"], short["receptive_field"]) == ([], field)
    nodes = ask(api, "cost", {"genotype": DARTS_V2, "receptive_field": False}).json()
    assert nodes["receptive_field"] is None
    assert nodes["by_node"]
    large = {"genotype": DARTS_V2, "skeleton": TINY, "input": {"channels": 1, "height": 64, "width": 200}}
    found = ask(api, "cost", large).json()["receptive_field"]
    assert found["height"] == found["width"] < 200
    assert found["covers_input"] is False


def test_a_skeleton_and_an_image_can_be_given(api: TestClient) -> None:
    body = {"genotype": DARTS_V2, "skeleton": TINY, "input": {"channels": 1, "height": 8, "width": 8}}
    small = ask(api, "cost", body).json()
    assert small["skeleton"]["num_cells"] == 3
    assert small["input"] == {"channels": 1, "height": 8, "width": 8}
    assert small["params"] < 30_000


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"skeleton": "nowhere"}, "/skeleton"),
        ({"skeleton": {"family": "mystery"}}, "/skeleton"),
        ({"skeleton": {"family": "cells", "channels": 0}}, "/skeleton/channels"),
        ({"skeleton": {"family": "cells", "num_cells": 10**9}}, "/skeleton/num_cells"),
        ({"skeleton": {"family": "cells", "owner": 1}}, "/skeleton/owner"),
        ({"skeleton": {"family": "edge_cells"}}, "/skeleton/family"),
        ({"skeleton": 7}, "/skeleton"),
        ({"input": {"height": 0}}, "/input/height"),
        ({"format": "pickle"}, "/format"),
        ({"fence": 3}, "/fence"),
    ],
)
def test_what_does_not_fit_is_pointed_at(api: TestClient, body: dict, pointer: str) -> None:
    answer = ask(api, "cost", {"genotype": DARTS_V2} | body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_a_missing_genotype_is_pointed_at(api: TestClient) -> None:
    answer = ask(api, "validate", {})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/genotype"


def test_drawings_are_pictures_or_text(api: TestClient) -> None:
    picture = ask(api, "draw", {"genotype": DARTS_V2})
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "<svg" in picture.text
    network = ask(api, "draw", {"genotype": DARTS_V2, "skeleton": TINY})
    assert network.status_code == 200
    assert network.text != picture.text
    text = ask(api, "draw", {"genotype": DARTS_V2, "form": "text"})
    assert text.headers["content-type"].startswith("text/plain")
    assert "sep_conv_3x3" in text.text


def test_drawings_are_graphs_for_other_tools(api: TestClient) -> None:
    """Of the cells alone, on a skeleton of the whole network."""
    for more, edge in (({}, '"normal cell/0" -> "normal cell/2"'), ({"skeleton": TINY}, '"stem/conv" -> "stem/norm"')):
        dot = ask(api, "draw", {"genotype": DARTS_V2, "form": "dot"} | more)
        assert dot.headers["content-type"].startswith("text/vnd.graphviz")
        assert dot.text.startswith("digraph")
        assert edge in dot.text
        graph = ask(api, "draw", {"genotype": DARTS_V2, "form": "json"} | more)
        assert graph.headers["content-type"] == "application/json"
        edges = graph.json()["edges"]
        assert edge in {f'"{e["source"]}" -> "{e["target"]}"' for e in edges}
        assert len(edges) == dot.text.count(" -> ")


@pytest.mark.parametrize("question", ["validate", *QUESTIONS])
def test_a_batch_answers_in_order_with_a_status_each(api: TestClient, question: str) -> None:
    extra = {"by_node": False} if question == "cost" else {}
    items = [{"genotype": g} | extra for g in (DARTS_V2, BROKEN, ZOO["darts"].plan.unrank(12))]
    answer = api.post(f"/v1/spaces/darts/{question}/batch", json={"items": items})
    assert answer.status_code == 200
    found = answer.json()
    assert [entry["status"] for entry in found["items"]] == [200, 200 if question == "validate" else 422, 200]
    alone = [ask(api, question, item) for item in items]
    for entry, single in zip(found["items"], alone, strict=True):
        assert entry["status"] == single.status_code
        if entry["status"] == 200 and question != "draw":
            assert entry["answer"] == single.json()
        elif entry["status"] == 200:
            assert entry["answer"]["drawing"] == single.text
        else:
            assert entry["answer"] is None
            assert entry["problem"]["errors"] == single.json()["errors"]


@pytest.mark.parametrize(
    ("question", "cap"), [("validate", 1000), ("neighbours", 20), ("canonical", 200), ("cost", 50), ("draw", 20)]
)
def test_a_batch_has_a_cap(api: TestClient, question: str, cap: int) -> None:
    for count in (0, cap + 1):
        answer = api.post(f"/v1/spaces/nasbench201/{question}/batch", json={"items": [{"genotype": 0}] * count})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/items"
    full = api.post(f"/v1/spaces/nasbench201/{question}/batch", json={"items": [{"genotype": 0}] * cap})
    assert full.status_code == 200
    assert len(full.json()["items"]) == cap


def test_a_hostile_genotype_is_answered_in_bounds(api: TestClient) -> None:
    answer = ask(api, "validate", {"genotype": {f"k{i}": 1 for i in range(5000)}})
    assert answer.status_code == 200
    errors = answer.json()["errors"]
    assert len(errors) == 1001
    assert "further faults are not listed" in errors[-1]["message"]
    refused = ask(api, "cost", {"genotype": {f"k{i}": 1 for i in range(5000)}})
    assert refused.status_code == 422
    assert len(refused.json()["errors"]) == 1001


def test_answers_about_a_space_of_large_genotypes_are_bounded(api: TestClient) -> None:
    layers = {"repeat": {"choice": ["conv_3x3", "skip_connect"]}, "lengths": [999]}
    rules = {"chain": {"record": "chain", "fields": {"layers": layers}}}
    document = {"name": "deep", "grammar": {"start": "chain", "rules": rules}}
    assert api.post("/v1/spaces", json=document).status_code == 201
    few = api.post("/v1/spaces/deep/sample", json={"count": 3})
    assert few.status_code == 200
    assert [len(item["genotype"]["layers"]) for item in few.json()["items"]] == [999] * 3
    many = api.post("/v1/spaces/deep/sample", json={"count": 1000})
    assert many.status_code == 422
    assert many.json()["errors"][0]["pointer"] == "/count"
    assert len(api.get("/v1/spaces/deep/members", params={"limit": 2}).json()["items"]) == 2
    member = few.json()["items"][0]["genotype"]
    assert ask(api, "validate", {"genotype": member}, "deep").json()["index"] == few.json()["items"][0]["index"]
    wide = ask(api, "neighbours", {"genotype": member, "limit": 1000}, "deep")
    assert wide.status_code == 422
    assert wide.json()["errors"][0]["pointer"] == "/limit"
