"""SIA DC-09: what a receiver answers, learns and misses."""

from __future__ import annotations

from typing import Any

import pytest
from dc09_support import (
    ACCOUNT,
    CAPTURED,
    VECTORS,
    answer,
    contact_id,
    moment,
    panel,
    point,
    session,
    sia,
    time_text,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Fault, FrameError, SessionOutput
from drivers.dc09.address import LengthCheck, TimeCheck
from drivers.dc09.codec import encode, open_envelope, read_body

BURGLARY = point(event="13x", code="BA", zone=3)
LAST = point(field="last_event")
DECIMAL = bytes.fromhex(VECTORS[3]["hex"])
WRONG_LENGTH = bytes.fromhex(VECTORS[4]["hex"])


def raws(output: SessionOutput) -> list[object]:
    return [sample.raw for sample in output.samples]


def test_a_message_is_acknowledged_with_its_number_and_address() -> None:
    body = b'"ADM-CID"0247R4F39L22#1234[#1234|1130 01 003]'
    output = session(panel()).received(encode(body), moment(0))
    assert output.send == encode(b'"ACK"0247R4F39L22#1234[]')
    assert output.alive == (ACCOUNT,)


def test_the_acknowledgement_is_the_one_that_another_receiver_logged() -> None:
    output = session(panel(account="0000")).received(CAPTURED, moment(0))
    assert output.send == b'\n1FBE0012"ACK"1706L0#0000[]\r'


@pytest.mark.parametrize(
    ("frame", "is_active"),
    [
        (contact_id("1130 01 003"), True),
        (contact_id("3130 01 003"), False),
        (contact_id("6130 01 003"), True),
        (contact_id("1133 01 003"), True),
        (sia("Nri1/BA3"), True),
        (sia("Nri1/BR3"), False),
        (sia("Nri1/BH3"), False),
        (sia("Ori1/BA3"), True),
    ],
)
def test_an_alarm_is_true_its_restoral_false_and_what_still_stands_true(
    frame: bytes, *, is_active: bool
) -> None:
    output = session(panel(BURGLARY)).received(frame, moment(0))
    assert raws(output) == [is_active]
    assert answer(output).ident == "ACK"


def test_events_of_other_zones_partitions_and_kinds_are_not_the_point() -> None:
    one = session(panel(BURGLARY, point(event="110", partition=2)))
    for number, frame in enumerate(
        [contact_id("1130 01 004", 1), contact_id("1110 01 003", 2), sia("Nri1/BA4", 3)]
    ):
        assert raws(one.received(frame, moment(number))) == []


def test_who_opened_or_closed_is_secret_and_not_in_the_last_event() -> None:
    armed = point(event="40x", code="OP")
    one = session(panel(point(field="user"), LAST, armed))
    output = one.received(contact_id("3401 01 057"), moment(0))
    assert [(s.raw, s.is_secret) for s in output.samples] == [
        (57, True),
        ("401 restored partition 1", False),
        (False, False),
    ]
    output = one.received(sia("Nri1/OP57^Li^", 2), moment(1))
    assert [(s.raw, s.is_secret) for s in output.samples] == [
        (57, True),
        ("OP new partition 1", False),
        (True, False),
    ]


def test_code_qualifier_partition_and_zone_are_points_of_their_own() -> None:
    fields = ("event_code", "qualifier", "partition", "zone", "time")
    one = session(panel(*(point(field=field) for field in fields)))
    assert raws(one.received(contact_id("6130 02 003"), moment(0))) == ["130", 6, 2, 3]
    assert raws(one.received(contact_id("3401 02 057", 2), moment(1))) == ["401", 3, 2]
    dated = contact_id("1130 02 003", 3, behind=time_text())
    assert raws(one.received(dated, moment(2)))[-1] == "2021-12-22T13:36:04Z"


def test_two_points_of_the_same_address_are_told_once() -> None:
    output = session(panel(LAST, BURGLARY, LAST)).received(contact_id("1130 01 003"), moment(0))
    assert len(output.samples) == 2


def test_a_text_beside_a_user_is_secret_too() -> None:
    text = point(field="text")
    output = session(panel(text)).received(sia("Nri1/OP57^Li^"), moment(0))
    assert [(s.raw, s.is_secret) for s in output.samples] == [("Li", True)]
    output = session(panel(text)).received(sia("Nri1/BA3^Hall^"), moment(0))
    assert [(s.raw, s.is_secret) for s in output.samples] == [("Hall", False)]


def test_a_link_test_is_acknowledged_and_shows_life() -> None:
    output = session(panel(LAST)).received(encode(b'"NULL"0000L0#1234[]'), moment(0))
    assert answer(output).ident == "ACK"
    assert (output.alive, output.samples) == ((ACCOUNT,), ())


def test_a_repetition_is_acknowledged_again_and_not_told_twice() -> None:
    one = session(panel(LAST))
    alarm = contact_id("1130 01 003", 7)
    told = [
        one.received(frame, moment(at))
        for at, frame in [
            (0, alarm),
            (5, alarm),
            (6, encode(b'"NULL"0000L0#1234[]')),
            (8, contact_id("1130 01 003", 7, behind=time_text(8))),
            (9, contact_id("1130 01 003", 8)),
            (400, contact_id("1130 01 003", 8)),
        ]
    ]
    assert [len(output.samples) for output in told] == [1, 0, 0, 0, 1, 1]
    assert all(answer(output).ident == "ACK" for output in told)


# --- what is refused ---------------------------------------------------------------------------


def test_a_wrong_crc_is_not_answered_so_that_the_panel_repeats() -> None:
    damaged = CAPTURED.replace(b"NP501", b"NP502")
    output = session(panel(account="0000")).received(damaged, moment(0))
    assert (output.send, output.alive) == (b"", ())
    assert isinstance(output.fault, FrameError)
    assert output.fault.fault is Fault.CRC


def test_a_decimal_length_is_taken_unless_the_quirk_is_strict() -> None:
    taken = session(panel(LAST, account="4F39")).received(DECIMAL, moment(0))
    assert answer(taken).ident == "ACK"
    assert raws(taken) == ["401 restored partition 1"]
    strict = panel(account="4F39", length=LengthCheck.STRICT)
    assert session(strict).received(DECIMAL, moment(0)).send == b""


def test_a_wrong_length_is_taken_only_when_the_quirk_says_any() -> None:
    output = session(panel(account="AAA")).received(WRONG_LENGTH, moment(0))
    assert output.send == b""
    assert "length 0078 is wrong" in str(output.fault)
    any_length = panel(account="AAA", length=LengthCheck.ANY)
    assert answer(session(any_length).received(WRONG_LENGTH, moment(0))).ident == "ACK"


@pytest.mark.parametrize(
    "body",
    [
        b'"ADM-URI"0005L0#1234[#1234|x]',
        b'"ADM-CID"0005L0#1234[#1234|9130 01 003]',
        b'"SIA-DCS"0005L0#1234[#1234|?]',
        b'"SIA-DCS"0005L0#1234[#1234|Nri1/BA3]_13:36:04,00-22-2021',
    ],
)
def test_what_is_whole_and_not_understood_is_answered_with_duh(body: bytes) -> None:
    output = session(panel(LAST)).received(encode(body), moment(0))
    assert output.send == encode(b'"DUH"0005L0#1234[]')
    assert output.samples == ()
    assert output.fault is not None


def test_an_unknown_account_is_named_and_not_answered() -> None:
    output = session(panel()).received(contact_id("1130 01 003", account="beef"), moment(0))
    assert output.unknown == ("BEEF",)
    assert (output.send, output.alive) == (b"", ())


@pytest.mark.parametrize(
    ("ahead_s", "ident"), [(0, "ACK"), (-40, "ACK"), (20, "ACK"), (-41, "NAK"), (21, "NAK")]
)
def test_a_time_outside_the_window_is_answered_with_nak_and_our_time(
    ahead_s: int, ident: str
) -> None:
    checked = panel(LAST, time_check=TimeCheck.ALL)
    frame = contact_id("1130 01 003", behind=time_text(ahead_s))
    output = session(checked).received(frame, moment(0))
    assert answer(output).ident == ident
    if ident == "NAK":
        assert output.send == encode(b'"NAK"0000R0L0A0[]_13:36:04,12-22-2021')
        assert (output.samples, output.alive) == ((), ())


def test_the_window_is_as_wide_as_the_quirks_say() -> None:
    wide = panel(time_check=TimeCheck.ALL, time_past_s=600, time_future_s=300)
    for ahead_s in (-600, 300):
        frame = contact_id("1130 01 003", behind=time_text(ahead_s))
        assert answer(session(wide).received(frame, moment(0))).ident == "ACK"


def test_a_message_without_time_fails_where_all_must_have_one() -> None:
    checked = panel(time_check=TimeCheck.ALL)
    output = session(checked).received(contact_id("1130 01 003"), moment(0))
    assert answer(output).ident == "NAK"


def test_plain_text_needs_no_time_by_default() -> None:
    old = contact_id("1130 01 003", behind=time_text(-86400))
    assert answer(session(panel()).received(old, moment(0))).ident == "ACK"


def test_an_account_with_a_key_does_not_report_in_plain_text() -> None:
    output = session(panel(BURGLARY, key=bytes(16))).received(contact_id("1130 01 003"), moment(0))
    assert answer(output).ident == "DUH"
    assert (output.samples, output.alive) == ((), ())
    assert "has a key" in str(output.fault)


def test_an_encrypted_message_without_a_key_in_the_site_file_is_not_read() -> None:
    frame = bytes.fromhex(VECTORS[0]["hex"])
    output = session(panel(account="EA1984")).received(frame, moment(0))
    assert answer(output).ident == "DUH"
    assert "no key" in str(output.fault)


# --- time and connections ----------------------------------------------------------------------


def test_a_panel_that_misses_its_supervision_is_silent_once() -> None:
    one = session(panel(supervise_s=90), panel(account="AB", supervise_s=0))
    assert one.wake_at is None
    one.received(contact_id("1130 01 003"), moment(10))
    one.received(contact_id("1130 01 003", account="AB"), moment(10))
    assert one.wake_at == 100
    assert one.wake(moment(99)).silent == ()
    assert one.wake(moment(100)).silent == (ACCOUNT,)
    assert one.wake_at is None
    assert one.received(encode(b'"NULL"0000L0#1234[]'), moment(200)).alive == (ACCOUNT,)
    assert one.wake_at == 290


def test_one_connection_carries_several_accounts_and_messages() -> None:
    one = session(panel(LAST), panel(LAST, account="AB"))
    both = contact_id("1130 01 003", 1) + contact_id("1110 01 001", 2, account="AB")
    output = one.received(both, moment(0))
    assert [s.unit for s in output.samples] == [ACCOUNT, "AB"]
    assert output.send.count(b'"ACK"') == 2


def test_a_message_may_come_in_pieces() -> None:
    one = session(panel(LAST))
    frame = contact_id("1130 01 003")
    for octet in frame[:-1]:
        assert one.received(bytes((octet,)), moment(0)) == SessionOutput()
    assert raws(one.received(frame[-1:], moment(0))) == ["130 new partition 1 zone 3"]


@settings(max_examples=60)
@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(
                [CAPTURED, contact_id("1130 01 003"), bytes.fromhex(VECTORS[0]["hex"])]
            ),
        ),
        max_size=6,
    )
)
def test_a_session_takes_anything_and_sends_only_whole_frames(parts: list[bytes]) -> None:
    one = session(panel(LAST, supervise_s=1), panel(account="0000"), panel(account="EA1984"))
    for at, octets in enumerate(parts):
        output = one.received(octets, moment(at))
        for frame in output.send.split(b"\r")[:-1]:
            envelope = open_envelope(frame + b"\r")
            assert envelope.error is None
            assert read_body(envelope.body).ident in {"ACK", "NAK", "DUH"}
        one.wake(moment(at + 0.5))


@pytest.mark.parametrize(
    "vector",
    [v for v in VECTORS if "refused" in v and v["id"] != "sia-dc09-004"],
    ids=lambda v: v["id"],
)
def test_a_refused_golden_frame_gives_no_sample_and_no_acknowledgement(
    vector: dict[str, Any],
) -> None:
    accounts = ("1234", "0000", "AAA", "123456", "5504")
    one = session(*(panel(LAST, account=account) for account in accounts))
    output = one.received(bytes.fromhex(vector["hex"]), moment(0))
    assert output.samples == ()
    assert b"ACK" not in output.send
