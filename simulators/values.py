"""From a physical value to registers and bits, and back for writes.

This is the simulator's own code on purpose: it shares nothing with the drivers' value decoding,
so that an error there shows as a false value. Addresses are read by attribute (formats of the
driver's address), values are turned in exact decimal arithmetic.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeAlias

from drivers.contract import Address
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType

Raw: TypeAlias = int | float | bool | str

BIT_TABLES = frozenset({"coil", "discrete"})
TABLE_OF_DIGIT = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
WORDS_OF_TYPE = {
    "u16": 1, "s16": 1, "bcd16": 1, "bool": 1, "u8hi": 1, "u8lo": 1,
    "u32": 2, "s32": 2, "f32": 2, "t5": 2, "bcd32": 2, "m10k": 2,
    "u64": 4, "s64": 4, "f64": 4,
}  # fmt: skip
MASK_OF_TYPE = {"u8hi": 0xFF00, "u8lo": 0x00FF}
T5_MANTISSA_LIMIT = 1 << 24


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point lies on the wire: PDU address, width, and the bits of it that are its own.

    `mask` is None when it owns whole registers.
    """

    table: str
    register: int
    type: str
    order: str = "ABCD"
    mask: int | None = None
    words: int = 1

    @property
    def is_bit(self) -> bool:
        """Whether it is a coil or a discrete input."""
        return self.table in BIT_TABLES

    @property
    def shift(self) -> int:
        """Lowest bit of the mask."""
        return 0 if not self.mask else (self.mask & -self.mask).bit_length() - 1


@dataclass(frozen=True, slots=True)
class Encoder:
    """One point made ready: where it lies, and its value to raw and back."""

    point: Point
    place: Place

    def to_raw(self, value: Value, factor: Decimal | None = None) -> Raw:
        """Return the raw value nearest to a physical one, within the limits of its datatype.

        `factor` is what `scale_from` multiplies with, already as a number.
        """
        match self.point.type:
            case ValueType.BOOL:
                return bool(value) != self.point.is_inverted
            case ValueType.ENUM:
                return _raw_of_name(self.point.enum, str(value))
            case ValueType.TEXT:
                return str(value)[: 2 * self.place.words]
            case ValueType.FLOAT | ValueType.INT:
                return self._number_to_raw(value, factor)

    def to_value(self, raw: Raw, factor: Decimal | None = None) -> Value | None:
        """Return the physical value that a raw one means; None where it means none."""
        if raw in self.point.invalid:
            return None
        match self.point.type:
            case ValueType.BOOL:
                return bool(raw) != self.point.is_inverted
            case ValueType.ENUM:
                return self.point.enum.get(int(raw)) if not isinstance(raw, str) else None
            case ValueType.TEXT:
                return str(raw)
            case ValueType.FLOAT | ValueType.INT:
                return self._number_to_value(raw, factor)

    def to_words(self, raw: Raw, present: Sequence[int]) -> tuple[int, ...]:
        """Return the registers that carry a raw value; `present` gives the bits of others."""
        if self.place.mask is not None:
            others = int(_unpack(self.place, present)) & ~self.place.mask
            return _pack(self.place, others | (int(raw) << self.place.shift & self.place.mask))
        return _pack(self.place, raw)

    def from_words(self, words: Sequence[int]) -> Raw:
        """Return the raw value that registers carry."""
        if self.place.mask is not None:
            return (int(_unpack(self.place, words)) & self.place.mask) >> self.place.shift
        return _unpack(self.place, words)

    def _number_to_raw(self, value: Value, factor: Decimal | None) -> Raw:
        exact = Decimal(str(float(value)) if isinstance(value, float) else str(int(value)))
        if factor:
            exact /= factor
        exact = (exact - self.point.offset) / self.point.scale
        if self.place.type in {"f32", "f64"}:
            return _as_float(self.place.type, float(exact))
        if self.place.type == "t5":
            return float(exact)
        whole = int(exact.to_integral_value(ROUND_HALF_EVEN))
        low, high = limits(self.place)
        return min(max(whole, low), high)

    def _number_to_value(self, raw: Raw, factor: Decimal | None) -> Value:
        exact = Decimal(str(raw) if not isinstance(raw, bool) else str(int(raw)))
        exact = exact * self.point.scale + self.point.offset
        if factor is not None:
            exact *= factor
        if self.point.type is ValueType.INT and exact == exact.to_integral_value():
            return int(exact)
        return float(exact)


def encoder(point: Point, *, first_address: int = 0) -> Encoder:
    """Return the encoder of a point; `first_address` 1 where a profile counts registers from 1."""
    return Encoder(point, place_of(point.address, first_address=first_address))


def place_of(address: Address, *, first_address: int = 0) -> Place:
    """Return where an address points to.

    Raises:
        ValueError: the address is not one of Modbus.
    """
    spot = _spot(getattr(address, "register", None), str(getattr(address, "table", "holding")))
    kind = str(getattr(address, "type", None) or "u16")
    length = getattr(address, "length", None)
    is_bit = spot.table in BIT_TABLES
    return Place(
        table=spot.table,
        register=spot.number if spot.is_absolute else spot.number - first_address,
        type=kind,
        order=_full_order(str(getattr(address, "order", None) or "ABCD")),
        mask=None if is_bit else _mask_of(address, kind),
        words=1 if is_bit else int(length or WORDS_OF_TYPE.get(kind, 1)),
    )


def limits(place: Place) -> tuple[int, int]:
    """Return the least and greatest raw integer that the place can carry."""
    if place.mask is not None:
        return 0, place.mask >> place.shift
    if place.is_bit or place.type == "bool":
        return 0, 1
    if place.type in {"bcd16", "bcd32", "m10k"}:
        return 0, 10 ** (4 * place.words) - 1
    bits = 16 * place.words
    if place.type.startswith("s"):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


@dataclass(frozen=True, slots=True)
class _Spot:
    """A register as it was written; `is_absolute` when the notation itself counts from 1."""

    table: str
    number: int
    is_absolute: bool = False


def _spot(register: object, table: str) -> _Spot:
    if isinstance(register, int):
        return _Spot(table, register)
    if not isinstance(register, str):
        raise ValueError(f"no Modbus register: {register!r}")  # noqa: TRY004 - one kind of refusal
    text = register.strip().lower()
    prefixed = re.fullmatch(r"([134])x(\d+)|([0134])(\d{4,5})", text)
    if prefixed:
        digit, number = prefixed[1] or prefixed[3], prefixed[2] or prefixed[4]
        return _Spot(TABLE_OF_DIGIT[digit], int(number) - 1, is_absolute=True)
    counted = re.fullmatch(r"reg(?:ister|\.)?\s*(\d+)", text)
    if counted:
        return _Spot(table, int(counted[1]) - 1, is_absolute=True)
    return _Spot(table, int(text, 0))


def _full_order(order: str) -> str:
    return {"AB": "ABCD", "BA": "BADC"}.get(order, order)


def _mask_of(address: Address, kind: str) -> int | None:
    if kind in MASK_OF_TYPE:
        return MASK_OF_TYPE[kind]
    bit, bits, mask = (getattr(address, name, None) for name in ("bit", "bits", "mask"))
    if bit is not None:
        return 1 << int(bit)
    if bits is not None:
        first, count = (int(part) for part in str(bits).split(":"))
        return ((1 << count) - 1) << first
    return None if mask is None else int(mask)


def _raw_of_name(names: Mapping[int, str], name: str) -> int:
    return next((raw for raw, known in names.items() if known == name), min(names, default=0))


def _as_float(kind: str, value: float) -> float:
    """Round to what the wire can carry; single precision in its shortest decimal form."""
    if kind == "f64":
        return value
    carried = struct.unpack(">f", struct.pack(">f", value))[0]
    shortest = (float(f"{carried:.{digits}g}") for digits in range(6, 10))
    return next((s for s in shortest if struct.unpack(">f", struct.pack(">f", s))[0] == carried), 0)


def _pack(place: Place, raw: Raw) -> tuple[int, ...]:
    content = _PACKERS.get(place.type, _pack_integer)(raw, place)
    pairs = [content[i : i + 2] for i in range(0, len(content), 2)]
    return tuple(int.from_bytes(pair) for pair in _ordered(pairs, place))


def _unpack(place: Place, words: Sequence[int]) -> Raw:
    pairs = _ordered([word.to_bytes(2) for word in words], place)
    return _UNPACKERS.get(place.type, _unpack_integer)(b"".join(pairs), place)


def _ordered(pairs: Sequence[bytes], place: Place) -> list[bytes]:
    """Return byte pairs in the order of the wire; its own inverse."""
    if place.order in {"CDAB", "DCBA"} and place.type != "str":
        pairs = list(reversed(pairs))
    if place.order in {"BADC", "DCBA"}:
        pairs = [bytes(reversed(pair)) for pair in pairs]
    return list(pairs)


def _pack_integer(raw: Raw, place: Place) -> bytes:
    return int(raw).to_bytes(2 * place.words, signed=place.type.startswith("s") and int(raw) < 0)


def _unpack_integer(content: bytes, place: Place) -> Raw:
    return int.from_bytes(content, signed=place.type.startswith("s"))


def _pack_f32(raw: Raw, _: Place) -> bytes:
    return struct.pack(">f", float(raw))


def _pack_f64(raw: Raw, _: Place) -> bytes:
    return struct.pack(">d", float(raw))


def _unpack_f32(content: bytes, _: Place) -> Raw:
    return _as_float("f32", struct.unpack(">f", content)[0])


def _unpack_f64(content: bytes, _: Place) -> Raw:
    return float(struct.unpack(">d", content)[0])


def _pack_bcd(raw: Raw, place: Place) -> bytes:
    return bytes.fromhex(f"{int(raw):0{4 * place.words}d}")


def _unpack_bcd(content: bytes, _: Place) -> Raw:
    return int(content.hex())


def _pack_m10k(raw: Raw, place: Place) -> bytes:
    digits = f"{int(raw):0{4 * place.words}d}"
    groups = (int(digits[i : i + 4]) for i in range(0, len(digits), 4))
    return b"".join(group.to_bytes(2) for group in groups)


def _unpack_m10k(content: bytes, _: Place) -> Raw:
    total = 0
    for i in range(0, len(content), 2):
        total = total * 10000 + int.from_bytes(content[i : i + 2])
    return total


def _pack_t5(raw: Raw, _: Place) -> bytes:
    """Signed decimal exponent in the high byte, 24 bits of unsigned mantissa."""
    value, exponent = Decimal(repr(float(raw))), -4
    while value.scaleb(-exponent) >= T5_MANTISSA_LIMIT:
        exponent += 1
    mantissa = int(value.scaleb(-exponent).to_integral_value(ROUND_HALF_EVEN))
    return bytes((exponent & 0xFF,)) + mantissa.to_bytes(3)


def _unpack_t5(content: bytes, _: Place) -> Raw:
    exponent = int.from_bytes(content[:1], signed=True)
    return float(Decimal(int.from_bytes(content[1:])).scaleb(exponent))


def _pack_text(raw: Raw, place: Place) -> bytes:
    return str(raw).encode("ascii", "replace")[: 2 * place.words].ljust(2 * place.words, b"\0")


def _unpack_text(content: bytes, _: Place) -> Raw:
    return content.rstrip(b"\0 ").decode("ascii", "replace")


_PACKERS: Mapping[str, Callable[[Raw, Place], bytes]] = {
    "f32": _pack_f32, "f64": _pack_f64, "t5": _pack_t5, "str": _pack_text,
    "bcd16": _pack_bcd, "bcd32": _pack_bcd, "m10k": _pack_m10k,
}  # fmt: skip
_UNPACKERS: Mapping[str, Callable[[bytes, Place], Raw]] = {
    "f32": _unpack_f32, "f64": _unpack_f64, "t5": _unpack_t5, "str": _unpack_text,
    "bcd16": _unpack_bcd, "bcd32": _unpack_bcd, "m10k": _unpack_m10k,
}  # fmt: skip
