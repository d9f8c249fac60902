"""Bounds of searches over supernets: what cannot be kept to is refused, with what there is at least."""

from fastapi.testclient import TestClient

SEARCH = {"space": "nasbench201", "dataset": "digits", "retrain_skeleton": "small"}


def refused(api: TestClient, body: dict) -> dict:
    answer = api.post("/v1/searches", json=body)
    assert answer.status_code == 422, answer.json()
    (error,) = answer.json()["errors"]
    return error


def test_bounds_are_those_of_what_is_retrained(api: TestClient) -> None:
    error = refused(api, SEARCH | {"max_params": 10})
    assert error["pointer"] == "/max_params"
    assert error["value"] == 10
    least = int(error["allowed"][0].rpartition(" ")[2])
    assert api.post("/v1/searches", json=SEARCH | {"max_params": least}).status_code == 202
    assert refused(api, SEARCH | {"max_params": least - 1})["allowed"] == error["allowed"]


def test_a_latency_is_that_of_a_device(api: TestClient) -> None:
    assert refused(api, SEARCH | {"max_latency_ms": 3.0})["pointer"] == "/latency_device"
    assert refused(api, SEARCH | {"max_latency_ms": 3.0, "latency_device": "abacus"})["pointer"] == "/latency_device"
    assert refused(api, SEARCH | {"latency_device": "abacus"})["pointer"] == "/latency_device"
