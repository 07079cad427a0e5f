"""Lines on which 4G DTUs dial in.

Lines may share a port; each one is known by its registration packet. A caller that nobody expects
is closed and reported. A newer call with the same registration takes the place of the older one,
because a DTU that lost its network dials in anew long before the old connection is known to be
dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.links import sockets
from gateway.links.contract import Link, LinkDown
from gateway.links.descriptor import DescriptorLink, Opened
from gateway.links.listening_port import (
    Claim,
    ListeningPort,
    UnknownCaller,
    is_alive,
    log_unknown,
)
from gateway.links.sieve import Sieve
from gateway.model.link import TcpListener

REGISTER_WITHIN_S = 10.0
"""A DTU says who it is at once; the network may need a while."""
CALL_WITHIN_S = 10.0
"""How long `open` waits for a call before it says LinkDown. A call that comes later is kept."""


class ListenerHub:
    """All listening ports of the gateway. Use it as an async context manager around all lines.

    A port is opened when the first line on it is opened, and stays open between two `open` of a
    line, so that a DTU can always call; `forget` gives a removed line's share back.
    """

    def __init__(
        self,
        on_unknown: Callable[[UnknownCaller], None] = log_unknown,
        *,
        call_within_s: float = CALL_WITHIN_S,
        register_within_s: float = REGISTER_WITHIN_S,
    ) -> None:
        """Take whom to tell about unknown callers, and the two waits."""
        self._on_unknown = on_unknown
        self._call_within_s = call_within_s
        self._register_within_s = register_within_s
        self._ports: dict[tuple[str, int], ListeningPort] = {}
        self._lines: set[TcpListener] = set()

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all ports and all calls."""
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def link(self, settings: TcpListener) -> Link:
        """Return the link of one line; its DTU is expected as soon as the port is open."""
        self._lines.add(settings)
        return DescriptorLink(_DtuOpener(self, settings))

    def listen(self, settings: TcpListener) -> int:
        """Expect this line's call from now on; return the port number that is bound.

        Raises:
            LinkDown: the port cannot be had.
        """
        place = (settings.host, settings.port)
        port = self._ports.get(place)
        if port is None:
            port = ListeningPort(place, self._on_unknown, self._register_within_s)
            self._ports[place] = port
        # All lines of the port at once: a DTU may call before its own line is opened.
        for line in {settings, *self._lines}:
            if (line.host, line.port) == place:
                port.claims.setdefault(line, Claim())
        return port.number

    def forget(self, settings: TcpListener) -> None:
        """Expect this line no longer; the port closes with its last line."""
        self._lines.discard(settings)
        place = (settings.host, settings.port)
        port = self._ports.get(place)
        if port is None:
            return
        port.drop(settings)
        if not port.claims:
            port.close()
            del self._ports[place]

    def waiting(self, settings: TcpListener) -> int:
        """Return how many calls wait for the line to be opened: 0 or 1."""
        port = self._ports.get((settings.host, settings.port))
        claim = port.claims.get(settings) if port is not None else None
        return int(claim is not None and claim.next_call is not None)

    def is_replaced(self, settings: TcpListener) -> bool:
        """Whether a newer call ended the line's last one."""
        port = self._ports.get((settings.host, settings.port))
        claim = port.claims.get(settings) if port is not None else None
        return claim is not None and claim.is_replaced

    async def call(self, settings: TcpListener) -> Opened:
        """Await the line's next call.

        Raises:
            LinkDown: the port cannot be had, or nobody called in time.
        """
        self.listen(settings)
        claim = self._ports[(settings.host, settings.port)].claims[settings]
        try:
            async with asyncio.timeout(self._call_within_s):
                while True:
                    await claim.has_call.wait()
                    claim.has_call.clear()
                    call, claim.next_call = claim.next_call, None
                    if call is not None and is_alive(call.sock):
                        break
        except TimeoutError as error:
            raise LinkDown(
                f"{describe(settings)} has not called",
                "look at its power, SIM and signal, and at the server address set in it",
            ) from error
        claim.current, claim.is_replaced = call.sock, False
        sieve = Sieve([call.registration, settings.heartbeat or b""])
        return Opened(call.sock.fileno(), call.sock.close, call.first, sieve)


def describe(settings: TcpListener) -> str:
    """Return the line's caller as people name it."""
    place = f"{settings.host}:{settings.port}"
    if settings.registration is None:
        return f"the DTU on {place}"
    word = settings.registration
    name = word.decode() if word.isascii() and word.decode().isprintable() else word.hex(" ")
    return f"the DTU {name} on {place}"


class _DtuOpener:
    """Waits for the line's call."""

    char_s = 0.0
    is_stream = True

    def __init__(self, hub: ListenerHub, settings: TcpListener) -> None:
        self._hub = hub
        self._settings = settings

    async def open(self) -> Opened:
        """Take the call that is there, or await one."""
        return await self._hub.call(self._settings)

    def switch(self, setting: str | None) -> float:  # noqa: ARG002 - Opener
        """Return 0: a network has no serial setting."""
        return 0.0

    def explain(self, error: OSError | None) -> LinkDown:
        """Say what ended the call."""
        name = self.describe()
        if self._hub.is_replaced(self._settings):
            return LinkDown(
                f"{name} called again, its older connection was closed",
                "when this goes on, two DTUs have the same registration",
            )
        if error is None:
            return LinkDown(f"{name} hung up", "it will call again; look at its signal if often")
        return LinkDown(f"{name} was lost: {sockets.reason(error)}", "it will call again")

    def describe(self) -> str:
        """Return who calls on which port."""
        return describe(self._settings)
