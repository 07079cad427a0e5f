"""What we ask of a transmitter: to set its clock (command 1, type 90)."""

from __future__ import annotations

from drivers.contract import DriverError, Moment, NoAnswer
from drivers.gbt26875.address import Gbt26875Quirks
from drivers.gbt26875.clock import local_time, write_clock
from drivers.gbt26875.codec import Command, Frame, encode
from drivers.gbt26875.objects import SET_CLOCK

REPEATS = 3
"""Repeats of what nobody answered (6.5.4, 6.5.5)."""
_SERIALS = 0x10000


class Ask:
    """Sets one clock again and again; each time it waits, and repeats three times.

    A repeat keeps its serial number, but carries the time of its own sending.
    """

    __slots__ = ("_left", "_quirks", "_source", "_target", "due_s", "serial")

    def __init__(self, quirks: Gbt26875Quirks, source: bytes, target: bytes, now: Moment) -> None:
        """Take whose clock it is and which of our addresses it knows; due at once."""
        self._quirks = quirks
        self._source = source
        self._target = target
        self._left = REPEATS + 1
        self.serial = 0
        self.due_s = now.at_s

    def wake(self, now: Moment) -> tuple[bytes, DriverError | None]:
        """Return the frame that is due, or what to report when all repeats were in vain."""
        if not self._left:
            self.rest(now)
            return b"", NoAnswer("nobody confirmed that the clock was set")
        self._left -= 1
        self.due_s = now.at_s + self._quirks.answer_within_s
        return self._frame(now), None

    def rest(self, now: Moment) -> None:
        """Wait until the clock is to be set again, with the next serial number."""
        self._left = REPEATS + 1
        self.serial = (self.serial + 1) % _SERIALS
        self.due_s = now.at_s + self._quirks.set_clock_every_s

    def _frame(self, now: Moment) -> bytes:
        local = local_time(now.utc_ms, now.local_offset_s)
        clock = write_clock(local, self._quirks.clock)
        frame = Frame(
            serial=self.serial,
            command=int(Command.CONTROL),
            source=self._source,
            target=self._target,
            clock=clock,
            application=bytes((SET_CLOCK, 1)) + clock,
        )
        return encode(frame, self._quirks.framing)
