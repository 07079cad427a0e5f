"""Ports on which many devices call that speak by themselves: every call is a link of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import OrderedDict, deque

from gateway.links import sockets
from gateway.links.contract import Link, LinkDown
from gateway.links.descriptor import DescriptorLink, Opened
from gateway.model.link import CallersPort

MOST_CALLS = 256
"""Calls at the same time; of UDP, peers that are remembered."""
WAITING_CALLS = 64
UNACKNOWLEDGED_S = 30.0
"""A mobile network may stall for so long and come back."""
DATAGRAM_BYTES = 65_535
WAITING_DATAGRAMS = 64
"""Datagrams of one peer that nobody took yet; further ones are lost, as UDP may."""


class CallersDoor:
    """One listening port, TCP or UDP. Belongs to one task."""

    def __init__(self, settings: CallersPort) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sock: socket.socket | None = None
        self._calls: asyncio.Queue[Link] = asyncio.Queue(WAITING_CALLS)
        self._peers: OrderedDict[tuple[str, int], PeerLink] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._sock is not None

    @property
    def number(self) -> int:
        """The port number that is bound; 0 while closed."""
        return int(self._sock.getsockname()[1]) if self._sock is not None else 0

    def describe(self) -> str:
        """Return `tcp port host:port`."""
        one = self._settings
        return f"{one.transport} port {one.host}:{one.port}"

    def open(self) -> None:
        """Listen; nothing happens when it listens already.

        Raises:
            LinkDown: the port cannot be had.
        """
        if self._sock is not None:
            return
        self._loop = asyncio.get_running_loop()
        is_stream = self._settings.transport == "tcp"
        self._sock = _bound(self._settings, is_stream=is_stream)
        self._loop.add_reader(self._sock, self._accept if is_stream else self._take_datagram)

    def close(self) -> None:
        """Listen no longer; TCP calls that were taken live on, UDP peers end."""
        if self._sock is None or self._loop is None:
            return
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._sock = None
        for peer in self._peers.values():
            peer.end()
        self._peers.clear()

    async def call(self, within_s: float) -> Link | None:
        """Return the next call, or None when nobody called in time."""
        try:
            async with asyncio.timeout(within_s):
                return await self._calls.get()
        except TimeoutError:
            return None

    def forget(self, peer: PeerLink) -> None:
        """Know a UDP peer no longer; its next datagram is a new call."""
        self._peers.pop(peer.at, None)

    def send_to(self, at: tuple[str, int], octets: bytes) -> None:
        """Send one datagram; one that cannot be sent is lost."""
        if self._sock is None:
            return
        try:
            self._sock.sendto(octets, at)
        except OSError:  # a datagram may be lost: the dialogue above repeats it
            return

    def _accept(self) -> None:
        if self._sock is None:
            return
        try:
            sock, address = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        if self._calls.full():
            sock.close()
            return
        sockets.tune(sock, UNACKNOWLEDGED_S)
        self._calls.put_nowait(DescriptorLink(_Accepted(sock, f"{address[0]}:{address[1]}")))

    def _take_datagram(self) -> None:
        if self._sock is None:
            return
        try:
            octets, at = self._sock.recvfrom(DATAGRAM_BYTES)
        except OSError:  # nothing there, or an ICMP answer to something that we sent
            return
        peer = self._peers.get(at)
        if peer is None:
            if self._calls.full():
                return
            peer = self._peers[at] = PeerLink(self, at)
            self._calls.put_nowait(peer)
            if len(self._peers) > MOST_CALLS:
                self._peers.popitem(last=False)[1].end()
        self._peers.move_to_end(at)
        peer.arrived(octets)


class PeerLink:
    """A Link (see contract) to one UDP peer; `receive` gives one datagram a call."""

    char_s = 0.0

    def __init__(self, door: CallersDoor, at: tuple[str, int]) -> None:
        self.at = at
        self._door = door
        self._datagrams: deque[bytes] = deque(maxlen=WAITING_DATAGRAMS)
        self._has_come = asyncio.Event()
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether the peer is still listened to."""
        return self._is_open

    def describe(self) -> str:
        """Return `udp host:port`."""
        return f"udp {self.at[0]}:{self.at[1]}"

    async def open(self) -> None:
        """Do nothing: the peer has called.

        Raises:
            LinkDown: it was ended.
        """
        self._check()

    async def close(self) -> None:
        """Forget the peer."""
        self._is_open = False
        self._door.forget(self)

    def send(self, data: bytes, /) -> float:
        """Send one datagram."""
        self._check()
        self._door.send_to(self.at, data)
        return asyncio.get_running_loop().time()

    async def receive(self, until: float, /) -> bytes:
        """Return one datagram; b"" at loop time `until`."""
        if not self._datagrams:
            self._check()
            self._has_come.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._has_come.wait()
            except TimeoutError:
                return b""
        if not self._datagrams:
            self._check()
            return b""
        return self._datagrams.popleft()

    def switch(self, setting: str | None, /) -> None:
        """Do nothing: a network has no serial setting."""

    def drop_input(self) -> int:
        """Discard what was not taken; return how many bytes that were."""
        count = sum(map(len, self._datagrams))
        self._datagrams.clear()
        return count

    def arrived(self, octets: bytes) -> None:
        """Take a datagram of this peer (for the door)."""
        self._datagrams.append(octets)
        self._has_come.set()

    def end(self) -> None:
        """Listen to the peer no longer (for the door)."""
        self._is_open = False
        self._has_come.set()

    def _check(self) -> None:
        if not self._is_open:
            raise LinkDown(f"{self.describe()} is not listened to any more")


class _Accepted:
    """A TCP call that was taken; it cannot be opened twice."""

    char_s = 0.0
    is_stream = True

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self._sock: socket.socket | None = sock
        self._peer = peer

    async def open(self) -> Opened:
        """Give the socket, once."""
        sock, self._sock = self._sock, None
        if sock is None:
            raise LinkDown(f"{self.describe()} has ended")
        return Opened(sock.fileno(), sock.close)

    def switch(self, setting: str | None) -> float:  # noqa: ARG002 - Opener
        """Return 0: a network has no serial setting."""
        return 0.0

    def explain(self, error: OSError | None) -> LinkDown:
        """Say what ended the call."""
        if error is None:
            return LinkDown(f"{self.describe()} hung up")
        return LinkDown(f"{self.describe()} was lost: {sockets.reason(error)}")

    def describe(self) -> str:
        """Return who calls."""
        return f"caller {self._peer}"


def _bound(settings: CallersPort, *, is_stream: bool) -> socket.socket:
    place = (settings.host, settings.port)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        if is_stream:
            sock = socket.create_server(place, family=family, backlog=WAITING_CALLS)
        else:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.bind(place)
            except OSError:
                sock.close()
                raise
    except OSError as error:
        remedy = {
            errno.EADDRINUSE: "another program has it: choose another port, or end that program",
            errno.EADDRNOTAVAIL: "this machine has no such address: write 0.0.0.0 for all",
            errno.EACCES: "ports below 1024 need a right of their own: choose a higher one",
        }.get(error.errno or 0, "")
        where = f"{settings.transport} {settings.host}:{settings.port}"
        raise LinkDown(f"cannot listen on {where}: {sockets.reason(error)}", remedy) from error
    sock.settimeout(0)
    return sock
