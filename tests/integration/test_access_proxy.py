"""Behind a proxy, that is a process of its own: whose address is counted, and who can say that it is another."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.catalogue import Database, audit, keys
from app.embedded import Engines
from tests.integration.bombs import Target, target

LIMIT = 60  # a minute, of one address
Asking = Callable[..., tuple[int, int]]


@pytest.fixture(scope="module")
def database_here(new_database: Callable[[], str]) -> str:
    url = new_database()
    database = Database(url)
    with database.transaction() as session:
        keys.add(session, owner="ada", scopes=["read"])  # without one it would not start
    database.dispose()
    return url


@pytest.fixture(scope="module")
def service(database_here: str, engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    root = tmp_path_factory.mktemp("data")
    more = {
        "CELLAR_REQUIRE_KEYS": "true",
        "CELLAR_TRUSTED_PROXIES": json.dumps(["127.0.0.1"]),
        "CELLAR_ADDRESS_RATE": f"{LIMIT}/minute",
    }
    with target(database_here, engines.redis_url, root, **more) as opened:
        yield opened


@pytest.fixture(scope="module")
def proxy(service: Target) -> Iterator[int]:
    """Its port. It asks the service from 127.0.0.1, which is trusted."""
    command = [sys.executable, str(Path(__file__).with_name("reverse_proxy.py")), str(service.client.base_url)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


def asked(port: int, whence: str, headers: dict[str, str] | None = None, path: str = "/docs") -> tuple[int, int]:
    """(status, requests left to the address that was counted)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(whence, 0))
    connection.request("GET", path, headers={"Host": "localhost", **(headers or {})})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    found = re.search(r'"address";r=(\d+)', answer.headers.get("RateLimit", ""))
    return answer.status, int(found[1]) if found else -1


SPOOFED = [
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "203.0.113.8, 127.0.0.1, 127.0.0.1"},
    {"X-Forwarded-For": ", ,,"},
    {"X-Forwarded-For": "127.0.0.13"},
    {"X-Forwarded-For": "x" * 1_000},
    {"X-Real-IP": "203.0.113.9"},
    {"Forwarded": "for=203.0.113.10"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "1"},
]


def test_each_client_of_a_trusted_proxy_is_counted_and_cannot_be_another(proxy: int) -> None:
    assert asked(proxy, "127.0.0.13") == (200, LIMIT - 1)
    for number, headers in enumerate(SPOOFED):
        assert asked(proxy, "127.0.0.12", headers) == (200, LIMIT - 1 - number), headers
    left = LIMIT - len(SPOOFED)
    for number in range(left):
        assert asked(proxy, "127.0.0.12", {"X-Forwarded-For": f"203.0.113.{number}"})[0] == 200
    assert asked(proxy, "127.0.0.12", {"X-Forwarded-For": "198.51.100.1"}) == (429, 0)
    assert asked(proxy, "127.0.0.13") == (200, LIMIT - 2), "nobody else has used it up"


def test_who_is_no_trusted_proxy_is_counted_as_who_it_is(service: Target, proxy: int) -> None:
    port = urlsplit(str(service.client.base_url)).port or 0
    for number, headers in enumerate(SPOOFED):
        assert asked(port, "127.0.0.14", headers) == (200, LIMIT - 1 - number), headers
    status, left = asked(port, "127.0.0.14", {"X-Forwarded-For": "127.0.0.15"})
    assert (status, left) == (200, LIMIT - 1 - len(SPOOFED))
    assert asked(proxy, "127.0.0.15") == (200, LIMIT - 1), "nobody has used it up"


def test_the_audit_log_has_the_address_of_the_client(service: Target, proxy: int, database_here: str) -> None:
    bad = {"Authorization": f"Bearer cellar_{'0' * 12}_{'0' * 64}", "X-Forwarded-For": "203.0.113.7"}
    assert asked(proxy, "127.0.0.16", bad, "/v1/jobs")[0] == 401
    database = Database(database_here)
    with database.transaction() as session:
        found = audit.listing(session, action="key.show")
    database.dispose()
    assert [entry.address for entry in found] == ["127.0.0.16"]
