"""Spaces that come and go leave nothing behind."""

import gc
import tracemalloc

import pytest
from fastapi.testclient import TestClient

from app.api.examples import MINE
from app.api.shelf import SpaceShelf
from app.main import create_app
from app.settings import Settings

FULL = 66  # spaces after which every cache is full: they hold up to 64
MORE = 34
A_SPACE = 4_000  # bytes that one space takes at least, with what is derived from it


def document(number: int) -> dict:
    """A space that no other has the digest of."""
    layers = {"repeat": {"choice": ["conv_3x3", f"unknown_{number}"]}, "lengths": [2]}
    grammar = {"start": "chain", "rules": {"chain": {"record": "chain", "fields": {"layers": layers}}}}
    return MINE | {"name": f"passing-{number}", "grammar": grammar}


def ask_everything(client: TestClient, number: int) -> None:
    """Register a space and ask it what fills caches."""
    body = document(number)
    assert client.post("/v1/size", json={"space": body}).status_code == 200
    assert client.post("/v1/spaces", json=body).status_code == 201
    here = f"/v1/spaces/passing-{number}@1"
    for route in ("", "/size", "/members/0/cost"):
        assert client.get(here + route).status_code == 200, route
    genotype = {"genotype": {"layers": ["conv_3x3", "conv_3x3"]}}
    for question in ("validate", "encode"):
        assert client.post(f"{here}/{question}", json=genotype).status_code == 200, question


def held(client: TestClient, numbers: range) -> int:
    """Bytes that are allocated once these spaces have passed."""
    for number in numbers:
        ask_everything(client, number)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture
def small_shelf(api_settings: Settings) -> TestClient:
    app = create_app(api_settings)
    services = app.state.services
    object.__setattr__(services, "shelf", SpaceShelf(capacity=8))
    return TestClient(app)


def test_spaces_that_come_and_go_leave_nothing_behind(small_shelf: TestClient) -> None:
    with small_shelf as client:
        tracemalloc.start()
        try:
            before = held(client, range(FULL))
            after = held(client, range(FULL, FULL + MORE))
        finally:
            tracemalloc.stop()
    assert before > FULL * A_SPACE // 2
    assert after - before < MORE * A_SPACE
