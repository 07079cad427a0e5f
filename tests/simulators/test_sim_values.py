"""Values on the wire, decoded again by code that shares nothing with the encoder but the rules."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_points import point

from gateway.settings.site import ValueType
from simulators.values import encoder, place_of

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
FORMATS = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f"}


def straightened(words: tuple[int, ...], order: str) -> bytes:
    """Undo a byte order, by what its letters say."""
    wire = b"".join(word.to_bytes(2) for word in words)
    if order == "ABCD":
        return wire
    pairs = [wire[i : i + 2] for i in range(0, len(wire), 2)]
    if order in {"CDAB", "DCBA"}:
        pairs.reverse()
    if order in {"BADC", "DCBA"}:
        pairs = [pair[::-1] for pair in pairs]
    return b"".join(pairs)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", list(FORMATS))
@given(draw=st.integers(0, (1 << 64) - 1))
def test_integers_and_floats_arrive_in_every_order(kind: str, order: str, draw: int) -> None:
    code = FORMATS[kind]
    if kind == "f32":
        value: float = struct.unpack(">f", struct.pack(">f", draw / 1e9 - 7e9))[0]
    else:
        bits = 8 * struct.calcsize(code)
        low = -(1 << (bits - 1)) if kind.startswith("s") else 0
        value = low + draw % (1 << bits)
    traits: dict[str, Any] = {} if kind == "f32" else {"type": ValueType.INT}
    encode = encoder(point("x", {"register": 7, "type": kind, "order": order}, **traits))
    raw = encode.to_raw(value)
    words = encode.to_words(raw, (0, 0, 0, 0))
    assert struct.unpack(f">{code}", straightened(words, order))[0] == value
    assert encode.from_words(words) == pytest.approx(value)


def test_the_letters_of_an_order_are_the_bytes_on_the_wire() -> None:
    for order, wire in (
        ("ABCD", "0A0B0C0D"), ("CDAB", "0C0D0A0B"), ("BADC", "0B0A0D0C"), ("DCBA", "0D0C0B0A"),
    ):  # fmt: skip
        address = {"register": 0, "type": "u32", "order": order}
        encode = encoder(point("x", address, type=ValueType.INT))
        words = encode.to_words(0x0A0B0C0D, (0, 0))
        assert b"".join(w.to_bytes(2) for w in words).hex().upper() == wire


@pytest.mark.parametrize(
    ("address", "traits", "value", "words"),
    [
        ({"type": "u16"}, {"scale": "0.1"}, 230.1, (2301,)),
        ({"type": "u16"}, {"scale": "0.1", "offset": Decimal(-50)}, -12.5, (375,)),
        ({"type": "s16"}, {"scale": "0.1"}, -3.2, (0xFFE0,)),
        ({"type": "u16", "order": "BA"}, {}, 258, (0x0201,)),
        ({"type": "f32"}, {}, 230.2, (0x4366, 0x3333)),
        ({"type": "f32"}, {"scale": "0.1"}, 230.0, (0x450F, 0xC000)),
        ({"type": "f64"}, {}, 1.0, (0x3FF0, 0, 0, 0)),
        ({"type": "bcd16"}, {"scale": "0.01"}, 12.34, (0x1234,)),
        ({"type": "bcd32"}, {"scale": "0.01"}, 123456.78, (0x1234, 0x5678)),
        ({"type": "m10k"}, {}, 12345678, (1234, 5678)),
        ({"type": "m10k", "length": 3}, {}, 100020003, (1, 2, 3)),
        ({"type": "t5"}, {}, 242.0, (0xFC24, 0xED20)),
        ({"type": "u8hi"}, {}, 7, (0x0700,)),
        ({"type": "u8lo"}, {}, 7, (0x0007,)),
        ({"bits": "4:3"}, {}, 5, (0x0050,)),
        ({"mask": 0x0F00}, {}, 9, (0x0900,)),
        ({"mask": 0xFF0000, "type": "u32"}, {}, 0x12, (0x0012, 0x0000)),
        ({"type": "str", "length": 3}, {"type": ValueType.TEXT}, "SDM12", (0x5344, 0x4D31, 0x3200)),
        ({"bit": 15}, {"type": ValueType.BOOL}, True, (0x8000,)),
        ({"bit": 0}, {"type": ValueType.BOOL, "is_inverted": True}, True, (0,)),
        ({"type": "bool"}, {"type": ValueType.BOOL}, True, (1,)),
        ({}, {"type": ValueType.ENUM, "enum": {3: "open", 9: "closed"}}, "closed", (9,)),
        ({"type": "u16"}, {}, 70000, (0xFFFF,)),
    ],
)
def test_a_value_becomes_these_registers(
    address: dict[str, Any], traits: dict[str, Any], value: Any, words: tuple[int, ...]
) -> None:
    encode = encoder(point("x", {"register": 0, **address}, **traits))
    assert encode.to_words(encode.to_raw(value), (0,) * len(words)) == words
    if value != 70000:
        assert encode.to_value(encode.from_words(words)) == value


def test_a_bit_field_leaves_the_bits_of_others_alone() -> None:
    encode = encoder(point("x", {"register": 0, "bits": "4:3"}))
    assert encode.to_words(2, (0xFFFF,)) == (0xFFAF,)
    swapped = encoder(point("x", {"register": 0, "bits": "0:8", "order": "BA"}))
    assert swapped.to_words(0x12, (0x3456,)) == (0x1256,)


def test_a_scale_register_divides_what_is_sent() -> None:
    encode = encoder(point("p", {"register": 0, "type": "s16"}))
    assert encode.to_raw(1234.0, Decimal("0.1")) == 12340
    assert encode.to_value(12340, Decimal("0.1")) == 1234.0


def test_a_sentinel_is_no_value() -> None:
    encode = encoder(point("x", {"register": 0}, invalid=(0xFFFF,)))
    assert encode.to_value(0xFFFF) is None


@pytest.mark.parametrize(
    ("register", "first_address", "table", "number"),
    [
        (72, 0, "holding", 72),
        (72, 1, "holding", 71),
        ("0x48", 0, "holding", 72),
        ("4x0001", 1, "holding", 0),
        ("30013", 0, "input", 12),
        ("reg 1", 0, "holding", 0),
    ],
)
def test_a_register_is_found_in_every_notation(
    register: int | str, first_address: int, table: str, number: int
) -> None:
    place = place_of(point("x", {"register": register}).address, first_address=first_address)
    assert (place.table, place.register) == (table, number)
