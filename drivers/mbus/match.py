"""Finds the record that a point wants in the telegrams of a readout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from types import MappingProxyType

from drivers.contract import Address, Raw, Wanted
from drivers.mbus.address import HEADER_QUANTITIES, MbusAddress
from drivers.mbus.record import Record, plain_number
from drivers.mbus.telegram import Telegram

_JOULE_PER_KWH = Fraction(3_600_000)
_CONVERSIONS = MappingProxyType({("J", "kW.h"): 1 / _JOULE_PER_KWH, ("kW.h", "J"): _JOULE_PER_KWH})


def mbus_address(address: Address) -> MbusAddress:
    """Return the address as the driver's own type.

    Raises:
        TypeError: it is another driver's.
    """
    if not isinstance(address, MbusAddress):
        raise TypeError(f"{type(address).__name__} is not an address of M-Bus")
    return address


def pick(telegrams: Sequence[Telegram], wanted: Sequence[Wanted]) -> dict[int, Raw | None]:
    """Return the values of the points that the telegrams have, each in the unit of its address.

    None is a record that says that it has no value.
    """
    found: dict[int, Raw | None] = {}
    for want in wanted:
        address = mbus_address(want.address)
        if address.quantity in HEADER_QUANTITIES:
            value = _of_header(telegrams, address.quantity)
            if value is not None:
                found[want.key] = _bit(value, address.bit)
            continue
        record = next(islice(_fitting(telegrams, address), address.nth - 1, None), None)
        if record is not None:
            found[want.key] = _bit(_value(record, address), address.bit)
    return found


def _of_header(telegrams: Sequence[Telegram], quantity: str | None) -> Raw | None:
    if not telegrams:
        return None
    header = telegrams[0].header
    if quantity == "id":
        return None if header.unit is None else header.unit.number
    said = {"status": header.status, "access_no": header.access_no, "medium": header.medium}
    return said.get(quantity or "")


def _fitting(telegrams: Sequence[Telegram], wanted: MbusAddress) -> Iterator[Record]:
    for telegram in telegrams:
        for record in telegram.records:
            if _fits(record, wanted):
                yield record


def _fits(record: Record, wanted: MbusAddress) -> bool:
    if wanted.header is not None:
        return record.header == wanted.header
    meaning = record.meaning
    return (
        meaning.quantity == wanted.quantity
        and " ".join(meaning.qualifiers) == (wanted.qualifier or "")
        and record.function == wanted.function
        and (record.storage, record.tariff, record.subunit)
        == (wanted.storage, wanted.tariff, wanted.subunit)
    )


def _value(record: Record, wanted: MbusAddress) -> Raw | None:
    """Return the value; an energy in the wanted unit, whichever one the meter is set to."""
    if wanted.quantity != "energy" or record.number is None:
        return record.value
    unit = wanted.unit or "kW.h"
    said = record.meaning.unit
    if said == unit or said is None:
        return record.value
    factor = _CONVERSIONS.get((said, unit))
    return None if factor is None else plain_number(record.number * factor)


def _bit(value: Raw | None, bit: int | None) -> Raw | None:
    """Return one bit of a whole number as a boolean."""
    if bit is None or value is None:
        return value
    return bool(value >> bit & 1) if isinstance(value, int) else None
