"""Simulated devices on networks: TCP server, UDP, and a 4G DTU that dials out.

All speak any framing: Modbus TCP, or RTU and ASCII frames over a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from simulators.mixed import Answering
from simulators.units import Outgoing

MAX_BUFFER = 64 * 1024
REDIAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a network port is."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return host:port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DtuTraits:
    """How a DTU introduces itself, and what it repeats."""

    to: Endpoint
    registration: bytes = b""
    heartbeat: bytes = b""
    heartbeat_s: float = 30.0


class StreamSlave(asyncio.Protocol):
    """One connection: takes requests out of the stream, sends replies when they are due.

    With `is_one_by_one` (a serial line behind the gateway) a reply begins only when the one before
    it has been sent.
    """

    def __init__(self, units: Answering, opened: set[StreamSlave], *, is_one_by_one: bool) -> None:
        self.closed = asyncio.Event()
        self._units = units
        self._opened = opened
        self._is_one_by_one = is_one_by_one
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._free_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self._transport = transport
        self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio.Protocol
        """Forget all replies that were still due."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._opened.discard(self)
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (asked := self._units.framing.take(self._buffer)) is not None:
            reply = self._units.respond(asked)
            if reply is not None:
                self._send(reply)
        if len(self._buffer) > MAX_BUFFER:
            self._buffer.clear()

    def send(self, data: bytes) -> None:
        """Send bytes now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, reply: Outgoing) -> None:
        if reply.after_s <= 0:
            self.send(reply.frame)
            return
        loop = asyncio.get_running_loop()
        begin = max(loop.time(), self._free_at) if self._is_one_by_one else loop.time()
        self._free_at = begin + reply.after_s

        def due() -> None:
            self._timers.discard(timer)
            self.send(reply.frame)

        timer = loop.call_at(begin + reply.after_s, due)
        self._timers.add(timer)


class TcpServer:
    """A listening port with units behind it. `unplug` closes it and cuts all connections."""

    def __init__(self, units: Answering, at: Endpoint, *, is_one_by_one: bool = False) -> None:
        self.units = units
        self.at = at
        self._is_one_by_one = is_one_by_one
        self._opened: set[StreamSlave] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.unplug()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._opened)

    async def plug(self) -> None:
        """Listen; port 0 becomes the one that the system chose."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self.at.host, self.at.port)
        self.at = Endpoint(self.at.host, self._server.sockets[0].getsockname()[1])

    async def unplug(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is None:
            return
        self._server.close()
        for slave in list(self._opened):
            slave.abort()
        await self._server.wait_closed()
        self._server = None
        await asyncio.sleep(0)  # lets aborted transports say goodbye

    def cut(self) -> None:
        """Cut all connections, and go on listening."""
        for slave in list(self._opened):
            slave.abort()

    def _connection(self) -> StreamSlave:
        return StreamSlave(self.units, self._opened, is_one_by_one=self._is_one_by_one)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, units: Answering) -> None:
        self._units = units
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = self._units.framing.parse(data)
        reply = None if asked is None else self._units.respond(asked)
        if reply is not None:
            asyncio.get_running_loop().call_later(reply.after_s, self._send, reply.frame, addr)

    def _send(self, frame: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(frame, addr)


@asynccontextmanager
async def udp_server(units: Answering, at: Endpoint) -> AsyncGenerator[Endpoint]:
    """Answer datagrams while the block runs; gives where."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(units), (at.host, at.port)
    )
    try:
        yield Endpoint(at.host, transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
        await asyncio.sleep(0)


async def dial_out(
    units: Answering, traits: DtuTraits, connected: Callable[[StreamSlave], None] = lambda _: None
) -> None:
    """Be a DTU until cancelled: dial, register, beat, answer; dial again when cut."""
    loop = asyncio.get_running_loop()
    opened: set[StreamSlave] = set()
    while True:
        with contextlib.suppress(OSError):  # nobody listens yet, or no longer
            _, slave = await loop.create_connection(
                lambda: StreamSlave(units, opened, is_one_by_one=True),
                traits.to.host,
                traits.to.port,
            )
            connected(slave)
            try:
                slave.send(traits.registration)
                await _beat(slave, traits)
            finally:
                slave.abort()
        await asyncio.sleep(REDIAL_S)


async def _beat(slave: StreamSlave, traits: DtuTraits) -> None:
    """Repeat the heartbeat until the connection ends."""
    while not slave.closed.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(traits.heartbeat_s):
                await slave.closed.wait()
        if not slave.closed.is_set():
            slave.send(traits.heartbeat)
