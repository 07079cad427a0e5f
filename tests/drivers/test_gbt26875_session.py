"""GB/T 26875.3: what the centre answers, learns and misses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from gbt26875_support import (
    CENTRE,
    PUBLIC,
    SOURCE,
    VECTORS,
    component_state,
    device,
    moment,
    point,
    sent,
    session,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import DeviceRefused, Fault, FrameError, NoAnswer, SessionOutput
from drivers.gbt26875 import DRIVER, PROTOCOL
from drivers.gbt26875.address import Gbt26875Address, Gbt26875Quirks
from drivers.gbt26875.clock import ClockForm
from drivers.gbt26875.codec import Command, Frame, Framing, encode, read

PARSE = DRIVER.sessions[PROTOCOL].parse_unit
DETECTOR = f"{SOURCE}/000600d9"


def answered(output: SessionOutput, framing: Framing | None = None) -> Frame:
    frame = read(output.send, framing or Framing())
    assert isinstance(frame, Frame)
    return frame


def values(output: SessionOutput) -> list[tuple[object, str, object]]:
    return [
        (s.unit, s.address.field, s.raw)
        for s in output.samples
        if isinstance(s.address, Gbt26875Address)
    ]


def damaged(octets: bytes, at: int = 40) -> bytes:
    return octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :]


# --- answers -----------------------------------------------------------------------------------


def test_a_good_send_is_confirmed_with_its_serial_number_and_addresses_swapped() -> None:
    output = session(device(SOURCE)).received(sent(component_state(2), serial=0x1234), moment(0))
    answer = answered(output)
    assert (answer.command, answer.serial, answer.application) == (Command.CONFIRM, 0x1234, b"")
    assert (answer.source, answer.target) == (CENTRE, bytes.fromhex(SOURCE))
    assert answer.clock.hex() == "000000020715"[:4] + "09020715"
    assert output.fault is None


def test_a_wrong_sum_is_denied_and_proves_no_life() -> None:
    output = session(device(SOURCE)).received(damaged(sent(component_state(2))), moment(0))
    assert answered(output).command == Command.DENY
    assert isinstance(output.fault, FrameError)
    assert output.fault.fault is Fault.CRC
    assert not output.alive
    assert not output.samples


def test_a_wrong_sum_of_an_answer_is_not_denied_in_turn() -> None:
    octets = sent("0201", command=Command.DENY)
    output = session(device(SOURCE)).received(damaged(octets, 27), moment(0))
    assert output.send == b""


def test_a_wrong_sum_from_a_source_that_nobody_knows_is_not_answered() -> None:
    output = session(device(SOURCE)).received(
        damaged(sent(component_state(2), source="0a0000000001")), moment(0)
    )
    assert output.send == b""
    assert output.unknown


def test_objects_that_do_not_fit_their_count_are_denied() -> None:
    output = session(device(SOURCE)).received(sent("0202" + component_state(2)[4:]), moment(0))
    assert answered(output).command == Command.DENY
    assert "2 objects of type 2" in str(output.fault)


def test_types_that_are_not_read_are_confirmed_all_the_same() -> None:
    for application in ("", "800101ff", "05010102ffff"):
        output = session(device(SOURCE)).received(sent(application), moment(0))
        assert answered(output).command == Command.CONFIRM
        assert output.alive == (SOURCE,)


def test_an_answer_to_a_request_is_read_and_not_confirmed() -> None:
    one = session(device(DETECTOR, point(field="alarm")))
    output = one.received(sent(component_state(2), command=Command.ANSWER), moment(0))
    assert values(output) == [(DETECTOR, "alarm", True)]
    assert output.send == b""


def test_answers_are_written_as_the_transmitter_frames_and_counts_time() -> None:
    quirks = {"checksum_from": "start", "clock": ClockForm.BCD, "start": "A5A5"}
    framing = Framing(bytes.fromhex("A5A5"), sums_start=True)
    one = session(device(SOURCE, **quirks))
    output = one.received(sent(component_state(2), framing=framing), moment(12))
    answer = answered(output, framing)
    assert answer.command == Command.CONFIRM
    assert answer.clock.hex() == "120009020721"


def test_a_repetition_is_confirmed_again_and_not_told_twice() -> None:
    one = session(device(DETECTOR, point(field="alarm")))
    first = one.received(sent(component_state(2)), moment(0))
    again = one.received(sent(component_state(2)), moment(5))
    later = one.received(sent(component_state(0)), moment(6))
    assert [len(o.samples) for o in (first, again, later)] == [1, 0, 1]
    assert again.send
    assert values(later) == [(DETECTOR, "alarm", False)]


def test_a_repetition_may_carry_the_time_of_its_own_sending() -> None:
    one = session(device(DETECTOR, point(field="event")))
    octets = sent(component_state(2))
    frame = read(octets)
    assert isinstance(frame, Frame)
    later = encode(replace(frame, clock=bytes.fromhex("220d11160a14")))
    assert [len(one.received(o, moment(5)).samples) for o in (octets, later)] == [1, 0]
    other = encode(replace(frame, serial=frame.serial + 1))
    assert len(one.received(other, moment(6)).samples) == 1


def test_a_repetition_of_what_was_before_does_not_undo_what_was_told_since() -> None:
    one = session(device(DETECTOR, point(field="alarm")))
    alarm, normal = sent(component_state(2), serial=7), sent(component_state(0), serial=8)
    told = [one.received(octets, moment(at)) for at, octets in ((0, alarm), (2, normal))]
    again = one.received(alarm, moment(10))
    assert [s.raw for output in told for s in output.samples] == [True, False]
    assert again.send
    assert again.samples == ()
    assert len(one.received(alarm, moment(200)).samples) == 1


def test_a_transmitter_that_never_counts_its_serial_number_is_believed_all_the_same() -> None:
    one = session(device(DETECTOR, point(field="alarm")))
    alarm, normal = sent(component_state(2)), sent(component_state(0))
    told = [one.received(octets, moment(1)) for octets in (alarm, normal, alarm, normal)]
    assert [s.raw for output in told for s in output.samples] == [True, False, True, False]


# --- who ---------------------------------------------------------------------------------------


def test_an_unknown_source_is_named_as_the_site_file_wants_it_and_not_answered() -> None:
    output = session(device(SOURCE)).received(
        sent(component_state(2), source="0a0b0c0d0e0f"), moment(0)
    )
    assert output.unknown == ("0a0b0c0d0e0f (0F 0E 0D 0C 0B 0A on the wire)",)
    assert (output.send, output.samples, output.alive) == (b"", (), ())


def test_one_connection_carries_several_transmitters() -> None:
    other = "0000000000ff"
    one = session(
        device(SOURCE, point(object="device", field="mains_fault")),
        device(other, point(object="device", field="fault")),
    )
    both = sent("150108040009020715") + sent("150104040009020715", source=other)
    output = one.received(both, moment(0))
    assert values(output) == [(SOURCE, "mains_fault", True), (other, "fault", True)]
    assert output.alive == (SOURCE, other)
    assert len(output.send) == 60


def test_a_component_is_a_device_of_its_own_that_lives_with_its_transmitter() -> None:
    other = f"{SOURCE}/000600da"
    one = session(
        device(DETECTOR, point(field="alarm"), point(field="state")),
        device(other, point(field="alarm")),
    )
    output = one.received(sent(component_state(2, "000600da")), moment(0))
    assert values(output) == [(other, "alarm", True)]
    assert output.alive == (DETECTOR, other)


def test_the_system_tells_components_of_the_same_address_apart() -> None:
    mine, theirs = f"{SOURCE}/1.1/000600d9", f"{SOURCE}/1.2/000600d9"
    one = session(device(mine, point(field="alarm")), device(theirs, point(field="alarm")))
    output = one.received(sent(component_state(2)), moment(0))
    assert values(output) == [(mine, "alarm", True)]


def test_one_detector_does_not_clear_the_alarm_of_another() -> None:
    points = (point(field="alarm"), point(field="event"))
    one = session(device(SOURCE, *points, point(field="alarm", component="6.217")))
    first = one.received(sent(component_state(2), serial=1), moment(0))
    second = one.received(sent(component_state(0, "000600da"), serial=2), moment(1))
    assert [field for _, field, _ in values(first)] == ["event", "alarm"]
    assert values(second) == [(SOURCE, "event", "component 1.1/000600da 0")]


def test_who_operated_a_panel_is_secret() -> None:
    points = [point(object="operation", field=f) for f in ("operator", "reset", "event")]
    output = session(device(SOURCE, *points)).received(sent("0401010201fa040009020715"), moment(0))
    assert [(s.raw, s.is_secret) for s in output.samples] == [
        (250, True),
        (True, False),
        ("operation 1.2 reset", False),
    ]


def test_two_points_of_the_same_address_are_told_once() -> None:
    one = session(device(DETECTOR, point(field="alarm"), point(field="alarm")))
    assert len(one.received(sent(component_state(2)), moment(0)).samples) == 1


def test_the_clock_of_a_transmitter_is_a_sample() -> None:
    one = session(device(SOURCE, point(object="device_time", field="time")))
    output = one.received(sent("1c01040009020715"), moment(0))
    assert values(output) == [(SOURCE, "time", "2021-07-02T09:00:04")]


# --- time --------------------------------------------------------------------------------------


def test_a_transmitter_that_is_not_heard_in_time_is_silent_once() -> None:
    one = session(device(SOURCE, silent_after_s=300), device(DETECTOR))
    assert one.wake_at is None
    one.received(sent(""), moment(10))
    assert one.wake_at == 310
    assert one.wake(moment(309)).silent == ()
    assert one.wake(moment(310)).silent == (SOURCE, DETECTOR)
    assert one.wake_at is None
    assert one.received(sent("", serial=8), moment(400)).alive == (SOURCE, DETECTOR)
    assert one.wake_at == 700


def test_a_transmitter_without_supervision_is_never_silent() -> None:
    one = session(device(SOURCE, silent_after_s=0))
    one.received(sent(""), moment(0))
    assert one.wake_at is None


def test_the_clock_is_set_when_the_quirk_says_so_and_repeated_three_times() -> None:
    one = session(device(SOURCE, set_clock_every_s=3600, silent_after_s=0))
    output = one.received(sent(""), moment(0))
    confirmation, asked = output.send[:30], output.send[30:]
    assert read(confirmation) == answered(SessionOutput(confirmation))
    request = answered(SessionOutput(asked))
    assert (request.command, request.application.hex()) == (1, "5a01000009020715")
    assert (request.source, request.target) == (CENTRE, bytes.fromhex(SOURCE))
    times: list[str] = []
    while not (output := one.wake(moment(one.wake_at or 0))).fault:
        assert answered(output).serial == request.serial
        times.append(answered(output).application.hex()[4:6])
    assert times == ["0a", "14", "1e"]
    assert isinstance(output.fault, NoAnswer)
    assert one.wake_at == 40 + 3600


def test_a_confirmed_clock_is_set_again_with_the_next_serial_number() -> None:
    one = session(device(SOURCE, set_clock_every_s=3600, silent_after_s=0))
    one.received(sent(""), moment(0))
    wrong = sent("", serial=5, command=Command.CONFIRM)
    assert one.received(wrong, moment(1)).fault is None
    assert one.wake_at == 10
    one.received(sent("", serial=0, command=Command.CONFIRM), moment(2))
    assert one.wake_at == 3602
    assert answered(one.wake(moment(3602))).serial == 1


def test_a_denied_clock_is_told() -> None:
    one = session(device(SOURCE, set_clock_every_s=3600))
    one.received(sent(""), moment(0))
    output = one.received(sent("", serial=0, command=Command.DENY), moment(1))
    assert isinstance(output.fault, DeviceRefused)


def test_nothing_is_sent_unasked_without_the_quirk() -> None:
    one = session(device(SOURCE, silent_after_s=0))
    assert len(one.received(sent(""), moment(0)).send) == 30


# --- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("010203040506", "010203040506"),
        ("0A0B0C0D0E0F", "0a0b0c0d0e0f"),
        ("1.2.3.4.5.6", "010203040506"),
        ("010203040506/000600D9", "010203040506/000600d9"),
        ("1.2.3.4.5.6/6.217", "010203040506/000600d9"),
        ("010203040506/0.6.0.217", "010203040506/000600d9"),
        ("010203040506/1.2/6.217", "010203040506/1.2/000600d9"),
    ],
)
def test_an_address_has_one_key_and_the_key_is_an_address(text: str, key: str) -> None:
    assert PARSE(text) == key
    assert PARSE(key) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0102030405",
        "1.2.3.4.5",
        "1.2.3.4.5.256",
        "010203040506/",
        "010203040506/x/6.217",
        "010203040506/1.2/3/6.217",
        "010203040506/70000.1",
        10203040506,
        None,
    ],
)
def test_an_address_that_is_none_says_what_to_write(text: object) -> None:
    with pytest.raises(ValueError, match="write"):
        PARSE(text)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"field": "value"}, "component has no value"),
        ({"object": "analogue"}, "analogue has no state"),
        ({"object": "analogue", "field": "value"}, "kind is for object analogue"),
        ({"object": "analogue", "field": "value", "kind": "light"}, "kind 'light' is unknown"),
        ({"kind": "gas"}, "kind is for object analogue"),
        ({"component": "1.2.3"}, "no component"),
        ({"object": "system", "component": "6.217"}, "not of one component"),
        ({"object": "device", "system_type": 1}, "not of one system"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(keys: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        point(**keys)


def test_frame_bytes_of_a_maker_are_two() -> None:
    with pytest.raises(ValueError, match="two bytes"):
        Gbt26875Quirks(start="40")


@settings(max_examples=60)
@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([sent(component_state(2)), sent("150108040009020715")]),
        ),
        max_size=6,
    )
)
def test_a_session_takes_anything_and_sends_only_whole_frames(parts: list[bytes]) -> None:
    one = session(device(SOURCE, point(field="event"), set_clock_every_s=60))
    for at, octets in enumerate(parts):
        output = one.received(octets, moment(at))
        rest = output.send
        while rest:
            length = 30 + int.from_bytes(rest[24:26], "little")
            assert isinstance(read(rest[:length]), Frame)
            rest = rest[length:]
        one.wake(moment(at + 0.5))


def test_reply_to_a_retry_is_the_same_but_for_its_clock() -> None:
    one = session(device(SOURCE))
    first = answered(one.received(sent(""), moment(0)))
    again = answered(one.received(sent(""), moment(0)))
    assert first == again
    assert encode(first) == encode(again)


REFUSED = [v for v in VECTORS if "refused" in v and not v["hex"].startswith(PUBLIC.hex())]
"""Without the good frame that has a byte behind it: a stream takes that frame."""


@pytest.mark.parametrize("vector", REFUSED, ids=lambda v: v["id"])
def test_a_refused_golden_frame_gives_no_sample_and_no_confirmation(
    vector: dict[str, Any],
) -> None:
    one = session(device(SOURCE, point(field="event")), device("0" * 12, point(field="event")))
    output = one.received(bytes.fromhex(vector["hex"]), moment(0))
    assert output.samples == ()
    assert not output.send or answered(output).command == Command.DENY


def test_every_kind_of_report_is_a_sample_of_its_point() -> None:
    wanted = {
        "150108040009020715": point(object="device", field="mains_fault"),
        "010101010200040009020715": point(object="system", field="alarm"),
        "180131fa040009020715": point(object="device_operation", field="self_test"),
        "0301010128d9000600062003040009020715": point(
            object="analogue", field="value", kind="gas", component="6.217"
        ),
    }
    for application, address in wanted.items():
        (sample,) = session(device(SOURCE, address)).received(sent(application), moment(0)).samples
        assert sample.raw in {True, 80.0}
