"""Combinable extensions (VIFE): what they make of a meaning.

Source: EN 13757-3 as general knowledge of the trade; multiplicative correction (70..77), error
codes and the manufacturer's mark (7F) occur in golden frames, the others are not verified. The two
notations of the standard, 7F and FF, are one code: bit 7 only says that another follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from drivers.mbus.meaning import TIME_STEPS, Form, Meaning, power_of_ten

SECOND_TABLE = 0x7C
MANUFACTURER = 0x7F
_NON_METRIC = 0x3D
_THOUSANDFOLD = 0x7D
_DATED = 0x02
"""Bit of 40..4F and 68..6F that makes them a point in time; without it they are other things."""

ERRORS = MappingProxyType(
    {
        0x01: "too many DIFEs",
        0x02: "storage number not implemented",
        0x03: "unit number not implemented",
        0x04: "tariff number not implemented",
        0x05: "function not implemented",
        0x06: "data class not implemented",
        0x07: "data size not implemented",
        0x0B: "too many VIFEs",
        0x0C: "illegal VIF group",
        0x0D: "illegal VIF exponent",
        0x0E: "VIF does not fit DIF",
        0x0F: "unimplemented action",
        0x15: "no data available",
        0x16: "data overflow",
        0x17: "data underflow",
        0x18: "data error",
        0x1C: "premature end of record",
    }
)
"""What a slave says in the place of a value."""

_PER = MappingProxyType(
    {
        0x20: "s",
        0x21: "min",
        0x22: "h",
        0x23: "d",
        0x24: "wk",
        0x25: "mo",
        0x26: "a",
        0x27: "{revolution}",
        0x28: "{pulse_in_0}",
        0x29: "{pulse_in_1}",
        0x2A: "{pulse_out_0}",
        0x2B: "{pulse_out_1}",
        0x2C: "L",
        0x2D: "m3",
        0x2E: "kg",
        0x2F: "K",
        0x30: "kW.h",
        0x31: "GJ",
        0x32: "kW",
        0x33: "(K.L)",
        0x34: "V",
        0x35: "A",
    }
)
_PRODUCTS = MappingProxyType({0x36: ".s", 0x37: ".s/V", 0x38: ".s/A"})
_QUALIFIERS = MappingProxyType(
    {
        0x12: "average",
        0x13: "inverse_profile",
        0x14: "relative_deviation",
        0x1D: "standard_content",
        0x1E: "profile_with_register",
        0x1F: "profile",
        0x3A: "uncorrected",
        0x3B: "forward",
        0x3C: "backward",
        _NON_METRIC: "non_metric",
        0x3E: "base_conditions",
        0x3F: "obis",
        0x40: "lower_limit",
        0x48: "upper_limit",
        0x7E: "future",
        MANUFACTURER: "manufacturer",
    }
)
_LIMITS = ("lower", "upper")
_ENDS = ("first", "last")
_EDGES = ("begin", "end")


def combine(meaning: Meaning, code: int) -> Meaning:
    """Return the meaning with one extension applied; `code` has no extension bit.

    A code that is not known here becomes a qualifier `vife_xx`, so that the record is never taken
    for the plain quantity.
    """
    if code in ERRORS or not code:  # 00, "no error", says nothing
        return replace(meaning, error=ERRORS.get(code, meaning.error))
    if code in _PER:
        return _with_unit(meaning, "/" + _PER[code], f"per_{_word(_PER[code])}")
    if code in _PRODUCTS:
        return _with_unit(meaning, _PRODUCTS[code], f"product_{code:02x}")
    if code in _QUALIFIERS:
        unit = None if code == _NON_METRIC else meaning.unit  # which one it is nobody says
        return replace(meaning, unit=unit).qualified(_QUALIFIERS[code])
    return _combine_range(meaning, code)


@dataclass(frozen=True, slots=True)
class _Range:
    codes: range
    apply: Callable[[Meaning, int], Meaning]


def _combine_range(meaning: Meaning, code: int) -> Meaning:
    for known in _RANGES:
        if code in known.codes:
            return known.apply(meaning, code)
    return meaning.qualified(f"vife_{code:02x}")


def _word(unit: str) -> str:
    return "".join(letter for letter in unit.lower() if letter.isalnum() or letter == "_")


def _with_unit(meaning: Meaning, ending: str, name: str) -> Meaning:
    unit = (meaning.unit or "1") + ending
    return replace(meaning, unit=unit, qualifiers=(*meaning.qualifiers, name))


def _start(meaning: Meaning, code: int) -> Meaning:
    del code
    return _date_of(meaning, "start")


def _limit(meaning: Meaning, code: int) -> Meaning:
    """41, 49: how often a limit was passed; 42..47, 4A..4F: when that began or ended."""
    limit = _LIMITS[code >> 3 & 1]
    if code & 7 == 1:
        counted = Meaning(meaning.quantity, qualifiers=meaning.qualifiers)
        return counted.qualified(f"{limit}_passes")
    if not code & _DATED:
        return meaning.qualified(f"vife_{code:02x}")
    edge, end = _EDGES[code & 1], _ENDS[code >> 2 & 1]
    return _date_of(meaning, f"{limit}_{end}_{edge}")


def _limit_duration(meaning: Meaning, code: int) -> Meaning:
    return _duration_of(meaning, code, f"{_LIMITS[code >> 3 & 1]}_{_ENDS[code >> 2 & 1]}_for")


def _duration(meaning: Meaning, code: int) -> Meaning:
    return _duration_of(meaning, code, f"{_ENDS[code >> 2 & 1]}_for")


def _event_date(meaning: Meaning, code: int) -> Meaning:
    if not code & _DATED:
        return meaning.qualified(f"vife_{code:02x}")
    return _date_of(meaning, f"{_ENDS[code >> 2 & 1]}_{_EDGES[code & 1]}")


def _multiply(meaning: Meaning, code: int) -> Meaning:
    exponent = 3 if code == _THOUSANDFOLD else (code & 7) - 6
    return replace(meaning, factor=meaning.factor * power_of_ten(exponent))


def _add(meaning: Meaning, code: int) -> Meaning:
    """78..7B: a constant of 10^(n-3) in the unit of the VIF (Wh for energy) is added.

    Nobody was seen to use it, so a record with it is never taken for the plain quantity.
    """
    unit = Fraction(1, 1000) if meaning.unit == "kW.h" else Fraction(1)
    constant = power_of_ten((code & 3) - 3) * unit
    return replace(meaning, offset=meaning.offset + constant).qualified("offset")


def _date_of(meaning: Meaning, name: str) -> Meaning:
    moment = Meaning(meaning.quantity, form=Form.MOMENT, qualifiers=meaning.qualifiers)
    return moment.qualified(name)


def _duration_of(meaning: Meaning, code: int, name: str) -> Meaning:
    step: Fraction = TIME_STEPS[code & 3]
    return Meaning(meaning.quantity, "s", step, qualifiers=meaning.qualifiers).qualified(name)


_RANGES = (
    _Range(range(0x39, 0x3A), _start),
    _Range(range(0x41, 0x48), _limit),
    _Range(range(0x49, 0x50), _limit),
    _Range(range(0x50, 0x60), _limit_duration),
    _Range(range(0x60, 0x68), _duration),
    _Range(range(0x68, 0x70), _event_date),
    _Range(range(0x70, 0x78), _multiply),
    _Range(range(0x78, 0x7C), _add),
    _Range(range(_THOUSANDFOLD, _THOUSANDFOLD + 1), _multiply),
)
