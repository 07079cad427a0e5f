"""Datatypes: what the bytes of registers mean, once they are in the order ABCD."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class under a module's naming
from typing import Any, TypeAlias

from drivers.contract import Raw
from drivers.modbus.address import Datatype, ModbusAddress
from drivers.modbus.single import shortest

Post: TypeAlias = Callable[[Any], "Raw | None"]
"""Turns what struct unpacked into the raw value."""

_INTEGERS = {
    Datatype.U16: "H",
    Datatype.S16: "h",
    Datatype.U32: "I",
    Datatype.S32: "i",
    Datatype.U64: "Q",
    Datatype.S64: "q",
    Datatype.BOOL: "H",
}
_GROUP = 10_000  # of m10k
_T5_MANTISSA = 1 << 24
_T5_POWERS = range(-128, 128)


@dataclass(frozen=True, slots=True)
class Unpacking:
    """How struct reads a value from bytes in the order ABCD, and what is done after that."""

    code: str
    post: Post | None = None


def unpacking(address: ModbusAddress) -> Unpacking:
    """Return how the value of an address in a register table is made from its bytes."""
    kind, mask = address.type, address.field_mask
    if kind in _HALVES:
        return _HALVES[kind]
    if mask is not None:
        return Unpacking(_INTEGERS[kind], _part(mask, is_bit=address.bit is not None))
    if kind in _POSTS:
        return Unpacking(_CODES.get(kind) or f"{2 * address.width}s", _POSTS[kind])
    return Unpacking(_CODES[kind])


def to_bytes(address: ModbusAddress, raw: Raw) -> bytes:
    """Return the bytes of a value in the order ABCD, for types that fill their registers.

    Raises:
        ValueError: the value does not fit the datatype.
    """
    if address.type in _INTEGERS:
        highest = 1 if address.type is Datatype.BOOL else None
        return _packed(_INTEGERS[address.type], as_integer(raw, highest))
    return _ENCODERS[address.type](raw, 2 * address.width)


def as_integer(raw: Raw, highest: int | None = None) -> int:
    """Return the raw value as an integer, from 0 to `highest` if that is given.

    Raises:
        ValueError: it is none, or outside.
    """
    if isinstance(raw, str | bytes) or (isinstance(raw, float) and not raw.is_integer()):
        raise ValueError(f"{raw!r} is no whole number")
    if highest is not None and not 0 <= raw <= highest:
        raise ValueError(f"{raw} is outside 0..{highest}")
    return int(raw)


def shift_of(mask: int) -> int:
    """Return how far a mask lies above bit 0."""
    return (mask & -mask).bit_length() - 1


def _part(mask: int, *, is_bit: bool) -> Post:
    if is_bit:
        return lambda value: bool(value & mask)
    shift = shift_of(mask)
    return lambda value: (value & mask) >> shift


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _as_finite(raw: Raw) -> float:
    if isinstance(raw, str | bytes) or not math.isfinite(raw):
        raise ValueError(f"{raw!r} is no number to write")
    return float(raw)


def _packed(code: str, number: float) -> bytes:
    try:
        return Struct(">" + code).pack(number)
    except (StructError, OverflowError):
        raise ValueError(f"{number} does not fit the datatype") from None


def _t5(octets: bytes) -> float:
    """Return mantissa * 10**exponent: exponent in the first byte (signed), mantissa in three.

    Finder 7M: FF 00 09 74 is 2420 * 10**-1 = 242.0.
    """
    exponent = octets[0] - 256 if octets[0] & 0x80 else octets[0]
    return float(f"{int.from_bytes(octets[1:], 'big')}e{exponent}")


def _to_t5(raw: Raw, _size: int) -> bytes:
    """Return the bytes of a T5 with the shortest mantissa that is the number."""
    number = _as_finite(raw)
    digits, _, exponent = f"{number:.6e}".partition("e")
    mantissa, power = int(digits.replace(".", "")), int(exponent) - 6
    while mantissa and mantissa % 10 == 0:
        mantissa, power = mantissa // 10, power + 1
    is_exact = 0 <= mantissa < _T5_MANTISSA and float(f"{mantissa}e{power}") == number
    if not is_exact or power not in _T5_POWERS:
        raise ValueError(f"{number} needs more than the 24 bits and the exponent of a T5")
    return (power & 0xFF).to_bytes(1, "big") + mantissa.to_bytes(3, "big")


def _bcd(octets: bytes) -> int | None:
    """Return the number whose decimal digits are the half-bytes; None when one is no digit."""
    digits = octets.hex()
    return int(digits) if digits.isdecimal() else None


def _to_bcd(raw: Raw, size: int) -> bytes:
    number = as_integer(raw)
    if not 0 <= number < 10 ** (2 * size):
        raise ValueError(f"{number} does not fit {2 * size} decimal digits")
    return bytes.fromhex(f"{number:0{2 * size}d}")


def _m10k(octets: bytes) -> int | None:
    """Return the sum of registers as groups of four decimal digits, each with its own sign.

    None when a register is outside -9999..9999.
    """
    total = 0
    for at in range(0, len(octets), 2):
        group = int.from_bytes(octets[at : at + 2], "big", signed=True)
        if abs(group) >= _GROUP:
            return None
        total = total * _GROUP + group
    return total


def _to_m10k(raw: Raw, size: int) -> bytes:
    number = as_integer(raw)
    rest = abs(number)
    groups: list[int] = []
    for _ in range(size // 2):
        rest, group = divmod(rest, _GROUP)
        groups.insert(0, -group if number < 0 else group)
    if rest:
        raise ValueError(f"{number} does not fit {size // 2} groups of four digits")
    return b"".join(group.to_bytes(2, "big", signed=True) for group in groups)


def _text(octets: bytes) -> str:
    """Return the text before the first NUL without spaces around it; UTF-8 where it is that."""
    return octets.partition(b"\0")[0].decode("utf-8", errors="replace").strip()


def _from_text(raw: Raw, size: int) -> bytes:
    octets = raw.encode() if isinstance(raw, str) else b""
    if not isinstance(raw, str) or len(octets) > size:
        raise ValueError(f"{raw!r} is no text of at most {size} bytes")
    return octets.ljust(size, b"\0")


_CODES = _INTEGERS | {Datatype.F32: "f", Datatype.F64: "d"}
_HALVES = {Datatype.U8HI: Unpacking("Bx"), Datatype.U8LO: Unpacking("xB")}
_POSTS: Mapping[Datatype, Post] = {
    Datatype.BOOL: bool,
    Datatype.F32: shortest,
    Datatype.F64: _finite,
    Datatype.T5: _t5,
    Datatype.BCD16: _bcd,
    Datatype.BCD32: _bcd,
    Datatype.M10K: _m10k,
    Datatype.STR: _text,
}
_ENCODERS: Mapping[Datatype, Callable[[Raw, int], bytes]] = {
    Datatype.F32: lambda raw, _: _packed("f", _as_finite(raw)),
    Datatype.F64: lambda raw, _: _packed("d", _as_finite(raw)),
    Datatype.T5: _to_t5,
    Datatype.BCD16: _to_bcd,
    Datatype.BCD32: _to_bcd,
    Datatype.M10K: _to_m10k,
    Datatype.STR: _from_text,
}
