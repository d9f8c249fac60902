"""HEAD is GET without the body, on every route; and what is accepted chooses nothing."""

import pytest
from fastapi.testclient import TestClient

ROUTES = ["/v1/spaces", "/v1/spaces/darts", "/v1/spaces/darts@1/size", "/v1/spaces/darts/members/7/svg", "/healthz"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_head_has_the_headers_of_the_answer(api: TestClient, route: str) -> None:
    whole, head = api.get(route), api.head(route)
    assert head.status_code == whole.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "etag", "cache-control", "x-content-type-options"):
        assert head.headers.get(name) == whole.headers.get(name), name
    if "etag" in whole.headers:
        known = api.head(route, headers={"If-None-Match": whole.headers["etag"]})
        assert known.status_code == 304


def test_what_cannot_be_got_has_no_head(api: TestClient) -> None:
    assert api.head("/v1/spaces/nowhere").status_code == 404
    assert api.head("/v1/size").status_code == 405
    assert api.head("/v1/nowhere").status_code == 404


def test_the_head_of_a_stream_ends(api: TestClient) -> None:
    body = {"space": "darts", "dataset": "digits"}
    job = api.post("/v1/searches", json=body).json()["id"]
    head = api.head(f"/v1/jobs/{job}/events")
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("text/event-stream")
    assert head.content == b""
    api.post(f"/v1/jobs/{job}/cancel")


@pytest.mark.parametrize("accept", ["image/png", "text/html;q=0.1", "*/*;q=0", "not a type", ""])
def test_what_is_accepted_changes_nothing(api: TestClient, accept: str) -> None:
    """A path has one representation: `Accept` is not read, and 406 is never answered."""
    plain, asked = api.get("/v1/spaces/darts@1"), api.get("/v1/spaces/darts@1", headers={"Accept": accept})
    assert asked.status_code == 200
    assert asked.headers["content-type"] == "application/json"
    assert asked.content == plain.content
    assert "accept" not in asked.headers.get("vary", "").lower().replace("accept-", "")
    missing = api.get("/v1/spaces/nowhere", headers={"Accept": accept})
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
