"""One request on the line, and the recognition of its reply among noise and foreign frames."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from drivers.contract import DeviceRefused, DriverError, Fault, FrameError, NoAnswer
from drivers.mbus.codec import MAX_FRAME, SELECTED, Frame, find_ack, find_frames
from drivers.mbus.telegram import BUSY, ERRORS, Telegram, read_telegram
from drivers.mbus.unit import MbusUnit

KEPT = 2 * MAX_FRAME
"""Bytes that an exchange keeps: two of the longest frames."""
_SENTENCE_OF_ALARM = "the meter sends its alarm state in the place of records"


class AckExchange:
    """A request that E5 confirms; without `has_reply` nobody is waited for."""

    __slots__ = ("_buffer", "_has_reply", "_request", "_unit")

    switch = None
    reply_may_equal_request = False

    def __init__(self, unit: MbusUnit, request: bytes, *, has_reply: bool = True) -> None:
        self._unit = unit
        self._request = request
        self._has_reply = has_reply
        self._buffer = bytearray()

    @property
    def request(self) -> bytes:
        """The request frame."""
        return self._request

    @property
    def unit(self) -> MbusUnit:
        """Whom it asks."""
        return self._unit

    @property
    def shape(self) -> Hashable:
        """E5 says nothing of its sender: the requests to one unit are alike."""
        return "ack", self._unit

    @property
    def reply_chars(self) -> int:
        """One character, or none."""
        return int(self._has_reply)

    def feed(self, received: bytes) -> bool | None:
        """Return True when E5 came, or at once where nothing is waited for."""
        if not self._has_reply:
            return True
        self._buffer += received
        if find_ack(_without_echo(bytes(self._buffer), self._request)) is not None:
            return True
        del self._buffer[:-KEPT]
        return None

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with what came in the place of E5."""
        return _verdict(bytes(self._buffer), "E5")


def _without_echo(octets: bytes, request: bytes) -> bytes:
    """Return what came without our own request: E5 may be in it (SND_NKE to 165 ends with E5 16).

    What may be the beginning of an echo is left out, too, until more has come.
    """
    octets = octets.replace(request, b"")
    begun = (n for n in range(len(request) - 1, 0, -1) if octets.endswith(request[:n]))
    return octets[: len(octets) - next(begun, 0)]


@dataclass(frozen=True, slots=True)
class Reply:
    """A telegram with the length of its frame."""

    telegram: Telegram
    chars: int


class ReadExchange:
    """REQ_UD2: the reply is a telegram of the unit that is asked."""

    __slots__ = ("_buffer", "_request", "_seen", "_unit", "reply_chars")

    switch = None
    reply_may_equal_request = False

    def __init__(self, unit: MbusUnit, request: bytes, reply_chars: int) -> None:
        self._unit = unit
        self._request = request
        self._buffer = bytearray()
        self._seen = 0
        self.reply_chars = reply_chars

    @property
    def request(self) -> bytes:
        """The request frame."""
        return self._request

    @property
    def unit(self) -> MbusUnit:
        """Whom it asks."""
        return self._unit

    @property
    def shape(self) -> Hashable:
        """A telegram names its sender, not its request."""
        return "telegram", self._unit

    def feed(self, received: bytes) -> Reply | None:
        """Return the telegram, or None for "more, please".

        Raises:
            DeviceRefused: the meter answered with an application error or an alarm.
        """
        self._buffer += received
        octets = bytes(self._buffer)
        for found in find_frames(octets, self._seen):
            telegram = read_telegram(found.frame) if found.frame.is_reply else None
            if telegram is not None and self._is_mine(found.frame, telegram):
                _raise_refusal(telegram, octets)
                return Reply(telegram, found.end - found.start)
        del self._buffer[:-KEPT]
        self._seen = len(self._buffer)
        return None

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with what came."""
        octets = bytes(self._buffer)
        others = [found.frame.a for found in find_frames(octets) if found.frame.is_reply]
        if others:
            text = f"a telegram of another unit (address {others[-1]}) came"
            return FrameError(Fault.WRONG_UNIT, text, octets)
        return _verdict(octets, "a telegram")

    def _is_mine(self, frame: Frame, telegram: Telegram) -> bool:
        if self._unit.primary is not None:
            return frame.a == self._unit.primary
        speaker = telegram.header.unit
        if telegram.refusal is not None or telegram.alarm is not None:
            return True  # it names nobody, and A is the slave's own address: the selected one spoke
        if speaker is None:  # a telegram without header
            return frame.a == SELECTED
        if telegram.header.signature is None:  # fixed structure names the number alone
            return MbusUnit(None, self._unit.number).covers(speaker)
        return self._unit.covers(speaker)


def _raise_refusal(telegram: Telegram, octets: bytes) -> None:
    code = telegram.refusal
    if code is not None:
        text = ERRORS.get(code, f"application error {code}")
        raise DeviceRefused(code, text, octets, is_busy=code == BUSY)
    if telegram.alarm is not None:
        raise DeviceRefused(telegram.alarm, _SENTENCE_OF_ALARM, octets)


def _verdict(octets: bytes, expected: str) -> DriverError:
    if not octets:
        return NoAnswer("no byte came")
    whole = len(octets) >= _whole_length(octets)
    fault = Fault.CRC if whole else Fault.SHORT
    return FrameError(fault, f"{len(octets)} bytes came, {expected} was not among them", octets)


def _whole_length(octets: bytes) -> int:
    """Return what the first head of a long frame promises; 0 where there is none."""
    for start in range(len(octets) - 3):
        if octets[start] == octets[start + 3] == 0x68 and octets[start + 1] == octets[start + 2]:  # noqa: PLR2004
            return start + octets[start + 1] + 6
    return 0
