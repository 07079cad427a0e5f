"""GB/T 26875.3: frames, streams, clocks, objects."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from gbt26875_support import CENTRE, CLOCK, PUBLIC, SOURCE, VECTORS, component_state, point, sent
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Wanted
from drivers.gbt26875 import DRIVER, PROTOCOL
from drivers.gbt26875.address import Gbt26875Quirks
from drivers.gbt26875.clock import ClockForm, read_clock, write_clock
from drivers.gbt26875.codec import (
    MAX_APPLICATION,
    MAX_FRAME,
    STANDARD,
    Damaged,
    Frame,
    Framing,
    Stream,
    encode,
    read,
)
from drivers.gbt26875.match import summary
from drivers.gbt26875.objects import read_reports

DRIVER_ = DRIVER.sessions[PROTOCOL]
GOOD = [v for v in VECTORS if "refused" not in v]
TICKS = datetime(2021, 7, 2, 9, 0, 4)  # noqa: DTZ001 - a clock without a zone

addresses = st.binary(min_size=6, max_size=6)
frames = st.builds(
    Frame,
    serial=st.integers(0, 0xFFFF),
    command=st.integers(1, 6),
    source=addresses,
    target=addresses,
    clock=addresses,
    application=st.binary(max_size=60),
    main_version=st.integers(0, 255),
    user_version=st.integers(0, 255),
).filter(lambda frame: encode(frame).count(b"@") == 2)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_a_golden_frame_is_read_or_refused_with_its_reason(vector: dict[str, Any]) -> None:
    decoded = DRIVER_.decode(bytes.fromhex(vector["hex"]), vector["direction"])
    assert {key: decoded.frame.get(key) for key in vector["decoded"]} == vector["decoded"]
    assert decoded.ok == ("refused" not in vector)
    assert vector.get("refused", "") in (decoded.error or "")


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["id"])
def test_a_golden_frame_is_made_again_byte_for_byte(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex(vector["hex"])
    frame = read(octets)
    assert isinstance(frame, Frame)
    assert encode(frame) == octets


@given(frame=frames)
def test_encoding_is_undone_by_reading(frame: Frame) -> None:
    assert read(encode(frame)) == frame


@settings(max_examples=60)
@given(
    wanted=st.lists(frames, min_size=1, max_size=4),
    noise=st.lists(st.binary(max_size=9).filter(lambda n: b"@" not in n), min_size=5, max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_any_cut_and_any_noise_between_gives_the_same_frames(
    wanted: list[Frame], noise: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(n + encode(f) for n, f in zip(noise, wanted, strict=False)) + noise[-1]
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    stream = Stream()
    found = [one for a, b in pairwise(edges) for one in stream.feed(whole[a:b])]
    assert found == wanted


@settings(max_examples=60)
@given(received=st.lists(st.binary(max_size=1500), max_size=4))
def test_whatever_comes_the_stream_keeps_no_more_than_one_longest_frame(
    received: list[bytes],
) -> None:
    stream = Stream()
    for octets in received:
        stream.feed(octets)
        assert stream.kept <= MAX_FRAME


@settings(max_examples=40)
@given(prefix=st.binary(max_size=80), keep=st.integers(1, 77))
def test_a_frame_after_a_truncated_one_is_found_at_once(prefix: bytes, keep: int) -> None:
    found = Stream().feed(prefix + PUBLIC[:keep] + PUBLIC + PUBLIC)
    assert found.count(read(PUBLIC)) == 2


def test_noise_that_looks_like_a_header_does_not_hold_back_the_alarm_behind_it() -> None:
    header_of_a_long_frame = sent("80" * 1000)[:40]
    assert Stream().feed(header_of_a_long_frame + PUBLIC) == [read(PUBLIC)]


def test_every_frame_of_a_full_buffer_is_found() -> None:
    assert len(Stream().feed(PUBLIC * 50)) == 50


def test_start_bytes_that_overlap_are_found() -> None:
    assert Stream().feed(b"\x40" + PUBLIC) == [read(PUBLIC)]
    assert Stream().feed(b"\x40\x40\x40" + PUBLIC) == [read(PUBLIC)]


def test_an_application_part_of_1024_bytes_is_the_longest() -> None:
    longest = replace(_frame(), application=bytes(MAX_APPLICATION))
    assert read(encode(longest)) == longest
    with pytest.raises(ValueError, match="at most 1024"):
        encode(replace(longest, application=bytes(MAX_APPLICATION + 1)))


def test_a_wrong_sum_keeps_the_header_and_the_bytes() -> None:
    octets = bytearray(PUBLIC)
    octets[40] ^= 0x10
    (one,) = Stream().feed(bytes(octets))
    assert isinstance(one, Damaged)
    assert one.frame.serial == 0
    assert one.octets == bytes(octets)


@given(at=st.integers(0, len(PUBLIC) - 1), bit=st.integers(0, 7))
def test_no_single_bit_error_is_accepted(at: int, bit: int) -> None:
    octets = bytearray(PUBLIC)
    octets[at] ^= 1 << bit
    assert not DRIVER_.decode(bytes(octets), "request").ok


def test_a_maker_who_sums_the_start_bytes_too_has_a_framing_of_its_own() -> None:
    theirs = Framing(sums_start=True)
    octets = encode(_frame(), theirs)
    assert isinstance(read(octets), Damaged)
    assert Stream((STANDARD, theirs)).feed(octets) == [_frame()]


def test_a_maker_with_other_start_bytes_has_a_framing_of_its_own() -> None:
    quirks = Gbt26875Quirks(start="A55A", end="0D0A")
    octets = encode(_frame(), quirks.framing)
    assert octets[:2] == bytes.fromhex("A55A")
    assert Stream((quirks.framing, STANDARD)).feed(octets + PUBLIC) == [_frame(), read(PUBLIC)]


def test_numbers_stand_low_byte_first() -> None:
    octets = encode(replace(_frame(), serial=0x0102))
    assert octets[2:4] == b"\x02\x01"
    assert octets[12:18] == bytes.fromhex("060504030201")


# --- clocks ------------------------------------------------------------------------------------


def test_a_binary_clock_is_second_minute_hour_day_month_year() -> None:
    assert read_clock(bytes.fromhex("040009020715"), ClockForm.BINARY) == TICKS
    assert write_clock(TICKS, ClockForm.BINARY).hex() == "040009020715"
    assert write_clock(TICKS, ClockForm.AUTO) == write_clock(TICKS, ClockForm.BINARY)


def test_a_bcd_clock_is_read_where_the_quirk_says_so() -> None:
    octets = bytes.fromhex("301213010814")
    assert str(read_clock(octets, ClockForm.BCD)) == "2014-08-01 13:12:30"
    assert str(read_clock(octets, ClockForm.BINARY)) == "2020-08-01 19:18:48"
    assert write_clock(datetime(2014, 8, 1, 13, 12, 30), ClockForm.BCD) == octets  # noqa: DTZ001


def test_auto_takes_what_makes_sense_and_of_two_the_nearer() -> None:
    octets = bytes.fromhex("301213010814")
    assert str(read_clock(octets, ClockForm.AUTO)) == "2020-08-01 19:18:48"
    in_2014 = datetime(2014, 8, 1)  # noqa: DTZ001
    assert str(read_clock(octets, ClockForm.AUTO, in_2014)) == "2014-08-01 13:12:30"
    only_binary, only_bcd = bytes.fromhex("3b0d11160a14"), bytes.fromhex("595923311221")
    assert str(read_clock(only_binary, ClockForm.AUTO)) == "2020-10-22 17:13:59"
    assert str(read_clock(only_bcd, ClockForm.AUTO)) == "2021-12-31 23:59:59"


def test_clock_bytes_that_are_no_time_are_no_value() -> None:
    assert read_clock(bytes(6), ClockForm.AUTO) is None
    assert read_clock(b"\xff" * 6, ClockForm.AUTO) is None
    assert read_clock(bytes.fromhex("3c0009020715"), ClockForm.BINARY) is None


@given(seconds=st.integers(0, 99 * 365 * 86400), form=st.sampled_from(ClockForm))
def test_a_clock_is_read_back_as_it_was_written(seconds: int, form: ClockForm) -> None:
    moment = datetime(2000, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001
    assert read_clock(write_clock(moment, form), form, moment) == moment


# --- objects -----------------------------------------------------------------------------------


@given(application=st.binary(max_size=120))
def test_an_application_part_is_read_or_refused_with_a_sentence(application: bytes) -> None:
    try:
        reports = read_reports(application)
    except ValueError as why:
        assert len(str(why).split()) > 4  # noqa: PT017
    else:
        assert all(summary(report) for report in reports)


@pytest.mark.parametrize(
    ("kind", "word", "value", "unit"),
    [
        (2, 20481, 204.81, "m"),
        (3, 253, 25.3, "Cel"),
        (3, -205, -20.5, "Cel"),
        (4, 16, 1.6, "MPa"),
        (5, 3507, 350.7, "kPa"),
        (6, 123, 12.3, "%{LEL}"),
        (8, 2256, 225.6, "V"),
        (9, 11, 1.1, "A"),
        (12, 7, 7.0, "m/s"),
    ],
)
def test_an_analogue_value_is_exact(kind: int, word: int, value: float, unit: str) -> None:
    octets = word.to_bytes(2, "little", signed=True).hex()
    frame = sent(f"0301010128000600d9{kind:02x}{octets}040009020715")
    decoded = DRIVER_.decode(frame, "request")
    assert [(v.value, v.unit) for v in decoded.values] == [(value, unit)]


def test_a_character_that_the_end_of_the_field_cuts_in_two_is_left_out() -> None:
    filled = "三号楼走廊".encode("gb18030")
    octets = component_state(2, text="x" * 31).replace(
        ("x" * 31).encode().hex(), (b"x" * 22 + filled)[:31].hex()
    )
    (report,) = read_reports(bytes.fromhex(octets))
    assert report.text == "x" * 22 + "三号楼走"


def test_a_broken_text_is_shown_as_far_as_it_is_one() -> None:
    octets = component_state(2, text="走廊").replace("走廊".encode("gb18030").hex(), "d7dfc0ff")
    (report,) = read_reports(bytes.fromhex(octets))
    assert report.text is not None
    assert report.text.startswith("走")


def test_the_number_of_an_operator_is_marked_secret_and_not_shown() -> None:
    frame = sent("0402010284fa0400090207150d0373fb050009020715")
    decoded = DRIVER_.decode(frame, "request")
    assert [frame[span].hex() for span in decoded.spans_secret] == ["fa", "fb"]
    assert "250" not in str(decoded.frame)
    assert decoded.frame["operator"] == "hidden"


def test_wanted_points_are_found_in_a_frame() -> None:
    wanted = [
        Wanted(0, point(field="alarm")),
        Wanted(1, point(field="fault")),
        Wanted(2, point(field="text")),
        Wanted(3, point(field="state", component="6.217")),
        Wanted(4, point(field="state", component="6.218")),
        Wanted(5, point(object="system")),
        Wanted(6, point(field="abnormal", system_type=1, system_address=1)),
        Wanted(7, point(field="time")),
        Wanted(8, point(field="event")),
    ]
    decoded = DRIVER_.decode(sent(component_state(2, text="走廊")), "response", wanted)
    assert decoded.raw == {
        0: True,
        1: False,
        2: "走廊",
        3: 2,
        6: True,
        7: "2021-07-02T09:00:04",
        8: "component 1.1/000600d9 alarm 走廊",
    }
    assert decoded.unit == DRIVER_.parse_unit(SOURCE)


def _frame() -> Frame:
    return Frame(7, 2, bytes.fromhex(SOURCE), CENTRE, CLOCK)
