"""Large batches are answered in another process, as a small one would be."""

import os
import pickle
import signal
from random import Random
from typing import get_args

from fastapi.testclient import TestClient

from app.api.examples import BROKEN, MINE
from app.api.offload import LARGE
from app.api.schemas.cost import CostQuestion
from app.api.schemas.skeleton import BODIES
from app.embedded import wait_until
from app.space.zoo import ZOO


def pool_of(api: TestClient):
    return api.app.state.services.offload._pool  # type: ignore[attr-defined]


def test_a_large_batch_is_answered_as_its_items_would_be(api: TestClient) -> None:
    genotypes = [*ZOO["darts"].plan.sample(Random(0), LARGE), BROKEN]
    items = [{"genotype": genotype} for genotype in genotypes]
    while_it_starts = api.post("/v1/spaces/darts/canonical/batch", json={"items": items}).json()
    started = api.app.state.services.offload._started  # type: ignore[attr-defined]
    assert wait_until(started.done, 60)
    assert started.result() != os.getpid()
    answer = api.post("/v1/spaces/darts/canonical/batch", json={"items": items}, headers={"X-Request-ID": "mine"})
    apart = answer.json()
    assert apart["items"][:-1] == while_it_starts["items"][:-1]
    assert apart["items"][-1]["status"] == 422
    assert apart["items"][-1]["problem"]["request_id"] == "mine"

    (worker,) = pool_of(api)._processes
    os.kill(worker, signal.SIGKILL)
    again = api.post("/v1/spaces/darts/canonical/batch", json={"items": items}).json()
    assert again["items"][:-1] == apart["items"][:-1], "what is lost with the process is answered here"


def test_a_registered_space_is_sent_along(api: TestClient) -> None:
    assert api.post("/v1/spaces", json=MINE | {"name": "sent"}).status_code in (200, 201)
    items = [{"genotype": {"layers": ["conv_3x3", "skip_connect"]}}] * LARGE
    first = api.post("/v1/spaces/sent/validate/batch", json={"items": items}).json()
    started = api.app.state.services.offload._started  # type: ignore[attr-defined]
    assert wait_until(started.done, 60)
    second = api.post("/v1/spaces/sent/validate/batch", json={"items": items}).json()
    assert pool_of(api) is not None
    assert first == second
    assert {entry["answer"]["index"] for entry in second["items"]} == {"1"}


def test_a_skeleton_of_any_family_is_sent_along(api: TestClient) -> None:
    for body in BODIES:
        question = CostQuestion.model_validate(
            {"genotype": [], "skeleton": {"family": get_args(body.model_fields["family"].annotation)[0]}}
        )
        assert pickle.loads(pickle.dumps(question)) == question
    assert api.post("/v1/spaces", json=MINE | {"name": "sent"}).status_code in (200, 201)
    skeleton = {"family": "chain", "channels": 4, "reductions": [1]}
    items = [{"genotype": {"layers": ["conv_3x3", "skip_connect"]}, "skeleton": skeleton, "by_node": False}] * LARGE
    first = api.post("/v1/spaces/sent/cost/batch", json={"items": items}).json()
    started = api.app.state.services.offload._started  # type: ignore[attr-defined]
    assert wait_until(started.done, 60)
    assert pool_of(api) is not None
    assert api.post("/v1/spaces/sent/cost/batch", json={"items": items}).json() == first
    assert {entry["status"] for entry in first["items"]} == {200}
