"""Frames of the link layer: the single byte E5, short frames, control and long frames.

Source: the collected facts on EN 13757-2, part A3; the standard's text was not at hand. The
checksum is the sum of all bytes from C on, modulo 256.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ACK = 0xE5
STOP = 0x16
SHORT_START = 0x10
LONG_START = 0x68
SHORT_BYTES = 5
ENVELOPE = 6
"""Bytes of a long frame beside those that L counts."""
MIN_LENGTH = 3
MAX_LENGTH = 255
MAX_FRAME = MAX_LENGTH + ENVELOPE

SND_NKE = 0x40
SND_UD = 0x53
REQ_UD2 = 0x5B
FCB = 0x20
RSP_UD = 0x08
_REPLY_BITS = 0x30
"""ACD and DFC of a reply: it is RSP_UD whatever they are."""

UNCONFIGURED = 0
LAST_PRIMARY = 250
SELECTED = 0xFD
"""The address under which a slave answers that was selected by its secondary address."""
ANYBODY = 0xFE


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame without its envelope; `ci` is None in short frames, all is None in E5 but `is_ack`.

    `body` is what follows CI, at most 252 bytes.
    """

    c: int | None = None
    a: int | None = None
    ci: int | None = None
    body: bytes = b""

    @property
    def is_ack(self) -> bool:
        """Whether it is the single byte E5."""
        return self.c is None

    @property
    def is_reply(self) -> bool:
        """Whether it is user data of a slave (RSP_UD)."""
        return self.c is not None and self.ci is not None and self.c & ~_REPLY_BITS == RSP_UD


def short_frame(c: int, a: int) -> bytes:
    """Return a short frame."""
    return bytes((SHORT_START, c, a, (c + a) & 0xFF, STOP))


def long_frame(c: int, a: int, ci: int, body: bytes = b"") -> bytes:
    """Return a long frame; without body it is a control frame.

    Raises:
        ValueError: the body has more than 252 bytes.
    """
    length = len(body) + MIN_LENGTH
    if length > MAX_LENGTH:
        raise ValueError(f"{len(body)} bytes do not fit into a frame, 252 do")
    inner = bytes((c, a, ci)) + body
    head = bytes((LONG_START, length, length, LONG_START))
    return head + inner + bytes((sum(inner) & 0xFF, STOP))


def encode(frame: Frame) -> bytes:
    """Return the one form that a frame has on the wire."""
    if frame.c is None or frame.a is None:
        return bytes((ACK,))
    if frame.ci is None:
        return short_frame(frame.c, frame.a)
    return long_frame(frame.c, frame.a, frame.ci, frame.body)


def parse(octets: bytes) -> Frame:
    """Return the frame that these bytes are, no more and no less.

    Raises:
        ValueError: what is wrong with them.
    """
    if not octets:
        raise ValueError("no byte came")
    if octets == bytes((ACK,)):
        return Frame()
    if octets[0] == SHORT_START:
        return _parse_short(octets)
    if octets[0] == LONG_START:
        return _parse_long(octets)
    raise ValueError(f"a frame begins with 10, 68 or is E5, not {octets[0]:02X}")


def _parse_short(octets: bytes) -> Frame:
    if len(octets) != SHORT_BYTES:
        raise ValueError(f"a short frame has {SHORT_BYTES} bytes, {len(octets)} came")
    _check_end(octets, octets[1:3])
    return Frame(octets[1], octets[2])


def _parse_long(octets: bytes) -> Frame:
    if len(octets) < ENVELOPE:
        raise ValueError(f"only {len(octets)} bytes of a long frame came")
    length = octets[1]
    if octets[2] != length or octets[3] != LONG_START:
        raise ValueError("the head of a long frame is 68 L L 68 with twice the same length")
    if length < MIN_LENGTH:
        raise ValueError(f"length {length} is too short: C, A and CI are {MIN_LENGTH}")
    if len(octets) != length + ENVELOPE:
        raise ValueError(f"length {length} makes {length + ENVELOPE} bytes, {len(octets)} came")
    _check_end(octets, octets[4:-2])
    return Frame(octets[4], octets[5], octets[6], octets[7:-2])


def _check_end(octets: bytes, inner: bytes) -> None:
    if octets[-1] != STOP:
        raise ValueError(f"a frame ends with 16, not {octets[-1]:02X}")
    if octets[-2] != sum(inner) & 0xFF:
        raise ValueError(f"checksum is {octets[-2]:02X}, the bytes make {sum(inner) & 0xFF:02X}")


@dataclass(frozen=True, slots=True)
class Found:
    """A whole frame in a stream, from `start` to before `end`."""

    start: int
    end: int
    frame: Frame


def find_frames(octets: bytes, seen: int = 0) -> Iterator[Found]:
    """Yield short and long frames that end after the first `seen` bytes, in order of their ends."""
    windows = [*_windows(octets)]
    for end, start in sorted(windows):
        if end <= seen:
            continue
        try:
            yield Found(start, end, parse(octets[start:end]))
        except ValueError:
            continue


def _windows(octets: bytes) -> Iterator[tuple[int, int]]:
    """Yield (end, start) of all that begins like a frame and has its whole length."""
    size = len(octets)
    for start, first in enumerate(octets):
        end = 0
        if first == SHORT_START:
            end = start + SHORT_BYTES
        elif first == LONG_START and start + ENVELOPE <= size:
            end = start + octets[start + 1] + ENVELOPE
        if 0 < end <= size and octets[end - 1] == STOP:
            yield end, start


def find_ack(octets: bytes) -> int | None:
    """Return where E5 stands by itself, outside of anything that goes on like a long frame."""
    position = octets.find(ACK)
    while position >= 0:
        if not _is_inside(octets, position):
            return position
        position = octets.find(ACK, position + 1)
    return None


def _is_inside(octets: bytes, position: int) -> bool:
    start = octets.find(LONG_START, max(0, position - MAX_FRAME), position)
    while start >= 0:
        if _goes_on(octets[start : position + 1]):
            return True
        start = octets.find(LONG_START, start + 1, position)
    return False


def _goes_on(octets: bytes) -> bool:
    """Whether bytes that begin with 68 are a beginning of a long frame."""
    length = octets[1]
    same = octets[2:3] in {b"", bytes((length,))}
    again = octets[3:4] in {b"", bytes((LONG_START,))}
    return length >= MIN_LENGTH and same and again and len(octets) <= length + ENVELOPE
