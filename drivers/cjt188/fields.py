"""The fields of a reply's data: where each lies, and its raw value.

Layouts: 901F of water, gas and electricity (16H bytes with DI and SER) and of heat (2EH), as all
captures have them; D120 to D12B is one number with its unit and 8103 and 8104 one byte
(CaiYongCode/KingDa-NBWaterMeterCode-BC95, USER/inc/CJT-188-2004.h). Of 8102 and 8105 the order of
the fields is known from open documents, but no capture was found: their widths are not verified.
Four decimals of the flow are those of open drivers; every capture shows a flow of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from drivers.cjt188.address import (
    DI_MONTHS,
    DI_PRICES,
    DI_PURCHASE,
    DI_READING,
    DI_READING_DAY,
    DI_SETTLEMENT_DAY,
    Cjt188Address,
    Cjt188Quirks,
    ClockOrder,
    Field,
)
from drivers.cjt188.units import UNITS, Quantity
from drivers.contract import Raw

HEAD = 3
"""Bytes of DI and SER before the data."""
WATER_SIZE = 19
HEAT_SIZE = 43
_LAST_DAY = 31

Read: TypeAlias = Callable[[bytes, Cjt188Quirks], Raw | None]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a field lies in the data, and how it is read."""

    start: int
    size: int
    read: Read

    def value(self, payload: bytes, quirks: Cjt188Quirks) -> Raw | None:
        """Return the raw value; None where the meter says "no value"."""
        return self.read(payload[self.start : self.start + self.size], quirks)


def digits_of(octets: bytes) -> str | None:
    """Return the digits of a BCD number, its bytes low first; None when one is no digit."""
    digits = octets[::-1].hex()
    return digits if digits.isdecimal() else None


def amount_parts(octets: bytes, *, unit_first: bool) -> tuple[bytes, int]:
    """Return number and unit code of five bytes."""
    return (octets[1:], octets[0]) if unit_first else (octets[:-1], octets[-1])


def _amount(quantity: Quantity) -> Read:
    def read(octets: bytes, quirks: Cjt188Quirks) -> Raw | None:
        number, code = amount_parts(octets, unit_first=quirks.unit_first)
        digits, unit = digits_of(number), UNITS.get(code)
        if digits is None or unit is None or unit.quantity is not quantity:
            return None
        decimals = quirks.flow_decimals if quantity is Quantity.FLOW else 2
        return unit.published(Decimal(digits).scaleb(-decimals))

    return read


def _decimal(decimals: int) -> Read:
    def read(octets: bytes, _: Cjt188Quirks) -> Raw | None:
        digits = digits_of(octets)
        return None if digits is None else float(Decimal(digits).scaleb(-decimals))

    return read


def _count(octets: bytes, _: Cjt188Quirks) -> Raw | None:
    digits = digits_of(octets)
    return None if digits is None else int(digits)


def _binary(octets: bytes, _: Cjt188Quirks) -> Raw | None:
    return int.from_bytes(octets, "little")


def _day(octets: bytes, quirks: Cjt188Quirks) -> Raw | None:
    day = _count(octets, quirks)
    return day if isinstance(day, int) and 1 <= day <= _LAST_DAY else None


def clock_text(octets: bytes, quirks: Cjt188Quirks) -> str | None:
    """Return the local time of seven bytes such as 2026-11-27T02:30:00; None when it is none."""
    is_high_first = quirks.clock_order is ClockOrder.HIGH_FIRST
    digits = digits_of(octets[::-1] if is_high_first else octets)
    if digits is None:
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").isoformat()  # noqa: DTZ007 - no zone
    except ValueError:
        return None


def clock_bytes(text: str, quirks: Cjt188Quirks) -> bytes:
    """Return the seven bytes of a local time such as 2026-11-27T02:30:00.

    Raises:
        ValueError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-27T02:30:00") from None
    if moment.tzinfo is not None:
        raise ValueError(f"{text!r} has a zone; write the local time of the meter without one")
    octets = bytes.fromhex(f"{moment:%Y%m%d%H%M%S}".zfill(14))
    return octets if quirks.clock_order is ClockOrder.HIGH_FIRST else octets[::-1]


def _status(octets: bytes, _: Cjt188Quirks) -> Raw | None:
    return int.from_bytes(octets, "big")


_WATER = {
    Field.VOLUME: Slot(0, 5, _amount(Quantity.VOLUME)),
    Field.ENERGY: Slot(0, 5, _amount(Quantity.ENERGY)),
    Field.VOLUME_DAY: Slot(5, 5, _amount(Quantity.VOLUME)),
    Field.ENERGY_DAY: Slot(5, 5, _amount(Quantity.ENERGY)),
    Field.CLOCK: Slot(10, 7, clock_text),
    Field.STATUS: Slot(17, 2, _status),
}
_HEAT = {
    Field.ENERGY_DAY: Slot(0, 5, _amount(Quantity.ENERGY)),
    Field.ENERGY_COLD: Slot(0, 5, _amount(Quantity.ENERGY)),
    Field.ENERGY: Slot(5, 5, _amount(Quantity.ENERGY)),
    Field.POWER: Slot(10, 5, _amount(Quantity.POWER)),
    Field.FLOW: Slot(15, 5, _amount(Quantity.FLOW)),
    Field.VOLUME: Slot(20, 5, _amount(Quantity.VOLUME)),
    Field.T_SUPPLY: Slot(25, 3, _decimal(2)),
    Field.T_RETURN: Slot(28, 3, _decimal(2)),
    Field.HOURS: Slot(31, 3, _count),
    Field.CLOCK: Slot(34, 7, clock_text),
    Field.STATUS: Slot(41, 2, _status),
}
_MONTH = {
    Field.VOLUME: Slot(0, 5, _amount(Quantity.VOLUME)),
    Field.ENERGY: Slot(0, 5, _amount(Quantity.ENERGY)),
}
_PRICES = {
    Field.PRICE_1: Slot(0, 3, _decimal(2)),
    Field.STEP_1: Slot(3, 3, _count),
    Field.PRICE_2: Slot(6, 3, _decimal(2)),
    Field.STEP_2: Slot(9, 3, _count),
    Field.PRICE_3: Slot(12, 3, _decimal(2)),
}
_PURCHASE = {
    Field.PURCHASE_COUNT: Slot(0, 1, _binary),
    Field.PURCHASE: Slot(1, 4, _decimal(2)),
    Field.PURCHASE_TOTAL: Slot(5, 4, _decimal(2)),
    Field.MONEY_LEFT: Slot(9, 4, _decimal(2)),
    Field.STATUS: Slot(13, 2, _status),
}
_DAY = {Field.DAY: Slot(0, 1, _day)}

LAYOUTS: Mapping[int, Mapping[int, Mapping[Field, Slot]]] = {
    DI_READING: {WATER_SIZE: _WATER, HEAT_SIZE: _HEAT},
    **{month: {5: _MONTH} for month in DI_MONTHS},
    DI_PRICES: {15: _PRICES},
    DI_SETTLEMENT_DAY: {1: _DAY},
    DI_READING_DAY: {1: _DAY},
    DI_PURCHASE: {15: _PURCHASE},
}
"""Fields by data identifier and by the size of the data behind DI and SER."""


def raw_value(
    address: Cjt188Address, slot: Slot, payload: bytes, quirks: Cjt188Quirks
) -> Raw | None:
    """Return the raw value of a point that lies in that slot."""
    raw = slot.value(payload, quirks)
    if not isinstance(raw, int) or address.field is not Field.STATUS:
        return raw
    if address.bit is not None:
        return bool(raw >> address.bit & 1)
    if address.mask is not None:
        lowest = (address.mask & -address.mask).bit_length() - 1
        return (raw & address.mask) >> lowest
    return raw
