"""pyMeterBus 0.8.5 as an oracle: record for record the same value, with every exception named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.drivers.mbus_support import GOOD, MBUS

meterbus: Any = pytest.importorskip("meterbus", reason="pyMeterBus is no part of this environment")

CAPTURED = [name for name in sorted(GOOD) if name <= "mbus-056" or name == "mbus-077"]
FIXED = {"mbus-041": 2, "mbus-050": 2}
"""Fixed structure (CI 73): pyMeterBus raises; number of our records."""

NO_DATE = "a date with day and month 0, or with every year, is no date: it shows 2000-00-00 or 2027"
DIGITS = "a digit above 9 is no value: it makes numbers of B, D and E"
PER_PULSE = "VIFE 28 makes it a volume per pulse: it leaves the extension out of the unit"
DURATION = "VIFE 50 and 58 make it a duration in seconds: it leaves the extension out"
LIMIT_DATE = "VIFE 6F makes it a date: it shows the date's bytes as a number"
INVALID_BIT = "it ignores the invalid bit of type F (CP32)"
TYPE_I = "it misreads the six bytes of type I"
BLANKS = "we strip blanks from a text"
LENGTH_F0 = "length code F0 are 16 bytes: it takes them for something else"
UNKNOWN_VIF = "VIF 7B alone is unknown: it raises KeyError for the record"

DIFFERENCES: dict[str, dict[int, str]] = {
    "mbus-001": {2: NO_DATE},
    "mbus-003": {24: PER_PULSE},
    "mbus-004": {11: PER_PULSE},
    "mbus-005": {4: DIGITS, 5: DIGITS},
    "mbus-011": {1: TYPE_I},
    "mbus-012": {1: INVALID_BIT},
    "mbus-013": {12: DURATION, 13: DURATION},
    "mbus-019": {2: DIGITS, 3: DIGITS},
    "mbus-026": {0: LENGTH_F0},
    "mbus-035": {1: BLANKS},
    "mbus-036": {1: BLANKS},
    "mbus-040": {**dict.fromkeys(range(19, 23), LIMIT_DATE), 32: NO_DATE},
    "mbus-051": {2: UNKNOWN_VIF},
    "mbus-053": {3: NO_DATE},
    "mbus-054": {3: NO_DATE},
}
MORE_RECORDS = {"mbus-026": LENGTH_F0}

UNITS = {
    "MeasureUnit.WH": ("kW.h", Decimal("0.001")),
    "MeasureUnit.J": ("J", Decimal(1)),
    "MeasureUnit.M3": ("m3", Decimal(1)),
    "MeasureUnit.M3_H": ("m3/h", Decimal(1)),
    "MeasureUnit.W": ("W", Decimal(1)),
    "MeasureUnit.V": ("V", Decimal(1)),
    "MeasureUnit.A": ("A", Decimal(1)),
    "MeasureUnit.SECONDS": ("s", Decimal(1)),
    "MeasureUnit.K": ("K", Decimal(1)),
    "MeasureUnit.C": ("Cel", Decimal(1)),
    "%RH": ("%", Decimal(1)),
}


def _theirs(name: str) -> list[Any]:
    return list(meterbus.load(GOOD[name]).records)


def _ours(name: str) -> list[dict[str, Any]]:
    return MBUS.decode(GOOD[name], "response").frame["records"]


def _interpreted(record: Any) -> dict[str, Any]:
    try:
        return record.interpreted
    except KeyError:
        return {"value": "KeyError", "unit": None}


def _agree(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    unit, factor = UNITS.get(str(theirs["unit"]), (None, Decimal(1)))
    said, value = theirs["value"], ours["value"]
    if ours["quantity"] == "manufacturer_specific":
        return said in {None, value}  # None after 1F, where we keep the maker's bytes
    if isinstance(said, Decimal | int | float) and isinstance(value, int | float):
        exact = float(Decimal(said) * factor)
        return unit == ours["unit"] and exact == pytest.approx(value, rel=1e-6, abs=1e-12)
    if isinstance(said, Decimal | int) and isinstance(value, str):
        return value.isdecimal() and int(value) == int(said)
    return str(said) == str(value) or f"{said}:00" == value


def test_every_captured_frame_is_compared() -> None:
    assert len(CAPTURED) == 57
    assert set(DIFFERENCES) | set(FIXED) <= set(CAPTURED)


@pytest.mark.parametrize("name", [name for name in CAPTURED if name not in FIXED])
def test_records_agree_but_for_the_named_differences(name: str) -> None:
    theirs, ours = _theirs(name), _ours(name)
    assert len(theirs) == len(ours) or name in MORE_RECORDS
    differ = {
        place
        for place, (record, mine) in enumerate(zip(theirs, ours, strict=False))
        if not _agree(_interpreted(record), mine)
    }
    assert differ == set(DIFFERENCES.get(name, {}))


@pytest.mark.parametrize(("name", "count"), FIXED.items())
def test_fixed_structure_is_read_by_us_alone(name: str, count: int) -> None:
    with pytest.raises(meterbus.exceptions.MBusFrameDecodeError):
        _theirs(name)
    assert len(_ours(name)) == count
