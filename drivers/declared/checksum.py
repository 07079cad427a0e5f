"""Check values that declared frames may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce

_BYTE = 0xFF
_WORD = 0xFFFF


class Kind(StrEnum):
    """How a check value is made of the bytes it covers."""

    NONE = "none"
    SUM8 = "sum8"
    SUM8_COMPLEMENT = "sum8-complement"
    XOR8 = "xor8"
    LRC = "lrc"
    CRC16_MODBUS = "crc16-modbus"
    CRC16_CCITT = "crc16-ccitt"
    CRC16_XMODEM = "crc16-xmodem"


def crc16_reflected(octets: bytes) -> int:
    """Return the CRC of Modbus: polynomial A001, begun with FFFF (V1.02, 6.2.2)."""
    crc = _WORD
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def crc16_forward(octets: bytes, begin: int) -> int:
    """Return the CRC with polynomial 1021, highest bit first."""
    crc = begin
    for octet in octets:
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & _WORD
    return crc


def _xor(left: int, right: int) -> int:
    return left ^ right


_MAKERS: Mapping[Kind, Callable[[bytes], int]] = {
    Kind.SUM8: lambda octets: sum(octets) & _BYTE,
    Kind.SUM8_COMPLEMENT: lambda octets: ~sum(octets) & _BYTE,
    Kind.XOR8: lambda octets: reduce(_xor, octets, 0),
    Kind.LRC: lambda octets: -sum(octets) & _BYTE,
    Kind.CRC16_MODBUS: crc16_reflected,
    Kind.CRC16_CCITT: lambda octets: crc16_forward(octets, _WORD),
    Kind.CRC16_XMODEM: lambda octets: crc16_forward(octets, 0),
}


@dataclass(frozen=True, slots=True)
class Checksum:
    """A check value: its kind, what it covers, and its order of bytes.

    It covers the frame from byte `start` to the check value itself, without the last `omit` bytes
    before it.
    """

    kind: Kind = Kind.NONE
    start: int = 0
    omit: int = 0
    is_little: bool = False

    @property
    def size(self) -> int:
        """Bytes of the check value; 0 when there is none."""
        if self.kind is Kind.NONE:
            return 0
        return 2 if self.kind.startswith("crc16") else 1

    def of(self, frame: bytes, at: int) -> bytes:
        """Return the check value that belongs at byte `at` of a frame."""
        if self.kind is Kind.NONE:
            return b""
        value = _MAKERS[self.kind](frame[self.start : max(self.start, at - self.omit)])
        return value.to_bytes(self.size, "little" if self.is_little else "big")
