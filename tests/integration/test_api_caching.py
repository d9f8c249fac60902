"""Who may keep an answer, and when it is still the same."""

import re
from collections.abc import Iterator

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


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_a_compressed_body_is_refused(api: TestClient, coding: str) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    answer = api.post("/v1/spaces/darts/validate", content=b"\x1f\x8b" * 50, headers=headers)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert coding.lower() in answer.json()["detail"]
    assert api.get("/v1/spaces", headers={"Content-Encoding": coding}).status_code == 200


def texts(api: TestClient) -> Iterator[tuple[str, str]]:
    """Every text that a GET takes in its path or query: the route, and the route with U+0000 there."""
    for path, item in api.get("/openapi.json").json()["paths"].items():
        for parameter in item.get("get", {}).get("parameters", ()):
            schemas = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
            if not any(schema.get("type") == "string" and "enum" not in schema for schema in schemas):
                continue
            name, asked = parameter["name"], re.sub(r"\{space\}", "darts@1", path)
            if parameter["in"] == "path":
                yield path, re.sub(r"\{\w+\}", "%00", path)
            elif parameter["in"] == "query":
                yield path, re.sub(r"\{\w+\}", "7", asked) + f"?{name}=%00"


def test_a_character_that_postgresql_has_no_place_for_breaks_nothing(api: TestClient) -> None:
    asked = sorted(set(texts(api)))
    assert len(asked) > 40
    for route, path in asked:
        answer = api.get(path)
        assert answer.status_code in (200, 404, 422), (route, path, answer.text[:300])


def test_every_read_says_how_long_it_is_good(api: TestClient, subtests: pytest.Subtests) -> None:
    """Also what is sent as it is made, which no shared cache shall keep for others."""
    seen = set()
    for path, methods in api.get("/openapi.json").json()["paths"].items():
        place = path.replace("{space}", "darts").replace("{index}", "1").replace("{name}", "digits")
        if "get" in methods and "{" not in place:
            with subtests.test(path):
                answer = api.get(place)
                assert answer.headers["cache-control"] in ("no-cache", "no-store"), answer.headers
                seen.add(answer.headers["content-type"].partition(";")[0])
    assert {"application/json", "text/csv", "image/svg+xml"} <= seen
