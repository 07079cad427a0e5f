"""Where a point is in a Modbus device, and what is peculiar to the device: what profiles write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from drivers.modbus.pdu import MAX_ADDRESS, MAX_READ_BITS, MAX_READ_REGISTERS

REGISTER_BITS = 16


class Table(StrEnum):
    """The four tables of the data model (V1.1b3, 4.3)."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def is_bits(self) -> bool:
        """Whether it holds single bits."""
        return self in {Table.COIL, Table.DISCRETE}


class Datatype(StrEnum):
    """How registers make a value; the standard itself knows only u16 and bool."""

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    T5 = "t5"
    BCD16 = "bcd16"
    BCD32 = "bcd32"
    M10K = "m10k"
    STR = "str"
    BOOL = "bool"
    U8HI = "u8hi"
    U8LO = "u8lo"


class Order(StrEnum):
    """Order on the wire of a value's bytes, A being the most significant one.

    CDAB: low register first. BADC: low byte first in each register. DCBA: both. AB and BA are the
    same for one register.
    """

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"

    @property
    def swaps_words(self) -> bool:
        """Whether the low register comes first."""
        return self in {Order.CDAB, Order.DCBA}

    @property
    def swaps_bytes(self) -> bool:
        """Whether the low byte comes first in a register."""
        return self in {Order.BADC, Order.DCBA}


_WIDTHS = {
    Datatype.U32: 2,
    Datatype.S32: 2,
    Datatype.F32: 2,
    Datatype.T5: 2,
    Datatype.BCD32: 2,
    Datatype.M10K: 2,
    Datatype.U64: 4,
    Datatype.S64: 4,
    Datatype.F64: 4,
}
_TOPS = {
    Datatype.U16: 1 << 16,
    Datatype.U32: 1 << 32,
    Datatype.U64: 1 << 64,
    Datatype.BCD16: 10**4,
    Datatype.BCD32: 10**8,
}
_MASKABLE = {Datatype.U16: 1, Datatype.U32: 2, Datatype.U64: 4}
_HAVE_LENGTH = {Datatype.STR, Datatype.M10K}
_MAX_M10K = 4
_SHORT_ORDERS = {"AB": Order.ABCD, "BA": Order.BADC}
_TABLES = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}
_TRADITIONAL = re.compile(r"(?:([134])x0*([0-9]+)|([0134])([0-9]{4,5}))", re.IGNORECASE)
_NUMBERED = re.compile(r"reg(?:ister|\.)?\s*0*([0-9]+)", re.IGNORECASE)
_BIT_RANGE = re.compile(r"([0-9]{1,2}):([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Place:
    """A register as a profile wrote it: `offset` from 0, `table` where the notation names one.

    `is_absolute` says that a quirk `first_address` does not move it.
    """

    offset: int
    table: Table | None = None
    is_absolute: bool = False


def parse_register(text: int | str) -> Place:
    """Return the place of a register.

    Integers, their text, and hexadecimal text are PDU addresses from 0. `4x0001`, `40001`,
    `400001` and `reg 1` count from 1: all four are PDU address 0.

    Raises:
        ValueError: it is none of these, or outside 0..65535.
    """
    place = Place(text) if isinstance(text, int) else _parse_text(text.strip())
    if not 0 <= place.offset <= MAX_ADDRESS:
        raise ValueError(f"register {text!r} is outside 0..65535 of the PDU address")
    return place


def _parse_text(text: str) -> Place:
    if match := _TRADITIONAL.fullmatch(text):
        digit, number = match[1] or match[3], match[2] or match[4]
        return Place(int(number) - 1, _TABLES[digit], is_absolute=True)
    if match := _NUMBERED.fullmatch(text):
        return Place(int(match[1]) - 1, is_absolute=True)
    try:
        return Place(int(text, 0))
    except ValueError:
        raise ValueError(
            f"{text!r} is no register; write a PDU address such as 0 or 0x0048, or 4x0001, "
            "40001, reg 1 (these three count from 1)"
        ) from None


@dataclass(frozen=True, slots=True)
class ModbusAddress:
    """Address keys of a point in a Modbus profile."""

    register: int | str = field(
        metadata={
            "description": "PDU address from 0 (0x0048), or a notation that counts from 1: "
            "4x0001, 40001, reg 1"
        }
    )
    table: Table = field(
        default=Table.HOLDING, metadata={"description": "Table that it is read from"}
    )
    type: Datatype = field(
        default=Datatype.U16,
        metadata={"description": "Datatype; bool for coils and discrete inputs"},
    )
    order: Order = field(
        default=Order.ABCD, metadata={"description": "Order of bytes on the wire, A highest"}
    )
    bit: int | None = field(
        default=None,
        metadata={
            "description": "One bit of the register as a boolean, 0 the lowest",
            "ge": 0,
            "lt": REGISTER_BITS,
        },
    )
    bits: str | None = field(
        default=None,
        metadata={"description": "Some bits of the value as an integer, first:count"},
    )
    mask: int | None = field(
        default=None,
        metadata={
            "description": "Bits kept of the value, moved down to the lowest of them",
            "gt": 0,
        },
    )
    length: int | None = field(
        default=None,
        metadata={
            "description": "Registers of a str (required) or of m10k (default 2)",
            "ge": 1,
            "le": MAX_READ_REGISTERS,
        },
    )
    write_function: Literal[5, 6, 15, 16, 22] | None = field(
        default=None,
        metadata={"description": "Function code to write with, where the usual one is refused"},
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not; limits of single keys are checked by who parses them.
        """
        place = parse_register(self.register)
        if place.table not in {None, self.table}:
            raise ValueError(f"register {self.register!r} is {place.table}, table says otherwise")
        given = [name for name in ("bit", "bits", "mask") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        if self.table.is_bits and (given or self.type is not Datatype.BOOL):
            raise ValueError(f"table {self.table} has single bits: type bool, no bit fields")
        if given:
            self._check_bit_field()
        self._check_length()
        if place.offset + self.width > MAX_ADDRESS + 1:
            raise ValueError(f"register {self.register} with {self.width} registers passes 65535")

    def _check_length(self) -> None:
        if self.type is Datatype.STR and self.length is None:
            raise ValueError("type str needs length: its number of registers")
        if self.length is not None and self.type not in _HAVE_LENGTH:
            raise ValueError(f"length is for str and m10k, {self.type} has its own")
        if self.type is Datatype.M10K and (self.length or 1) > _MAX_M10K:
            raise ValueError(f"m10k has at most {_MAX_M10K} registers")

    def _check_bit_field(self) -> None:
        if self.type not in _MASKABLE and not (self.type is Datatype.BOOL and self.bit is not None):
            raise ValueError(f"bit fields are parts of u16, u32 or u64, not of {self.type}")
        size = REGISTER_BITS * _MASKABLE.get(self.type, 1)
        if self.bit is not None and size != REGISTER_BITS:
            raise ValueError("bit is for one register; use mask or bits in wider types")
        if self.mask is not None and self.mask >= 1 << size:
            raise ValueError(f"mask 0x{self.mask:X} is wider than {self.type}")
        if self.bits is not None:
            match = _BIT_RANGE.fullmatch(self.bits)
            if not match or not int(match[2]) or int(match[1]) + int(match[2]) > size:
                raise ValueError(f"bits {self.bits!r} is not first:count within {size} bits")

    @property
    def width(self) -> int:
        """Registers of the value; 1 for a coil or discrete input."""
        if self.length is not None:
            return self.length
        return _WIDTHS.get(self.type, 1)

    @property
    def raw_top(self) -> int | None:
        """Where a whole number of this type begins again at 0; None for parts, floats, texts."""
        if self.bit is not None or self.bits is not None or self.mask is not None:
            return None
        return _TOPS.get(self.type)

    @property
    def field_mask(self) -> int | None:
        """The bits that the point has of its value; None when it is the whole value."""
        if self.bit is not None:
            return 1 << self.bit
        if self.bits is not None:
            first, count = (int(part) for part in self.bits.split(":"))
            return ((1 << count) - 1) << first
        if self.type in {Datatype.U8HI, Datatype.U8LO}:
            return 0xFF00 if self.type is Datatype.U8HI else 0x00FF
        return self.mask

    def offset(self, quirks: ModbusQuirks) -> int:
        """Return the PDU address on the wire.

        Raises:
            ValueError: the device counts from 1, and the profile says register 0.
        """
        place = parse_register(self.register)
        if place.is_absolute:
            return place.offset
        if place.offset < quirks.first_address:
            raise ValueError("register 0 does not exist where first_address is 1")
        return place.offset - quirks.first_address


def complete_address(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a point with what follows from others: table and type, long order names.

    Raises:
        ValueError: the register is none.
    """
    filled = dict(keys)
    register, order = filled.get("register"), filled.get("order")
    if isinstance(register, str) and (table := parse_register(register).table):
        filled.setdefault("table", table)
    if filled.get("table") in [Table.COIL, Table.DISCRETE]:  # a list: what YAML gave may be one
        filled.setdefault("type", Datatype.BOOL)
    if isinstance(order, str):
        filled["order"] = _SHORT_ORDERS.get(order, order)
    return filled


@dataclass(frozen=True, slots=True)
class ModbusQuirks:
    """What a Modbus device cannot do as others can."""

    max_registers: int = field(
        default=MAX_READ_REGISTERS,
        metadata={
            "description": "Registers that one read may ask for",
            "ge": 1,
            "le": MAX_READ_REGISTERS,
        },
    )
    max_bits: int = field(
        default=MAX_READ_BITS,
        metadata={
            "description": "Coils or discrete inputs that one read may ask for",
            "ge": 1,
            "le": MAX_READ_BITS,
        },
    )
    max_gap: int | None = field(
        default=None,
        metadata={
            "description": "Unwanted registers or bits read over; without it, cost decides",
            "ge": 0,
        },
    )
    write_function: Literal[6, 16] | None = field(
        default=None,
        metadata={
            "description": "Function code for writing registers; without it, 6 for one and 16 "
            "for more"
        },
    )
    first_address: Literal[0, 1] = field(
        default=0,
        metadata={"description": "1 where the profile's plain register numbers count from 1"},
    )
    forbidden: tuple[str, ...] = field(
        default=(),
        metadata={
            "description": "Registers never read over, such as 100-110; points stay readable"
        },
    )

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: one of them is no range.
        """
        for text in self.forbidden:
            parse_range(text)

    def forbidden_ranges(self) -> tuple[range, ...]:
        """Return the forbidden PDU addresses."""
        shift = self.first_address
        plain = (parse_range(text) for text in self.forbidden)
        return tuple(range(r.start - shift, r.stop - shift) for r in plain)


def parse_range(text: str) -> range:
    """Return the registers of `100-110` (both ends count) or `100`.

    Raises:
        ValueError: it is no range within 0..65535.
    """
    first, _, last = text.partition("-")
    try:
        found = range(int(first, 0), int(last or first, 0) + 1)
    except ValueError:
        raise ValueError(f"{text!r} is no range; write 100-110 or 0x64-0x6E") from None
    if not 0 <= found.start < found.stop <= MAX_ADDRESS + 1:
        raise ValueError(f"range {text!r} must ascend within 0..65535")
    return found
