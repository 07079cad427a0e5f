"""CRC-16/MODBUS (MODBUS over Serial Line V1.02, 6.2.2) and the LRC of ASCII mode (6.2.1).

A whole frame with its own check bytes gives a remainder of 0 in both.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from struct import Struct

_POLYNOMIAL = 0xA001  # x16 + x15 + x2 + 1, bits reversed: the low bit is sent first
_START = 0xFFFF
_BYTES = 256


def _remainder(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
    return value


_BY_BYTE = tuple(_remainder(byte) for byte in range(_BYTES))


def _word_table() -> Sequence[int]:
    """Return the remainders of all 16-bit words, low byte first: one look-up for two bytes.

    128 KiB as an array; a list of integers, even one on the way there, would take 2.5 MB.
    """
    low = [_BY_BYTE[r & 0xFF] ^ (r >> 8) for r in _BY_BYTE]
    return array("H", (high ^ rest for high in _BY_BYTE for rest in low))


_BY_WORD = _word_table()
_WORDS = tuple(Struct(f"<{count}H") for count in range(_BYTES // 2 + 1))


def crc16(octets: bytes | bytearray) -> int:
    """Return the CRC of at most 257 bytes; it is sent low byte first."""
    table = _BY_WORD
    crc = _START
    words: tuple[int, ...] = _WORDS[len(octets) >> 1].unpack_from(octets)
    for word in words:
        crc = table[crc ^ word]
    if len(octets) & 1:
        crc = (crc >> 8) ^ _BY_BYTE[(crc ^ octets[-1]) & 0xFF]
    return crc


def with_crc(octets: bytes) -> bytes:
    """Return the bytes followed by their CRC, low byte first."""
    return octets + crc16(octets).to_bytes(2, "little")


def lrc(octets: bytes) -> int:
    """Return the two's complement of the sum of the bytes, one byte."""
    return -sum(octets) & 0xFF
