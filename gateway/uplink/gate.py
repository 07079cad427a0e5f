"""Whether a message may be sent now: the window of the connection, and a busy broker's peace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.model.record import Lane
from gateway.uplink.backoff import Backoff
from gateway.uplink.fates import PACKET_TOO_LARGE, RECEIVE_MAXIMUM_EXCEEDED
from gateway.uplink.owner import Greeting, InFlight
from gateway.uplink.pacing import Pacing
from gateway.uplink.window import Window


class Gate:
    """Of one uplink, over all its connections."""

    def __init__(self, slots: int, busy: Backoff) -> None:
        """Take the most slots we want, and how long a busy broker is left alone."""
        self._most_slots = self.slots = slots
        self.max_packet: int | None = None
        """Largest packet that this broker takes, as far as it is known."""
        self._learned_max: int | None = None
        self._window = Window(slots)
        self._busy = busy
        self._is_paused = False
        self._unpause: asyncio.TimerHandle | None = None
        self._room = {lane: asyncio.Event() for lane in Lane}
        self._again = asyncio.Event()

    @property
    def count(self) -> int:
        """Messages that wait for their acknowledgement."""
        return self._window.count

    @property
    def bytes_limit(self) -> int:
        """Bytes of telemetry that may be on their way."""
        return self._window.limit

    def open(self, greeting: Greeting) -> None:
        """Begin a connection with what the broker allows; how fast it is shows by and by."""
        self.slots = min(self._most_slots, greeting.receive_maximum)
        limits = [size for size in (greeting.max_packet, self._learned_max) if size is not None]
        self.max_packet = min(limits, default=None)
        self._window = Window(self.slots, Pacing())

    def learn(self, code: int | None, sizes: Sequence[int]) -> None:
        """Learn limits that a broker did not announce from how it ended the connection.

        `sizes` are those of the messages that were on their way.
        """
        if code == PACKET_TOO_LARGE and sizes:
            self._learned_max = max(sizes) - 1  # the largest one must be above the limit
        if code == RECEIVE_MAXIMUM_EXCEEDED:
            self._most_slots = max(1, self.slots // 2)

    def close(self) -> None:
        """The connection is gone, and all that was on its way."""
        self._window = Window(self.slots)
        self.resume()

    def enter(self, lane: Lane, size: int, *, needs_slot: bool = True) -> bool:
        """Return whether a message may be sent now; it is to be counted with `take` then."""
        if not self._is_paused and self._window.has_room(lane, size, needs_slot=needs_slot):
            return True
        self._room[lane].clear()
        return False

    def take(self, size: int) -> None:
        """Count a message that was sent."""
        self._window.take(size)

    def answered(self, flight: InFlight) -> None:
        """Count its acknowledgement."""
        now = asyncio.get_running_loop().time()
        self._window.answered(flight.size, now - flight.sent_at, now)

    def is_calm(self) -> None:
        """The broker takes messages: the next pause is a short one."""
        self._busy.reset()

    def pause(self) -> None:
        """Send nothing for a while: the broker has enough."""
        if self._unpause is None:
            self._is_paused = True
            loop = asyncio.get_running_loop()
            self._unpause = loop.call_later(self._busy.next(), self.resume)

    def shut(self) -> None:
        """Send nothing more on this connection."""
        self._is_paused = True

    def resume(self) -> None:
        """Send again."""
        if self._unpause is not None:
            self._unpause.cancel()
            self._unpause = None
        self._is_paused = False
        self.tell()

    def tell(self) -> None:
        """Let those that wait for room look again."""
        if not self._is_paused:
            self._again.set()
            for event in self._room.values():
                event.set()

    async def wait(self, lane: Lane) -> None:
        """Wait until a refused `enter` of this lane is worth another try."""
        await self._room[lane].wait()

    async def room_again(self) -> None:
        """Wait until there may be room that was not there before."""
        await self._again.wait()
        self._again.clear()

    async def next_answer(self) -> None:
        """Wait until something was acknowledged."""
        self._room[Lane.EVENT].clear()
        await self._room[Lane.EVENT].wait()
