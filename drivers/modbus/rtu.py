"""RTU framing: unit, PDU, CRC (MODBUS over Serial Line V1.02, 2.5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drivers.contract import DriverError, Exchange, Window, WireSettings
from drivers.modbus.crc import crc16, with_crc
from drivers.modbus.framing import (
    KEPT,
    Foreign,
    Prepared,
    Taken,
    frame_lengths,
    ordinary_reply_length,
    verdict,
)
from drivers.modbus.pdu import EXCEPTION_BIT, Request, refused

_ENVELOPE = 3  # unit and CRC
_MIN_FRAME = 4
_MAX_FRAME = 256
_EXCEPTION_FRAME = 5


@dataclass(frozen=True, slots=True)
class RtuRequest:
    """A request frame and what its reply frame looks like; `length` 0 when only it can tell."""

    unit: int
    request: Request
    frame: bytes
    head: bytes
    exception_head: bytes
    length: int
    reply_chars: int
    shape: tuple[int, int, int]

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return len(self.frame)

    def exchange(self) -> Exchange:
        """Start one exchange."""
        return RtuExchange(self)


class RtuExchange:
    """One request on a serial line: finds its reply among noise and frames of others."""

    __slots__ = ("_buffer", "_prepared", "_seen")

    switch = None

    def __init__(self, prepared: RtuRequest) -> None:
        self._prepared = prepared
        self._buffer = bytearray()
        self._seen = 0

    @property
    def request(self) -> bytes:
        """The request frame."""
        return self._prepared.frame

    @property
    def unit(self) -> int:
        """The unit asked."""
        return self._prepared.unit

    @property
    def shape(self) -> tuple[int, int, int]:
        """Unit, function and length of the reply: all that an RTU reply says of its request."""
        return self._prepared.shape

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary reply."""
        return self._prepared.reply_chars

    @property
    def reply_may_equal_request(self) -> bool:
        """True for functions 5, 6 and 22."""
        return self._prepared.request.may_be_echoed

    @property
    def foreign(self) -> int:
        """Well-formed frames among the bytes kept that are not the reply."""
        return len(_foreign(bytes(self._buffer)))

    def feed(self, received: bytes) -> bytes | None:
        """Return the payload of the reply, or None for "more, please".

        Raises:
            DeviceRefused: the unit answered with an exception.
        """
        prepared = self._prepared
        if (
            len(received) == prepared.length
            and not self._buffer
            and received.startswith(prepared.head)
            and crc16(received) == 0
        ):
            return received[len(prepared.head) : -2]
        self._buffer += received
        return self._search()

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with the last bytes that came."""
        received = bytes(self._buffer[-KEPT:])
        return verdict(
            self.unit,
            self._prepared.request,
            received,
            _foreign(received),
            is_whole=len(received) >= self._prepared.reply_chars,
        )

    def _search(self) -> bytes | None:
        """Look for the first frame that the newest bytes complete; every window is tried once."""
        buffer = self._buffer
        windows = [*self._replies(), *self._exceptions()]
        for end, start in sorted(windows):
            frame = bytes(buffer[start:end])
            if crc16(frame) == 0:
                if frame[1] & EXCEPTION_BIT:
                    raise refused(frame[2], bytes(buffer))
                return frame[len(self._prepared.head) : -2]
        if len(buffer) > KEPT:
            del buffer[:-KEPT]
        self._seen = len(buffer)
        return None

    def _exceptions(self) -> Iterator[tuple[int, int]]:
        for start in _occurrences(self._buffer, self._prepared.exception_head):
            end = start + _EXCEPTION_FRAME
            if self._seen < end <= len(self._buffer):
                yield end, start

    def _replies(self) -> Iterator[tuple[int, int]]:
        """Yield (end, start) of what begins like the reply and ends within the newest bytes."""
        prepared, size = self._prepared, len(self._buffer)
        for start in _occurrences(self._buffer, prepared.head):
            if prepared.length:
                ends: Sequence[int] = (start + prepared.length,)
            elif prepared.request.measure is None:
                ends = range(start + _MIN_FRAME, min(size, start + _MAX_FRAME) + 1)
            else:
                measured = prepared.request.measure(bytes(self._buffer[start + 1 :]))
                ends = (start + measured + _ENVELOPE,) if measured else ()
            for end in ends:
                if self._seen < end <= size:
                    yield end, start


class RtuFraming:
    """Modbus RTU, on serial lines and on streams that carry it unchanged."""

    name = "modbus-rtu"
    wire = WireSettings(silence_chars=3.5, silence_min_s=0.00175, serial="9600 8E1")
    extra_units: frozenset[int] = frozenset()

    def chars(self, pdu_length: int) -> int:
        """Return the characters of a frame around a PDU."""
        return pdu_length + _ENVELOPE

    def prepare(self, unit: int, request: Request) -> Prepared:
        """Return the request with its CRC and the head of its reply."""
        length = 0 if request.reply_length is None else self.chars(request.reply_length)
        return RtuRequest(
            unit,
            request,
            with_crc(bytes((unit,)) + request.pdu),
            bytes((unit,)) + request.reply_head,
            bytes((unit, request.function | EXCEPTION_BIT)),
            length,
            self.chars(ordinary_reply_length(request)),
            (unit, request.function, length),
        )

    def take_apart(self, frame: bytes) -> Sequence[Taken]:
        """Return the frames that end where the bytes end and have a right CRC, longest first."""
        found = [
            _taken(frame[start:])
            for start in range(max(0, len(frame) - _MAX_FRAME), len(frame) - _MIN_FRAME + 1)
            if crc16(frame[start:]) == 0
        ]
        return found or (_broken(frame),)

    def window(self) -> Window | None:
        """Return None: RTU replies do not say which request they answer."""
        return None


def _taken(frame: bytes) -> Taken:
    return Taken(frame[0], frame[1:-2], None, {"checksum": "right"})


def _broken(frame: bytes) -> Taken:
    if len(frame) < _MIN_FRAME:
        return Taken(
            frame[0] if frame else 0, frame[1:], f"{len(frame)} bytes are shorter than any frame"
        )
    if len(frame) > _MAX_FRAME:
        return Taken(frame[0], frame[1:-2], f"{len(frame)} bytes hold no frame that ends with them")
    expected = with_crc(frame[:-2])[-2:].hex().upper()
    error = f"checksum {frame[-2:].hex().upper()} is wrong, {expected} would be right"
    return Taken(frame[0], frame[1:-2], error, {"checksum": "wrong"})


def _occurrences(buffer: bytearray, head: bytes) -> Iterator[int]:
    start = buffer.find(head)
    while start >= 0:
        yield start
        start = buffer.find(head, start + 1)


def _foreign(received: bytes) -> list[Foreign]:
    """Return the well-formed frames among the bytes, requests of other masters too."""
    found: list[Foreign] = []
    start = 0
    while start + _MIN_FRAME <= len(received):
        pdu = received[start + 1 : start + _MAX_FRAME]
        ends = [start + length + _ENVELOPE for length in frame_lengths(pdu)]
        whole = [e for e in ends if e <= len(received) and e - start <= _MAX_FRAME]
        good = [end for end in whole if crc16(received[start:end]) == 0]
        if good:
            found.append(Foreign(received[start], received[start + 1 : good[0] - 2]))
        start = good[0] if good else start + 1
    return found
