"""Values of CJ/T 188: units by their code, fields that say nothing, months, prices, status bits."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cjt188.address import DI_MONTHS, Cjt188Address, Field, is_same_meter, parse_meter
from drivers.cjt188.fields import LAYOUTS
from drivers.cjt188.units import UNITS, Quantity
from drivers.contract import Wanted
from gateway.settings.driver_keys import address_model, quirks_model
from tests.drivers.cjt188_support import (
    COST,
    DRIVER,
    HEAT,
    METER,
    QUIRKS,
    VECTORS,
    WATER,
    address,
    driver,
    quirks,
    read,
    wanted,
)

READINGS = [v for v in VECTORS if "clock" in v["decoded"] and "refused" not in v]
PLACES = {
    Field.VOLUME_DAY: "month",
    Field.ENERGY: "heat",
    Field.POWER: "power",
    Field.FLOW: "flow",
    Field.VOLUME: "volume",
    Field.T_SUPPLY: "t_supply",
    Field.T_RETURN: "t_return",
    Field.HOURS: "hours",
    Field.STATUS: "",
}
"""Fields by the names that golden frames have for them."""
TIMES: dict[Field, dict[str, float]] = {
    Field.VOLUME: {"2C": 1, "29": 0.001},
    Field.VOLUME_DAY: {"2C": 1, "29": 0.001},
    Field.ENERGY: {"05": 1, "08": 1000},
    Field.POWER: {"17": 1},
    Field.FLOW: {"35": 0.01},
}
"""By the unit code beside a number of two decimals; any other code makes it no value."""
BARE = (Field.T_SUPPLY, Field.T_RETURN, Field.HOURS)


def _amount(digits: str, code: int) -> bytes:
    return bytes.fromhex(digits)[::-1] + bytes((code,))


def test_every_field_of_a_water_meter() -> None:
    fields = (Field.VOLUME, Field.VOLUME_DAY, Field.CLOCK, Field.STATUS)
    assert read(WATER, *fields) == [556677.0, 556677.0, "2015-05-11T22:01:31", 0x2184]


def test_every_field_of_a_heat_meter() -> None:
    fields = (
        Field.ENERGY_DAY, Field.ENERGY_COLD, Field.ENERGY, Field.POWER, Field.FLOW, Field.VOLUME,
        Field.T_SUPPLY, Field.T_RETURN, Field.HOURS, Field.CLOCK, Field.STATUS,
    )  # fmt: skip
    assert read(HEAT, *fields, type="20") == [
        274.11, 274.11, 54427.88, 0.0, 0.0, 7156.08, 26.79, 26.64, 74766, "2025-09-03T17:52:11", 5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "volume"),
    [(0x2C, 1234.56), (0x29, 1.23456), (0x26, 0.00123456), (0x2D, 12345.6), (0x2A, 12.3456)],
)
def test_a_volume_is_in_cubic_metres_whatever_unit_the_meter_counts_in(
    code: int, volume: float
) -> None:
    assert read(_amount("00123456", code) + WATER[5:], Field.VOLUME) == [volume]


@pytest.mark.parametrize(
    ("code", "energy"),
    [
        (0x02, 1.23456),
        (0x05, 1234.56),
        (0x08, 1234560.0),
        (0x0A, 123456000.0),
        (0x0B, 1234.56 / 3600),
        (0x0E, 1234560.0 / 3600),
        (0x11, 1234560000.0 / 3600),
    ],
)
def test_energy_is_in_kilowatt_hours_whatever_unit_the_meter_counts_in(
    code: int, energy: float
) -> None:
    payload = HEAT[:5] + _amount("00123456", code) + HEAT[10:]
    assert read(payload, Field.ENERGY) == [pytest.approx(energy, rel=1e-15)]


@pytest.mark.parametrize(
    ("code", "power", "flow"),
    [(0x14, 1.23456, None), (0x17, 1234.56, None), (0x35, None, 12.3456), (0x32, None, 0.0123456)],
)
def test_power_and_flow_come_in_their_own_units_only(
    code: int, power: float | None, flow: float | None
) -> None:
    payload = HEAT[:10] + 2 * _amount("00123456", code) + HEAT[20:]
    assert read(payload, Field.POWER, Field.FLOW) == [power, flow]


@given(code=st.integers(0, 255))
def test_no_number_is_ever_published_in_a_unit_of_another_quantity(code: int) -> None:
    amounts = _amount("00000100", code)
    volume, energy = read(2 * amounts + WATER[10:], Field.VOLUME, Field.ENERGY)
    unit = UNITS.get(code)
    assert (volume is not None) == (unit is not None and unit.quantity is Quantity.VOLUME)
    assert (energy is not None) == (unit is not None and unit.quantity is Quantity.ENERGY)


@given(digits=st.integers(0, 99_999_999))
def test_a_number_has_no_binary_dust(digits: int) -> None:
    (volume,) = read(_amount(f"{digits:08d}", 0x2C) + WATER[5:], Field.VOLUME)
    assert repr(volume) == repr(float(f"{digits // 100}.{digits % 100:02d}"))


def test_fields_full_of_f_are_no_value() -> None:
    payload = bytes.fromhex("005959002c ffffffff2c ffffffffffffff 0000")  # golden frame 009
    fields = (Field.VOLUME, Field.VOLUME_DAY, Field.CLOCK, Field.STATUS)
    assert read(payload, *fields) == [5959.0, None, None, 0]
    nothing = b"\xff" * len(HEAT)
    assert set(read(nothing, Field.ENERGY, Field.T_SUPPLY, Field.HOURS)) == {None}


def test_a_clock_of_zeros_is_no_time() -> None:
    assert read(WATER[:10] + bytes(7) + WATER[17:], Field.CLOCK) == [None]


def test_the_clock_of_one_maker_has_its_high_byte_first() -> None:
    payload = bytes.fromhex("4770010029 5148010029 20200528205824 0000")  # golden frame 028
    fields = (Field.VOLUME, Field.CLOCK)
    assert read(payload, *fields, clock_order="high_first") == [0.17047, "2020-05-28T20:58:24"]
    assert read(payload, *fields) == [0.17047, None]


def test_the_unit_byte_of_one_maker_stands_before_its_number() -> None:
    payload = bytes.fromhex("2c00776655 2c00776655") + WATER[10:]
    assert read(payload, Field.VOLUME, unit_first=True) == [556677.0]
    assert read(payload, Field.VOLUME) == [None]


def test_the_flow_has_as_many_decimals_as_the_meter_gives_it() -> None:
    payload = HEAT[:15] + _amount("00123456", 0x35) + HEAT[20:]
    assert read(payload, Field.FLOW, flow_decimals=2) == [1234.56]


def test_status_is_kept_whole_beside_its_bits() -> None:
    points = (
        address(field="status"),
        address(field="status", bit=0),
        address(field="status", bit=13),
        address(field="status", bit=2),
        address(field="status", mask=0xC000),
        address(field="status", mask=0x0084),
    )
    assert read(WATER, *points) == [0x2184, False, True, True, 0, 0x21]


@pytest.mark.parametrize("month", range(1, 13))
def test_month_values_are_read_from_d120_to_d12b(month: int) -> None:
    point = address(field="volume", month=month)
    assert point.identifier == DI_MONTHS[month - 1] == 0xD11F + month
    assert read(_amount("00045678", 0x2C), point) == [456.78]
    assert read(_amount("00045678", 0x05), point) == [None]
    assert read(_amount("00045678", 0x05), address(field="energy", di="D120")) == [456.78]


@pytest.mark.parametrize("di", ["8103", 8104])
def test_settlement_day_and_reading_day(di: object) -> None:
    point = address(field="day", di=di)
    assert read(b"\x25", point) == [25]
    assert read(b"\x32", point) == [None]
    assert read(b"\xff", point) == [None]


def test_prices_and_purchases() -> None:
    prices = (Field.PRICE_1, Field.STEP_1, Field.PRICE_2, Field.STEP_2, Field.PRICE_3)
    payload = bytes.fromhex("900200 210000 200500 300000 ffffff")
    assert read(payload, *prices) == [2.9, 21, 5.2, 30, None]
    bought = (
        Field.PURCHASE_COUNT, Field.PURCHASE, Field.PURCHASE_TOTAL, Field.MONEY_LEFT,
        address(field="status", di="8105"),
    )  # fmt: skip
    payload = bytes.fromhex("07 00500000 50120100 25830000 0084")
    assert read(payload, *bought) == [7, 50.0, 112.5, 83.25, 0x84]


def test_a_field_that_the_meter_does_not_have_is_no_value() -> None:
    assert read(WATER, Field.T_SUPPLY, Field.VOLUME) == [None, 556677.0]


def test_the_layouts_fill_their_replies_without_gap_or_overlap() -> None:
    twins = {Field.ENERGY_COLD}
    for layouts in LAYOUTS.values():
        for size, layout in layouts.items():
            spans = {(s.start, s.size) for f, s in layout.items() if f not in twins}
            octets = [n for start, length in sorted(spans) for n in range(start, start + length)]
            assert octets == list(range(size))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"field": "volume", "di": "xyz"}, "four hex digits"),
        ({"field": "volume", "di": "1234"}, "not known"),
        ({"field": "flow", "month": 1}, "D120 has no flow"),
        ({"field": "volume", "di": "901F", "month": 1}, "exclude"),
        ({"field": "day"}, "8103"),
        ({"field": "volume", "bit": 1}, "for field status"),
        ({"field": "status", "bit": 1, "mask": 2}, "exclude"),
        ({"field": "volume", "month": 13}, "less than or equal to 12"),
        ({"field": "status", "bit": 16}, "less than 16"),
        ({"field": "pressure"}, "Input should be"),
    ],
)
def test_keys_that_do_not_fit_are_refused_with_a_reason(keys: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        address_model(DRIVER).model_validate(keys)


def test_a_meter_type_is_two_hex_digits() -> None:
    assert quirks(type=30).meter_type == quirks(type="30").meter_type == 0x30
    with pytest.raises(ValueError, match="two hex digits"):
        quirks_model(DRIVER).model_validate({"type": "water"})


@pytest.mark.parametrize("text", ["00112233445566", " 78330123456789 ", "FFFF0123456789", "A" * 14])
def test_an_address_has_fourteen_digits_also_with_f_in_it(text: str) -> None:
    assert driver().parse_unit(text) == text.strip()


@pytest.mark.parametrize("wrong", [123456, None, "123456", "0011223344556G", "001122334455667"])
def test_another_address_is_refused_with_what_to_write(wrong: object) -> None:
    with pytest.raises(ValueError, match=re.escape('"00000012345678"')):
        parse_meter(wrong)


@pytest.mark.parametrize(
    ("asked", "answered", "is_same"),
    [
        ("78330123456789", "78330123456789", True),
        ("00000123456789", "78330123456789", True),  # the site leaves the maker out
        ("78330123456789", "FFFF0123456789", True),  # the meter does
        ("78330000456789", "7833FFFF456789", True),  # F fills what has no digit
        ("A" * 14, "78330123456789", True),
        ("78330123456789", "11110123456789", False),
        ("78330123456789", "78330123456788", False),
        ("78330123456789", "A" * 14, False),
    ],
)
def test_which_meter_may_have_answered(asked: str, answered: str, *, is_same: bool) -> None:
    assert is_same_meter(asked, answered) is is_same


@pytest.mark.parametrize("one", READINGS, ids=lambda v: v["id"])
def test_raw_values_of_every_golden_reading_are_what_its_digits_say(one: dict[str, Any]) -> None:
    said, octets = one["decoded"], bytes.fromhex(one["hex"])
    decoded = driver().decode(octets, "auto", wanted(*PLACES), b"")
    said = {**said, "volume": said.get("volume", said.get("total"))}
    said.setdefault("volume_unit", said.get("total_unit"))
    for key, (field, name) in enumerate(PLACES.items()):
        if name not in said:
            continue
        times = TIMES.get(field, {}).get(said.get(f"{name}_unit", ""), 1 if field in BARE else None)
        if said[name] is None or times is None:
            assert decoded.raw[key] is None
        else:
            is_digits = isinstance(said[name], str)
            number = int(said[name]) / 100 if is_digits else float(said[name])
            assert decoded.raw[key] == pytest.approx(number * times), field
    assert decoded.raw[len(PLACES) - 1] == int(said["status"], 16)


def test_points_of_one_identifier_are_one_job() -> None:
    points = [
        Wanted(7, Cjt188Address(Field.VOLUME)),
        Wanted(3, address(field="volume", month=1)),
        Wanted(5, Cjt188Address(Field.STATUS)),
    ]
    jobs = driver().plan(METER, points, QUIRKS, COST)
    assert [(job.keys, job.describe()) for job in jobs] == [
        ((7, 5), "read 901F (2 points)"),
        ((3,), "read D120 (1 points)"),
    ]
    assert all(job.split() == () for job in jobs)


def test_what_can_only_be_written_is_not_planned_for_reading() -> None:
    with pytest.raises(ValueError, match="write-only"):
        driver().plan(METER, wanted(Field.VALVE), QUIRKS, COST)
