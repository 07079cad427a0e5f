"""What a frame says by itself, with no profile: its parts by name, and its values as points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from drivers.cjt188.address import (
    DI_ADDRESS,
    DI_MONTHS,
    DI_READING,
    FIELDS_OF,
    Cjt188Quirks,
    Field,
)
from drivers.cjt188.codec import PREAMBLE, READ_ADDRESS, REPLY_BIT, Frame
from drivers.cjt188.fields import HEAD, HEAT_SIZE, LAYOUTS, WATER_SIZE, digits_of
from drivers.contract import NamedValue, Raw

_PLAIN = Cjt188Quirks()
_POINTS: Mapping[Field, NamedValue] = {
    Field.VOLUME: NamedValue("vol_cum", None, "m3"),
    Field.VOLUME_DAY: NamedValue("vol_bill", None, "m3"),
    Field.ENERGY: NamedValue("heat_cum", None, "kW.h"),
    Field.ENERGY_DAY: NamedValue("heat_bill", None, "kW.h"),
    Field.POWER: NamedValue("power", None, "W"),
    Field.FLOW: NamedValue("flow", None, "m3/h"),
    Field.T_SUPPLY: NamedValue("t_sup", None, "Cel"),
    Field.T_RETURN: NamedValue("t_ret", None, "Cel"),
    Field.HOURS: NamedValue("run_time", None, "s"),
    Field.CLOCK: NamedValue("clock", None),
    Field.STATUS: NamedValue("status_code", None),
}
"""Points of the kinds by field, with their units."""
_TIMES = {Field.POWER: 1000, Field.HOURS: 3600}
"""Unit of the point over unit of the raw value."""
_OF_ELECTRICITY: Mapping[Field, str] = {Field.ENERGY: "ep_imp", Field.ENERGY_DAY: "ep_imp_month"}
_ELECTRICITY = range(0x40, 0x50)
_AMOUNT_SIZE = 5
_AMOUNTS = {
    WATER_SIZE: ("total", "month"),
    HEAT_SIZE: ("cold_or_settlement", "heat", "power", "flow", "volume"),
}
"""Names of the numbers with a unit at the beginning of 901F."""
_REST = (Field.T_SUPPLY, Field.T_RETURN, Field.HOURS)


def identifier_of(content: bytes) -> int | None:
    """Return the data identifier at the beginning of a content, in whichever order it came.

    Known identifiers and their families (81.., A0.., D1..) tell the order; of others the high byte
    is taken as the first.
    """
    if len(content) < HEAD:
        return None
    high_first = int.from_bytes(content[:2], "big")
    low_first = int.from_bytes(content[:2], "little")
    return low_first if _is_known(low_first) and not _is_known(high_first) else high_first


def _is_known(di: int) -> bool:
    return di in FIELDS_OF or di >> 8 in {0x81, 0xA0, 0xD1}


def frame_fields(frame: Frame, before: bytes = b"") -> dict[str, Any]:
    """Return the parts of a frame; `before` are the bytes that stood in front of its 68."""
    said: dict[str, Any] = {
        "type": f"{frame.type:02X}",
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "length": len(frame.content),
        "error": frame.is_refusal,
        "preamble_fe": len(before) - len(before.rstrip(bytes((PREAMBLE,)))),
    }
    if frame.is_refusal:
        return said | {"data": frame.content.hex(), **_refusal(frame.content)}
    di = identifier_of(frame.content)
    if di is None:
        return said | {"data": frame.content.hex()}
    wire = frame.content[:2].hex().upper()
    payload = frame.content[HEAD:]
    return said | {
        "di": f"{di:04X}",
        "di_wire": wire,
        "di_order": "hi-lo" if wire == f"{di:04X}" else "lo-hi",
        "ser": f"{frame.content[2]:02X}",
        **({"payload": payload.hex()} if payload else {}),
        **(_reading(payload) if di == DI_READING and frame.is_reply else {}),
    }


def _refusal(content: bytes) -> dict[str, Any]:
    return {"ser": content[:1].hex().upper(), "status": content[1:].hex()}


def _reading(payload: bytes) -> dict[str, Any]:
    """Return the fields of 901F: digits as they stand, with the code of their unit."""
    names = _AMOUNTS.get(len(payload))
    if names is None:
        return {}
    said: dict[str, Any] = {}
    is_heat = len(payload) == HEAT_SIZE
    for place, name in enumerate(names):
        octets = payload[place * _AMOUNT_SIZE : (place + 1) * _AMOUNT_SIZE]
        digits = digits_of(octets[:-1])
        # Decimals of a heat meter are the maker's: its digits are shown as they are.
        said[name] = digits if is_heat or digits is None else int(digits) / 100
        said[f"{name}_unit"] = octets[-1:].hex().upper()
    layout = LAYOUTS[DI_READING][len(payload)]
    said |= {str(f): layout[f].value(payload, _PLAIN) for f in _REST if f in layout}
    clock = layout[Field.CLOCK]
    said["clock"] = payload[clock.start : clock.start + clock.size][::-1].hex().upper()
    said["status"] = payload[layout[Field.STATUS].start :].hex()
    return said


def named_values(frame: Frame) -> Iterator[NamedValue]:
    """Yield the values of a reply, in the units of the kinds of devices."""
    di = identifier_of(frame.content) or 0
    payload = frame.content[HEAD:]
    if frame.control == READ_ADDRESS | REPLY_BIT and di == DI_ADDRESS:
        yield NamedValue("serial", frame.address)
    layout = LAYOUTS.get(di, {}).get(len(payload), {})
    for field, slot in layout.items():
        if field is Field.ENERGY_COLD or not _is_of_this_meter(frame, field, payload):
            continue
        raw = slot.value(payload, _PLAIN)
        if field in _TIMES and isinstance(raw, int | float):
            exact = Decimal(str(raw)) * _TIMES[field]
            raw = int(exact) if isinstance(raw, int) else float(exact)
        yield _named(frame, di, field, raw)


def _is_of_this_meter(frame: Frame, field: Field, payload: bytes) -> bool:
    """Whether the field is meant: one number is a volume or an energy, by the unit beside it."""
    twins = {Field.VOLUME, Field.ENERGY, Field.VOLUME_DAY, Field.ENERGY_DAY}
    if len(payload) == HEAT_SIZE or field not in twins:
        return True
    return (field in {Field.ENERGY, Field.ENERGY_DAY}) is _counts_energy(frame, payload)


def _counts_energy(frame: Frame, payload: bytes) -> bool:
    layout = LAYOUTS[DI_READING][WATER_SIZE]
    first: Raw | None = layout[Field.ENERGY].value(payload[:_AMOUNT_SIZE], _PLAIN)
    return first is not None or frame.type in _ELECTRICITY


def _named(frame: Frame, di: int, field: Field, raw: Raw | None) -> NamedValue:
    usual = _POINTS.get(field, NamedValue(str(field), None))
    electric = _OF_ELECTRICITY.get(field) if frame.type in _ELECTRICITY else None
    name = electric or usual.point
    month = f"_m{di - DI_MONTHS.start + 1}" if di in DI_MONTHS else ""
    return NamedValue(name + month, raw, usual.unit)
