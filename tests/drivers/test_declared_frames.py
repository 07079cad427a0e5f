"""Frames as data: tokens, check values, lines, and what a technician reads when they are wrong."""

from __future__ import annotations

import struct
import time
from functools import reduce
from typing import Any

import pytest
from declared_support import LINE, TANK, TANK_REPLY, VARIABLE, point
from hypothesis import given
from hypothesis import strategies as st

from drivers.declared.checksum import Checksum, Kind
from drivers.declared.declaration import declare
from drivers.declared.known import KNOWN
from drivers.declared.search import KEPT, frames, nearest
from drivers.declared.template import Mismatch
from drivers.declared.values import Form, Shape, read_octets, read_text, write_octets

DIGITS = b"123456789"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.SUM8, 0xDD),
        (Kind.SUM8_COMPLEMENT, 0x22),
        (Kind.LRC, 0x23),
        (Kind.XOR8, 0x31),
        (Kind.CRC16_MODBUS, 0x4B37),
        (Kind.CRC16_CCITT, 0x29B1),
        (Kind.CRC16_XMODEM, 0x31C3),
    ],
)
def test_check_values_are_the_published_ones_of_123456789(kind: Kind, value: int) -> None:
    one = Checksum(kind)
    assert one.of(DIGITS, len(DIGITS)) == value.to_bytes(one.size, "big")
    assert Checksum(kind, is_little=True).of(DIGITS, 9) == value.to_bytes(one.size, "little")


def test_a_check_value_leaves_out_what_the_declaration_says() -> None:
    assert Checksum(Kind.SUM8, start=1, omit=1).of(b"$12*", 4) == bytes([0x31 + 0x32])
    assert Checksum().of(DIGITS, 9) == b""


def test_the_example_of_m77r_agrees_with_no_reading_of_its_rule() -> None:
    text = b"$001,02,01,0,0,000,000*"
    for octets in (text[1:-1], text[:-1], text[1:], text):
        assert sum(octets) & 0xFF != 0x23
        assert reduce(lambda a, b: a ^ b, octets) != 0x23
        assert -sum(octets) & 0xFF != 0x23


def test_the_answer_of_sunpn_is_the_one_of_its_example_not_of_its_format_line() -> None:
    reply = KNOWN["sunpn-led"].replies["show"]
    assert reply.read(bytes.fromhex("2a00780301a60a")) == {"colour": 0, "count": 888}
    with pytest.raises(Mismatch):
        reply.read(bytes.fromhex("3a013b0a"))


def test_a_frame_is_read_field_by_field() -> None:
    reply = declare("t", TANK).replies["read"]
    right = TANK_REPLY + bytes([reduce(lambda a, b: a ^ b, TANK_REPLY[1:])])
    assert reply.read(right) == {"addr": 5, "level": 2500, "temp": 0x38FF}
    assert reply.secret_spans(right) == (slice(8, 9),)


@given(octets=st.binary(max_size=100), last=st.integers(0, 255))
def test_a_frame_of_variable_length_is_as_long_as_its_field_says(octets: bytes, last: int) -> None:
    body = bytes((0x7E, 3, 0x81, len(octets))) + octets + b"\x55" + bytes([last])
    frame = body + Checksum(Kind.CRC16_MODBUS, is_little=True).of(body, len(body)) + b"\x0d"
    (found,) = frames(b"\x00" + frame, 0, declare("v", VARIABLE).replies)
    assert found.fields["last"] == last
    assert (found.start, found.end) == (1, len(frame) + 1)


def test_a_length_beyond_the_limit_is_never_waited_for() -> None:
    keys = {
        **VARIABLE,
        "length": {"field": "count"},
        "address": (),
        "replies": {"read": "7E <count:2> <rest> <sum>"},
    }
    template = declare("v", keys).replies["read"]
    assert template.end(b"\x7e\xff\xff" + bytes(600), 0) is None


@given(
    addr=st.integers(0, 254),
    level=st.integers(0, 0xFFFF),
    temp=st.integers(-0x8000, 0x7FFF),
    noise=st.binary(max_size=12),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_a_frame_is_found_behind_any_noise_and_read_as_it_was_written(
    addr: int, level: int, temp: int, noise: bytes, cuts: list[int]
) -> None:
    template = declare("t", TANK).replies["read"]
    fields = {"addr": addr, "level": level, "temp": temp}
    stream = noise + template.write(fields)
    found = [one.fields for one in frames(stream, 0, {"read": template})]
    assert fields in found
    seen = 0
    pieces: list[object] = []
    for end in [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]:
        pieces += [one.fields for one in frames(stream[:end], seen, {"read": template})]
        seen = end
    assert pieces == found


@given(raw=st.integers(-(2**63), 2**64 - 1), size=st.integers(1, 8), form=st.sampled_from(Form))
def test_what_fits_comes_back_and_what_does_not_is_refused(raw: int, size: int, form: Form) -> None:
    try:
        shape = Shape(size, form, is_little=bool(raw & 1))
        octets = write_octets(raw, shape)
    except ValueError:
        return
    assert len(octets) == size
    if form in {Form.UINT, Form.INT, Form.BCD}:
        assert read_octets(octets, shape) == raw


def test_a_single_has_no_binary_dust() -> None:
    assert read_octets(bytes.fromhex("4361999a"), Shape(4, Form.FLOAT)) == 225.6


@given(number=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_is_a_decimal_that_is_the_same_single(number: float) -> None:
    octets = struct.pack(">f", number)
    assert write_octets(read_octets(octets, Shape(4, Form.FLOAT)) or 0.0, Shape(4, Form.FLOAT)) in {
        octets,
        bytes(4) if number == 0 else octets,
    }
    assert read_octets(struct.pack(">f", 16777216.0), Shape(4, Form.FLOAT)) == 16777216.0


@pytest.mark.parametrize("octets", ["7fc00000", "7f800000", "ff800000", "7ff8000000000000"])
def test_a_float_that_is_no_number_is_no_value(octets: str) -> None:
    assert read_octets(bytes.fromhex(octets), Shape(len(octets) // 2, Form.FLOAT)) is None


def test_bcd_beyond_nine_is_no_value() -> None:
    assert read_octets(b"\x1a", Shape(1, Form.BCD)) is None
    assert read_octets(b"\x01\x02", Shape(2, Form.DIGITS)) == "0102"


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("007", Form.UINT, 7),
        (" 21.5", Form.FLOAT, 21.5),
        ("21.5", Form.UINT, None),
        ("1e999999999", Form.UINT, None),
        ("NaN", Form.FLOAT, None),
        ("", Form.UINT, None),
        ("007", Form.DIGITS, "007"),
    ],
)
def test_texts_of_lines_are_numbers_or_nothing(text: str, form: Form, value: object) -> None:
    assert read_text(text, form) == value


def test_a_line_is_read_up_to_its_fixed_texts_and_ends_with_either_end() -> None:
    template = declare("l", LINE).replies["bay"]
    line = template.write({"host": 1, "bay": 17, "state": 1, "card": "A7"})
    assert line == b"$001,17,1,A7*" + bytes(f"{sum(b'001,17,1,A7') & 255:02X}", "ascii") + b"\r\n"
    for ended in (line, line[:-1], line[:-2] + b"\n"):
        (found,) = frames(b"\xff$$" + ended, 0, {"bay": template})
        assert found.fields == {"host": "001", "bay": "17", "state": "1", "card": "A7"}
    (span,) = template.secret_spans(line)
    assert line[span] == b"A7"


@pytest.mark.parametrize("filler", [b"$", b"$,", b"$001,", b"\xaa", b"\x7e\x03\x81\x00"])
def test_what_never_ends_takes_no_time_to_pass_over(filler: bytes) -> None:
    begun = time.perf_counter()
    for keys in (LINE, TANK, VARIABLE):
        frames((filler * KEPT)[:KEPT], 0, declare("x", keys).replies)
        nearest((filler * KEPT)[:KEPT], declare("x", keys).replies)
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"checksum": {"kind": "crc32"}}, "checksum.kind is 'crc32'; there are: none, sum8"),
        ({"checksum": {"kind": "sum8", "to": 4}}, "checksum has no key 'to'"),
        ({"checksum": {}}, "<sum> needs `checksum`"),
        ({"address": "unit"}, "no frame has the address field <unit>"),
        ({"colour": 1}, "frame has no key 'colour'"),
        ({"requests": {}, "replies": {}, "address": ()}, "at least one frame"),
        ({"replies": {"r": "AA <addr:1"}}, "'<addr:1' is no part of a frame"),
        ({"replies": {"r": "AA <addr:9>"}}, "uint has 1 to 8 bytes, not 9"),
        ({"replies": {"r": "AA <addr:3f>"}}, "float has 4 or 8 bytes"),
        ({"replies": {"r": "AA <addr:1> <addr:1>"}}, "only once"),
        ({"replies": {"r": "AA 00*600"}}, "a frame has 1 to 512 bytes"),
        ({"replies": {"r": "AA <rest>"}}, "<rest> needs a first byte and `length`"),
        ({"replies": {"r": 7}}, "replies.r is no text; put the frame in quotes"),
        ({"form": "line", "replies": {"r": "<addr>"}}, "begins with fixed text"),
        ({"form": "line", "replies": {"r": "$<addr><x>"}}, "fixed text between them"),
        ({"form": "line", "request_end": "tab"}, "request_end is one of none, cr, lf, crlf"),
    ],
)
def test_a_wrong_declaration_is_refused_with_what_to_write(
    change: dict[str, Any], part: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        declare("t", {**TANK, **change})
    assert part in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"request": "raed", "field": "level"}, "the frame 'raed' is not declared; there are"),
        ({"request": "read"}, "needs `field` or `at`"),
        ({"request": "read", "field": "height"}, "no field 'height'; there are: addr, level, temp"),
        ({"request": "read", "field": "level", "at": 3}, "exclude each other"),
        ({"request": "read", "at": 10}, "outside the frame"),
        ({"request": "read", "at": -1, "bytes": 2}, "outside the frame"),
        ({"request": "read", "field": "level", "bit": 1, "mask": 2}, "exclude each other"),
        ({"write_request": "set", "at": 3}, "what is written needs `field`"),
        ({"write_request": "set", "field": "level", "mask": 2}, "cannot be written"),
        ({"field": "level"}, "a point needs `request`, `reply` or `write_request`"),
        ({"request": "read", "field": "level", "given": [1]}, "given is a mapping"),
        ({"frame": "tank", "request": "read"}, "no frame 'tank' is known; there are: bay-"),
        ({"frame": 7, "request": "read"}, "frame is the name of a known framing"),
    ],
)
def test_keys_that_do_not_fit_are_refused_with_a_sentence(keys: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        point(**keys)
    assert part in str(refused.value)


def test_equal_declarations_make_equal_points_that_can_be_keys() -> None:
    turned = dict(reversed(TANK.items()))
    one, other = (point(frame, request="read", field="level") for frame in (TANK, turned))
    assert one == other
    assert len({one, other}) == 1
    assert point(request="read", at=3, bytes=2) != one


def test_a_point_on_secret_bytes_is_secret() -> None:
    assert point(request="read", at=8).is_secret
    assert point(request="read", at=-2).is_secret
    assert not point(request="read", field="level").is_secret
    assert point("uhppote", request="status", field="card").is_secret
    assert point(LINE, reply="bay", field="card", type=Form.ASCII).is_secret
