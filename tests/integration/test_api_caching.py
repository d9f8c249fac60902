"""Who may keep an answer, and when it is still the same."""

import pytest
from fastapi.testclient import TestClient

MEMBER = "/v1/spaces/darts@1/members/7"


def test_any_of_several_tags_is_known(api: TestClient) -> None:
    tag = api.get(MEMBER).headers["etag"]
    assert tag.startswith('"')  # a strong one: equal for equal bytes
    for given in (tag, f"W/{tag}", f'"other", {tag}', f'"a",W/"b" , {tag},"c"', "*"):
        assert api.get(MEMBER, headers={"If-None-Match": given}).status_code == 304, given
    for given in ("", "other", '"other"', tag.strip('"'), tag[:-2] + '"', tag.upper()):
        assert api.get(MEMBER, headers={"If-None-Match": given}).status_code == 200, given
    lines = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert api.get(MEMBER, headers=lines).status_code == 304


def test_what_is_known_still_says_how_long_it_is(api: TestClient) -> None:
    whole = api.get(MEMBER)
    known = api.get(MEMBER, headers={"If-None-Match": whole.headers["etag"]})
    assert known.content == b""
    for name in ("etag", "cache-control"):
        assert known.headers[name] == whole.headers[name]
    assert "content-length" not in known.headers


def test_what_a_key_opens_is_for_whoever_has_it(api: TestClient) -> None:
    assert "public" in api.get(MEMBER).headers["cache-control"]
    for given in ("Bearer cellar_0123456789ab_secret", "Basic eDp5"):
        answer = api.get(MEMBER, headers={"Authorization": given})
        assert "public" not in answer.headers["cache-control"]
        assert "private" in answer.headers["cache-control"]
        assert "authorization" in answer.headers["vary"].lower()


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_a_compressed_body_is_refused(api: TestClient, coding: str) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    answer = api.post("/v1/spaces/darts/validate", content=b"\x1f\x8b" * 50, headers=headers)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert coding.lower() in answer.json()["detail"]
    assert api.get("/v1/spaces", headers={"Content-Encoding": coding}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/profiles?operation=%00", "/v1/evaluations?space=a%00b", "/v1/spaces/a%00b", "/v1/operations/%00"]
)
def test_a_character_that_no_name_has(api: TestClient, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:cellar:problem:malformed-request"
