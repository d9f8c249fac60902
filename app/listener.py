"""The socket on which the API listens, opened before anything else starts."""

import errno
import ipaddress
import os
import socket

BACKLOG = 2048
"""Connections that wait while the API process starts, or starts again; uvicorn's own default."""


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to do instead."""


def listen(host: str, port: int, *, allow_open: bool) -> socket.socket:
    """Listen on `host` and `port`, 0 for a free one.

    Where nobody is asked for a key, an address beyond the loopback interface is refused: whoever reaches the port
    may start jobs and read everything.

    Args:
        host: a name or an address, of IPv4 or IPv6.
        port: 0 to 65535.
        allow_open: accept any address, because a key is asked for or something else keeps strangers out.

    Raises:
        ListenError: refused, unknown, in use, or not permitted.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(f"{host!r} is not an address of this machine: {error}") from error
    family, kind, protocol, _, address = found[0]
    if not allow_open and not ipaddress.ip_address(address[0]).is_loopback:
        raise ListenError(
            f"{host} is open to other machines, and whoever reaches the port may do everything: set "
            "CELLAR_REQUIRE_KEYS=true, listen on 127.0.0.1, or set CELLAR_ALLOW_OPEN=true where something else keeps "
            "strangers out"
        )
    opened = socket.socket(family, kind, protocol)
    try:
        # The connections of an earlier process that are still timing out do not make the port taken.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        match error.errno:
            case errno.EADDRINUSE:
                reason = "another program listens there: choose another with --port, or --port 0 for a free one"
            case errno.EACCES:
                reason = "this account may not listen there: choose a port from 1024 on"
            case _:
                reason = os.strerror(error.errno or 0)
        raise ListenError(f"port {port} of {host} cannot be used, {reason}") from error
    return opened


def url_of(listening: socket.socket) -> str:
    """Where a client on this machine reaches it, e.g. ``http://127.0.0.1:8000``."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
