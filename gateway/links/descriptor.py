"""A link over a file descriptor that the event loop watches: serial port, TCP, UDP.

What differs between them is the Opener: how the descriptor is got, and what its errors mean.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.links.contract import LinkDown
from gateway.links.inbox import LIMIT_BYTES, Inbox
from gateway.links.sieve import Sieve

READ_BYTES = 4096
"""Longer than any frame of a field bus; a datagram of 4 KiB still comes whole."""
UNSENT_LIMIT_BYTES = 16384
"""Requests are short: so much unsent means that the other side takes nothing any more."""
DROP_ROUNDS = 32
"""`drop_input` ends even when the other side never stops talking."""
FLUSH_LIMIT_S = 1.0
HOLD_S = 0.05
"""How long a possible beginning of a heartbeat is held back; a DTU's network needs longer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A non-blocking descriptor, how to give it back, and what was read from it already."""

    fd: int
    close: Callable[[], None]
    first: bytes = b""
    sieve: Sieve | None = None


class Opener(Protocol):
    """How one kind of descriptor is got, and how it speaks of its faults."""

    @property
    def char_s(self) -> float:
        """Seconds of one character; 0 on networks."""
        ...

    @property
    def is_stream(self) -> bool:
        """Whether an empty read means the end, and a partial write is finished later."""
        ...

    async def open(self) -> Opened:
        """Get the descriptor, or raise LinkDown."""
        ...

    def explain(self, error: OSError | None) -> LinkDown:
        """Say what an error of read or write means; None for the end of the stream."""
        ...

    def switch(self, setting: str | None) -> float:
        """Set the open port anew; return the seconds of one character. Networks return 0."""
        ...

    def describe(self) -> str:
        """Return the link as people name it."""
        ...


class DescriptorLink:
    """A Link (see contract) over what its opener opens."""

    __slots__ = (
        "_free_at", "_hold", "_inbox", "_is_paused", "_loop", "_opened", "_opener", "_unsent",
        "char_s",
    )  # fmt: skip

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.char_s = opener.char_s
        self._inbox = Inbox(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: Opened | None = None
        self._unsent = bytearray()
        self._free_at = 0.0
        self._hold: asyncio.TimerHandle | None = None
        self._is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether it was opened and has not been lost or closed since."""
        return self._opened is not None

    def describe(self) -> str:
        """Return the link as people name it."""
        return self._opener.describe()

    async def open(self) -> None:
        """Get the descriptor and watch it.

        Raises:
            LinkDown: it cannot be opened now.
        """
        if self._opened is not None:
            return
        opened = await self._opener.open()
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._inbox.start()
        self._unsent.clear()
        self._free_at = 0.0
        self._is_paused = False
        self.char_s = self._opener.char_s
        self._loop.add_reader(opened.fd, self._read)
        if opened.first:
            self._arrived(opened.first)

    async def close(self) -> None:
        """Give the descriptor back, after what was sent has left, within a second."""
        if self._opened is None or self._loop is None:
            return
        try:
            left_s = min(self._free_at - self._loop.time(), FLUSH_LIMIT_S)
            if left_s > 0:
                await asyncio.sleep(left_s)
        finally:
            self._end(LinkDown(f"{self.describe()} was closed"))

    def send(self, data: bytes, /) -> float:
        """Write without waiting; return the loop time at which the last bit will have left.

        Raises:
            LinkDown: the descriptor is gone, or takes nothing any more.
        """
        opened, loop = self._opened, self._loop
        if opened is None or loop is None:
            self._inbox.check()
            raise LinkDown(f"{self.describe()} is not open")
        if opened.sieve is not None:
            opened.sieve.begin_reply()
        if self._unsent:
            self._queue(data)
        else:
            self._write(opened.fd, data)
        if not self.char_s:
            return loop.time()
        self._free_at = max(self._free_at, loop.time()) + len(data) * self.char_s
        return self._free_at

    def receive(self, until: float, /) -> Coroutine[Any, Any, bytes]:
        """Await bytes as soon as any are there; b"" at loop time `until`."""
        return self._inbox.take(until)

    def switch(self, setting: str | None, /) -> None:
        """Run on another serial setting; see Link."""
        if self._opened is None:
            self._inbox.check()
            raise LinkDown(f"{self.describe()} is not open")
        self.char_s = self._opener.switch(setting)

    def drop_input(self) -> int:
        """Discard what has arrived, in the kernel too; return how many bytes that were."""
        count = self._inbox.drop()
        opened = self._opened
        if opened is not None and opened.sieve is not None:
            count += len(opened.sieve.release())
        return count

    def pull(self) -> None:
        """Put what the kernel holds into the inbox (for the inbox)."""
        for _ in range(DROP_ROUNDS):
            if self._opened is None or not self._read():
                return

    def resume(self) -> None:
        """Watch the descriptor again (for the inbox)."""
        if self._is_paused and self._opened is not None and self._loop is not None:
            self._is_paused = False
            self._loop.add_reader(self._opened.fd, self._read)

    def _read(self) -> bool:
        """Read once; whether there may be more."""
        opened = self._opened
        if opened is None:
            return False
        try:
            octets = os.read(opened.fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._lost(error)
            return False
        if octets:
            self._arrived(octets)
        elif self._opener.is_stream:
            self._lost(None)
        return bool(octets) and not self._is_paused

    def _arrived(self, octets: bytes) -> None:
        opened = self._opened
        if opened is not None and opened.sieve is not None:
            octets = self._sieved(opened.sieve, octets)
        if octets:
            if self._inbox.count + len(octets) >= LIMIT_BYTES:
                self._pause()
            self._inbox.put(octets)  # the waiting task runs in here

    def _sieved(self, sieve: Sieve, octets: bytes) -> bytes:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        octets = sieve.feed(octets)
        if sieve.held and self._loop is not None:
            self._hold = self._loop.call_later(HOLD_S, self._release, sieve)
        return octets

    def _release(self, sieve: Sieve) -> None:
        self._hold = None
        held = sieve.release()
        if held:
            self._inbox.put(held)

    def _pause(self) -> None:
        if not self._is_paused and self._opened is not None and self._loop is not None:
            self._is_paused = True
            self._loop.remove_reader(self._opened.fd)

    def _write(self, fd: int, octets: bytes) -> None:
        try:
            count = os.write(fd, octets)
        except (BlockingIOError, InterruptedError):
            count = 0 if self._opener.is_stream else len(octets)  # UDP may lose a datagram
        except OSError as error:
            self._lost(error)
            self._inbox.check()
            return
        if count < len(octets) and self._loop is not None:
            self._unsent += octets[count:]
            self._loop.add_writer(fd, self._write_rest)

    def _queue(self, octets: bytes) -> None:
        if len(self._unsent) + len(octets) > UNSENT_LIMIT_BYTES:
            self._end(
                LinkDown(
                    f"{self.describe()} takes no bytes any more",
                    "look whether its other side is alive",
                )
            )
            self._inbox.check()
        self._unsent += octets

    def _write_rest(self) -> None:
        if self._opened is None or self._loop is None:
            return
        try:
            count = os.write(self._opened.fd, self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        del self._unsent[:count]
        if not self._unsent:
            self._loop.remove_writer(self._opened.fd)

    def _lost(self, error: OSError | None) -> None:
        fault = self._opener.explain(error)
        fault.__cause__ = error
        self._end(fault)

    def _end(self, fault: LinkDown) -> None:
        opened, self._opened = self._opened, None
        if opened is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(opened.fd)
                self._loop.remove_writer(opened.fd)
            if self._hold is not None and opened.sieve is not None:
                self._hold.cancel()
                self._release(opened.sieve)
            opened.close()
        self._inbox.stop(fault)
