"""Text that a database or UTF-8 cannot hold, wherever text is kept: refused with its place, or kept as it is."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.examples import MINE, examples

ODD = ("\x00", "a\x00b", "\ud800", "\udfff a", "\ufffe\uffff", "\u202e", "\x1b[2J", "é" * 50, "\r\nX-Evil: 1", "🧨")
HEADERS = [b"\x00", b"\xff", b"\x80abc", b"a\tb", "🧨".encode(), b"' OR 1=1 --"]


def strings(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the strings of a document are."""
    match value:
        case str():
            yield path
        case dict():
            for name, inner in value.items():
                yield from strings(inner, (*path, name))
        case list():
            for i, inner in enumerate(value[:1]):
                yield from strings(inner, (*path, i))


def replaced(document: Any, path: tuple[str | int, ...], text: str) -> Any:
    changed = deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = text
    return changed


def post(api: TestClient, path: str, body: Any) -> Any:
    """As ASCII, in which a surrogate can be written alone."""
    return api.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def test_odd_text_in_every_field_that_an_example_has(api: TestClient, subtests: pytest.Subtests) -> None:
    asked, seen = 0, set()
    for example in examples():
        if example.method != "post" or not example.body or "batch" in example.path:
            continue
        path = example.path.format(**{"space": "darts", "key_id": "0" * 12, "job_id": "0", **example.parameters})
        for place in strings(example.body):
            if (path, place) in seen:
                continue
            seen.add((path, place))
            with subtests.test(f"{path} {place}"):
                for text in ("a\x00b", "\ud800"):
                    answer = post(api, path, replaced(example.body, place, text))
                    assert answer.status_code < 500, (text, answer.text)
                    answer.json()
                    asked += 1
    assert asked > 200


@pytest.mark.parametrize("text", ODD)
def test_odd_text_that_is_kept_comes_back(api: TestClient, text: str) -> None:
    key = post(api, "/v1/keys", {"owner": "ada", "scopes": ["read"], "title": text})
    assert key.status_code in (201, 422), key.text
    if key.status_code == 201:
        assert api.get(f"/v1/keys/{key.json()['id']}").json()["title"] == text
    space = post(api, "/v1/spaces", MINE | {"name": f"odd-{ODD.index(text)}", "notes": [text]})
    assert space.status_code in (200, 201, 422), space.text
    upload = api.post("/v1/datasets", params={"name": "odd", "title": text.encode(errors="replace")}, content=b"x")
    assert upload.status_code < 500, upload.text


@pytest.mark.parametrize("value", HEADERS)
@pytest.mark.parametrize("name", ["Idempotency-Key", "If-None-Match", "Last-Event-ID", "X-Request-ID", "Content-Type"])
def test_odd_bytes_in_headers(api: TestClient, name: str, value: bytes) -> None:
    for method, path in (("POST", "/v1/searches"), ("GET", "/v1/spaces"), ("POST", "/v1/spaces/darts/validate")):
        content = b'{"genotype": {}}' if method == "POST" else None
        headers = [(b"Content-Type", b"application/json")] if content and name != "Content-Type" else []
        answer = api.request(method, path, content=content, headers=[*headers, (name.encode(), value)])
        assert answer.status_code < 500, answer.text
    job = api.post("/v1/searches", json={"space": "darts", "dataset": "digits"}, headers=[(b"Idempotency-Key", value)])
    assert job.status_code in (202, 422), job.text
