"""Devices that speak by themselves: frames out of a stream, lines, datagrams, silence, asking."""

from __future__ import annotations

from typing import Any

import pytest
from declared_support import LINE, TANK, point
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Moment, Session, SessionDevice
from drivers.declared import DRIVER, LISTENED
from drivers.declared.address import DeclaredAddress, DeclaredQuirks
from drivers.declared.declaration import declare
from drivers.declared.values import Form

LISTENER = DRIVER.sessions[LISTENED]
READ = declare("t", TANK).replies["read"]
BAY = declare("l", LINE).replies["bay"]
LEVEL = point(reply="read", field="level")
STATE = point(LINE, reply="bay", field="state")
CARD = point(LINE, reply="bay", field="card", type=Form.ASCII)


def start(*devices: tuple[object, DeclaredAddress], **quirks: Any) -> Session:
    known = [
        SessionDevice(LISTENER.parse_unit(unit), (one,), DeclaredQuirks(**quirks))
        for unit, one in devices
    ]
    return LISTENER.start(known, Moment(0.0))


def frame(addr: int, level: int) -> bytes:
    return READ.write({"addr": addr, "level": level, "temp": 0})


def line(bay: int, state: int, card: str = "") -> bytes:
    return BAY.write({"host": 1, "bay": bay, "state": state, "card": card})


@given(
    levels=st.lists(st.integers(0, 0xFFFF), max_size=6),
    noise=st.binary(max_size=5).filter(lambda octets: b"\xaa" not in octets),
    cuts=st.lists(st.integers(1, 80), max_size=8),
)
def test_every_frame_of_a_stream_is_told_once_whatever_the_cuts(
    levels: list[int], noise: bytes, cuts: list[int]
) -> None:
    stream = b"".join(noise + frame(5, level) for level in levels)
    session, begin = start((5, LEVEL)), 0
    told: list[object] = []
    for end in [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]:
        told += [s.raw for s in session.received(stream[begin:end], Moment(1.0)).samples]
        begin = end
    assert told == levels


def test_a_frame_goes_to_its_device_and_a_stranger_is_named() -> None:
    session = start((5, LEVEL), (6, LEVEL))
    output = session.received(frame(6, 7) + frame(9, 1), Moment(1.0))
    assert [(s.unit, s.raw) for s in output.samples] == [(6, 7)]
    assert output.alive == (6,)
    assert output.unknown == ("declared 9",)


def test_a_damaged_frame_tells_nothing() -> None:
    spoilt = bytearray(frame(5, 7))
    spoilt[4] ^= 1
    assert start((5, LEVEL)).received(bytes(spoilt), Moment(1.0)).samples == ()


def test_lines_are_told_by_bay_and_cards_are_secret() -> None:
    session = start(("1/17", STATE), ("001/17x", STATE), ("1/17", CARD))
    output = session.received(b"\x00noise" + line(17, 2, "A7"), Moment(1.0))
    assert [(s.address, s.raw, s.is_secret) for s in output.samples] == [
        (STATE, 2, False),
        (CARD, "A7", True),
    ]


def test_a_line_without_end_is_dropped_when_it_is_too_long() -> None:
    session = start(("1/17", STATE))
    for _ in range(50):
        assert session.received(b"$001,17," * 20, Moment(1.0)).samples == ()
    assert [s.raw for s in session.received(b"\r\n" + line(17, 1), Moment(2.0)).samples] == [1]


def test_a_datagram_is_one_frame_or_none() -> None:
    keys = {**TANK, "form": "datagram"}
    session = start((5, point(keys, reply="read", field="level")))
    assert session.received(frame(5, 7)[:4], Moment(1.0)).samples == ()
    assert session.received(frame(5, 7)[4:], Moment(1.0)).samples == ()
    assert session.received(frame(5, 7) + b"\x00", Moment(1.0)).samples == ()
    assert [s.raw for s in session.received(frame(5, 7), Moment(1.0)).samples] == [7]


def test_records_of_a_door_controller_are_taken_as_they_come() -> None:
    door = point("uhppote", reply="status", field="door_1", bit=0)
    session = start((423187757, door))
    message = door.declaration.replies["status"].write(
        {**dict.fromkeys(door.declaration.replies["status"].names, 0), "serial": 423187757}
        | {"door_1": 1}
    )
    (sample,) = session.received(message, Moment(1.0)).samples
    assert sample.raw is True


def test_who_is_not_heard_becomes_silent_once_and_lives_again() -> None:
    session = start((5, LEVEL), silent_after_s=60)
    assert session.wake_at == 60.0
    assert session.wake(Moment(60.0)).silent == (5,)
    assert session.wake_at is None
    assert session.wake(Moment(61.0)).silent == ()
    assert session.received(frame(5, 1), Moment(100.0)).alive == (5,)
    assert session.wake_at == 160.0


def test_a_regular_request_is_sent_once_for_all_and_one_at_a_time() -> None:
    session = start(("1/17", STATE), ("1/18", STATE), ("2/1", STATE), ask="ask", ask_every_s=10.0)
    sent = [session.wake(Moment(float(second))).send for second in range(20)]
    assert [one for one in sent if one] == [b"#001\r\n", b"#002\r\n"] * 2
    assert session.wake_at == 20.0


def test_requests_that_are_late_together_are_not_sent_together() -> None:
    session = start(("1/17", STATE), ("2/1", STATE), ask="ask", ask_every_s=10.0)
    assert session.wake(Moment(100.0)).send == b"#001\r\n"
    assert session.wake_at == 105.0
    assert session.wake(Moment(104.0)).send == b""
    assert session.wake(Moment(105.0)).send == b"#002\r\n"


def test_asking_with_an_address_that_does_not_fit_sends_nothing() -> None:
    session = start((5, STATE), ask="ask")
    assert session.wake_at is None
    with pytest.raises(TypeError):
        LISTENER.start([SessionDevice(5, ("x",), DeclaredQuirks())], Moment(0.0))
