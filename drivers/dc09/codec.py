"""Frames of SIA DC-09: taken out of a stream, and made.

`LF | CRC, 4 digits | 0LLL | "TOKEN" | sequence, 4 digits | R… | L… | #account | [content | CR`; CRC
and length (both hexadecimal) are those of the body, from the first quotation mark to before CR.
Source: reference page A7; the standard itself was not at hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

LF, CR = b"\n", b"\r"
HEAD = 9
"""LF, CRC and length."""
MAX_BODY = 0xFFF
"""Longest body that three digits of length can tell."""
MAX_FRAME = HEAD + MAX_BODY + 1
_POLYNOMIAL = 0xA001

_HEAD = re.compile(rb"\n([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})")
_BODY = re.compile(
    rb'"(\*?)([A-Z0-9-]{1,10})"([0-9]{4})'
    rb"(R[0-9A-Fa-f]{1,6})?(L[0-9A-Fa-f]{1,6}?)?(?:#([0-9A-Fa-f]{1,16})|A0)?\[",
)
_DATA_ACCOUNT = re.compile(rb"#([0-9A-Fa-f]{1,16})\|")


class Length(StrEnum):
    """How the length field tells the length of the body."""

    RIGHT = "right"
    DECIMAL = "decimal"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `ident` is its ID token without the star of encryption.

    `receiver` and `line` have their letters, and are "" where they are missing.

    `content` is what stands behind the first bracket: data, extended data and time, or the
    hexadecimal digits of their encryption. `account` is upper case, of the data where the head
    has none.
    """

    ident: str
    sequence: str
    receiver: str
    line: str
    account: str
    content: bytes
    is_encrypted: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around a body: whether CRC and length are its own."""

    crc: str
    length_field: str
    body: bytes
    expected_crc: str
    length: Length

    @property
    def error(self) -> str | None:
        """What the standard forbids about it."""
        if self.crc.upper() != self.expected_crc:
            return f"CRC {self.crc} is wrong, {self.expected_crc} would be right"
        if self.length is Length.RIGHT:
            return None
        form = "is decimal" if self.length is Length.DECIMAL else "is wrong"
        return f"length {self.length_field} {form}, {len(self.body):04X} would be right"


def _remainder(octet: int) -> int:
    for _ in range(8):
        octet = (octet >> 1) ^ (_POLYNOMIAL if octet & 1 else 0)
    return octet


_BY_OCTET = tuple(_remainder(octet) for octet in range(256))


def crc16(octets: bytes) -> int:
    """Return the CRC-16/ARC (polynomial A001, first value 0)."""
    crc = 0
    for octet in octets:
        crc = (crc >> 8) ^ _BY_OCTET[(crc ^ octet) & 0xFF]
    return crc


def encode(body: bytes) -> bytes:
    """Return the frame around a body.

    Raises:
        ValueError: three digits cannot tell its length, or it holds LF or CR.
    """
    if len(body) > MAX_BODY or LF in body or CR in body:
        raise ValueError(f"a body has at most {MAX_BODY} bytes, none of them LF or CR")
    return b"\n%04X%04X%s\r" % (crc16(body), len(body), body)


def open_envelope(frame: bytes) -> Envelope:
    """Return what a whole frame carries, right or wrong.

    Raises:
        ValueError: it is no frame at all.
    """
    if len(frame) > MAX_FRAME:
        raise ValueError(f"{len(frame)} bytes are longer than any frame, {MAX_FRAME}")
    match = _HEAD.match(frame)
    if match is None or not frame.endswith(CR):
        raise ValueError("a frame is LF, 4 digits of CRC, 4 of length, body, CR")
    body = frame[HEAD:-1]
    crc, length = match[1].decode(), match[2].decode()
    return Envelope(crc, length, body, f"{crc16(body):04X}", _length(length, len(body)))


def read_body(body: bytes) -> Message:
    """Return the message that a body is.

    Raises:
        ValueError: it is none.
    """
    match = _BODY.match(body)
    if match is None:
        raise ValueError('a body is "TOKEN", 4 digits of sequence, R, L and #account, and [')
    star, ident, sequence, receiver, line, account = (part or b"" for part in match.groups())
    content = body[match.end() :]
    if not account and not star and (inner := _DATA_ACCOUNT.match(content)):
        account = inner[1]
    return Message(
        ident=ident.decode(),
        sequence=sequence.decode(),
        receiver=receiver.decode(),
        line=line.decode(),
        account=account.decode().upper(),
        content=content,
        is_encrypted=bool(star),
        body=body,
    )


class Stream:
    """Takes frames out of a stream or out of datagrams; keeps at most one longest frame."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer: bytes = b""

    @property
    def kept(self) -> int:
        """Bytes that wait for their CR."""
        return len(self._buffer)

    def feed(self, received: bytes) -> list[bytes]:
        """Return the frames that the bytes complete: what stands from the last LF before a CR."""
        *whole, rest = (self._buffer + received).split(CR)
        frames: list[bytes] = []
        for part in whole:
            start = part.rfind(LF)
            if start >= 0 and len(part) - start < MAX_FRAME:
                frames.append(part[start:] + CR)
        start = rest.rfind(LF)
        self._buffer = rest[start:] if start >= 0 and len(rest) - start < MAX_FRAME else b""
        return frames


def _length(field: str, actual: int) -> Length:
    if int(field, 16) == actual:
        return Length.RIGHT
    if field.isdecimal() and int(field) == actual:
        return Length.DECIMAL
    return Length.WRONG
