"""The control panel's side of one line: one command at a time, devices in turn."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.contract import DriverError, FrameError, Moment, SessionDevice, SessionOutput
from drivers.osdp.codec import REPLY_BIT, Frame, Stream
from drivers.osdp.reader import Learnt, Random, Reader

GAP_S = 0.01
"""From a reply to the next command, so that the device has let go of the pair. An assumption: the
standard's text was not at hand."""
WITHIN_FRAME_S = 0.05
"""Longest pause within a reply; half a dozen times what USB adapters hold bytes back."""
LONGEST_REPLY_S = 2.0
"""A reply that has not ended by then is noise: the longest takes 1.5 s at 9600 Bd."""


class OsdpSession:
    """All devices of a line."""

    def __init__(self, devices: Sequence[SessionDevice], random: Random, now: Moment) -> None:
        """Begin with every device anew."""
        self._readers = [Reader(device, random, now.at_s) for device in devices]
        self._stream = Stream()
        self._pending: Reader | None = None
        self._deadline_s = now.at_s
        self._last_s = now.at_s
        self._free_s = now.at_s

    @property
    def wake_at(self) -> float | None:
        """When a reply is overdue, or the next device is to be asked."""
        if self._pending is not None:
            return self._deadline_s
        due_s = min((reader.due_s for reader in self._readers), default=None)
        return None if due_s is None else max(due_s, self._free_s)

    def received(self, data: bytes, now: Moment) -> SessionOutput:
        """Take bytes; what nobody asked for is dropped."""
        learnt = Learnt()
        if self._pending is not None:
            self._take(self._stream.feed(data), now, learnt)
        if self._pending is not None and data and self._stream.is_within_frame:
            later_s = max(self._deadline_s, now.at_s + WITHIN_FRAME_S)
            self._deadline_s = min(later_s, self._last_s)
        return _output(learnt)

    def wake(self, now: Moment) -> SessionOutput:
        """Give up an overdue reply, and ask whose turn it is."""
        learnt = Learnt()
        if self._pending is not None:
            if now.at_s < self._deadline_s:
                return _output(learnt)
            self._take(self._stream.flush(), now, learnt)
        if self._pending is not None:
            self._pending.missed(now.at_s, learnt)
            self._pending = None
            self._stream.clear()
        return _output(learnt, self._ask(now, learnt))

    def _ask(self, now: Moment, learnt: Learnt) -> bytes:
        if not self._readers or now.at_s < self._free_s:
            return b""
        reader = min(self._readers, key=lambda one: one.due_s)
        if reader.due_s > now.at_s:
            return b""
        try:
            request = reader.request()
        except DriverError as error:
            learnt.blame(error)
            reader.give_up(now.at_s, learnt)
            return b""
        self._pending = reader
        self._stream.clear()
        self._stream.only = reader.address | REPLY_BIT
        self._deadline_s = now.at_s + reader.quirks.reply_ms / 1000
        self._last_s = self._deadline_s + LONGEST_REPLY_S
        return request

    def _take(self, frames: Sequence[Frame | FrameError], now: Moment, learnt: Learnt) -> None:
        for frame in frames:
            if self._pending is None:
                return
            if isinstance(frame, FrameError):
                learnt.blame(frame)
            elif self._pending.answered(frame, now.at_s, learnt):
                self._pending = None
                self._free_s = now.at_s + GAP_S
                self._stream.clear()


def _output(learnt: Learnt, send: bytes = b"") -> SessionOutput:
    return SessionOutput(
        send,
        tuple(learnt.samples),
        tuple(dict.fromkeys(learnt.alive)),
        tuple(learnt.silent),
        (),
        learnt.fault,
    )
