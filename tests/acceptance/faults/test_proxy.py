"""The fault proxy does what it says, to a server that echoes."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults.proxy import FaultProxy


@pytest.fixture
def echo(open_directory: Path) -> Iterator[Path]:
    path = open_directory / "echo.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection:
                try:
                    while said := connection.recv(65536):
                        connection.sendall(said)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def asked(connection: socket.socket, said: bytes = b"hello") -> bytes:
    connection.sendall(said)
    heard = b""
    while len(heard) < len(said):
        piece = connection.recv(65536)
        if not piece:
            break
        heard += piece
    return heard


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_what_passes_is_what_was_said(echo: Path) -> None:
    with FaultProxy(echo) as proxy, connect(proxy) as one, connect(proxy) as two:
        large = bytes(range(256)) * 2000
        assert asked(one, large) == large
        assert asked(two) == b"hello"
        assert proxy.connections == 2
        assert proxy.passed == 2 * (len(large) + 5)


def test_slow_is_slow_in_both_directions_and_heals(echo: Path) -> None:
    with FaultProxy(echo) as proxy, connect(proxy) as one:
        proxy.slow(latency=0.1)
        begun = time.monotonic()
        assert asked(one) == b"hello"
        assert time.monotonic() - begun >= 0.2
        proxy.slow(rate=50_000)
        begun = time.monotonic()
        assert asked(one, b"x" * 10_000) == b"x" * 10_000
        assert time.monotonic() - begun >= 0.4
        proxy.heal()
        assert asked(one) == b"hello"


def test_cut_is_an_orderly_end_and_reset_is_not(echo: Path) -> None:
    with FaultProxy(echo) as proxy:
        with connect(proxy) as one:
            assert asked(one) == b"hello"
            proxy.cut()
            assert one.recv(10) == b""
        with connect(proxy) as one:
            assert asked(one) == b"hello"
            proxy.reset()
            with pytest.raises(ConnectionResetError):
                one.recv(10)
        with connect(proxy) as one:
            assert asked(one) == b"hello"
        proxy.refuse()
        with pytest.raises(ConnectionResetError), connect(proxy) as one:
            one.recv(10)


def test_silence_keeps_connections_open_and_passes_nothing_until_they_are_reset(echo: Path) -> None:
    with FaultProxy(echo) as proxy, connect(proxy) as before:
        assert asked(before) == b"hello"
        proxy.silence()
        with connect(proxy) as during:
            for connection in (before, during):
                connection.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    asked(connection)
            proxy.heal()
            for connection in (before, during):
                connection.settimeout(5)
                with pytest.raises(ConnectionResetError):
                    connection.recv(10)
        with connect(proxy) as after:
            assert asked(after) == b"hello"


def test_without_a_server_a_connection_is_reset(open_directory: Path) -> None:
    with (
        FaultProxy(open_directory / "nobody.sock") as proxy,
        pytest.raises(ConnectionResetError),
        connect(proxy) as one,
    ):
        one.recv(10)
