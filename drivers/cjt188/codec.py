"""Frames of CJ/T 188 (2004): build one, and find them in a stream of bytes.

`[FE…] 68 T A0..A6 C L DATA CS 16`; CS is the sum, modulo 256, from 68 to the last byte of DATA.
The address goes low byte first. Nothing is added to the data bytes, unlike in DL/T 645.
The text of the standard was not at hand: facts are those of public captures and meter code, above
all of the meter firmware CaiYongCode/KingDa-NBWaterMeterCode-BC95, USER/inc/CJT-188-2004.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.contract import Fault

START = 0x68
END = 0x16
PREAMBLE = 0xFE
ADDRESS_BYTES = 7
HEAD = 11
"""Bytes from 68 to the length field."""
ENVELOPE = HEAD + 2
MAX_CONTENT = 100
"""Limit of the length field. The longest reply that captures show has 46; nothing says more."""
MAX_FRAME = ENVELOPE + MAX_CONTENT

READ = 0x01
READ_ADDRESS = 0x03
WRITE = 0x04
READ_KEY_VERSION = 0x09
WRITE_ADDRESS = 0x15
WRITE_BASE = 0x16
REQUESTS = frozenset({READ, READ_ADDRESS, WRITE, READ_KEY_VERSION, WRITE_ADDRESS, WRITE_BASE})
REPLY_BIT = 0x80
ERROR_BITS = 0xC0
VENDOR_VALVE_REPLY = 0xAA
"""A water meter answers valve commands with control AA (golden frame cjt188-005)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A sound frame; `address` is 14 digits as printed, `content` what the length field counts."""

    type: int
    address: str
    control: int
    content: bytes

    @property
    def is_reply(self) -> bool:
        """Whether a meter sent it."""
        return bool(self.control & REPLY_BIT)

    @property
    def is_refusal(self) -> bool:
        """Whether a meter says no: `content` is SER and two status bytes then."""
        is_error = self.control & ERROR_BITS == ERROR_BITS
        return is_error and self.control & ~ERROR_BITS & 0xFF in REQUESTS


@dataclass(frozen=True, slots=True)
class Broken:
    """Bytes that begin like a frame and are none; `frame` is what they would say."""

    fault: Fault
    why: str
    frame: Frame | None = None


def encode(frame: Frame, preambles: int = 0) -> bytes:
    """Return the bytes of a frame behind so many FE.

    Raises:
        ValueError: the content is longer than MAX_CONTENT.
    """
    if len(frame.content) > MAX_CONTENT:
        raise ValueError(f"{len(frame.content)} bytes of content, at most {MAX_CONTENT} fit")
    address = bytes.fromhex(frame.address)[::-1]
    head = bytes((START, frame.type)) + address + bytes((frame.control, len(frame.content)))
    body = head + frame.content
    return bytes((PREAMBLE,)) * preambles + body + bytes((sum(body) & 0xFF, END))


def frame_at(octets: bytes, start: int) -> Frame | Broken | None:
    """Return the frame whose 68 is at `start`; None while more bytes are needed to tell."""
    if len(octets) - start < HEAD:
        return None
    length = octets[start + HEAD - 1]
    if length > MAX_CONTENT:
        return Broken(Fault.SHORT, f"length field {length} is above {MAX_CONTENT}")
    end = start + ENVELOPE + length
    return None if end > len(octets) else _whole(octets[start:end])


def _whole(octets: bytes) -> Frame | Broken:
    """Return the frame of bytes that have the length which they say."""
    body, found = octets[:-2], octets[-2]
    frame = Frame(body[1], body[8:1:-1].hex().upper(), body[9], bytes(body[HEAD:]))
    if octets[-1] != END:
        length = len(frame.content)
        return Broken(Fault.SHORT, f"no 16 ends the frame where its length field {length} says")
    right = sum(body) & 0xFF
    if found != right:
        return Broken(
            Fault.CRC, f"checksum {found:02X} is wrong, {right:02X} would be right", frame
        )
    return frame


def starts(octets: bytes, first: int = 0) -> Iterator[int]:
    """Yield where a 68 stands, from `first` on."""
    at = octets.find(START, first)
    while at >= 0:
        yield at
        at = octets.find(START, at + 1)


def end_of(octets: bytes, start: int) -> int:
    """Return where the frame at `start` ends by its length field; its 11 first bytes are there."""
    return start + ENVELOPE + octets[start + HEAD - 1]


class Receiver:
    """Finds sound frames in a stream. Every 68 is tried, so noise can hide no frame."""

    __slots__ = ("_buffer", "_seen")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0

    @property
    def received(self) -> bytes:
        """The last bytes that came, no more than two longest frames."""
        return bytes(self._buffer)

    def feed(self, received: bytes) -> Iterator[Frame]:
        """Take bytes; yield the frames that they complete, in order of their ends."""
        self._buffer += received
        octets = bytes(self._buffer)
        found: list[tuple[int, int, Frame]] = []
        for start in starts(octets, max(0, self._seen - MAX_FRAME)):
            frame = frame_at(octets, start)
            if isinstance(frame, Frame) and (end := end_of(octets, start)) > self._seen:
                found.append((end, start, frame))
        del self._buffer[: -2 * MAX_FRAME]
        self._seen = len(self._buffer)
        for _, _, frame in sorted(found, key=lambda one: one[:2]):
            yield frame
