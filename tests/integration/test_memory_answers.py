"""Peak memory over HTTP: the parts add up, batches answer alike, dry runs of trainings agree."""

import random
from typing import Any

from fastapi.testclient import TestClient

from app.architecture import lower
from app.architecture.memory import peak_memory
from app.space.zoo import ZOO

Json = Any

SPACE = ZOO["nasbench201"]
GENOTYPE = SPACE.plan.sample(random.Random(3), 1)[0]
PARTS = ("parameters", "buffers", "gradients", "optimiser_state", "activations")


def asked(api: TestClient, **question: Json) -> Json:
    answer = api.post("/v1/spaces/nasbench201/memory", json={"genotype": GENOTYPE, "skeleton": "small"} | question)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert sum(found[part] for part in PARTS) == found["peak_memory_bytes"]
    return found


def test_the_answer_is_that_of_the_graph(api: TestClient) -> None:
    found = asked(api, batch_size=5, direction="training", optimiser="adam", precision="bfloat16")
    graph = lower(SPACE.grammar, SPACE.skeletons["small"], SPACE.input, SPACE.plan.read(GENOTYPE))
    held = peak_memory(graph, batch_size=5, direction="training", optimiser="adam", precision="bfloat16")
    assert found["peak_memory_bytes"] == held.total
    assert found["optimiser_state"] == 2 * found["parameters"]
    assert [node["bytes"] for node in found["largest"]] == [node.bytes for node in held.largest]
    inference = asked(api, batch_size=5)
    assert inference["optimiser"] is None
    assert inference["peak_memory_bytes"] < found["peak_memory_bytes"]


def test_what_cannot_be_is_refused_by_its_place(api: TestClient) -> None:
    question = {"genotype": GENOTYPE, "skeleton": "small", "batch_size": 0, "precision": "float8"}
    refused = api.post("/v1/spaces/nasbench201/memory", json=question)
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/batch_size", "/precision"}


def test_a_batch_answers_in_order(api: TestClient) -> None:
    items = [
        {"genotype": genotype, "skeleton": "small", "batch_size": n}
        for genotype, n in ((GENOTYPE, 1), ({}, 1), (GENOTYPE, 2))
    ]
    answers = api.post("/v1/spaces/nasbench201/memory/batch", json={"items": items}).json()["items"]
    assert [answer["status"] for answer in answers] == [200, 422, 200]
    assert answers[0]["answer"] == asked(api, batch_size=1)


def test_a_dry_run_of_a_training_tells_what_it_will_hold(api: TestClient) -> None:
    body = {"space": "nasbench201", "dataset": "digits", "genotype": GENOTYPE, "skeleton": "small"}
    [network] = api.post("/v1/trainings", params={"dry_run": True}, json=body).json()["networks"]
    step = asked(
        api,
        batch_size=64,
        direction="training",
        skeleton=network["skeleton"],
        input={"channels": 1, "height": 8, "width": 8},
    )
    assert network["peak_memory_bytes"] == step["peak_memory_bytes"]
