"""Frames of GB/T 26875.3-2011: taken out of a stream, and made.

`40 40 | serial 2 | main version | user version | clock 6 | source 6 | target 6 | length 2 |
command | application part | sum | 23 23`, numbers low byte first. The sum is that of all bytes from
the serial number to the end of the application part, modulo 256. Source: the standard's text as
reference page A8 gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

START = b"\x40\x40"
END = b"\x23\x23"
HEAD = 27
"""Bytes before the application part."""
TAIL = 3
"""Sum and end."""
MAX_APPLICATION = 1024
"""Longest application part that the standard allows."""
MAX_FRAME = HEAD + MAX_APPLICATION + TAIL
ADDRESS_BYTES = 6
CLOCK_BYTES = 6

_SERIAL, _VERSION, _CLOCK, _SOURCE, _TARGET, _LENGTH, _COMMAND = 2, 4, 6, 12, 18, 24, 26


class Command(IntEnum):
    """What a frame is for."""

    CONTROL = 1
    SEND = 2
    CONFIRM = 3
    REQUEST = 4
    ANSWER = 5
    DENY = 6


@dataclass(frozen=True, slots=True)
class Framing:
    """How a maker frames; the defaults are the standard's.

    `sums_start` where the sum takes in the two start bytes too.
    """

    start: bytes = START
    end: bytes = END
    sums_start: bool = False


STANDARD = Framing()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `source` and `target` as people write them, highest byte first."""

    serial: int
    command: int
    source: bytes
    target: bytes
    clock: bytes
    application: bytes = b""
    main_version: int = 1
    user_version: int = 1


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that begin and end like a frame, with a wrong sum; its header, if it can be believed.

    `expected` is the sum that would be right.
    """

    frame: Frame
    octets: bytes
    expected: int


def encode(frame: Frame, framing: Framing = STANDARD) -> bytes:
    """Return the bytes of a frame.

    Raises:
        ValueError: the application part is longer than 1024 bytes.
    """
    if len(frame.application) > MAX_APPLICATION:
        raise ValueError(f"an application part has at most {MAX_APPLICATION} bytes")
    octets = b"".join(
        (
            framing.start,
            frame.serial.to_bytes(2, "little"),
            bytes((frame.main_version, frame.user_version)),
            frame.clock,
            frame.source[::-1],
            frame.target[::-1],
            len(frame.application).to_bytes(2, "little"),
            bytes((frame.command,)),
            frame.application,
        )
    )
    return octets + bytes((_sum(octets, framing),)) + framing.end


def read(octets: bytes, framing: Framing = STANDARD) -> Frame | Damaged:
    """Return the frame that the bytes are, from first to last.

    Raises:
        ValueError: they are none, and why.
    """
    if not octets.startswith(framing.start):
        raise ValueError(f"does not begin with {framing.start.hex(' ')}")
    if len(octets) < HEAD + TAIL:
        raise ValueError(f"{len(octets)} bytes are shorter than any frame")
    length = _application_length(octets, 0)
    if length > MAX_APPLICATION:
        raise ValueError(f"application length {length} is above {MAX_APPLICATION}")
    if len(octets) != HEAD + length + TAIL:
        raise ValueError(
            f"application length {length} gives {HEAD + length + TAIL} bytes, there are "
            f"{len(octets)}"
        )
    if not octets.endswith(framing.end):
        raise ValueError(f"does not end with {framing.end.hex(' ')}")
    frame = _frame(octets)
    expected = _sum(octets[:-TAIL], framing)
    return frame if octets[-TAIL] == expected else Damaged(frame, octets, expected)


class Stream:
    """Takes frames out of a stream, or out of datagrams; keeps at most one longest frame."""

    __slots__ = ("_buffer", "_first", "_framings")

    def __init__(self, framings: tuple[Framing, ...] = (STANDARD,)) -> None:
        self._framings = framings
        self._first = frozenset(framing.start[0] for framing in framings)
        self._buffer: bytes = b""

    @property
    def kept(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, received: bytes) -> list[Frame | Damaged]:
        """Return what the bytes complete, in order.

        A frame that stands within an unfinished one is taken: a lost byte or noise that looks like
        a header must not hold back the alarm behind it.
        """
        found: list[Frame | Damaged] = []
        for at in range(0, len(received), MAX_FRAME):
            self._buffer += received[at : at + MAX_FRAME]
            while (one := self._take()) is not None:
                found.append(one)
        return found

    def _take(self) -> Frame | Damaged | None:
        """Take the first whole frame out of the buffer, dropping what cannot become one."""
        buffer, unfinished = self._buffer, -1
        for start, octet in enumerate(buffer):
            length = self._length_at(start) if octet in self._first else 0
            if length == 0:
                continue
            if length is None or start + length > len(buffer):
                unfinished = start if unfinished < 0 else unfinished
                continue
            one = self._read(buffer[start : start + length])
            if isinstance(one, Frame):
                self._buffer = buffer[start + length :]
                return one
            if one is not None and unfinished < 0:
                self._buffer = buffer[start + 1 :]
                return one
        self._buffer = b"" if unfinished < 0 else buffer[unfinished:][-MAX_FRAME:]
        return None

    def _length_at(self, start: int) -> int | None:
        """Return the length of what begins there; 0 for nothing, None when it cannot be told."""
        head = self._buffer[start : start + HEAD]
        if not any(f.start.startswith(head[: len(f.start)]) for f in self._framings):
            return 0
        if len(head) < HEAD:
            return None
        length = _application_length(head, 0)
        return HEAD + length + TAIL if length <= MAX_APPLICATION else 0

    def _read(self, octets: bytes) -> Frame | Damaged | None:
        """Return what the bytes are in the first framing that fits, a good frame before others."""
        damaged: Damaged | None = None
        for framing in self._framings:
            try:
                one = read(octets, framing)
            except ValueError:
                continue
            if isinstance(one, Frame):
                return one
            damaged = damaged or one
        return damaged


def _frame(octets: bytes) -> Frame:
    return Frame(
        serial=int.from_bytes(octets[_SERIAL:_VERSION], "little"),
        command=octets[_COMMAND],
        source=octets[_SOURCE:_TARGET][::-1],
        target=octets[_TARGET:_LENGTH][::-1],
        clock=octets[_CLOCK:_SOURCE],
        application=octets[HEAD:-TAIL],
        main_version=octets[_VERSION],
        user_version=octets[_VERSION + 1],
    )


def _application_length(octets: bytes, start: int) -> int:
    return int.from_bytes(octets[start + _LENGTH : start + _COMMAND], "little")


def _sum(octets: bytes, framing: Framing) -> int:
    return sum(octets if framing.sums_start else octets[len(START) :]) & 0xFF
