"""The listening socket: what is refused before anything else starts."""

import socket

import pytest

from app.listener import ListenError, listen, url_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_addresses(host: str) -> None:
    with listen(host, 0, allow_open=False) as listening:
        port = listening.getsockname()[1]
        assert port > 0
        assert url_of(listening).endswith(f":{port}")
        with socket.create_connection((host, port), timeout=5):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_open_address_has_to_be_allowed(host: str) -> None:
    with pytest.raises(ListenError, match="CELLAR_REQUIRE_KEYS"):
        listen(host, 0, allow_open=False)


def test_an_open_address_that_is_allowed() -> None:
    with listen("0.0.0.0", 0, allow_open=True) as listening:
        assert url_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_port_in_use_is_said_and_the_other_program_is_left_alone() -> None:
    with listen("127.0.0.1", 0, allow_open=False) as first:
        port = first.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port} of 127.0.0.1 .* another program listens there"):
            listen("127.0.0.1", port, allow_open=False)


def test_a_port_is_free_again_at_once() -> None:
    with listen("127.0.0.1", 0, allow_open=False) as first:
        address = first.getsockname()[:2]
        with socket.create_connection(address, timeout=5) as client:
            first.accept()[0].close()  # this side closes first, so that its end of the connection lingers
            assert client.recv(1) == b""
    with listen(*address, allow_open=False):
        pass


def test_an_address_that_is_not_here() -> None:
    with pytest.raises(ListenError, match=r"'no\.such\.host\.invalid' is not an address"):
        listen("no.such.host.invalid", 0, allow_open=True)
    with pytest.raises(ListenError, match=r"port 0 of 192\.0\.2\.1 cannot be used"):
        listen("192.0.2.1", 0, allow_open=True)  # TEST-NET-1, which no machine has
