"""Frames of CJ/T 188: golden frames, any cut, any noise, and what the field does differently."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cjt188.codec import (
    ENVELOPE,
    MAX_CONTENT,
    MAX_FRAME,
    Broken,
    Frame,
    Receiver,
    encode,
    frame_at,
)
from drivers.cjt188.named import identifier_of
from drivers.contract import Fault
from tests.drivers.cjt188_support import METER, VECTORS, driver, parsed, vector

GOOD = [v for v in VECTORS if "refused" not in v]
FRAMES = st.builds(
    Frame,
    st.integers(0, 255),
    st.from_regex(r"[0-9F]{14}", fullmatch=True),
    st.integers(0, 255),
    st.binary(max_size=MAX_CONTENT),
)
NOISE = st.lists(
    st.one_of(st.binary(max_size=6), st.sampled_from([b"\xfe" * 13, b"\x68", b"\x68\x10\xaa"])),
    max_size=4,
).map(b"".join)


def _received(pieces: list[bytes]) -> list[Frame]:
    receiver = Receiver()
    return [frame for piece in pieces for frame in receiver.feed(piece)]


@pytest.mark.parametrize("one", GOOD, ids=lambda v: v["id"])
def test_a_golden_frame_encodes_to_the_bytes_it_was_decoded_from(one: dict[str, Any]) -> None:
    octets = bytes.fromhex(one["hex"])
    decoded = driver().decode(octets, one["direction"])
    assert encode(parsed(octets), decoded.frame["preamble_fe"]) == octets


@pytest.mark.parametrize("one", VECTORS, ids=lambda v: v["id"])
def test_the_direction_of_a_golden_frame_need_not_be_said(one: dict[str, Any]) -> None:
    octets = bytes.fromhex(one["hex"])
    assert driver().decode(octets, "auto").ok == ("refused" not in one)
    other = "request" if one["direction"] == "response" else "response"
    assert not driver().decode(octets, other).ok


def test_the_example_of_the_blogs_has_checksum_08_where_13_is_right() -> None:
    copied, mended = vector(1), vector(2)
    decoded = driver().decode(copied, "response")
    assert (decoded.ok, decoded.error) == (False, "checksum 08 is wrong, 13 would be right")
    assert copied.lstrip(b"\xfe")[:-2] == mended[:-2]
    right = driver().decode(mended, "response")
    assert right.ok
    assert {v.point: v.value for v in right.values} == {
        "vol_cum": 556677.0,
        "vol_bill": 556677.0,
        "clock": "2015-05-11T22:01:31",
        "status_code": 0x2184,
    }


@given(frame=FRAMES, preambles=st.integers(0, 20))
def test_what_is_encoded_is_decoded_again(frame: Frame, preambles: int) -> None:
    octets = encode(frame, preambles)
    assert frame_at(octets, preambles) == frame
    assert len(octets) == preambles + ENVELOPE + len(frame.content)


@given(frames=st.lists(FRAMES, min_size=1, max_size=3), noise=NOISE, cuts=st.data())
def test_frames_are_found_in_any_cut_and_behind_any_noise(
    frames: list[Frame], noise: bytes, cuts: st.DataObject
) -> None:
    octets = b"".join(noise + encode(frame, 3) for frame in frames)
    pieces: list[bytes] = []
    while octets:
        size = cuts.draw(st.integers(1, len(octets)))
        pieces.append(octets[:size])
        octets = octets[size:]
    found = _received(pieces)
    left = iter(found)
    assert all(any(frame == one for one in left) for frame in frames)


@given(frame=FRAMES, size=st.integers(0, MAX_FRAME))
def test_a_truncated_frame_is_no_frame(frame: Frame, size: int) -> None:
    octets = encode(frame)[:-1][:size]
    assert not isinstance(frame_at(octets, 0) if octets else None, Frame)


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_the_buffer_stays_bounded_and_nothing_raises(pieces: list[bytes]) -> None:
    receiver = Receiver()
    for piece in pieces:
        list(receiver.feed(piece))
        assert len(receiver.received) <= 2 * MAX_FRAME


def test_a_repeated_frame_is_found_each_time() -> None:
    assert _received([vector(2) * 3]) == [parsed(vector(2))] * 3


def test_a_length_field_above_the_limit_is_refused_before_it_is_used() -> None:
    octets = bytearray(encode(Frame(0x10, METER, 0x81, bytes(22))))
    octets[10] = MAX_CONTENT + 1
    found = frame_at(bytes(octets), 0)
    assert isinstance(found, Broken)
    assert (found.fault, found.frame) == (Fault.SHORT, None)
    with pytest.raises(ValueError, match="at most 100"):
        encode(Frame(0x10, METER, 0x81, bytes(MAX_CONTENT + 1)))


def test_the_checksum_cannot_tell_the_order_of_the_data_identifier() -> None:
    high_first, low_first = vector(3), bytearray(vector(3))
    low_first[13:15] = low_first[14], low_first[13]
    for octets in (high_first, bytes(low_first)):
        decoded = driver().decode(octets, "request")
        assert (decoded.ok, decoded.frame["di"]) == (True, "901F")
    assert identifier_of(b"\x1f\x90\x00") == identifier_of(b"\x90\x1f\x00") == 0x901F
    assert identifier_of(b"\x90") is None


@pytest.mark.parametrize("prefix", [b"CTRL:&210181000000016966", b"\xff", b"\xfe" * 13])
def test_prefixes_of_dtus_and_stray_bytes_before_a_frame_are_skipped(prefix: bytes) -> None:
    decoded = driver().decode(prefix + vector(24), "response")
    assert (decoded.ok, decoded.unit) == (True, "02001700000921")


def test_bytes_behind_a_frame_are_refused() -> None:
    decoded = driver().decode(vector(31) + bytes.fromhex("524f"), "response")
    assert (decoded.ok, decoded.error) == (
        False,
        "length field 22 does not fit a frame of 37 bytes",
    )


def test_the_five_byte_address_of_one_maker_is_refused_by_its_length() -> None:
    decoded = driver().decode(vector(13), "auto")
    assert (decoded.ok, decoded.error) == (
        False,
        "length field 144 does not fit a frame of 33 bytes",
    )


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "no 68"),
        (b"\x68\x10", "2 bytes are shorter"),
        (encode(Frame(0x10, METER, 0x22, bytes(3))), "control 22 is none"),
        (encode(Frame(0x10, METER, 0x81, bytes(2))), "length 2 is too short"),
        (encode(Frame(0x10, METER, 0xC1, bytes(4))), "length 4 where 3 is right"),
        (encode(Frame(0x10, METER, 0x81, b"\x90\x1f\0" + bytes(9))), "length 12 where 22 or 46"),
        (encode(Frame(0x10, METER, 0x01, b"\x90\x1f\0\0")), "length 4 where 3 is right"),
    ],
)
def test_what_the_standard_forbids_is_refused_with_its_reason(octets: bytes, why: str) -> None:
    decoded = driver().decode(octets, "auto")
    assert not decoded.ok
    assert why in (decoded.error or "")


def test_an_error_reply_shows_its_serial_number_and_status() -> None:
    octets = encode(parsed(vector(3)))  # a frame of the same meter, to be told apart by control
    refusal = encode(Frame(0x10, "77665544332211", 0xC1, bytes.fromhex("011122")))
    decoded = driver().decode(refusal, "response")
    assert (decoded.ok, decoded.frame["error"]) == (True, True)
    assert (decoded.frame["ser"], decoded.frame["status"]) == ("01", "1122")
    assert not driver().decode(refusal, "response", (), octets).ok


def test_a_reply_is_compared_with_the_request_where_that_is_given() -> None:
    request, reply = vector(10), vector(12)
    assert driver().decode(reply, "response", (), request).ok
    for other, why in ((vector(3), "answers for meter"), (vector(41), "does not answer control")):
        decoded = driver().decode(reply, "response", (), other)
        assert not decoded.ok
        assert why in (decoded.error or "")


def test_heat_is_named_in_the_units_that_are_published() -> None:
    decoded = driver().decode(vector(23), "response")
    found = {v.point: (v.value, v.unit) for v in decoded.values}
    assert found["heat_cum"] == (1270.0, "kW.h")  # 1.27 MWh, unit code 08
    assert found["vol_cum"] == (19.07, "m3")
    assert found["t_sup"] == (36.6, "Cel")
    assert found["run_time"] == (166 * 3600, "s")
    assert found["power"] == (0.0, "W")
    assert "energy_cold" not in found


def test_an_address_reply_names_the_number_of_the_meter() -> None:
    decoded = driver().decode(vector(7), "response")
    assert [(v.point, v.value) for v in decoded.values] == [("serial", "78330123456789")]


def test_an_electricity_meter_names_energy_and_no_volume() -> None:
    payload = bytes.fromhex("7856341205 0000000005 00000000000000 0000")
    decoded = driver().decode(
        encode(Frame(0x40, METER, 0x81, b"\x90\x1f\x01" + payload)), "response"
    )
    found = {v.point: v.value for v in decoded.values}
    assert found["ep_imp"] == 123456.78
    assert "vol_cum" not in found
    assert "heat_cum" not in found


def test_a_month_value_is_named_by_its_month() -> None:
    payload = bytes.fromhex("d12b 01 7856341229")
    decoded = driver().decode(encode(Frame(0x10, METER, 0x81, payload)), "response")
    assert [(v.point, v.value, v.unit) for v in decoded.values] == [
        ("vol_cum_m12", 123.45678, "m3")
    ]
