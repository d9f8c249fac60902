"""Drawings over HTTP: themes, widths, and whole spaces."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.space.zoo import ZOO

CHAIN: dict[str, Any] = {"layers": ["conv_3x3"] * 8}
DOCUMENTS = sorted((Path(__file__).parents[2] / "docs" / "spaces").glob("*.json"))


def width_of(svg: str) -> float:
    return float(ET.fromstring(svg).attrib["width"])


def test_a_picture_is_laid_out_for_a_width_in_a_theme(api: TestClient) -> None:
    skeleton = next(iter(ZOO["chain"].skeletons))
    asked = {"genotype": CHAIN, "skeleton": skeleton}
    wide = api.post("/v1/spaces/chain/draw", json=asked)
    narrow = api.post("/v1/spaces/chain/draw", json=asked | {"width": 390, "theme": "dark"})
    assert width_of(wide.text) > 600
    assert width_of(narrow.text) <= 390
    assert "prefers-color-scheme" in wide.text
    assert "prefers-color-scheme" not in narrow.text
    index = api.post("/v1/spaces/chain/validate", json={"genotype": CHAIN}).json()["index"]
    linked = api.get(f"/v1/spaces/chain/members/{index}/svg?width=390&theme=dark&skeleton={skeleton}")
    assert linked.text == narrow.text


@pytest.mark.parametrize(
    ("field", "value", "allowed"), [("width", 319, "320"), ("width", 4001, "4000"), ("theme", "sepia", "light")]
)
def test_what_no_picture_can_be_is_said(api: TestClient, field: str, value: object, allowed: str) -> None:
    body = {"genotype": CHAIN, field: value}
    for answer in (
        api.post("/v1/spaces/chain/draw", json=body),
        api.get("/v1/spaces/chain/svg", params={field: str(value)}),
    ):
        assert answer.status_code == 422
        error = answer.json()["errors"][0]
        assert error["pointer"].endswith(f"/{field}")
        assert allowed in str(error)


def test_a_whole_space_is_a_picture_that_is_asked_for_again(api: TestClient) -> None:
    """A version never changes; how it is drawn may, so that a picture is never kept unasked."""
    for picture in ("/v1/spaces/darts@1/svg", "/v1/spaces/darts@1/members/42/svg"):
        assert api.get(picture).headers["cache-control"] == "no-cache"
    answer = api.get("/v1/spaces/darts/svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    again = api.get("/v1/spaces/darts/svg", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    texts = [element.text for element in ET.fromstring(answer.text).iter("{http://www.w3.org/2000/svg}text")]
    assert {"node5/4/op [A]", "node5: 2 of 5", "[A]: one of 7", "sep_conv_5x5"} <= set(texts)
    assert api.get("/v1/spaces/nothing/svg").status_code == 404


def test_a_registered_space_is_drawn(api: TestClient) -> None:
    document = json.loads(DOCUMENTS[0].read_text())
    name = api.post("/v1/spaces", json=document).json()["name"]
    assert name not in ZOO
    answer = api.get(f"/v1/spaces/{name}/svg?width=390&theme=light")
    assert answer.status_code == 200
    assert width_of(answer.text) <= 390


def test_a_supernet_is_a_graph_with_conditions(api: TestClient) -> None:
    found = api.get("/v1/spaces/darts/supernet", params={"skeleton": "small"}).json()
    open_edges = [edge for edge in found["edges"] if edge["guard"] is not None]
    assert "/normal/node2/0/op = sep_conv_3x3" in {edge["when"] for edge in open_edges}
    assert all(edge["guard"] < len(found["graph"]["guards"]) for edge in open_edges)
    assert len(found["graph"]["decisions"]) == 2 * (2 + 3 + 4 + 5) + 2 * 3  # edges, and nodes that read two of more
    dot = api.get("/v1/spaces/darts/supernet", params={"skeleton": "small", "form": "dot"})
    assert dot.headers["content-type"].startswith("text/vnd.graphviz")
    assert dot.text.count(" -> ") == len(found["edges"])
    assert dot.text.count("if /") == len(open_edges)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [({"skeleton": "small"}, "/skeleton"), ({"skeleton": "none"}, "/skeleton"), ({"form": "svg"}, "/form")],
)
def test_what_is_no_supernet_that_travels_is_said(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, query: dict[str, str], pointer: str
) -> None:
    monkeypatch.setattr("app.api.supernets.NODES", 100)  # that of a chain has 148
    answer = api.get("/v1/spaces/chain/supernet", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_batch_holds_few_graphs_of_whole_networks(api: TestClient) -> None:
    """Such a graph may have megabytes; pictures and graphs of cells have kilobytes."""
    graph = {"genotype": CHAIN, "form": "json", "skeleton": "small"}
    others = [graph | {"form": "svg"}, {"genotype": CHAIN, "form": "dot"}]
    fits = api.post("/v1/spaces/chain/draw/batch", json={"items": [graph] * 4 + others * 4}).json()
    assert {item["status"] for item in fits["items"]} == {200}
    refused = api.post("/v1/spaces/chain/draw/batch", json={"items": [graph] * 4 + [graph | {"form": "dot"}]})
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "/items"
    assert "5 items ask for graphs on a skeleton; at most 4" in fault["message"]


def test_markup_in_a_name_is_text_and_a_supernet_without_a_meaning_says_where(api: TestClient) -> None:
    layers = {"repeat": {"choice": ["conv_3x3", '<b>&"]]>']}, "lengths": [2]}
    document = {
        "name": "marked-up",
        "skeletons": {"small": {"family": "chain", "channels": 8}},
        "grammar": {"start": "network", "rules": {"network": {"record": "chain", "fields": {"layers": layers}}}},
    }
    assert api.post("/v1/spaces", json=document).status_code == 201
    for picture in (
        api.get("/v1/spaces/marked-up/svg"),
        api.post("/v1/spaces/marked-up/draw", json={"genotype": {"layers": ['<b>&"]]>'] * 2}}),
    ):
        texts = [element.text for element in ET.fromstring(picture.text).iter("{http://www.w3.org/2000/svg}text")]
        assert '<b>&"]]>' in texts
    refused = api.get("/v1/spaces/marked-up/supernet")
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert (fault["pointer"], fault["value"]) == ("/skeleton/layers/0", '<b>&"]]>')
