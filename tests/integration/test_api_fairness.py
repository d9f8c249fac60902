"""How unequal options are, over HTTP: figures, chart, a device's table, and what is said of gaps."""

from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from app.architecture import lower
from app.architecture.workload import workload
from app.catalogue import Database, profiles
from app.space.zoo import ZOO

NASBENCH201 = ZOO["nasbench201"]
HERE = "/v1/spaces/nasbench201/fairness"
ROW = {
    "target": "entry",
    "operation": "conv",
    "description": {},
    "params": 1,
    "macs": 1,
    "batch_size": 1,
    "precision": "float32",
    "direction": "forward",
    "device": "water clock",
    "device_type": "cpu",
    "threads": 1,
    "torch_version": "2.13.0",
    "code_version": "test",
    "n": 5,
    "runs": 3,
    "minimum_ms": 0.1,
    "peak_memory_bytes": 1000,
    "memory_method": "by hand",
    "architecture_id": None,
}


def store(api: TestClient, database: Database, times: dict[str, float]) -> None:
    operation = {"operation": "conv_3x3", "channels": 4, "size": [8, 8]}
    job = api.post("/v1/profiles", json={"operations": [operation]}).json()["id"]
    rows = [
        ROW | {"key": key, "entries": {key: 1}, "q1_ms": ms, "median_ms": ms, "q3_ms": ms} for key, ms in times.items()
    ]
    with database.transaction() as session:
        profiles.record(session, job_id=UUID(job), owner="local", visibility="private", rows=rows)


def test_the_figures_of_a_skeleton_named_or_given(api: TestClient) -> None:
    answer = api.get(HERE).json()
    (place,) = answer["places"]
    assert place["decisions"] == [f"/{i}->{j}" for j in (1, 2, 3) for i in range(j)]
    costs = {o["option"]: o["params"] for o in place["options"]}
    assert costs == {
        "none": 0,
        "skip_connect": 0,
        "nor_conv_1x1": 28_000,
        "nor_conv_3x3": 243_040,
        "avg_pool_3x3": 0,
    }
    spread = place["spreads"]["params"]
    assert spread["ratio"] == pytest.approx(8.68)
    assert sum(spread["weights"]) == pytest.approx(5)
    assert sum(spread["inverse"]) == pytest.approx(5)
    assert answer["overall"]["params"]["at"] == "/0->1"
    assert answer["latency"] is None
    assert (answer["method"], answer["samples"], answer["sampling"]) == ("exact expectation", None, None)
    assert {(o["standard_error"], o["samples"]) for o in place["options"]} == {(None, None)}
    assert api.post(HERE, json={"skeleton": "cifar"}).json() == answer
    wide = {"skeleton": {"family": "edge_cells", "channels": 32}}
    (other,) = api.post(HERE, json=wide).json()["places"]
    assert other["options"][3]["macs"] == 4 * place["options"][3]["macs"]


def test_a_chart_is_a_picture_that_carries_the_figures(api: TestClient) -> None:
    answer = api.get(f"{HERE}?form=svg&measure=params&width=375&theme=dark")
    assert answer.headers["content-type"] == "image/svg+xml"
    texts = [text.text for text in ElementTree.fromstring(answer.text).iter("{http://www.w3.org/2000/svg}text")]
    assert {"nor_conv_3x3", "243 k", "28 k", "dearest over cheapest: 8.68"} <= set(texts)
    assert "prefers-color-scheme" not in answer.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"skeleton": "huge"}, "/skeleton"),
        ({"device": "a device that nobody has"}, "/device"),
        ({"form": "svg", "measure": "latency_ms"}, "/device"),
        ({"measure": "flops"}, "/measure"),
        ({"form": "svg", "width": 10}, "/width"),
    ],
)
def test_what_cannot_be_answered_is_pointed_at(api: TestClient, body: dict[str, Any], pointer: str) -> None:
    answer = api.post(HERE, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.slow
def test_where_decisions_hang_together_too_much_differences_are_sampled(
    api: TestClient, api_database: Database
) -> None:
    asked = "/v1/spaces/nasbench101/fairness"
    answer = api.get(asked).json()
    assert answer["method"] == "sampled differences to the cheapest option"
    assert answer["samples"] > 4
    assert answer["sampling"]["seed"] == 0
    assert answer["latency"] is None
    (place,) = (p for p in answer["places"] if p["decisions"] == ["/cell/5/v1"])
    by_name = {o["option"]: o for o in place["options"]}
    one, three, pool = (by_name[n] for n in ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"))
    assert three["macs"] > one["macs"] > pool["macs"] == 0
    assert one["standard_error"]["macs"] > 0 == pool["standard_error"]["macs"]
    assert one["samples"] >= 4
    assert place["spreads"]["macs"]["weights"] == pytest.approx([0.3, 2.7, 0])
    assert api.post(asked, json={"seed": 0}).json() == answer
    assert "sampled" in api.get(f"{asked}?form=svg").text

    store(api, api_database, {"of no use": 1.0})
    refused = api.get(f"{asked}?device=water clock")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/device"
    assert "nasbench101 hang together" in refused.json()["detail"]
    search = {"space": "nasbench101", "dataset": "digits", "skeleton": "cifar"}
    pressed = api.post("/v1/searches?dry_run=true", json=search | {"pressure": {"cost": "macs", "strength": 0.5}})
    assert pressed.status_code == 422
    assert pressed.json()["errors"][0]["pointer"] == "/pressure"


def test_a_table_adds_latencies_and_says_what_it_lacks(api: TestClient, api_database: Database) -> None:
    graph = lower(NASBENCH201.grammar, NASBENCH201.skeletons["small"], NASBENCH201.input)
    entries = {entry.key: entry for *_, entry in workload(graph)}
    # pooling takes longest although it multiplies nothing; a wide kernel no longer than a narrow one
    times = {key: 3.0 if entry.op == "avg_pool" else 0.5 for key, entry in entries.items()}
    first = next(key for key, entry in entries.items() if entry.op == "avg_pool")
    store(api, api_database, {key: ms for key, ms in times.items() if key != first})
    asked = {"skeleton": "small", "device": "water clock"}
    gap = api.post(HERE, json=asked).json()
    assert gap["latency"]["missing"] == [first]
    assert gap["latency"]["needed"] == len(entries)
    assert "latency_ms" not in gap["overall"]
    by_name = {o["option"]: o["latency_ms"] for o in gap["places"][0]["options"]}
    assert by_name["avg_pool_3x3"] is None
    assert by_name["nor_conv_3x3"] is not None

    store(api, api_database, {first: 3.0})
    full = api.post(HERE, json=asked).json()
    (place,) = full["places"]
    by_name = {o["option"]: o["latency_ms"] for o in place["options"]}
    assert full["latency"]["missing"] == []
    assert by_name["avg_pool_3x3"] > by_name["nor_conv_3x3"] == pytest.approx(by_name["nor_conv_1x1"])
    assert full["latency"]["options"] == 5
    assert place["kendall"] == full["latency"]["kendall"] < 0.7
    assert -1 <= full["latency"]["spearman"] < 1
    assert full["overall"]["latency_ms"]["greatest"] > 1
    chart = api.post(HERE, json=asked | {"form": "svg", "measure": "latency_ms"})
    assert "on water clock" in chart.text
