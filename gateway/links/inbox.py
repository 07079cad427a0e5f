"""Bytes that have arrived and nobody took yet, and the one task that waits for them.

On the path of every exchange: one waiter per wait, and a timer that is only armed again when the
wanted deadline is earlier than the armed one, so most waits cost no timer at all.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.links.contract import LinkDown
from gateway.links.waiter import Waiter

LIMIT_BYTES = 65536
"""When this much lies untaken, the source pauses; an owner that reads never sees it."""


class Source(Protocol):
    """What fills an inbox."""

    def pull(self) -> None:
        """Put what has arrived but was not put yet."""
        ...

    def resume(self) -> None:
        """Go on putting; called when a full inbox was emptied."""
        ...


class Inbox:
    """Arrived bytes in order. Belongs to one event loop from `start` to `stop`."""

    __slots__ = ("_chunks", "_deadline", "_fault", "_loop", "_source", "_timer", "_waiter", "count")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._loop: asyncio.AbstractEventLoop | None = None
        self._chunks: list[bytes] = []
        self._fault: LinkDown | None = LinkDown("the link is not open")
        self._waiter: Waiter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether the source must pause."""
        return self.count >= LIMIT_BYTES

    def start(self) -> None:
        """Forget the past: empty and without fault, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._fault = None
        self._chunks.clear()
        self.count = 0

    def put(self, octets: bytes) -> None:
        """Add what came, and wake who waits."""
        self._chunks.append(octets)
        self.count += len(octets)
        if self._waiter is not None:
            self._waiter.wake()

    def stop(self, fault: LinkDown) -> None:
        """End it: what is there may still be taken, after that `fault` is raised."""
        self._fault = self._fault or fault
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def check(self) -> None:
        """Raise the fault when there is one.

        Raises:
            LinkDown: each time a fresh one, so that tracebacks do not pile up in it.
        """
        if self._fault is not None:
            raise LinkDown(self._fault.why, self._fault.remedy) from self._fault.__cause__

    async def take(self, until: float) -> bytes:
        """Return all that is there, waiting for the first byte; b"" at loop time `until`.

        Raises:
            LinkDown: the source ended, and all its bytes are taken.
        """
        if not self._chunks:
            if self._fault is None and self._loop is not None:
                await self._arrival(self._loop, until)
            if not self._chunks:
                self.check()
                return b""
        chunks = self._chunks
        octets = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._emptied()
        return octets

    def drop(self) -> int:
        """Discard all that is there, also in the source; return how many bytes that were."""
        if self._fault is None:
            self._source.pull()
        count = self.count
        self._emptied()
        return count

    async def _arrival(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        if until <= loop.time():
            # The loop was late: what the kernel already holds still came in time.
            self._source.pull()
            return
        if self._waiter is not None:
            raise RuntimeError("two tasks receive on one link")
        waiter = self._waiter = Waiter(loop)
        self._deadline = until
        timer = self._timer
        if timer is None or timer.when() > until:
            if timer is not None:
                timer.cancel()
            self._timer = loop.call_at(until, self._ring)
        try:
            await waiter
        finally:
            self._waiter = None

    def _emptied(self) -> None:
        was_full = self.is_full
        self._chunks.clear()
        self.count = 0
        if was_full and self._fault is None:
            self._source.resume()

    def _ring(self) -> None:
        timer, self._timer = self._timer, None
        if timer is None or self._loop is None or self._waiter is None:
            return
        if self._deadline <= timer.when():
            self._wake()
        else:  # armed for an earlier wait that was answered
            self._timer = self._loop.call_at(self._deadline, self._ring)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()
