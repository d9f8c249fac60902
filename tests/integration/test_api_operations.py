"""The catalogue of operations over HTTP: what they are, and what they cost at a place."""

import pytest
from fastapi.testclient import TestClient

from app.architecture import cost, lower_operation
from app.architecture.vocabulary import BETWEEN_LEVELS, BLOCKS, CATALOGUE, OPERATIONS


def test_the_whole_catalogue_is_listed(api: TestClient) -> None:
    answer = api.get("/v1/operations").json()
    items = {item["name"]: item for item in answer["items"]}
    assert list(items) == sorted(CATALOGUE)
    assert all(item["cost"] is None and item["refusal"] is None for item in items.values())
    kernel = next(field for field in items["conv_5x5"]["fields"] if field["name"] == "kernel")
    assert (kernel["values"], kernel["default"], kernel["fixed"], kernel["unit"]) == ([5], 5, True, "places")
    ratio = next(field for field in items["ffn"]["fields"] if field["name"] == "ratio")
    assert (ratio["values"], ratio["least"], ratio["most"], ratio["default"], ratio["fixed"]) == ([], 1, 16, 4, False)
    assert items["mbconv"]["spelling"].startswith("mb{expansion}_k{kernel}")
    assert {"C", "D", "h", "W", "n"} <= set(answer["letters"])
    detection = {i["name"] for i in api.get("/v1/operations", params={"domain": "detection"}).json()["items"]}
    above = {i["name"] for d in ("classification", "mobile") for i in
             api.get("/v1/operations", params={"domain": d}).json()["items"]}  # fmt: skip
    assert above < detection
    assert {"deform_conv_3x3", "sum", "upsample"} <= detection - above
    merges = api.get("/v1/operations", params={"family": "merge"}).json()["items"]
    assert [item["name"] for item in merges] == ["concat", "global_pool_attention", "sum"]


def test_costs_at_a_place_are_those_of_the_graph(api: TestClient) -> None:
    place = {"channels": 6, "output_channels": 9, "height": 7, "width": 10, "stride": 2}
    items = api.get("/v1/operations", params=place | {"affine": False}).json()["items"]
    told = {item["name"]: item for item in items}
    for name in OPERATIONS:
        if name.startswith("shuffle") or name.endswith("_g2"):
            assert told[name]["cost"] is None
            assert told[name]["refusal"] == "output_channels: a multiple of 2"
            continue
        graph = lower_operation(name, channels=6, width=9, size=(7, 10), stride=2, affine=False)
        total, output = cost(graph), graph.nodes[graph.outputs[0]]
        height, width = output.size
        assert told[name]["refusal"] is None
        assert told[name]["cost"] == {
            "params": total.params,
            "macs": total.macs,
            "activations": total.activations,
            "output": {"channels": len(output.axis), "height": height, "width": width},
        }
    assert told["sum"]["refusal"] == "output_channels: as many as come in, 6"
    assert told["concat"]["refusal"] == "stride: one of 1"


def test_one_operation_with_its_fields(api: TestClient) -> None:
    plain = api.get("/v1/operations/sep_conv_3x3")
    assert plain.status_code == 200
    assert plain.json()["cost"] is None
    assert api.get("/v1/operations/sep_conv_3x3", headers={"If-None-Match": plain.headers["ETag"]}).status_code == 304
    asked = {"channels": 36, "height": 32}
    told = api.get("/v1/operations/sep_conv_3x3", params=asked).json()["cost"]
    assert told["params"] == 2 * 9 * 36 + 2 * 36 * 36 + 4 * 36
    assert told["output"] == {"channels": 36, "height": 32, "width": 32}
    spelt = api.get("/v1/operations/mb4.5_k9_se", params=asked).json()
    fields = ["kernel=9", "expansion=4.5", "se=true"]
    block = api.get("/v1/operations/mbconv", params=asked | {"field": fields}).json()
    assert spelt["cost"] == block["cost"]
    graph = lower_operation("mb4.5_k9_se", channels=36, size=(32, 32))
    assert spelt["cost"]["params"] == cost(graph).params
    assert {field["name"]: field["default"] for field in spelt["fields"] if field["fixed"]} == {
        "kernel": 9, "expansion": 4.5, "se": True, "activation": "relu",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "near"), [("sep_conv_3", "sep_conv_3x3"), ("Conv_7x7", "conv_7x7"), ("mb6-k3", "mb6_k3")]
)
def test_an_unknown_operation_is_404_with_what_is_near(api: TestClient, name: str, near: str) -> None:
    answer = api.get(f"/v1/operations/{name}")
    assert answer.status_code == 404
    detail = answer.json()["detail"]
    assert name in detail
    assert near in detail
    assert api.get("/v1/operations/qqqqqqqq").json()["detail"] == "no operation 'qqqqqqqq'"


@pytest.mark.parametrize(
    ("path", "query", "place", "words"),
    [
        ("", {"width": 4}, "channels", "width=4"),
        ("", {"output_channels": 4}, "channels", "output_channels=4"),
        ("", {"stride": 2}, "channels", "stride=2"),
        ("/shuffle_k3", {"channels": 5}, "channels", "a multiple of 2"),
        ("/sum", {"channels": 4, "output_channels": 5}, "output_channels", "as many as come in, 4"),
        ("/conv_3x3", {"channels": 4, "stride": 3}, "stride", "one of 1, 2"),
        ("/mbconv", {"channels": 4, "field": "kernel=4"}, "field", "an odd number from 1 to 99"),
        ("/mbconv", {"channels": 4, "field": "colour=4"}, "field", "no field 'colour'"),
        ("/conv_3x3", {"channels": 4, "field": "kernel=3"}, "field", "leaves no field 'kernel' open"),
        ("/attention", {"channels": 4, "field": "kind=loud"}, "field", "one of softmax, multi_query, linear"),
    ],
)
def test_a_place_that_does_not_fit_is_named(
    api: TestClient, path: str, query: dict[str, str | int], place: str, words: str
) -> None:
    answer = api.get(f"/v1/operations{path}", params=query)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"/{place}"
    assert words in error["message"]


def test_what_a_route_takes_is_bounded(api: TestClient) -> None:
    for query in ({"channels": 0}, {"channels": 10**9}, {"channels": 4, "height": 5000}, {"channels": "many"}):
        assert api.get("/v1/operations", params=query).status_code == 422
    largest = {"channels": 4096, "height": 1024, "width": 1024, "field": ["kernel=99", "expansion=99", "se=true"]}
    assert 2**50 < api.get("/v1/operations/mbconv", params=largest).json()["cost"]["macs"] < 2**53
    assert set(BLOCKS) | set(BETWEEN_LEVELS) < set(CATALOGUE)


OF_ALL_DOMAINS = (
    *("conv_7x7", "conv_7x1_1x7", "mb4_k7_se_hswish", "shuffle_xception", "deform_conv_5x5", "modulated_conv_3x3"),
    *("attention_h2_d8_post", "ffn_swiglu_r2", "conv_mixer_7x7", "convnext_7x7", "atrous_conv_5x5", "aspp"),
)


def mine(name: str, operations: list[str]) -> dict[str, object]:
    """A document of two layers, either of any of some operations."""
    layers = {"repeat": {"choice": operations}, "lengths": [2]}
    return {
        "name": name,
        "grammar": {"start": "network", "rules": {"network": {"record": "chain", "fields": {"layers": layers}}}},
        "skeletons": {"small": {"family": "chain", "channels": 8, "reductions": [1], "num_classes": 4}},
        "input": {"channels": 3, "height": 16, "width": 16},
    }


def test_a_space_of_ones_own_uses_operations_of_all_domains(api: TestClient) -> None:
    made = api.post("/v1/spaces", json=mine("of-all-domains", list(OF_ALL_DOMAINS)))
    assert made.status_code == 201, made.text
    space = f"of-all-domains@{made.json()['version']}"
    size = api.get(f"/v1/spaces/{space}/size").json()
    assert size["raw"]["exact"] == str(len(OF_ALL_DOMAINS) ** 2)
    for first, second in zip(OF_ALL_DOMAINS, reversed(OF_ALL_DOMAINS), strict=True):
        genotype = {"layers": [first, second]}
        told = api.post(f"/v1/spaces/{space}/cost", json={"genotype": genotype})
        assert told.status_code == 200, told.text
        place = {"channels": 8, "height": 16}
        alone = api.get(f"/v1/operations/{first}", params=place).json()["cost"]["params"]
        place = {"channels": 8, "output_channels": 16, "height": 16, "stride": 2}
        alone += api.get(f"/v1/operations/{second}", params=place).json()["cost"]["params"]
        around = 3 * 9 * 8 + 2 * 8 + 16 * 4 + 4  # stem and classifier
        assert told.json()["params"] == alone + around
        assert api.post(f"/v1/spaces/{space}/draw", json={"genotype": genotype}).status_code == 200


def test_an_unknown_operation_of_a_space_is_named_with_its_place_and_what_is_near(api: TestClient) -> None:
    made = api.post("/v1/spaces", json=mine("misspelt", ["conv_3x3", "sep_conv_3"]))
    assert made.status_code == 201
    assert "near it: 'sep_conv_3x3'" in made.text  # what the space cannot, and why
    told = api.post("/v1/spaces/misspelt/cost", json={"genotype": {"layers": ["conv_3x3", "sep_conv_3"]}})
    assert told.status_code == 422
    (fault,) = told.json()["errors"]
    assert fault["value"] == "sep_conv_3"
    assert fault["pointer"].endswith("/layers/1")
    assert fault["allowed"][0] == "sep_conv_3x3"
    assert "near it: 'sep_conv_3x3'" in fault["message"]
