"""ASCII framing: colon, hexadecimal digits, LRC, CR LF (MODBUS over Serial Line V1.02, 2.5.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.contract import DriverError, Exchange, Window, WireSettings
from drivers.modbus.crc import lrc
from drivers.modbus.framing import (
    Foreign,
    Prepared,
    Taken,
    ordinary_reply_length,
    verdict,
)
from drivers.modbus.pdu import EXCEPTION_BIT, EXCEPTION_LENGTH, MAX_PDU, Request, refused

_COLON = b":"
_END = b"\r\n"
_KEPT = 1100  # two of the longest frames of 513 characters
_MOST_FOREIGN = 16  # frames that are not the reply; the last of them tell what went wrong
_MIN_OCTETS = 3  # unit, function, LRC
_DIGITS = re.compile(rb"(?:[0-9A-F]{2})+")  # capitals only: 2.5.2.1


@dataclass(frozen=True, slots=True)
class AsciiRequest:
    """A request frame and what its reply looks like."""

    unit: int
    request: Request
    frame: bytes
    reply_chars: int
    shape: tuple[int, int, int]

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return len(self.frame)

    def exchange(self) -> Exchange:
        """Start one exchange."""
        return AsciiExchange(self)


class AsciiExchange:
    """One request in ASCII mode."""

    __slots__ = ("_buffer", "_foreign", "_prepared", "_received")

    switch = None

    def __init__(self, prepared: AsciiRequest) -> None:
        self._prepared = prepared
        self._buffer = bytearray()
        self._received = bytearray()
        self._foreign: list[Foreign] = []

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
        """Unit, function and length of the reply."""
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
        """Well-formed frames, of the last that came, that are not the reply."""
        return len(self._foreign)

    def feed(self, received: bytes) -> bytes | None:
        """Return the payload of the reply, or None for "more, please".

        Raises:
            DeviceRefused: the unit answered with an exception.
        """
        buffer = self._buffer
        buffer += received
        self._received += received
        del self._received[:-_KEPT]
        while (end := buffer.find(_END)) >= 0:
            octets = _octets(bytes(buffer[:end]))
            del buffer[: end + len(_END)]
            if octets is not None:
                payload = self._payload(octets)
                if payload is not None:
                    return payload
                self._foreign.append(Foreign(octets[0], octets[1:-1]))
                del self._foreign[:-_MOST_FOREIGN]
        del buffer[:-_KEPT]
        return None

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with the last characters that came."""
        return verdict(
            self.unit,
            self._prepared.request,
            bytes(self._received),
            self._foreign,
            is_whole=len(self._received) >= self._prepared.reply_chars,
        )

    def _payload(self, octets: bytes) -> bytes | None:
        request, pdu = self._prepared.request, octets[1:-1]
        if octets[0] != self.unit:
            return None
        if pdu[0] == request.function | EXCEPTION_BIT and len(pdu) == EXCEPTION_LENGTH:
            raise refused(pdu[1], bytes(self._received))
        return reply_payload(request, pdu)


class AsciiFraming:
    """Modbus ASCII."""

    name = "modbus-ascii"
    wire = WireSettings(serial="9600 7E1")
    extra_units: frozenset[int] = frozenset()

    def chars(self, pdu_length: int) -> int:
        """Return the characters of a frame around a PDU."""
        return 2 * pdu_length + 7

    def prepare(self, unit: int, request: Request) -> Prepared:
        """Return the request as characters."""
        length = 0 if request.reply_length is None else self.chars(request.reply_length)
        return AsciiRequest(
            unit,
            request,
            _characters(bytes((unit,)) + request.pdu),
            self.chars(ordinary_reply_length(request)),
            (unit, request.function, length),
        )

    def take_apart(self, frame: bytes) -> Sequence[Taken]:
        """Return the frame after the last colon; its CR LF may be missing."""
        text = frame.removesuffix(_END)
        octets = _octets(text)
        if octets is not None:
            return (Taken(octets[0], octets[1:-1], None, {"checksum": "right"}),)
        return (_broken(text),)

    def window(self) -> Window | None:
        """Return None: ASCII replies do not say which request they answer."""
        return None


def reply_payload(request: Request, pdu: bytes) -> bytes | None:
    """Return what follows the head of the reply, or None when the PDU is not this reply.

    For framings that mark the end of a frame, so that its length is known.
    """
    length = request.reply_length
    if length is None:
        length = len(pdu) if request.measure is None else request.measure(pdu)
    if len(pdu) != length or not pdu.startswith(request.reply_head):
        return None
    return pdu[len(request.reply_head) :]


def _characters(octets: bytes) -> bytes:
    digits = (octets + bytes((lrc(octets),))).hex().upper()
    return _COLON + digits.encode() + _END


def _octets(text: bytes) -> bytes | None:
    """Return the bytes of a frame without its ends, LRC included; None when it is none."""
    _, colon, digits = text.rpartition(_COLON)
    if not colon or not _DIGITS.fullmatch(digits):
        return None
    octets = bytes.fromhex(digits.decode())
    if not _MIN_OCTETS <= len(octets) <= MAX_PDU + 2 or lrc(octets):
        return None
    return octets


def _broken(text: bytes) -> Taken:
    _, colon, digits = text.rpartition(_COLON)
    if not colon:
        return Taken(0, b"", "no colon begins a frame")
    if not _DIGITS.fullmatch(digits):
        return Taken(0, b"", "a frame has pairs of the digits 0-9 and A-F only")
    octets = bytes.fromhex(digits.decode())
    if not _MIN_OCTETS <= len(octets) <= MAX_PDU + 2:
        return Taken(octets[0], octets[1:-1], f"{len(octets)} bytes cannot be a frame")
    error = f"checksum {octets[-1]:02X} is wrong, {lrc(octets[:-1]):02X} would be right"
    return Taken(octets[0], octets[1:-1], error, {"checksum": "wrong"})
