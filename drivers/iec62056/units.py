"""Units as meters write them, and exact conversion between those of one quantity."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

_PREFIXES: Mapping[str, Decimal] = MappingProxyType(
    {
        "": Decimal(1),
        "m": Decimal("0.001"),
        "k": Decimal(1000),
        "M": Decimal(10) ** 6,
        "G": Decimal(10) ** 9,
    }
)
_SCALED: Mapping[str, str] = MappingProxyType(
    {
        "Wh": "W.h",
        "varh": "V.A{reactive}.h",
        "VAh": "V.A.h",
        "W": "W",
        "var": "V.A{reactive}",
        "VA": "V.A",
        "V": "V",
        "A": "A",
        "Hz": "Hz",
        "bar": "bar",
    }
)
_JOULES_OF_WH = Decimal(3600)
MOST_DIGITS = 32
"""Characters of a number; the standard has 32 for a value in all modes but C (6.6)."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,24}(?:\.[0-9]{0,24})?|[+-]?\.[0-9]{1,24}")


@dataclass(frozen=True, slots=True)
class MeterUnit:
    """A unit: what it measures, its size in the base unit of that, and its UCUM code."""

    quantity: str
    factor: Decimal
    ucum: str


def _table() -> dict[str, MeterUnit]:
    table = {
        prefix + name: MeterUnit(name, factor, prefix + ucum)
        for name, ucum in _SCALED.items()
        for prefix, factor in _PREFIXES.items()
    }
    for prefix, factor in _PREFIXES.items():  # heat is counted in Wh or J: both in joules
        table[f"{prefix}Wh"] = MeterUnit("energy", factor * _JOULES_OF_WH, f"{prefix}W.h")
        table[f"{prefix}J"] = MeterUnit("energy", factor, f"{prefix}J")
    single = (
        ("m3", "volume", "1", "m3"),
        ("l", "volume", "0.001", "L"),
        ("m3/h", "flow", "1", "m3/h"),
        ("l/h", "flow", "0.001", "L/h"),
        ("h", "time", "3600", "h"),
        ("min", "time", "60", "min"),
        ("s", "time", "1", "s"),
        ("C", "temperature", "1", "Cel"),
        ("K", "difference", "1", "K"),
        ("%", "share", "1", "%"),
    )
    for name, quantity, factor, ucum in single:
        table[name] = MeterUnit(quantity, Decimal(factor), ucum)
    return table


UNITS: Mapping[str, MeterUnit] = MappingProxyType(_table())
_FOLDED: Mapping[str, str] = MappingProxyType(
    {name.lower(): name for name in UNITS if sum(n.lower() == name.lower() for n in UNITS) == 1}
)


def unit_named(text: str) -> MeterUnit | None:
    """Return the unit; capitals do not matter where no other unit differs by them alone."""
    name = text.strip()
    return UNITS.get(name) or UNITS.get(_FOLDED.get(name.lower(), ""))


def number_of(text: str) -> Decimal | None:
    """Return the number that a text is, or None."""
    stripped = text.strip()
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def converted(number: Decimal, sent: MeterUnit, into: MeterUnit) -> Decimal | None:
    """Return a number in another unit of the same quantity; None where the quantities differ.

    Exact wherever decimals can say it; one joule is no finite number of watt-hours.
    """
    if sent.quantity != into.quantity:
        return None
    return number * sent.factor / into.factor


def as_raw(number: Decimal) -> int | float:
    """Return an int where the number has no decimals, else the float of the same text."""
    return int(number) if number == number.to_integral_value() else float(number)


def parted(groups: Sequence[str], part: int) -> tuple[str, str | None] | None:
    """Return value and unit of one pair of parentheses; None where there is no such pair.

    `0-1:24.2.1(m3)(00054.386)` has the unit in the parentheses before.
    """
    if not 0 <= part < len(groups):
        return None
    value, star, unit = groups[part].partition("*")
    if star:
        return value, unit
    before = groups[part - 1] if part else ""
    return value, before if unit_named(before) else None
