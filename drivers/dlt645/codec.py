"""Frames of DL/T 645-2007 and -1997: `[FE…] 68 A0..A5 68 C L DATA CS 16`.

The standards themselves were not at hand; the rules rest on captures and public code that agree
(KTS-Intek/DLT645 test-exchange-dlt645-97.log, fdxxw/go-dlt645, greensea/dlt645). The address goes
low byte first, every data byte is sent plus 33H, CS is the sum of all bytes from the first 68 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

START, END, WAKE = 0x68, 0x16, 0xFE
OFFSET = 0x33
HEADER = 10
"""Bytes up to and with the length: 68, address, 68, control, length."""
TAIL = 2
MOST_DATA = 200
"""Longest data field of an answer (KTS-Intek log; notes on both editions)."""
MOST_WRITTEN = 50
"""Longest data field of a write (KTS-Intek log; notes on both editions)."""
LONGEST = HEADER + MOST_DATA + TAIL
KEPT = 2 * LONGEST
"""Bytes that are kept while a frame is looked for."""
WILDCARD = "AAAAAAAAAAAA"
"""Every meter answers (2007; one meter on the line only)."""
BROADCAST = "999999999999"
"""Nobody answers in 2007; meters of 1997 answer a read with their own address."""

ANSWER, REFUSED, MORE = 0x80, 0x40, 0x20
"""Bits of the control byte: from the meter, error answer, more frames follow."""
FUNCTION = 0x1F


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame without its envelope. `content` is the data field less 33H; `preamble` counts FE."""

    address: str
    """Twelve characters, as printed on the meter."""
    control: int
    content: bytes
    preamble: int = 0

    @property
    def function(self) -> int:
        """The function without the bits of an answer."""
        return self.control & FUNCTION

    @property
    def is_answer(self) -> bool:
        """Whether a meter sent it."""
        return bool(self.control & ANSWER)

    @property
    def is_refusal(self) -> bool:
        """Whether it is an error answer."""
        return self.is_answer and bool(self.control & REFUSED)

    @property
    def has_more(self) -> bool:
        """Whether more frames follow."""
        return self.is_answer and bool(self.control & MORE)


def encode(address: str, control: int, content: bytes, *, preamble: int = 0) -> bytes:
    """Return the frame, behind so many FE that wake the meter's receiver.

    Raises:
        ValueError: the content is longer than a frame takes.
    """
    if len(content) > MOST_DATA:
        raise ValueError(f"{len(content)} bytes of data; a frame takes {MOST_DATA}")
    body = bytes((START, *address_bytes(address), START, control, len(content)))
    body += bytes((byte + OFFSET) & 0xFF for byte in content)
    return bytes((WAKE,)) * preamble + body + bytes((checksum(body), END))


def checksum(body: bytes | bytearray) -> int:
    """Return the sum modulo 256 of all bytes from the first 68 up to the checksum."""
    return sum(body) & 0xFF


def address_bytes(address: str) -> bytes:
    """Return the six bytes of a twelve-digit address, low byte first."""
    return bytes.fromhex(address)[::-1]


def address_text(octets: bytes | bytearray) -> str:
    """Return the address as printed on the meter."""
    return bytes(octets[::-1]).hex().upper()


def frames(octets: bytes | bytearray) -> Iterator[Frame]:
    """Yield the whole sound frames among the bytes, in the order of their ends.

    What is no frame is skipped: preambles, noise, and a 68 that only looks like a beginning.
    """
    for found in sorted(_candidates(octets), key=lambda found: found.end):
        if is_sound(octets[found.start : found.end]):
            yield take_apart(octets, found.start)


def is_sound(frame: bytes | bytearray) -> bool:
    """Whether checksum and end of one whole frame are right."""
    return frame[-1] == END and checksum(frame[:-TAIL]) == frame[-TAIL]


def take_apart(octets: bytes | bytearray, start: int) -> Frame:
    """Return the frame whose first 68 is at `start`; it must be whole."""
    length = octets[start + 9]
    coded = octets[start + HEADER : start + HEADER + length]
    preamble = 0
    while preamble < start and octets[start - 1 - preamble] == WAKE:
        preamble += 1
    return Frame(
        address_text(octets[start + 1 : start + 7]),
        octets[start + 8],
        bytes((byte - OFFSET) & 0xFF for byte in coded),
        preamble,
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    start: int
    end: int


def _candidates(octets: bytes | bytearray) -> Iterator[_Candidate]:
    start = octets.find(START)
    while start >= 0:
        if start + HEADER <= len(octets) and octets[start + 7] == START:
            end = start + HEADER + octets[start + 9] + TAIL
            if octets[start + 9] <= MOST_DATA and end <= len(octets):
                yield _Candidate(start, end)
        start = octets.find(START, start + 1)
