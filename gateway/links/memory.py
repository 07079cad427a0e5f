"""Lines in memory, for tests in virtual time: a link whose other end is a Python object.

With `char_s` the wire takes its time: what is sent arrives at the far end when its last bit does,
and so on the way back. One object is one wire, so it also keeps the order of bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from gateway.links.contract import Link, LinkDown
from gateway.links.inbox import Inbox


@dataclass(frozen=True, slots=True)
class Sent:
    """What the gateway's side sent, with the loop times of its first and last bit."""

    data: bytes
    begun_at: float
    ended_at: float


class MemoryWire:
    """The far end of one line in memory.

    `listen` gives it a device: a function that is called with each Sent at the time of its last
    bit, and may call `deliver`. All that was sent is kept in `sent` as well.
    """

    def __init__(self, name: str, char_s: float = 0.0) -> None:
        """Name the wire; `char_s` is the time of one character in both directions."""
        self.name = name
        self.char_s = char_s
        self.sent: list[Sent] = []
        self.is_plugged = True
        self._listener: Callable[[Sent], None] | None = None
        self._near: _MemoryLink | None = None
        self._free_at = 0.0

    def listen(self, listener: Callable[[Sent], None]) -> None:
        """Give the wire its device; it replaces an earlier one."""
        self._listener = listener

    def deliver(self, data: bytes, at: float | None = None) -> float:
        """Send to the gateway from loop time `at` on, now by default.

        It begins when what was delivered before has ended, arrives in one piece with its last
        bit, and that loop time comes back. What arrives while the link is closed is lost.
        """
        loop = asyncio.get_running_loop()
        begin = max(loop.time() if at is None else at, self._free_at)
        self._free_at = begin + len(data) * self.char_s
        if self._free_at <= loop.time():
            self._arrive(data)
        else:
            loop.call_at(self._free_at, self._arrive, data)
        return self._free_at

    def unplug(self) -> None:
        """Take the line away: its link is down, and does not open."""
        self.is_plugged = False
        if self._near is not None:
            self._near.lose(LinkDown(f"memory line {self.name} was unplugged", "plug it in"))

    def plug(self) -> None:
        """Bring the line back; its link may be opened again."""
        self.is_plugged = True

    def attach(self, near: _MemoryLink | None) -> None:
        """Know the near end that is open (for the link)."""
        self._near = near

    def accept(self, data: bytes, begun_at: float, ended_at: float) -> None:
        """Carry what the near end sends (for the link)."""
        sent = Sent(data, begun_at, ended_at)
        asyncio.get_running_loop().call_at(ended_at, self._reach, sent)

    def _reach(self, sent: Sent) -> None:
        if not self.is_plugged:
            return
        self.sent.append(sent)
        if self._listener is not None:
            self._listener(sent)

    def _arrive(self, data: bytes) -> None:
        if self._near is not None and self.is_plugged:
            self._near.arrived(data)


class MemoryWires:
    """The lines in memory by name, as settings name them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._wires: dict[str, MemoryWire] = {}

    def wire(self, name: str, char_s: float = 0.0) -> MemoryWire:
        """Return the wire of that name; made, with that timing, when it is new."""
        return self._wires.setdefault(name, MemoryWire(name, char_s))

    def link(self, name: str) -> Link:
        """Return the near end of the wire of that name."""
        return _MemoryLink(self.wire(name))


def memory_link(wire: MemoryWire) -> Link:
    """Return the near end of a wire."""
    return _MemoryLink(wire)


class _MemoryLink:
    """The near end: a Link (see contract)."""

    def __init__(self, wire: MemoryWire) -> None:
        self._wire = wire
        self._inbox = Inbox(self)
        self._free_at = 0.0
        self._is_open = False

    @property
    def char_s(self) -> float:
        """Seconds of one character on this wire."""
        return self._wire.char_s

    @property
    def is_open(self) -> bool:
        """Whether it was opened and has not been lost or closed since."""
        return self._is_open

    def describe(self) -> str:
        """Return `memory name`."""
        return f"memory {self._wire.name}"

    async def open(self) -> None:
        """Attach to the wire, or raise LinkDown while it is unplugged."""
        if self._is_open:
            return
        if not self._wire.is_plugged:
            raise LinkDown(f"memory line {self._wire.name} is not there", "plug it in")
        self._is_open = True
        self._free_at = 0.0
        self._inbox.start()
        self._wire.attach(self)

    async def close(self) -> None:
        """Detach from the wire."""
        self.lose(LinkDown(f"{self.describe()} was closed"))

    def send(self, data: bytes, /) -> float:
        """Send; return the loop time at which the last bit will have left."""
        self._inbox.check()
        begin = max(asyncio.get_running_loop().time(), self._free_at)
        self._free_at = begin + len(data) * self.char_s
        self._wire.accept(data, begin, self._free_at)
        return self._free_at

    def receive(self, until: float, /) -> Coroutine[Any, Any, bytes]:
        """Await bytes as soon as any are there; b"" at loop time `until`."""
        return self._inbox.take(until)

    def switch(self, setting: str | None, /) -> None:
        """Do nothing: bytes in memory have no serial setting."""

    def drop_input(self) -> int:
        """Discard what has arrived; return how many bytes that were."""
        return self._inbox.drop()

    def arrived(self, data: bytes) -> None:
        """Take bytes from the wire."""
        if data:
            self._inbox.put(data)

    def lose(self, fault: LinkDown) -> None:
        """End here: the wire is gone, or we close."""
        if self._is_open:
            self._is_open = False
            self._wire.attach(None)
            self._inbox.stop(fault)

    def pull(self) -> None:
        """Do nothing: memory holds nothing back (for the inbox)."""

    def resume(self) -> None:
        """Do nothing: memory never pauses (for the inbox)."""
