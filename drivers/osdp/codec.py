"""Frames of OSDP: mark, address, length, control, security block, code, check.

`[FF] 53 ADDR LENlo LENhi CTRL [SCB] CODE data CRClo CRChi | CKSUM`. Order and check sums are those
that the published vectors of goToMain/libosdp and bytedreamer/OSDP.Net have; the standard's text
was not at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.contract import Fault, FrameError

MARK = 0xFF
SOM = 0x53
REPLY_BIT = 0x80
BROADCAST = 0x7F
SEQUENCE_BITS = 0x03
CRC_BIT = 0x04
SCB_BIT = 0x08
KNOWN_BITS = 0x0F
HEAD = 5
SHORTEST = 7
"""Head, code and a checksum of one byte."""
LONGEST = 1440
"""No longer frame is read: the largest buffer that public programs give a device."""
MAC = 4
"""Bytes of a message's code in the secure channel."""
FIRST_MACED = 0x15
"""From this security block type on, a frame ends with a MAC before its check."""
LAST_SCS = 0x18
CRC_INIT = 0x1D0F
CRC_POLY = 0x1021


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `scb` is the security block with its length byte, empty where there is none."""

    address: int
    sequence: int
    code: int
    content: bytes = b""
    is_reply: bool = False
    has_crc: bool = True
    scb: bytes = b""
    mac: bytes = b""

    @property
    def scs(self) -> int:
        """Type of the security block, 0 without one."""
        return self.scb[1] if self.scb else 0


def _remainder(octet: int) -> int:
    crc = octet << 8
    for _ in range(8):
        crc = (crc << 1 ^ CRC_POLY if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


_BY_OCTET = tuple(_remainder(octet) for octet in range(256))
"""Noise that is full of beginnings costs a check for each of them: without, it held up the loop."""


def crc16(octets: bytes) -> int:
    """Return the CRC-16 of the octets: polynomial 1021, initial value 1D0F."""
    crc = CRC_INIT
    for octet in octets:
        crc = (crc << 8 & 0xFFFF) ^ _BY_OCTET[crc >> 8 ^ octet]
    return crc


def checksum(octets: bytes) -> int:
    """Return the two's complement of the sum of the octets, modulo 256."""
    return -sum(octets) & 0xFF


def before_mac(frame: Frame) -> bytes:
    """Return the octets of a frame up to its MAC; the length already counts MAC and check."""
    after = (MAC if frame.scs >= FIRST_MACED else 0) + (2 if frame.has_crc else 1)
    length = HEAD + len(frame.scb) + 1 + len(frame.content) + after
    control = frame.sequence | (CRC_BIT if frame.has_crc else 0) | (SCB_BIT if frame.scb else 0)
    address = frame.address | (REPLY_BIT if frame.is_reply else 0)
    head = bytes((SOM, address)) + length.to_bytes(2, "little") + bytes((control,))
    return head + frame.scb + bytes((frame.code,)) + frame.content


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame, without the mark in front."""
    octets = before_mac(frame) + frame.mac
    if frame.has_crc:
        return octets + crc16(octets).to_bytes(2, "little")
    return octets + bytes((checksum(octets),))


def open_frame(octets: bytes) -> Frame:
    """Return what stands in the octets of exactly one frame; the mark in front may be missing.

    Raises:
        FrameError: it is none, or its check is wrong.
    """
    body = octets.removeprefix(bytes((MARK,)))
    if len(body) < SHORTEST or body[0] != SOM:
        raise FrameError(Fault.SHORT, "it is no frame of OSDP: 53, and 7 bytes or more", octets)
    length = int.from_bytes(body[2:4], "little")
    if length != len(body) or length > LONGEST:
        raise FrameError(Fault.SHORT, f"length {length} is wrong, {len(body)} came", octets)
    has_crc = bool(body[4] & CRC_BIT)
    body = _checked(body, octets, has_crc=has_crc)
    if body[4] & ~KNOWN_BITS:
        raise FrameError(Fault.SHORT, f"control {body[4]:02X} has bits that mean nothing", octets)
    scb, rest = _block(body, octets)
    has_mac = bool(scb) and scb[1] >= FIRST_MACED
    if len(rest) < 1 + (MAC if has_mac else 0):
        raise FrameError(Fault.SHORT, "it ends before its code", octets)
    return Frame(
        address=body[1] & ~REPLY_BIT & 0xFF,
        sequence=body[4] & SEQUENCE_BITS,
        code=rest[0],
        content=rest[1:-MAC] if has_mac else rest[1:],
        is_reply=bool(body[1] & REPLY_BIT),
        has_crc=has_crc,
        scb=scb,
        mac=rest[-MAC:] if has_mac else b"",
    )


def _checked(body: bytes, octets: bytes, *, has_crc: bool) -> bytes:
    """Return the body without its check."""
    if not has_crc:
        right = checksum(body[:-1])
        if body[-1] != right:
            reason = f"checksum {body[-1]:02X} is wrong, {right:02X} would be right"
            raise FrameError(Fault.CRC, reason, octets)
        return body[:-1]
    found, right = int.from_bytes(body[-2:], "little"), crc16(body[:-2])
    if found != right:
        raise FrameError(Fault.CRC, f"CRC {found:04X} is wrong, {right:04X} would be right", octets)
    return body[:-2]


def _block(body: bytes, octets: bytes) -> tuple[bytes, bytes]:
    """Return the security block, and what stands behind it."""
    if not body[4] & SCB_BIT:
        return b"", body[HEAD:]
    size = body[HEAD] if len(body) > HEAD else 0
    scb, rest = body[HEAD : HEAD + size], body[HEAD + size :]
    if size < 2 or len(scb) < size or not 0x11 <= scb[1] <= LAST_SCS:  # noqa: PLR2004 - SCS_11
        raise FrameError(Fault.SHORT, "its security block is none of SCS_11 to SCS_18", octets)
    return scb, rest


class Stream:
    """Frames out of a stream in any cut; what cannot begin one is skipped."""

    def __init__(self) -> None:
        self._kept = b""
        self.only: int | None = None
        """Where set, the address byte, reply bit included, of the only frames that are taken."""

    @property
    def is_within_frame(self) -> bool:
        """Whether the beginning of a frame has come and its end has not."""
        return bool(self._kept)

    def feed(self, received: bytes) -> list[Frame | FrameError]:
        """Return whole frames, and errors with the bytes of those that fail their check."""
        self._kept += received
        found: list[Frame | FrameError] = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def flush(self) -> list[Frame | FrameError]:
        """Return what is found when no more comes: a false beginning no longer hides a frame."""
        found: list[Frame | FrameError] = []
        while self._kept:
            self._kept = self._kept[1:]
            found.extend(self.feed(b""))
        return found

    def clear(self) -> None:
        """Forget what came."""
        self._kept = b""

    def _next(self) -> Frame | FrameError | None:
        while True:
            start = self._kept.find(SOM)
            self._kept = b"" if start < 0 else self._kept[start:]
            if not self._may_be_frame():
                self._kept = self._kept[1:]
                continue
            length = int.from_bytes(self._kept[2:4], "little")
            if len(self._kept) < HEAD or len(self._kept) < length:
                return None
            octets = self._kept[:length]
            try:
                frame = open_frame(octets)
            except FrameError as error:
                self._kept = self._kept[1:]
                return error
            self._kept = self._kept[length:]
            return frame

    def _may_be_frame(self) -> bool:
        kept = self._kept
        if len(kept) > 1 and self.only is not None and kept[1] != self.only:
            return False
        if len(kept) < HEAD:
            return True
        length = int.from_bytes(kept[2:4], "little")
        return SHORTEST <= length <= LONGEST and not kept[4] & ~KNOWN_BITS
