"""SIA DC-09: frames, streams, content, events."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from dc09_support import ACCOUNT, CAPTURED, VECTORS, contact_id, point, sia
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Wanted
from drivers.dc09 import DRIVER, PROTOCOL
from drivers.dc09.codec import (
    MAX_BODY,
    MAX_FRAME,
    Length,
    Stream,
    crc16,
    encode,
    open_envelope,
    read_body,
)
from drivers.dc09.content import read_content
from drivers.dc09.events import Qualifier, read_events
from drivers.dc09.match import restored_by

_RESTORALS = (
    "BH BA,BR BA,AR AT,FJ FT,BU BB,CL OP,OP CL,OA CA,RO RC,YZ YX,TR TA".split(",")  # noqa: SIM905
)
DRIVER_ = DRIVER.sessions[PROTOCOL]
GOOD = [v for v in VECTORS if "refused" not in v]
bodies = st.binary(max_size=60).filter(lambda b: b"\n" not in b and b"\r" not in b)
noise = st.binary(max_size=9).filter(lambda b: b"\n" not in b)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_a_golden_frame_is_read_or_refused_with_its_reason(vector: dict[str, Any]) -> None:
    decoded = DRIVER_.decode(bytes.fromhex(vector["hex"]), vector["direction"])
    assert {key: decoded.frame.get(key) for key in vector["decoded"]} == vector["decoded"]
    assert decoded.ok == ("refused" not in vector)
    assert vector.get("refused", "") in (decoded.error or "")


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["id"])
def test_a_golden_frame_is_made_again_byte_for_byte(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex(vector["hex"])
    assert encode(open_envelope(octets).body) == octets


def test_the_crc_of_a_captured_message_is_right() -> None:
    assert crc16(CAPTURED[9:-1]) == 0x9337


@given(body=bodies)
def test_encoding_is_undone_by_opening(body: bytes) -> None:
    envelope = open_envelope(encode(body))
    assert envelope.body == body
    assert envelope.error is None


@settings(max_examples=60)
@given(
    wanted=st.lists(bodies, min_size=1, max_size=4),
    between=st.lists(noise, min_size=5, max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_any_cut_and_any_noise_between_gives_the_same_frames(
    wanted: list[bytes], between: list[bytes], cuts: list[int]
) -> None:
    frames = [encode(body) for body in wanted]
    whole = b"".join(n + f for n, f in zip(between, frames, strict=False)) + between[-1]
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    stream = Stream()
    assert [f for a, b in pairwise(edges) for f in stream.feed(whole[a:b])] == frames


@settings(max_examples=60)
@given(received=st.lists(st.binary(max_size=6000), max_size=4))
def test_whatever_comes_the_stream_keeps_no_more_than_one_longest_frame(
    received: list[bytes],
) -> None:
    stream = Stream()
    for octets in received:
        assert all(len(frame) <= MAX_FRAME for frame in stream.feed(octets))
        assert stream.kept <= MAX_FRAME


def test_a_frame_without_end_is_forgotten() -> None:
    stream = Stream()
    for _ in range(10):
        stream.feed(b"\n" + b"x" * MAX_FRAME)
        assert stream.kept <= MAX_FRAME
    assert stream.feed(CAPTURED) == [CAPTURED]


@given(keep=st.integers(1, len(CAPTURED) - 1))
def test_a_message_behind_a_truncated_one_is_found(keep: int) -> None:
    assert Stream().feed(CAPTURED[:keep] + CAPTURED)[-1] == CAPTURED


def test_a_body_has_at_most_4095_bytes() -> None:
    assert open_envelope(encode(b"x" * MAX_BODY)).error is None
    with pytest.raises(ValueError, match="at most 4095"):
        encode(b"x" * (MAX_BODY + 1))


@given(at=st.integers(0, len(CAPTURED) - 1), bit=st.integers(0, 7))
def test_no_single_bit_error_is_accepted(at: int, bit: int) -> None:
    octets = bytearray(CAPTURED)
    octets[at] ^= 1 << bit
    decoded = DRIVER_.decode(bytes(octets), "request")
    # CRC and length may be written in small letters.
    assert not decoded.ok or bytes(octets).upper() == CAPTURED.upper()


def test_a_decimal_length_is_recognised_and_refused_by_name() -> None:
    envelope = open_envelope(bytes.fromhex(VECTORS[3]["hex"]))
    assert envelope.length is Length.DECIMAL
    assert envelope.error == "length 0047 is decimal, 002F would be right"


def test_receiver_and_line_may_be_missing() -> None:
    message = read_body(b'"ADM-CID"0001#AB12[#AB12|1130 01 003]')
    assert (message.receiver, message.line, message.account) == ("", "", "AB12")


def test_an_account_that_stands_only_in_the_data_is_taken_from_there() -> None:
    assert read_body(b'"SIA-DCS"4738R0001L0001[#00696a|Nri04/OP001NM]').account == "00696A"


@given(octets=st.binary(max_size=80), is_filled=st.booleans())
def test_content_is_read_or_refused_with_a_sentence(octets: bytes, *, is_filled: bool) -> None:
    try:
        content = read_content(octets, is_filled=is_filled)
    except ValueError as why:
        assert len(str(why).split()) > 4  # noqa: PT017
    else:
        assert "]" not in content.data


def test_extended_data_may_be_windows_1252() -> None:
    content = read_content("#1234|Nri1/BA1][Iküche]".encode("cp1252"))
    assert content.extended == ("Iküche",)


# --- events ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "qualifier", "place"),
    [
        ("1130 01 003", "130", Qualifier.NEW, (1, 3, None)),
        ("3130 01 003", "130", Qualifier.RESTORED, (1, 3, None)),
        ("6110 00 129", "110", Qualifier.STANDING, (0, 129, None)),
        ("1401 02 015", "401", Qualifier.NEW, (2, None, 15)),
        ("3441 02 015", "441", Qualifier.RESTORED, (2, None, 15)),
        ("1121 01 004", "121", Qualifier.NEW, (1, None, 4)),
        ("11B0 01 00F", "1B0", Qualifier.NEW, (1, None, None)),
    ],
)
def test_contact_id_is_qualifier_event_partition_and_zone_or_user(
    data: str, code: str, qualifier: Qualifier, place: tuple[int | None, ...]
) -> None:
    (event,) = read_events("ADM-CID", data)
    assert (event.code, event.qualifier) == (code, qualifier)
    assert (event.partition, event.zone, event.user) == place


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("Nri0/BA1", "BA new partition 0 zone 1"),
        ("Nri1/CL501", "CL new partition 1"),
        ("Nri1CL0^VX FRONTE ^", "CL new partition 1"),
        ("Nri0KR1^TAST. 001 ^", "KR new partition 0 zone 1 TAST. 001"),
        ("Nti19:44/id1/ri4/RP", "RP new partition 4"),
        ("NFA129", "FA new zone 129"),
        ("Ori1/BA3", "BA standing partition 1 zone 3"),
        ("OP001", "OP new"),
        ("NL4", "NL new zone 4"),
        ("BA3", "BA new zone 3"),
    ],
)
def test_sia_data_are_modifiers_code_and_number(data: str, said: str) -> None:
    (event,) = read_events("SIA-DCS", data)
    assert event.summary == said


def test_two_events_in_one_message_are_two() -> None:
    events = read_events("SIA-DCS", "Nri1/BA3/TA4")
    assert [(e.code, e.zone, e.partition) for e in events] == [("BA", 3, 1), ("TA", 4, 1)]


@given(data=st.text(max_size=60), token=st.sampled_from(["ADM-CID", "SIA-DCS", "NULL", "X"]))
def test_data_are_read_or_refused_with_a_sentence(data: str, token: str) -> None:
    try:
        events = read_events(token, data)
    except ValueError as why:
        assert len(str(why).split()) > 4  # noqa: PT017
    else:
        assert all(event.summary for event in events)


@pytest.mark.parametrize(
    ("restoral", "alarm"),
    [pair.split() for pair in _RESTORALS],
)
def test_a_restoral_restores_its_alarm(restoral: str, alarm: str) -> None:
    assert alarm in restored_by(restoral)
    assert restoral not in restored_by(restoral)


def test_users_and_keys_are_secret_spans_and_not_shown() -> None:
    frame = contact_id("3401 01 057")
    decoded = DRIVER_.decode(frame, "request")
    assert [frame[span] for span in decoded.spans_secret] == [b"#1234|3401 01 057"]
    assert "57" not in str(decoded.frame["events"])
    assert "57" not in str(decoded.values)
    damaged = frame.replace(b"057]", b"058]")
    decoded = DRIVER_.decode(damaged, "request")
    assert [damaged[span] for span in decoded.spans_secret] == [b"#1234|3401 01 058]"]
    frame = encode(b'"SIA-DCS"6002L0#AAA[|Nri1/RP000][KABCDEF]')
    decoded = DRIVER_.decode(frame, "request")
    assert [frame[span] for span in decoded.spans_secret] == [b"ABCDEF"]
    assert "ABCDEF" not in str(decoded.frame)


def test_wanted_points_are_found_in_a_message() -> None:
    wanted = [
        Wanted(0, point(event="13x", code="BA", zone=3)),
        Wanted(1, point(event="13x", zone=4)),
        Wanted(2, point(field="last_event")),
        Wanted(3, point(event="130", partition=1)),
        Wanted(4, point(event="110")),
        Wanted(5, point(field="zone", event="1xx")),
    ]
    decoded = DRIVER_.decode(contact_id("1130 01 003"), "response", wanted)
    assert decoded.raw == {0: True, 2: "130 new partition 1 zone 3", 3: True, 5: 3}
    assert decoded.unit == ACCOUNT
    assert DRIVER_.decode(sia("Nri1/BR3"), "response", wanted).raw[0] is False


@pytest.mark.parametrize(
    ("text", "key"), [("1234", "1234"), ("00ab", "00AB"), ("#4F39", "4F39"), (1234, "1234")]
)
def test_an_account_is_hexadecimal_digits(text: object, key: str) -> None:
    assert DRIVER_.parse_unit(text) == key


@pytest.mark.parametrize("text", ["", "12G4", "1" * 17, None, 1.5, True])
def test_an_account_that_is_none_says_what_to_write(text: object) -> None:
    with pytest.raises(ValueError, match="write the account"):
        DRIVER_.parse_unit(text)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "active needs event"),
        ({"event": "1300"}, "not three digits"),
        ({"code": "ba"}, "not two letters"),
        ({"event": "130", "restore": "BR"}, "restore needs code"),
        ({"code": "BA", "restore": "BRBH"}, "not codes"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(keys: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        point(**keys)
