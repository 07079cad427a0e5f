"""What registers mean: every type, every order, there and back."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from modbus_support import address

from drivers.contract import Raw
from drivers.modbus.address import ModbusAddress
from drivers.modbus.block import Cell, block_decoder, in_wire_order
from drivers.modbus.single import shortest, shortest_all
from drivers.modbus.values import as_integer, shift_of, to_bytes

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


def decoded(where: ModbusAddress, octets: bytes) -> Raw | None:
    cell = Cell(0, where, 0, where.width)
    return block_decoder((cell,), 0)(octets)[0]


@pytest.mark.parametrize(
    ("keys", "wire", "value"),
    [
        ({"type": "u16"}, "FFFE", 65534),
        ({"type": "s16"}, "FFFE", -2),
        ({"type": "u16", "order": "BA"}, "1234", 0x3412),
        ({"type": "u16", "order": "CDAB"}, "1234", 0x1234),
        ({"type": "u32"}, "0001 0000", 65536),
        ({"type": "u32", "order": "CDAB"}, "0000 0001", 65536),
        ({"type": "u32", "order": "BADC"}, "0100 0000", 65536),
        ({"type": "u32", "order": "DCBA"}, "0000 0100", 65536),
        ({"type": "s32"}, "FFFF FFFF", -1),
        ({"type": "u64"}, "0000 0000 0000 0007", 7),
        ({"type": "u64", "order": "CDAB"}, "0007 0000 0000 0000", 7),
        ({"type": "s64", "order": "DCBA"}, "FEFF FFFF FFFF FFFF", -2),
        # TUF-2000M: low register first, captured, shown as 36.625 degrees
        ({"type": "f32", "order": "CDAB"}, "806B 4212", 36.62541),
        # Xintai water meter, example of its protocol document: 0.545 m3/h
        ({"type": "f32", "order": "DCBA"}, "1E85 0B3F", 0.54499996),
        ({"type": "f32"}, "4366 199A", 230.1),
        ({"type": "f32"}, "7FC0 0000", None),
        ({"type": "f32"}, "FF80 0000", None),
        ({"type": "f64"}, "3FF8 0000 0000 0000", 1.5),
        ({"type": "f64"}, "7FF0 0000 0000 0000", None),
        # Finder 7M
        ({"type": "t5"}, "FF00 0974", 242.0),
        ({"type": "t5"}, "FF00 094A", 237.8),
        ({"type": "t5"}, "0300 0002", 2000.0),
        ({"type": "bcd16"}, "1234", 1234),
        ({"type": "bcd16"}, "123A", None),
        ({"type": "bcd32", "order": "CDAB"}, "5678 1234", 12345678),
        ({"type": "bcd32"}, "FFFF FFFF", None),
        ({"type": "m10k"}, "0001 270F", 19999),
        ({"type": "m10k"}, "FFFF FFFE", -10002),
        ({"type": "m10k"}, "0001 2710", None),
        ({"type": "m10k", "length": 3}, "0001 0002 0003", 100020003),
        ({"type": "str", "length": 3}, "4142 2000 5859", "AB"),
        ({"type": "str", "length": 2, "order": "BADC"}, "4241 4443", "ABCD"),
        ({"type": "bool"}, "0002", True),
        ({"type": "bool"}, "0000", False),
        ({"type": "u8hi"}, "12FF", 0x12),
        ({"type": "u8lo"}, "12FF", 0xFF),
        ({"type": "u8hi", "order": "BA"}, "12FF", 0xFF),
        ({"bit": 4}, "0010", True),
        ({"bit": 4, "type": "bool"}, "FFEF", False),
        ({"bits": "4:3"}, "00A0", 2),
        ({"mask": 0x0F00}, "0A00", 10),
        ({"mask": 0xFF0000, "type": "u32"}, "0012 0000", 0x12),
    ],
)
def test_the_bytes_of_registers_mean_a_value(keys: dict[str, Any], wire: str, value: Raw) -> None:
    got = decoded(address(**keys), bytes.fromhex(wire))
    assert got == value
    assert type(got) is type(value)


WHOLE: dict[str, st.SearchStrategy[Any]] = {
    "u16": st.integers(0, 0xFFFF),
    "s16": st.integers(-0x8000, 0x7FFF),
    "u32": st.integers(0, 0xFFFFFFFF),
    "s32": st.integers(-(1 << 31), (1 << 31) - 1),
    "u64": st.integers(0, (1 << 64) - 1),
    "s64": st.integers(-(1 << 63), (1 << 63) - 1),
    "f64": st.floats(allow_nan=False, allow_infinity=False),
    "t5": st.from_regex(r"[1-9][0-9]{0,5}e-?[1-9]?[0-9]", fullmatch=True).map(float),
    "bcd16": st.integers(0, 9999),
    "bcd32": st.integers(0, 99_999_999),
    "m10k": st.integers(-99_999_999, 99_999_999),
    "bool": st.booleans(),
    "str": st.text("abcXYZ 0-9", max_size=8).map(str.strip),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
def test_every_type_comes_back_in_every_order(kind: str, order: str, data: st.DataObject) -> None:
    length = {"length": 4} if kind == "str" else {}
    where = address(type=kind, order=order, **length)
    value = data.draw(WHOLE[kind])
    octets = in_wire_order(where, to_bytes(where, value))
    assert len(octets) == 2 * where.width
    assert decoded(where, octets) == value


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({"type": "u16"}, -1),
        ({"type": "u16"}, 65536),
        ({"type": "u16"}, 1.5),
        ({"type": "u16"}, "1"),
        ({"type": "s64"}, 1 << 63),
        ({"type": "bool"}, 2),
        ({"type": "f32"}, math.nan),
        ({"type": "f32"}, 1e39),
        ({"type": "f64"}, math.inf),
        ({"type": "f64"}, "1"),
        ({"type": "t5"}, 16777217.0),
        ({"type": "t5"}, -1.0),
        ({"type": "t5"}, 1e-200),
        ({"type": "t5"}, 1e200),
        ({"type": "bcd16"}, 10000),
        ({"type": "bcd32"}, -1),
        ({"type": "m10k"}, 100_000_000),
        ({"type": "str", "length": 1}, "abc"),
        ({"type": "str", "length": 1}, 5),
    ],
)
def test_what_does_not_fit_the_type_is_refused(keys: dict[str, Any], value: Raw) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_bytes(address(**keys), value)


def test_whole_floats_are_integers() -> None:
    assert as_integer(3.0) == 3
    assert shift_of(0x00F0) == 4


def _single(number: float) -> float:
    return struct.unpack(">f", struct.pack(">f", number))[0]


def _shortest_by_text(single: float) -> float:
    """Return the oracle: the first number of digits with which the text is the same single."""
    for digits in range(1, 10):
        short = float(f"{single:.{digits}g}")
        try:
            if _single(short) == single:
                return short
        except OverflowError:
            continue
    raise AssertionError(single)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(0.00098)
@example(8.6e9)
@example(-0.0)
@example(9999999.0)
@example(16777217.0)
@example(3.4028234663852886e38)
def test_a_single_becomes_the_shortest_decimal_that_is_the_same_single(number: float) -> None:
    single = _single(number)
    got, oracle = shortest(single), _shortest_by_text(single)
    assert got is not None
    assert _single(got) == single
    # An integer that a single holds exactly stays exact, even where fewer digits would do.
    if not (single.is_integer() and abs(single) < 1 << 24):
        assert len(repr(got)) <= len(repr(oracle))


@given(st.integers(0, 10**6), st.integers(0, 4))
def test_meter_readings_have_no_binary_dust(count: int, decimals: int) -> None:
    reading = count / 10**decimals
    assert shortest(_single(reading)) == reading


def test_powers_of_two_are_exact_where_neighbours_are_uneven() -> None:
    for exponent in range(-149, 128):
        for sign in (1.0, -1.0):
            single = math.ldexp(sign, exponent)
            got = shortest(single)
            assert got is not None
            assert _single(got) == single


def test_what_is_not_finite_is_no_value() -> None:
    assert shortest_all((math.nan, math.inf, -math.inf, 1.5)) == [None, None, None, 1.5]


def test_a_block_of_mixed_cells_is_decoded_at_once() -> None:
    cells = [
        Cell(0, address(10, type="f32"), 10, 12),
        Cell(1, address(12, type="u16"), 12, 13),
        Cell(2, address(15, bit=0), 15, 16),
    ]
    payload = struct.pack(">fHHHH", 230.1, 7, 0xDEAD, 0xBEEF, 1)
    assert list(block_decoder(cells, 10)(payload)) == [230.1, 7, True]


@given(st.permutations(range(8)), st.sampled_from(ORDERS))
def test_overlapping_cells_in_any_order_are_decoded_each_as_alone(
    offsets: list[int], order: str
) -> None:
    payload = bytes(range(40))
    kinds = ("u16", "u32", "s64", "u8lo")
    wheres = [address(o, type=kinds[o % 4], order=order) for o in offsets]
    cells = [
        Cell(i, w, o, o + w.width) for i, (w, o) in enumerate(zip(wheres, offsets, strict=True))
    ]
    together = block_decoder(cells, 0)(payload)
    alone = [
        decoded(w, payload[2 * o : 2 * (o + w.width)]) for w, o in zip(wheres, offsets, strict=True)
    ]
    assert list(together) == alone


def test_bits_of_a_block_are_found_by_their_place() -> None:
    cells = [Cell(i, address(i, table="coil"), i, i + 1) for i in (3, 9, 10)]
    assert list(block_decoder(cells, 3)(bytes.fromhex("C1 00"))) == [True, True, True]
    assert list(block_decoder(cells, 3)(bytes.fromhex("40 00"))) == [False, True, False]
