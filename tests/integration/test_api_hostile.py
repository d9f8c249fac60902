"""Requests made to hurt, sent to a real API process: refused or answered, in bounded time and memory, and no request
reads a file that it should not."""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.api.openapi import operations
from app.embedded import Engines
from app.space.zoo import ZOO
from tests.integration.bombs import BOMBS, Bomb, Target, target, texts

CPU_SECONDS = 2.0  # of one request; measured on a quiet machine: 0.6 at most
MEGABYTES = 160.0  # of growth, at the highest; measured: 101 at most
HIDDEN = "what nobody may read"
TRICKS = (
    "../../hidden.txt",
    "..%2f..%2fhidden.txt",
    "%2e%2e%2f%2e%2e%2fhidden.txt",
    "%252e%252e%252fhidden.txt",
    "..%5c..%5chidden.txt",
    "..\\hidden.txt",
    "....//hidden.txt",
    "%c0%ae%c0%ae%c0%afhidden.txt",  # an overlong dot, overlong dot, overlong slash
    "%ef%bc%8e%ef%bc%8e%ef%bc%8fhidden.txt",  # full-width ones
    "{root}/hidden.txt",
    "file://{root}/hidden.txt",
    "/etc/passwd",
    "hidden.txt%00.svg",
    "%00",
    "%ff%fe",
    "%e2%80%ae%f0%9f%92%a3%0d%0aX-Evil:1",
    "darts%0a",
    ".",
    "%2e%2e",
    "~",
    "a" * 5_000,
    "'%20OR%201=1--",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "{{{{7*7}}}}${{7*7}}",
)
LEFT_MEGABYTES = 384.0  # more than before, after all of them: threads keep what they had once; measured: 212 at most


@pytest.fixture(scope="module")
def hurt(
    new_database: Callable[[], str], engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    root = tmp_path_factory.mktemp("data")
    (root / "hidden.txt").write_text(HIDDEN)
    with target(new_database(), engines.redis_url, root, CELLAR_RECONCILE_SECONDS="3600") as opened:
        before = opened.memory("VmRSS")
        yield opened
        assert opened.memory("VmRSS") - before < LEFT_MEGABYTES


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_made_to_hurt_does_not(hurt: Target, name: str) -> None:
    bomb = BOMBS[name]
    cost, answer = hurt.hit(bomb)
    assert cost.status in bomb.statuses, answer.text[:300]
    if cost.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 4_000_000
    assert cost.cpu_seconds <= CPU_SECONDS
    assert cost.megabytes <= MEGABYTES
    assert hurt.client.get("/healthz").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["60,000 names", "fields that nobody knows", "340,000 empty lists"])
def test_forty_at_once_leave_the_service_answering(hurt: Target, name: str) -> None:
    bomb, url = BOMBS[name], hurt.client.base_url
    resident = hurt.start_counting()

    def throw(_: int) -> int:
        with httpx.Client(base_url=url, timeout=120) as client:
            return client.request(bomb.method, bomb.path, content=bomb.body, headers=bomb.headers).status_code

    with ThreadPoolExecutor(40) as pool:
        thrown = [pool.submit(throw, number) for number in range(40)]
        while not all(one.done() for one in thrown):
            started = time.monotonic()
            assert hurt.client.get("/healthz").status_code == 200
            assert time.monotonic() - started < 20
            time.sleep(0.05)
    assert {one.result() for one in thrown} <= set(bomb.statuses)
    assert hurt.memory("VmHWM") - resident < 512


def test_no_text_makes_a_reader_search_for_long(hurt: Target) -> None:
    forms = set()
    for space, form, body in texts():
        cost, answer = hurt.hit(Bomb(path=f"/v1/spaces/{space}/validate", body=body))
        assert cost.status in (200, 422), (form, answer.text[:300])
        assert cost.cpu_seconds <= 0.5, (space, form, body[:60])
        assert cost.megabytes <= 32, (space, form, body[:60])
        forms.add(form)
    assert len(forms) > 10
    assert len(ZOO) > len({space for space, _, _ in texts()}) > 1


class Raw:
    """Sends targets as they are written: no client tidies them up."""

    def __init__(self, hurt: Target) -> None:
        where = urlsplit(str(hurt.client.base_url))
        self.connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, http.client.HTTPMessage, bytes]:
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            self.connection.putheader("Content-Type", "application/json")
        self.connection.putheader("Content-Length", str(len(content)))
        self.connection.endheaders(content)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def harmless(self, method: str, path: str, body: Any = None) -> int:
        """Ask, and see that nothing broke and nothing was read."""
        status, headers, content = self.ask(method, path, body)
        assert status < 500, (method, path, content[:300])
        assert HIDDEN.encode() not in content, (method, path)
        assert b"root:x:" not in content, (method, path)
        assert "X-Evil" not in headers, (method, path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "Server" not in headers
        if status >= 400:
            assert headers["Content-Type"] == "application/problem+json", (method, path)
        return status


@pytest.fixture(scope="module")
def raw(hurt: Target) -> Iterator[Raw]:
    opened = Raw(hurt)
    yield opened
    opened.connection.close()


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_no_path_and_no_parameter_reads_a_file(hurt: Target, raw: Raw, subtests: pytest.Subtests, every: int) -> None:
    """Each parameter meets each trick, or in the default run every fourth: which ones, differs from one to the next."""
    asked, number, root = 0, 0, hurt.data_root
    for method, path, operation in operations(hurt.client.get("/openapi.json").json()):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        body = next((shown["value"] for shown in content.get("examples", {}).values()), None)
        needed = {
            p["name"]: str(p["example"])
            for p in operation.get("parameters", ())
            if p["in"] == "query" and p.get("required")
        }
        filled = re.sub(r"\{(\w+)\}", lambda m: {"space": "darts", "index": "1"}.get(m[1], "none"), path)
        for parameter in operation.get("parameters", ()):
            name, place = parameter["name"], parameter["in"]
            if place == "header":
                continue
            with subtests.test(f"{method.upper()} {path} {name}"):
                number += 1
                for trick in TRICKS[number % every :: every]:
                    evil = trick.format(root=root)
                    if place == "path":
                        reached = filled if f"{{{name}}}" not in path else path.replace(f"{{{name}}}", evil)
                        reached = re.sub(r"\{(\w+)\}", lambda m: {"space": "darts"}.get(m[1], "1"), reached)
                    else:
                        others = "".join(f"&{n}={quote(v)}" for n, v in needed.items() if n != name)
                        reached = f"{filled}?{name}={evil}{others}"
                    raw.harmless(method.upper(), reached, body)
                    asked += 1
    assert asked > 3_000 / every


@pytest.mark.parametrize("before", ["/static/", "/static/swagger/", "/", "//", "/docs/", "/v1/"])
def test_no_static_path_leads_out(hurt: Target, raw: Raw, before: str) -> None:
    for trick in (*TRICKS, "../headers.py", "..%2f..%2fapi%2fheaders.py", "%2e%2e/templates/", "swagger/../../main.py"):
        status, _, content = raw.ask("GET", before + trick.format(root=hurt.data_root))
        assert status in (400, 404), (before, trick, content[:200])
