"""A proxy in front of a server that does to connections what networks do: slow, cut, reset, and silent.

    with FaultProxy(unix_socket) as proxy:
        connect(port=proxy.port)      # 127.0.0.1
        proxy.slow(latency=0.1)       # each piece of data waits; `rate` bytes a second pass
        proxy.silence()               # connections stay open and nothing passes, old or new
        proxy.reset()                 # every connection is answered with RST now
        proxy.cut()                   # every connection is closed in order now
        proxy.refuse()                # and every new one at once, until ...
        proxy.heal()                  # ... what was silenced is reset, the rest passes again

It runs in a thread of its own; every call returns when it has taken effect.
"""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

PIECE = 16 * 1024  # bytes read at a time
LINGER_NOTHING = struct.pack("ii", 1, 0)  # close() then sends RST: man 7 socket, SO_LINGER


@dataclass(slots=True)
class Manner:
    """How data is treated now."""

    latency: float = 0.0  # seconds that each piece waits
    rate: float | None = None  # bytes a second and direction
    silent: bool = False
    refusing: bool = False


@dataclass(slots=True, eq=False)
class Link:
    """One connection of a client with its connection to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    silenced: bool = False  # it has lost data, so it can never pass again
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def end(self, *, reset: bool) -> None:
        """Close both sides; with RST, or in order."""
        for task in self.tasks:
            task.cancel()
        for writer in filter(None, (self.client, self.server)):
            opened = writer.get_extra_info("socket")
            if reset and opened is not None and opened.family != socket.AF_UNIX:
                with contextlib.suppress(OSError):
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
            if reset:
                writer.transport.abort()
            else:
                writer.close()


class FaultProxy:
    """Listens on a port of the loopback address and connects to a unix socket."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.port = 0
        self.passed = 0  # bytes, both directions
        self._manner = Manner()
        self._links: set[Link] = set()
        self._awake: asyncio.Event
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """End every connection and stop listening."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()

    # -- faults

    def slow(self, *, latency: float = 0.0, rate: float | None = None) -> None:
        """Let each piece wait so many seconds, and so many bytes a second pass."""
        self._call(lambda: self._become(Manner(latency=latency, rate=rate)))

    def silence(self) -> None:
        """Let nothing pass, and nobody know: connections are accepted, and stay open."""

        def silence() -> None:
            for link in self._links:
                link.silenced = True
            self._become(Manner(silent=True))

        self._call(silence)

    def cut(self) -> None:
        """Close every connection in order."""
        self._call(lambda: self._end_all(reset=False))

    def reset(self) -> None:
        """Reset every connection."""
        self._call(lambda: self._end_all(reset=True))

    def refuse(self) -> None:
        """Reset every connection, and each new one as soon as it is made."""

        def refuse() -> None:
            self._become(Manner(refusing=True))
            self._end_all(reset=True)

        self._call(refuse)

    def heal(self) -> None:
        """Treat data well again. Connections that lost some are reset, as by a host that has come back."""

        def heal() -> None:
            self._become(Manner())
            for link in [link for link in self._links if link.silenced]:
                link.end(reset=True)
                self._links.discard(link)

        self._call(heal)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._links)

    # -- in the loop

    def _become(self, manner: Manner) -> None:
        self._manner = manner
        self._awake.set()
        self._awake = asyncio.Event()

    def _end_all(self, *, reset: bool) -> None:
        for link in self._links:
            link.end(reset=reset)
        self._links.clear()

    async def _listen(self) -> None:
        self._awake = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [task for link in self._links for task in link.tasks]
        self._end_all(reset=True)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        if self._manner.refusing:
            link.end(reset=True)
            return
        self._links.add(link)
        link.silenced = self._manner.silent
        try:
            from_server, link.server = await asyncio.open_unix_connection(os.fspath(self.target))
        except OSError:  # there is no server now
            link.end(reset=True)
            self._links.discard(link)
            return
        if link not in self._links:  # ended meanwhile
            link.end(reset=True)
            return
        link.tasks = [
            asyncio.ensure_future(self._pump(link, reader, link.server)),
            asyncio.ensure_future(self._pump(link, from_server, writer)),
        ]

    async def _pump(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side says, until either side ends."""
        try:
            while piece := await reader.read(PIECE):
                while self._manner.silent or link.silenced:
                    await self._awake.wait()
                manner = self._manner
                pause = manner.latency + (len(piece) / manner.rate if manner.rate else 0.0)
                if pause:
                    await asyncio.sleep(pause)
                self.passed += len(piece)
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
        if not (self._manner.silent or link.silenced) and link in self._links:
            self._links.discard(link)
            link.end(reset=False)

    # -- from other threads

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _call(self, act: Callable[[], None]) -> None:
        async def acted() -> None:
            act()

        self._do(acted())
