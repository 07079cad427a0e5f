"""A TCP proxy between gateway and broker that can be slow, deaf, closed or cruel.

    with Proxy(broker.port) as proxy:
        ... proxy.port ...
        proxy.reset()          # RST to both ends of every connection
        proxy.close(), proxy.open()
        proxy.delay_s = 0.5    # each way
        proxy.is_deaf = True   # connections stand, nothing passes

It runs in a thread of its own and counts what passed. Where the listening socket comes from
outside (a network namespace), it is not closed and opened.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
START_S = 10.0
PIECE = 16_384


class Proxy:
    """Forwards to a loopback port."""

    def __init__(
        self,
        target_port: int,
        listener: socket.socket | None = None,
        *,
        host: str = HOST,
        port: int = 0,
    ) -> None:
        """Take where to forward to, and where to listen or a socket that is bound already."""
        self._host = host
        self.target_port = target_port
        self.delay_s = 0.0
        self.is_deaf = False
        self.accepted = 0
        """Connections that came."""
        self.up_bytes = 0
        """Bytes of the gateway that were passed on."""
        self.first_bytes: list[bytes] = []
        """The first piece of every connection, from the gateway."""
        self._own = listener is None
        self._socket = listener or _listen(host, port)
        self.port = int(self._socket.getsockname()[1])
        self._pairs: set[_Half] = set()
        self._server: asyncio.Server | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy")

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        assert self._ready.wait(START_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        self._socket.close()

    def reset(self) -> None:
        """Cut every connection with RST."""
        self._do(self._cut_all)

    def close(self) -> None:
        """Refuse connections and cut those that stand: the broker is down."""
        assert self._own, "a socket that was given stays open"

        def down() -> None:
            assert self._server is not None
            self._server.close()
            self._socket.close()
            self._cut_all()

        self._do(down)

    def open(self) -> None:
        """Accept again, on the same port."""
        self._socket = _listen(self._host, self.port)
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(START_S)

    def _do(self, act: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            act()
            done.set()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(run)
        assert done.wait(START_S)

    def _cut_all(self) -> None:
        for half in list(self._pairs):
            half.cut()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._listen()
        self._ready.set()
        await self._stop.wait()
        if self._server is not None:
            self._server.close()
        self._cut_all()
        await asyncio.sleep(0)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._came, sock=self._socket)

    def _came(self) -> asyncio.Protocol:
        self.accepted += 1
        near, far = _Half(self, is_near=True), _Half(self, is_near=False)
        near.other, far.other = far, near
        return near

    # --- what halves call

    def made(self, half: _Half) -> None:
        """Note a connection; the near one calls the broker."""
        self._pairs.add(half)
        if half.is_near:
            loop = asyncio.get_running_loop()
            with socket.socket() as probe:
                is_up = probe.connect_ex((HOST, self.target_port)) == 0
            if not is_up:
                half.cut()
                return
            connecting = loop.create_connection(lambda: half.far, HOST, self.target_port)
            asyncio.run_coroutine_threadsafe(connecting, loop)

    def lost(self, half: _Half) -> None:
        """Note the end of a connection."""
        self._pairs.discard(half)

    def passes(self, half: _Half, piece: bytes) -> None:
        """Count a piece on its way up."""
        if half.is_near:
            self.up_bytes += len(piece)
            if not half.has_spoken:
                half.has_spoken = True
                self.first_bytes.append(piece)


class _Half(asyncio.Protocol):
    """One side of a connection."""

    def __init__(self, proxy: Proxy, *, is_near: bool) -> None:
        self._proxy = proxy
        self.is_near = is_near
        self.has_spoken = False
        self.other: _Half | None = None
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()
        self._is_over = False

    @property
    def far(self) -> _Half:
        """The other side."""
        assert self.other is not None
        return self.other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_over:
            self.cut()
            return
        self._proxy.made(self)
        while self._waiting:
            transport.write(self._waiting.popleft())

    def data_received(self, data: bytes) -> None:
        if self._proxy.is_deaf:
            return
        self._proxy.passes(self, data)
        delay_s = self._proxy.delay_s
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self.far.put, data)
        else:
            self.far.put(data)

    def put(self, piece: bytes) -> None:
        """Send to this side, now or when it is connected."""
        if self._transport is None:
            self._waiting.append(piece)
        elif not self._transport.is_closing():
            self._transport.write(piece)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._proxy.lost(self)
        self.far.finish()

    def finish(self) -> None:
        """Close after what is still to be written."""
        self._is_over = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def cut(self) -> None:
        """Close with RST, at once."""
        self._is_over = True
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((host, port))
    return found
