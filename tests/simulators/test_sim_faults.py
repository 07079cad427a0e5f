"""Faults do what they say, by switch and by chance."""

from __future__ import annotations

import pytest
from sim_points import START_MS, meter, units

from simulators.faults import Fault, FaultKind, Faults, parse_faults
from simulators.frames import FRAMINGS, Asked, crc16
from simulators.units import Outgoing, Units

RTU = FRAMINGS["modbus-rtu"]
PDU = bytes.fromhex("03 0000 000A")


def asked() -> Asked:
    found = RTU.parse(RTU.wrap(Asked(1, b"", b""), 1, PDU))
    assert found is not None
    return found


def reply(bus: Units) -> Outgoing | None:
    return bus.respond(asked())


def good() -> bytes:
    return RTU.wrap(asked(), 1, meter().answer(PDU, START_MS))


def with_fault(kind: FaultKind, argument: int | None = None) -> Outgoing | None:
    bus = units(meter())
    bus.faults.set("em-01", Fault(kind, argument))
    return reply(bus)


def frame_of(kind: FaultKind, argument: int | None = None) -> bytes:
    out = with_fault(kind, argument)
    assert out is not None
    return out.frame


def test_without_faults_the_reply_is_good() -> None:
    assert reply(units(meter())) == Outgoing(0.02, good())


def test_silent_says_nothing() -> None:
    assert with_fault(FaultKind.SILENT) is None


def test_late_comes_whole_but_late() -> None:
    assert with_fault(FaultKind.LATE, 700) == Outgoing(0.72, good())


def test_noise_stands_before_or_after() -> None:
    before, after = frame_of(FaultKind.NOISE_BEFORE), frame_of(FaultKind.NOISE_AFTER)
    assert before.endswith(good())
    assert after.startswith(good())
    assert len(before) == len(after) == len(good()) + 5


def test_truncated_is_a_beginning() -> None:
    frame = frame_of(FaultKind.TRUNCATED)
    assert 0 < len(frame) < len(good())
    assert good().startswith(frame)


def test_wrong_unit_is_sound_but_of_another() -> None:
    frame = frame_of(FaultKind.WRONG_UNIT)
    assert frame[0] == 2
    assert crc16(frame) == 0
    assert frame[1:-2] == good()[1:-2]


def test_wrong_count_is_sound_but_answers_another_question() -> None:
    frame = frame_of(FaultKind.WRONG_COUNT)
    assert crc16(frame) == 0
    assert frame[2] == 18
    assert len(frame) == 5 + 18


def test_echo_gives_the_request_back_first() -> None:
    assert frame_of(FaultKind.ECHO) == asked().frame + good()


def test_exception_has_its_code() -> None:
    frame = frame_of(FaultKind.EXCEPTION, 6)
    assert frame[:3] == bytes((1, 0x83, 6))
    assert crc16(frame) == 0


def test_crc_is_wrong() -> None:
    frame = frame_of(FaultKind.CRC)
    assert crc16(frame) != 0
    assert frame[:-1] == good()[:-1]


def test_chance_is_seeded_and_about_right() -> None:
    fault = Fault(FaultKind.SILENT, probability=0.1)
    counts: list[int] = []
    for _ in range(2):
        faults = Faults(seed=7)
        faults.set("*", fault)
        counts.append(sum(faults.pick("any") is not None for _ in range(5000)))
    assert counts[0] == counts[1]
    assert 400 < counts[0] < 600


def test_a_device_of_its_own_is_not_everybody() -> None:
    faults = Faults()
    faults.set("*", Fault(FaultKind.SILENT))
    faults.set("em-02")
    assert faults.pick("em-01") is not None
    assert faults.pick("em-02") is None
    faults.heal()
    assert faults.pick("em-01") is None


def test_faults_are_read_from_text() -> None:
    parsed = parse_faults(["em-03:silent", "*:late=400@0.02", "*:crc@0.01"])
    assert parsed["em-03"] == (Fault(FaultKind.SILENT),)
    assert parsed["*"] == (Fault(FaultKind.LATE, 400, 0.02), Fault(FaultKind.CRC, None, 0.01))
    with pytest.raises(ValueError, match="cannot read the fault 'em-03:asleep'"):
        parse_faults(["em-03:asleep"])


def test_a_broadcast_reaches_all_and_nobody_answers() -> None:
    bus = units(meter(1), meter(2))
    assert bus.respond(Asked(0, PDU, b"")) is None
    assert bus.respond(Asked(3, PDU, b"")) is None


def test_each_unit_may_have_its_own_turnaround() -> None:
    bus = units(meter(1), meter(2))
    bus.set_turnaround(0.1, unit=2)
    first, second = bus.respond(Asked(1, PDU, b"")), bus.respond(Asked(2, PDU, b""))
    assert first is not None
    assert second is not None
    assert (first.after_s, second.after_s) == (0.02, 0.1)
