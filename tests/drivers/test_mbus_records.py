"""Records of M-Bus: exact values in UCUM units, and nothing where the meter has no value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.mbus.address import MbusAddress
from drivers.mbus.meaning import Meaning
from drivers.mbus.record import Record
from drivers.mbus.unit import MbusUnit
from drivers.mbus.variable import read_records
from drivers.mbus.vif import EXTENSION_OF_FB, EXTENSION_OF_FD, PRIMARY
from tests.drivers.mbus_support import GOOD, MBUS, points, record_of, records_of, telegram

SCALES = [
    ("04 03 01000000", "energy", 0.001, "kW.h"),
    ("04 06 01000000", "energy", 1, "kW.h"),
    ("04 0E 01000000", "energy", 1_000_000, "J"),
    ("04 FB 01 01000000", "energy", 1000, "kW.h"),
    ("04 FB 08 01000000", "energy", 100_000_000, "J"),
    ("04 FB 0D 01000000", "energy", 4_184_000, "J"),
    ("04 10 01000000", "volume", 0.000001, "m3"),
    ("04 13 39300000", "volume", 12.345, "m3"),
    ("04 FB 10 01000000", "volume", 100, "m3"),
    ("04 FB 23 01000000", "volume", 0.003785411784, "m3"),
    ("04 FB 20 01000000", "volume", 0.028316846592, "m3"),
    ("04 1B 01000000", "mass", 1, "kg"),
    ("04 FB 19 01000000", "mass", 1_000_000, "kg"),
    ("02 20 0100", "on_time", 1, "s"),
    ("02 27 0A00", "operating_time", 864_000, "s"),
    ("04 2B 01000000", "power", 1, "W"),
    ("04 FB 28 01000000", "power", 100_000, "W"),
    ("04 37 24000000", "power", 100_000, "W"),
    ("04 3B 1F020000", "volume_flow", 0.543, "m3/h"),
    ("04 47 01000000", "volume_flow", 60, "m3/h"),
    ("04 4F 01000000", "volume_flow", 36, "m3/h"),
    ("04 53 01000000", "mass_flow", 1, "kg/h"),
    ("02 59 9001", "flow_temperature", 4, "Cel"),
    ("02 5D FFFF", "return_temperature", -0.01, "Cel"),
    ("02 61 0100", "temperature_difference", 0.01, "K"),
    ("02 65 0100", "external_temperature", 0.01, "Cel"),
    ("02 FB 5B D400", "flow_temperature", 100, "Cel"),
    ("02 FB 63 0900", "temperature_difference", 5, "K"),
    ("02 6A 0100", "pressure", 0.1, "bar"),
    ("02 FD 48 CE08", "voltage", 225.4, "V"),
    ("02 FD 59 0100", "current", 0.001, "A"),
    ("02 FB 2E 8813", "frequency", 500, "Hz"),
    ("02 FB 1A 1902", "relative_humidity", 53.7, "%"),
    ("04 FB 82 75 01000000", "reactive_energy", 0.1, "kV.A{reactive}.h"),
    ("01 FD 28 06", "storage_interval", 6, "mo"),
    ("01 FD 74 02", "battery_remaining", 172_800, "s"),
]


@pytest.mark.parametrize(("body", "quantity", "value", "unit"), SCALES)
def test_a_value_is_exact_in_the_unit_of_its_quantity(
    body: str, quantity: str, value: float, unit: str
) -> None:
    record = record_of(body)
    assert (record["quantity"], record["value"], record["unit"]) == (quantity, value, unit)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("01 6E 85", -123),
        ("02 6E 3905", 1337),
        ("03 6E FFFFFF", -1),
        ("04 6E 00000080", None),
        ("05 6E 0000C03F", 1.5),
        ("05 6E CDCC6643", 230.8),
        ("05 6E 0000C07F", None),
        ("05 6E 0000807F", None),
        ("06 6E 010000000000", 1),
        ("07 6E 0100000000000000", 1),
        ("07 6E 0000000000000080", None),
        ("09 6E 12", 12),
        ("0A 6E 3412", 1234),
        ("0B 6E 563412", 123_456),
        ("0C 6E 78563412", 12_345_678),
        ("0E 6E 129078563412", 123_456_789_012),
        ("0A 6E 34F2", -234),
        ("0A 6E 3B12", None),
        ("0A 6E FFFF", None),
        ("0C 6E EEEEEEEE", None),
        ("0D 6E C2 3412", 1234),
        ("0D 6E D2 3412", -1234),
        ("0D 6E 03 434241", "ABC"),
        ("0D 6E E2 0102", "01 02"),
        ("0D 6E 00", ""),
        ("00 6E", None),
        ("08 6E", None),
    ],
)
def test_every_datatype_gives_its_value_or_none(body: str, value: object) -> None:
    assert record_of(body)["value"] == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("02 6C BF1C", "2013-12-31"),
        ("02 6C 0000", None),
        ("02 6C FFFF", None),
        ("02 6C E1F1", None),
        ("02 6C 5D12", None),
        ("02 6C 9D12", "2012-02-29"),
        ("04 6D 0B0BCD13", "2014-03-13T11:11:00"),
        ("04 6D 8B0BCD13", None),
        ("04 6D 0B3FCD13", None),
        ("04 6D 00000000", None),
        ("03 6D 1E2D17", "23:45:30"),
        ("03 6D FFFFFF", None),
        ("06 6D 000008162700", "2016-07-22T08:00:00"),
        ("06 6D 008008162700", None),
        ("0C 6D 12345678", None),
        ("01 6C 05", None),
    ],
)
def test_dates_of_all_types_and_none_where_their_invalid_bit_is_set(
    body: str, value: object
) -> None:
    assert record_of(body)["value"] == value


def test_storage_tariff_subunit_and_function_come_of_dif_and_dife() -> None:
    record = record_of("D4 D1 32 13 39300000")
    assert record["storage"] == 1 | 1 << 1 | 2 << 5
    assert record["tariff"] == 1 | 3 << 2
    assert record["subunit"] == 1
    assert record["function"] == "maximum"
    assert [record_of(f"{dif} 13 39300000")["function"] for dif in ("04", "24", "34")] == [
        "instant",
        "minimum",
        "error",
    ]


@pytest.mark.parametrize(
    ("body", "qualifier", "value", "unit"),
    [
        ("02 93 22 0100", "per_h", 0.001, "m3/h"),
        ("02 93 28 0100", "per_pulse_in_0", 0.001, "m3/{pulse_in_0}"),
        ("02 93 3C 0100", "backward", 0.001, "m3"),
        ("02 93 3A 0100", "uncorrected", 0.001, "m3"),
        ("02 93 7F 0100", "manufacturer", 0.001, "m3"),
        ("02 93 FF 05 0100", "manufacturer vife_05", 0.001, "m3"),
        ("02 93 41 0100", "lower_passes", 1, None),
        ("02 93 59 0100", "upper_first_for", 60, "s"),
        ("02 93 FC 01 0100", "vife_fc_01", 0.001, "m3"),
        ("02 93 11 0100", "vife_11", 0.001, "m3"),
        ("02 93 7B 0100", "offset", 1.001, "m3"),
        ("02 93 36 0100", "product_36", 0.001, "m3.s"),
        ("02 93 3D 0100", "non_metric", 0.001, None),
        ("02 93 44 0100", "vife_44", 0.001, "m3"),
        ("02 93 4D 0100", "vife_4d", 0.001, "m3"),
        ("02 93 68 0100", "vife_68", 0.001, "m3"),
        ("02 93 6D 0100", "vife_6d", 0.001, "m3"),
    ],
)
def test_an_extension_that_changes_the_meaning_is_never_the_plain_quantity(
    body: str, qualifier: str, value: float, unit: str | None
) -> None:
    record = record_of(body)
    assert (record["qualifier"], record["value"], record["unit"]) == (qualifier, value, unit)
    assert MBUS.decode(telegram(body), "auto", points(MbusAddress("volume"))).raw == {}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("02 FD 17 0080", 0x8000),
        ("01 FD 17 80", 0x80),
        ("02 FD 17 FFFF", 0xFFFF),
        ("01 FD 1A FF", 0xFF),
        ("04 FD 1B 00000080", 0x8000_0000),
        ("01 FD 08 FE", 254),
        ("04 78 000000F0", 0xF000_0000),
    ],
)
def test_bits_and_numbers_of_meters_are_never_negative_nor_invalid(body: str, value: int) -> None:
    assert record_of(body)["value"] == value


@pytest.mark.parametrize("edge", ["42", "43", "46", "47", "4A", "4F", "6A", "6B", "6E", "6F"])
def test_when_a_limit_was_passed_is_a_date(edge: str) -> None:
    assert record_of(f"04 93 {edge} 0B0BCD13")["value"] == "2014-03-13T11:11:00"


@pytest.mark.parametrize(
    ("body", "value"),
    [("02 93 74 0100", 0.00001), ("02 93 7D 0100", 1), ("02 93 F3 77 0100", 1e-5)],
)
def test_multiplicative_corrections_are_applied(body: str, value: float) -> None:
    record = record_of(body)
    assert "qualifier" not in record
    assert record["value"] == value


@pytest.mark.parametrize("code", ["01", "15", "16", "17", "18", "1C"])
def test_an_error_code_of_a_record_means_no_value(code: str) -> None:
    record = record_of(f"04 93 {code} 39300000")
    assert record["value"] is None
    assert record["error"]


def test_units_in_plain_text_come_backwards_before_their_extensions() -> None:
    record = record_of("02 FC 03 485225 74 2215")
    assert (record["quantity"], record["value"], record["unit"]) == ("relative_humidity", 54.1, "%")
    assert record_of("02 7C 03 626162 0100")["qualifier"] == "bab"


@pytest.mark.parametrize(
    "body",
    [
        "04 6F 01000000",
        "04 7B 01000000",
        "04 FB 40 01000000",
        "04 EF 22 01000000",
        "04 FD 7F 01000000",
    ],
)
def test_one_unknown_record_never_loses_the_others(body: str) -> None:
    records = records_of(f"04 13 39300000 {body} 04 06 01000000")
    assert [record["value"] for record in records] == [12.345, 1, 1]
    assert records[1]["quantity"] == "unknown"


@pytest.mark.parametrize(
    "body",
    ["04 93", "04 13 3930", "84", "0D 13 FF", "3F", "84 80 80 80 80 80 80 80 80 80 80 00 13"],
)
def test_a_record_that_cannot_be_read_leaves_those_before_it(body: str) -> None:
    decoded = MBUS.decode(telegram(f"04 13 39300000 {body}"), "response")
    assert [value.value for value in decoded.values] == [12.345]
    assert decoded.frame["broken"]


def test_more_than_ten_extensions_are_refused() -> None:
    assert MBUS.decode(telegram("04 93 " + "BC " * 10 + "3C 01000000"), "auto").frame["broken"]


def test_manufacturer_bytes_are_kept_raw_and_fillers_skipped() -> None:
    records = records_of("2F 2F 04 13 39300000 2F 0F 01 02 FF")
    assert [record["value"] for record in records] == [12.345, "01 02 FF"]


def test_encrypted_records_are_not_read_as_values() -> None:
    frame = GOOD["mbus-112"]
    decoded = MBUS.decode(frame, "response")
    assert decoded.values == ()
    assert "encrypted" in decoded.frame["broken"]


def test_mode_2_sends_the_highest_byte_first() -> None:
    decoded = MBUS.decode(GOOD["mbus-101"], "response")
    assert decoded.frame["id"] == "12345678"
    assert [value.value for value in decoded.values] == [12.345, 230.5]


def test_fixed_structure_has_two_counters_and_its_own_units() -> None:
    values = {v.point: (v.value, v.unit) for v in MBUS.decode(GOOD["mbus-050"], "auto").values}
    assert values == {"energy": (6531, "kW.h"), "volume": (0.069, "m3")}
    assert MBUS.decode(GOOD["mbus-041"], "auto").values[1].point == "volume_s1"
    assert MBUS.decode(GOOD["mbus-102"], "auto").values[1].value == 0.135


@given(body=st.binary(max_size=240))
def test_records_of_any_bytes_are_read_without_an_exception(body: bytes) -> None:
    for msb_first in (False, True):
        found = read_records(body, msb_first=msb_first)
        assert sum(len(record.header) for record in found.records) <= len(body)


@given(body=st.binary(max_size=240))
def test_value_ids_are_unique_and_fit_the_catalogue(body: bytes) -> None:
    names = [value.point for value in MBUS.decode(telegram(body.hex()), "response").values]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) <= 32
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert name[0].isalnum()


def test_every_row_of_the_tables_can_be_the_wish_of_a_profile() -> None:
    for table in (PRIMARY, EXTENSION_OF_FB, EXTENSION_OF_FD):
        for code, meaning in table.items():
            assert 0 <= code <= 0x7F
            assert MbusAddress(meaning.quantity).quantity == meaning.quantity


class TestPicking:
    """A point names a meaning; a wrong unit cannot come out."""

    @staticmethod
    def raw(body: str, **keys: Any) -> object:
        return MBUS.decode(telegram(body), "auto", points(MbusAddress(**keys))).raw.get(0, "absent")

    def test_an_energy_is_in_the_wanted_unit_whatever_the_meter_counts(self) -> None:
        for body in ("04 06 01000000", "04 FB 00 0A000000", "04 FB 81 74 01000000"):
            assert self.raw(body, quantity="energy") in {1, 1000, 10}
        assert self.raw("04 0D 24000000", quantity="energy") == 1
        assert self.raw("04 06 01000000", quantity="energy", unit="J") == 3_600_000
        assert self.raw("04 0D 24000000", quantity="energy", unit="J") == 3_600_000

    def test_storage_tariff_subunit_and_function_must_agree(self) -> None:
        body = "04 13 01000000 44 13 02000000 84 10 13 03000000 84 40 13 04000000 14 13 05000000"
        assert self.raw(body, quantity="volume") == 0.001
        assert self.raw(body, quantity="volume", storage=1) == 0.002
        assert self.raw(body, quantity="volume", tariff=1) == 0.003
        assert self.raw(body, quantity="volume", subunit=1) == 0.004
        assert self.raw(body, quantity="volume", function="maximum") == 0.005
        assert self.raw(body, quantity="volume", function="minimum") == "absent"

    def test_the_nth_of_equal_records(self) -> None:
        body = "04 13 01000000 04 13 02000000"
        assert self.raw(body, quantity="volume", nth=2) == 0.002
        assert self.raw(body, quantity="volume", nth=3) == "absent"

    def test_exact_header_bytes(self) -> None:
        body = "04 93 7F 01000000 04 13 02000000"
        assert self.raw(body, dif_vif="04 93 7f") == 0.001
        assert self.raw(body, dif_vif="04 93") == "absent"

    def test_bits_and_the_header(self) -> None:
        assert self.raw("02 FD 17 0400", quantity="error_flags", bit=2) is True
        assert self.raw("02 FD 17 0400", quantity="error_flags", bit=1) is False
        assert self.raw("02 FD 17 0080", quantity="error_flags", bit=15) is True
        assert self.raw("", quantity="id") == "12345678"
        assert self.raw("", quantity="status", bit=2) is False
        assert self.raw("", quantity="medium") == "Heat: Outlet"

    @pytest.mark.parametrize(
        "keys",
        [
            {},
            {"quantity": "volume", "dif_vif": "0C 13"},
            {"quantity": "volumen"},
            {"quantity": "volume", "unit": "J"},
            {"dif_vif": "0C"},
            {"dif_vif": "XY 13"},
            {"dif_vif": "0C 13", "storage": 1},
        ],
    )
    def test_what_does_not_fit_together_is_refused_with_a_sentence(
        self, keys: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
            MbusAddress(**keys)


@pytest.mark.parametrize(
    ("written", "text", "selection"),
    [
        (5, "5", None),
        ("0", "0", None),
        (12345678, "12345678", "78563412ffffffff"),
        ("12345678", "12345678", "78563412ffffffff"),
        ("12345678.kam.08.04", "12345678.KAM.08.04", "785634122d2c0804"),
        ("1234FFFF.FFF.FF.07", "1234FFFF.FFF.FF.07", "ffff3412ffffff07"),
    ],
)
def test_an_address_is_primary_or_secondary(
    written: object, text: str, selection: str | None
) -> None:
    unit = MBUS.parse_unit(written)
    assert isinstance(unit, MbusUnit)
    assert str(unit) == text
    assert MBUS.parse_unit(str(unit)) == unit
    if selection is not None:
        assert unit.selection.hex() == selection


@pytest.mark.parametrize(
    "written",
    [251, 254, -1, 1234567, "1234", "1234567A", "12345678.K", "12345678.KAM.8", True, 1.0],
)
def test_what_is_no_address_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
        MBUS.parse_unit(written)


def test_a_value_without_meaning_is_still_a_record() -> None:
    assert Record(b"\x04\x6f", Meaning("unknown")).value is None
