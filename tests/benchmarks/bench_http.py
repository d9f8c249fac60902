"""Questions over HTTP against the barest routes of the same application: microseconds a request, and their ratio.

    validate    a POST that reads the same body and gives it back       at least 0.8 of it
    size        a GET that answers the same bytes, for every zoo space  at least 0.9 of it

One real server (uvicorn, uvloop, httptools, one worker, no access log) in a process of its own on the loopback, one
keep-alive connection, the variants interleaved request by request; medians.

Run it alone: python tests/benchmarks/bench_http.py [--rounds 2000]
Growth of memory over 10,000 spaces that are registered and dropped: python tests/benchmarks/bench_http.py --memory
"""

import argparse
import gc
import json
import multiprocessing
import socket
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import uvicorn
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from app.api.examples import DARTS_V2, MINE
from app.api.schemas.genotype import GenotypeQuestion
from app.api.services import Services
from app.api.shelf import SpaceShelf
from app.catalogue import migrate
from app.embedded import Engines
from app.main import create_app
from app.settings import Settings
from app.space.zoo import ZOO

BODY = json.dumps({"genotype": DARTS_V2}).encode()
SIZE = b'{"space":"of a few hundred bytes","padding":"' + b"x" * 400 + b'"}'


@contextmanager
def engines_settings() -> Generator[Settings]:
    """Settings on engines of their own."""
    with tempfile.TemporaryDirectory(prefix="cellar-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with Engines(Path(folder) / "data", command="bench", durable=False) as engines:
            migrate(engines.postgres.url("postgres"))
            yield Settings(
                database_url=engines.postgres.url("postgres"),
                redis_url=engines.redis_url,
                data_root=Path(folder) / "files",
                allowed_hosts=("testserver",),
            )


def application(settings: Settings) -> FastAPI:
    """The application with the bare routes beside its own."""
    app = create_app(settings)

    @app.post("/echo")
    async def echo(question: GenotypeQuestion) -> GenotypeQuestion:
        return question

    @app.get("/bare")
    async def bare() -> Response:
        return Response(SIZE, media_type="application/json")

    # Routes are tried in their order: the bare ones come first, so that they never wait for others.
    routes = app.router.routes
    routes[:] = [*routes[-2:], *routes[:-2]]
    return app


def serve(settings: Settings, listener: socket.socket) -> None:
    """One worker, in a process of its own."""
    config = uvicorn.Config(
        application(settings), loop="uvloop", http="httptools", access_log=False, log_level="error", lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def served(settings: Settings) -> Generator[socket.socket]:
    """A keep-alive connection to the application in another process."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(target=serve, args=(settings, listener), daemon=True)
    process.start()
    connection = socket.create_connection(listener.getsockname(), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield connection
    finally:
        connection.close()
        process.terminate()
        process.join(10)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: testserver"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ask(connection: socket.socket, sent: bytes) -> None:
    """Send a request and read its whole answer, with as little work on this side as there is."""
    connection.sendall(sent)
    answer = connection.recv(1 << 20)
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += connection.recv(1 << 20)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    start = answer.lower().index(b"content-length:") + 15
    left = end + 4 + int(answer[start : answer.index(b"\r", start)]) - len(answer)
    while left > 0:
        left -= len(connection.recv(1 << 20))


def medians(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Microseconds of each, asked in turn."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + rounds // 10):
        for name, question in variants.items():
            started = time.perf_counter()
            question()
            if number >= rounds // 10:
                taken[name].append(time.perf_counter() - started)
    return {name: median(times) * 1e6 for name, times in taken.items()}


def speed(rounds: int) -> None:
    """Print the ratios."""
    with engines_settings() as settings, served(settings) as connection:
        posts = medians(
            {
                "echo": lambda: ask(connection, request("POST", "/echo", BODY)),
                "validate": lambda: ask(connection, request("POST", "/v1/spaces/darts/validate", BODY)),
            },
            rounds,
        )
        print(f"{'echo':24} {posts['echo']:8.1f} us")
        print(f"{'validate':24} {posts['validate']:8.1f} us   {posts['echo'] / posts['validate']:.2f} of an echo")
        for name in ZOO:
            path = f"/v1/spaces/{name}/size"
            gets = medians(
                {
                    "bare": lambda: ask(connection, request("GET", "/bare")),
                    "size": lambda path=path: ask(connection, request("GET", path)),
                },
                max(rounds // 10, 20),
            )
            print(f"{'size of ' + name:24} {gets['size']:8.1f} us   {gets['bare'] / gets['size']:.2f} of a bare GET")


def memory(spaces: int) -> None:
    """Print what is held after so many spaces have come and gone, a tenth of the way and at the end."""
    with engines_settings() as settings:
        app = create_app(settings)
        services: Services = app.state.services
        object.__setattr__(services, "shelf", SpaceShelf(capacity=64))
        with TestClient(app) as client:
            tracemalloc.start()
            for number in range(spaces):
                layers = {"repeat": {"choice": ["conv_3x3", f"passing_{number}"]}, "lengths": [2]}
                rules = {"chain": {"record": "chain", "fields": {"layers": layers}}}
                document = MINE | {"name": f"passing-{number}", "grammar": {"start": "chain", "rules": rules}}
                assert client.post("/v1/spaces", json=document).status_code == 201
                assert client.get(f"/v1/spaces/passing-{number}@1/size").status_code == 200
                if number + 1 in (spaces // 10, spaces):
                    gc.collect()
                    print(f"{number + 1:6} spaces: {tracemalloc.get_traced_memory()[0] / 1e6:.2f} MB", flush=True)
            tracemalloc.stop()


def main() -> None:
    """Measure speed, or memory."""
    parser = argparse.ArgumentParser(description="Questions over HTTP against the barest routes.")
    parser.add_argument("--rounds", type=int, default=2000, help="requests of each kind")
    parser.add_argument("--memory", action="store_true", help="register and drop spaces instead")
    parser.add_argument("--spaces", type=int, default=10_000, help="how many")
    given = parser.parse_args()
    if given.memory:
        memory(given.spaces)
    else:
        speed(given.rounds)


if __name__ == "__main__":
    main()
