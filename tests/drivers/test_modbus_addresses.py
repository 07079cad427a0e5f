"""Addresses and quirks as profiles write them."""

from __future__ import annotations

from typing import Any

import pytest
from modbus_support import QUIRKS, address, driver, parsed_address
from pydantic import ValidationError

from drivers.modbus.address import (
    Datatype,
    ModbusQuirks,
    Order,
    Table,
    parse_range,
    parse_register,
)


@pytest.mark.parametrize(
    ("text", "offset", "table"),
    [
        (0, 0, None),
        (0x1711, 0x1711, None),
        ("72", 72, None),
        ("0x48", 0x48, None),
        ("4x0001", 0, Table.HOLDING),
        ("3x00031", 30, Table.INPUT),
        ("1X0010", 9, Table.DISCRETE),
        ("40001", 0, Table.HOLDING),
        ("400001", 0, Table.HOLDING),
        ("465536", 65535, Table.HOLDING),
        ("30073", 72, Table.INPUT),
        ("00017", 16, Table.COIL),
        ("10001", 0, Table.DISCRETE),
        ("reg 1", 0, None),
        ("Register 30", 29, None),
        ("reg. 007", 6, None),
    ],
)
def test_every_notation_means_one_pdu_address(
    text: int | str, offset: int, table: Table | None
) -> None:
    assert parse_register(text).offset == offset
    assert parse_register(text).table is table
    written = address(text)
    assert written.register == text
    assert written.offset(QUIRKS) == offset
    assert written.table is (table or Table.HOLDING)


@pytest.mark.parametrize("text", ["", "4x0000", "reg 0", "five", "-1", -1, 65536, "40000", "0x"])
def test_what_is_no_register_is_refused(text: int | str) -> None:
    with pytest.raises(ValueError, match=r"register|range|outside"):
        parse_register(text)
    with pytest.raises(ValidationError):
        address(text)


def test_first_address_moves_plain_numbers_and_nothing_else() -> None:
    from_one = ModbusQuirks(first_address=1)
    assert address(1).offset(from_one) == 0
    assert address("40001").offset(from_one) == 0
    assert address("reg 1").offset(from_one) == 0
    with pytest.raises(ValueError, match="first_address"):
        address(0).offset(from_one)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"table": "coil", "type": "u16"}, "single bits"),
        ({"table": "discrete", "bit": 1}, "single bits"),
        ({"register": "3x0001", "table": "holding"}, "table says otherwise"),
        ({"bit": 16}, "less than 16"),
        ({"bit": 1, "mask": 2}, "exclude"),
        ({"bit": 1, "type": "f32"}, "bit fields"),
        ({"bit": 1, "type": "u32"}, "one register"),
        ({"bits": "10:7"}, "within 16 bits"),
        ({"bits": "3"}, "first:count"),
        ({"bits": "3:0"}, "first:count"),
        ({"mask": 0x10000}, "wider"),
        ({"mask": 0}, "greater than 0"),
        ({"mask": 1, "type": "s16"}, "bit fields"),
        ({"type": "str"}, "needs length"),
        ({"length": 2}, "length is for"),
        ({"type": "m10k", "length": 5}, "at most 4"),
        ({"register": 65535, "type": "u32"}, "passes 65535"),
        ({"order": "ACBD"}, "Input should be"),
        ({"order": ["AB"]}, "Input should be"),
        ({"write_function": 3}, "Input should be"),
        ({"colour": "red"}, "not permitted"),
    ],
)
def test_what_does_not_fit_together_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        address(**{"register": 0, **keys})


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValidationError):
        parsed_address("40001")


def test_defaults_are_those_of_the_table() -> None:
    assert address().type is Datatype.U16
    assert address(table="coil").type is Datatype.BOOL
    assert address("10001").type is Datatype.BOOL
    assert address(order="BA").order is Order.BADC
    assert address(order="AB").order is Order.ABCD


@pytest.mark.parametrize(
    ("keys", "mask"),
    [
        ({}, None),
        ({"bit": 3}, 0x0008),
        ({"bits": "4:3"}, 0x0070),
        ({"mask": 0x0FF0}, 0x0FF0),
        ({"type": "u8hi"}, 0xFF00),
        ({"type": "u8lo"}, 0x00FF),
        ({"type": "u32", "bits": "16:8"}, 0x00FF0000),
    ],
)
def test_a_part_of_a_value_is_a_mask(keys: dict[str, Any], mask: int | None) -> None:
    assert address(**keys).field_mask == mask


def test_ranges_count_both_ends() -> None:
    assert parse_range("100-110") == range(100, 111)
    assert parse_range("0x10-0x1F") == range(16, 32)
    assert parse_range("7") == range(7, 8)
    quirks = ModbusQuirks(forbidden=("100-110",), first_address=1)
    assert quirks.forbidden_ranges() == (range(99, 110),)


@pytest.mark.parametrize("text", ["", "a-b", "9-3", "0-70000", "-5"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no range|ascend"):
        parse_range(text)
    with pytest.raises(ValueError, match=r"no range|ascend"):
        ModbusQuirks(forbidden=(text,))


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-ascii", "modbus-tcp"])
def test_units_are_1_to_247_as_numbers_or_text(protocol: str) -> None:
    parse = driver(protocol).parse_unit
    assert [parse(1), parse("247"), parse(" 17 ")] == [1, 247, 17]
    wrong = [248, 254, -1, "x", "", True, 1.0, None, "\uff11\uff17"]
    if protocol != "modbus-tcp":
        wrong += [0, 255]
    for one in wrong:
        with pytest.raises(ValueError, match="write a unit number"):
            parse(one)


def test_on_tcp_0_and_255_are_the_device_itself() -> None:
    parse = driver("modbus-tcp").parse_unit
    assert [parse(0), parse("255")] == [0, 255]
