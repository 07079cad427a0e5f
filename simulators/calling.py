"""Simulated devices that call the gateway: they dial in, or send datagrams, and speak unasked."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.model.clock import Clock
from simulators.contract import Callers
from simulators.tcp import REDIAL_S, Endpoint

READ_BYTES = 4096
IDLE_S = 5.0


async def call_in(callers: Callers, to: Endpoint, clock: Clock) -> None:
    """Dial, speak and answer until cancelled; dial again when cut."""
    while True:
        with contextlib.suppress(OSError):  # nobody listens yet, or no longer
            reader, writer = await asyncio.open_connection(to.host, to.port)
            try:
                await _speak(callers, reader, writer, clock)
            finally:
                writer.close()
        await asyncio.sleep(REDIAL_S)


async def _speak(
    callers: Callers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock
) -> None:
    writer.write(callers.opened(clock.now_ms()))
    while True:
        received = b""
        try:
            async with asyncio.timeout(_wait_s(callers, clock)):
                received = await reader.read(READ_BYTES)
                if not received:
                    return
        except TimeoutError:
            pass
        now_ms = clock.now_ms()
        said = callers.received(received, now_ms) if received else callers.wake(now_ms)
        if said:
            writer.write(said)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, callers: Callers, clock: Clock) -> None:
        self._callers = callers
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Say what is said first."""
        self._transport = transport
        self.send(self._callers.opened(self._clock.now_ms()))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        """Answer."""
        self.send(self._callers.received(data, self._clock.now_ms()))

    def send(self, said: bytes) -> None:
        """Send one datagram, when there is something to say."""
        if said and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(said)


async def send_in(callers: Callers, to: Endpoint, clock: Clock) -> None:
    """Send datagrams and answer those that come, until cancelled."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(callers, clock), remote_addr=(to.host, to.port)
    )
    try:
        while True:
            await asyncio.sleep(_wait_s(callers, clock))
            protocol.send(callers.wake(clock.now_ms()))
    finally:
        transport.close()


def _wait_s(callers: Callers, clock: Clock) -> float:
    at_ms = callers.wake_at_ms
    if at_ms is None:
        return IDLE_S
    return min(max((at_ms - clock.now_ms()) / 1000, 0.01), IDLE_S)
