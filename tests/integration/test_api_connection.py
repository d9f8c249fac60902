"""Clients that send too much, too slowly, or no HTTP at all: a problem and the end of the connection, and no more."""

import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import uvicorn

from app.api import connection as connection_module
from app.api.connection import HEAD_BYTES, HEADERS, URL_BYTES, Connection
from app.main import create_app
from app.settings import Settings

Opened = Callable[[], socket.socket]
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
VALIDATE = b"POST /v1/spaces/darts/validate HTTP/1.1\r\n" + HOST + JSON


@pytest.fixture(scope="module")
def server(api_settings: Settings) -> Iterator[tuple[uvicorn.Server, tuple[str, int]]]:
    """The server that `cellar api` runs, in a thread."""
    patched = pytest.MonkeyPatch()
    patched.setattr(connection_module, "HEAD_SECONDS", 0.5)
    patched.setattr(connection_module, "BODY_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = api_settings.model_copy(update={"streams_per_caller": 2})
        running = uvicorn.Server(uvicorn.Config(create_app(settings), http=Connection, ws="none", log_config=None))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield running, listening.getsockname()
        running.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
    patched.undo()


@pytest.fixture
def opened(server: tuple[uvicorn.Server, tuple[str, int]]) -> Iterator[Opened]:
    """Call it for a connection."""
    made: list[socket.socket] = []

    def connect() -> socket.socket:
        made.append(socket.create_connection(server[1], timeout=20))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def answers(client: socket.socket, number: int = 1) -> list[tuple[int, dict[str, str], dict]]:
    """So many answers, as (status, headers, body)."""
    file, found = client.makefile("rb"), []
    for _ in range(number):
        status = int(file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        found.append((status, headers, json.loads(file.read(int(headers["content-length"])) or b"null")))
    return found


def refused(client: socket.socket, status: int, slug: str) -> dict:
    """A problem, and nothing after it."""
    ((given, headers, body),) = answers(client)
    assert (given, body["type"]) == (status, f"urn:cellar:problem:{slug}")
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-request-id"] == body["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    with suppress(ConnectionResetError):  # what was still on its way when the connection ended
        assert client.recv(1) == b""
    return body


def pour(client: socket.socket, piece: bytes, number: int) -> None:
    """Send a piece many times, as long as somebody takes it."""
    with suppress(ConnectionResetError, BrokenPipeError):
        for _ in range(number):
            client.sendall(piece)


def test_a_head_without_an_end(opened: Opened) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for piece in (b"X-A: " + b"a" * 1_000 + b"\r\n", b"b" * 1_000, b"\r\nX: y" * 200):
        client = opened()
        client.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: ")
        pour(client, piece, 20_000)
    client = opened()
    client.sendall(b"GET /" + b"a" * (2 * URL_BYTES) + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert "16384" in refused(client, 414, "target-too-long")["detail"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KiB; 60 MB were on offer


@pytest.mark.parametrize(
    "headers",
    [b"X-A: a\r\n" * (HEADERS + 1), b"X-A: " + b"a" * HEAD_BYTES + b"\r\n", b"a" * HEAD_BYTES + b": b\r\n"],
    ids=["many", "a long value", "a long name"],
)
def test_headers_that_are_too_large(opened: Opened, headers: bytes) -> None:
    client = opened()
    client.sendall(b"GET /healthz HTTP/1.1\r\n" + headers + HOST + b"\r\n")
    assert str(HEADERS) in refused(client, 431, "headers-too-large")["detail"]


def test_headers_just_within(opened: Opened) -> None:
    client = opened()
    client.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: a\r\n" * (HEADERS - 2) + b"X-B: " + b"b" * 50_000)
    client.sendall(b"\r\n\r\n")
    assert answers(client)[0][0] == 200


@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\nX-A: ", b"GET /heal"])
def test_a_head_that_comes_slowly(opened: Opened, start: bytes) -> None:
    client = opened()
    client.sendall(start)
    started = time.monotonic()

    def drip() -> None:
        pour(client, b"a", 1)
        time.sleep(0.2)
        pour(client, b"a", 1)

    threading.Thread(target=drip).start()
    refused(client, 408, "request-timeout")
    assert 0.3 < time.monotonic() - started < 10


@pytest.mark.parametrize("start", [b"", b"\r\n"])
def test_a_connection_that_says_nothing(opened: Opened, start: bytes) -> None:
    client = opened()
    client.sendall(start)
    assert client.recv(1) == b""


def test_line_ends_between_requests_keep_nothing_open(opened: Opened) -> None:
    client = opened()
    client.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answers(client)[0][0] == 200
    client.sendall(b"\r\n")
    assert client.recv(1) == b""


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
def test_a_body_that_comes_slowly(opened: Opened, framing: bytes) -> None:
    client = opened()
    client.sendall(VALIDATE + framing)
    refused(client, 408, "request-timeout")


def test_a_body_that_is_refused_is_not_awaited(opened: Opened) -> None:
    client = opened()
    client.sendall(VALIDATE + b"Content-Length: 99999999999\r\n\r\n{")
    assert answers(client)[0][0] == 413
    started = time.monotonic()
    with suppress(ConnectionResetError):
        assert client.recv(1) == b""
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX-A: a\r\n b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX-A: a\x00b\r\n\r\n",
        b"GET /health\x00z HTTP/1.1\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        VALIDATE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        VALIDATE + b"Content-Length: -2\r\n\r\n{}",
        VALIDATE + b"Content-Length: +2\r\n\r\n{}",
        VALIDATE + b"Content-Length: 0x2\r\n\r\n{}",
        VALIDATE + b"Content-Length: 2, 2\r\n\r\n{}",
        VALIDATE + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        VALIDATE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        VALIDATE + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        VALIDATE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        VALIDATE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        VALIDATE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        VALIDATE + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ],
)
def test_what_is_no_http_or_can_be_read_in_two_ways(opened: Opened, request_: bytes) -> None:
    client = opened()
    client.sendall(request_)
    refused(client, 400, "malformed-request")


def test_requests_in_a_row_are_answered_in_order(opened: Opened) -> None:
    client = opened()
    body = b'{"genotype": {}}'
    post = VALIDATE + b"Content-Length: %d\r\n\r\n" % len(body) + body
    get = b"GET /v1/spaces/nowhere HTTP/1.1\r\n" + HOST + b"\r\n"
    client.sendall((post + get) * 10)
    assert [status for status, _, _ in answers(client, 20)] == [200, 404] * 10


def test_streams_of_one_caller_are_counted(opened: Opened, api) -> None:
    job = api.post("/v1/searches", json={"space": "darts", "dataset": "digits"}).json()["id"]
    ask = b"GET /v1/jobs/" + job.encode() + b"/events HTTP/1.1\r\n" + HOST + b"\r\n"
    streams = [opened() for _ in range(2)]
    for stream in streams:
        stream.sendall(ask)
        assert stream.recv(12) == b"HTTP/1.1 200"
    third = opened()
    third.sendall(ask)
    ((status, headers, body),) = answers(third)
    assert (status, body["type"]) == (429, "urn:cellar:problem:too-many-streams")
    assert int(headers["retry-after"]) > 0
    streams[0].close()
    for _ in range(50):  # until the server has seen that it is gone
        third.sendall(ask)
        if third.recv(12) == b"HTTP/1.1 200":
            break
        third.close()
        time.sleep(0.1)
        third = opened()
    else:
        pytest.fail("a stream that is gone still counts")
    api.post(f"/v1/jobs/{job}/cancel")


def test_all_connections_end_with_their_clients(server: tuple[uvicorn.Server, tuple[str, int]]) -> None:
    deadline = time.monotonic() + 10
    while server[0].server_state.connections and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server[0].server_state.connections
