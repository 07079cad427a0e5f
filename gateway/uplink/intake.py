"""When to read the socket: whenever something comes, unless a platform floods us.

The loop has other work: after some messages the rest waits for the next turn. When more come than
a platform needs, reading rests: a broker sends QoS 1 no further ahead of our acknowledgements than
its window, so that little stands before those of ours. Of QoS 0 the `sieve` took most away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MESSAGES_AT_ONCE = 20
"""Messages of the platform in one turn; acknowledgements of ours are not counted."""
PER_S = 500.0
BURST = 200
"""Messages above QoS 0 that are read without a rest: at once, and in each second."""


class Intake:
    """Of one connection: calls what reads a packet, and lets the loop do other things between."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        read: Callable[[], bool],
        ended: Callable[[], None],
    ) -> None:
        """Take the loop, what reads a packet and returns whether more waits, and whom to tell.

        `ended` is called when a turn is over, with or without more to read.
        """
        self._loop = loop
        self._read = read
        self._ended = ended
        self._socket: int | None = None
        self._messages = 0
        self._held = 0
        self._ahead = 0.0
        self._at = loop.time()
        self._resting: asyncio.TimerHandle | None = None
        self.rests = 0
        """How often reading waited."""

    def open(self, socket: int) -> None:
        """Read this socket whenever something comes."""
        self._socket = socket
        self._loop.add_reader(socket, self.turn)

    def close(self) -> None:
        """Read no more."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket = None

    def message(self, qos: int) -> None:
        """Count a message of the platform."""
        self._messages += 1
        self._held += qos > 0

    def turn(self) -> None:
        """Read what there is; when it is too much, rest until it is time for more."""
        self._messages = self._held = 0
        is_more = self._read()
        while is_more and self._messages < MESSAGES_AT_ONCE:
            is_more = self._read()
        early_s = self._early_s()
        if self._socket is not None and (is_more or early_s > 0):
            self._rest(self._socket, early_s)
        self._ended()

    def _early_s(self) -> float:
        """Return how much too early the messages of this turn came; 0: not at all.

        Those of QoS 0 do not count: nobody holds them back for us.
        """
        now = self._loop.time()
        self._ahead = max(0.0, self._ahead - (now - self._at) * PER_S) + self._held
        self._at = now
        return max(0.0, self._ahead - BURST) / PER_S

    def _rest(self, socket: int, seconds: float) -> None:
        self.rests += 1
        self._loop.remove_reader(socket)
        self._resting = self._loop.call_later(seconds, self._go_on, socket)

    def _go_on(self, socket: int) -> None:
        self._resting = None
        self._loop.add_reader(socket, self.turn)
        self.turn()
