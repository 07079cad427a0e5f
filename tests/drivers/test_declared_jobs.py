"""Asking in declared frames: one request a frame, the right reply and no other."""

from __future__ import annotations

from functools import reduce

import pytest
from declared_support import LINE, QUIRKS, TANK, exchange, plan, point, run
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DeviceRefused, Fault, FrameError, NoAnswer, Wanted
from drivers.declared import DRIVER
from drivers.declared.declaration import declare

DRIVE = DRIVER.protocols["declared"]
LEVEL = point(request="read", field="level")
TEMP = point(request="read", field="temp")
READ = declare("t", TANK).replies["read"]


def reply(addr: int = 5, level: int = 2500, temp: int = -7) -> bytes:
    return READ.write({"addr": addr, "level": level, "temp": temp})


def framed(text: str) -> bytes:
    octets = bytes.fromhex(text)
    return octets + bytes([reduce(lambda a, b: a ^ b, octets[1:])])


def test_points_of_one_frame_are_one_request() -> None:
    (job,) = plan(5, LEVEL, TEMP, point(request="read", at=-3, bytes=2, mask=0xFF00))
    assert exchange(job).request == framed("aa0503")
    assert run(job, reply()) == (2500, -7, 0)
    assert (job.request_chars, job.reply_chars, job.keys) == (4, 10, (0, 1, 2))


def test_points_with_other_given_values_are_other_requests() -> None:
    points = [
        point("bay-detector-485", request="read", given={"start": n, "count": 1}, field="value")
        for n in (1, 3)
    ]
    jobs = plan(1, *points)
    assert [exchange(job).request[3] for job in jobs] == [1, 3]
    assert exchange(jobs[0]).shape != exchange(jobs[1]).shape


def test_a_reply_to_another_start_is_not_taken_for_this_one() -> None:
    one = point("bay-detector-485", request="read", given={"start": 1, "count": 1}, field="value")
    (job,) = plan(1, one)
    asked = exchange(job)
    template = one.declaration.replies["read"]
    assert asked.feed(template.write({"addr": 1, "start": 3, "value": 9})) is None
    assert isinstance(asked.verdict(), NoAnswer)
    assert asked.feed(template.write({"addr": 1, "start": 1, "value": 1})) is not None


@given(noise=st.binary(max_size=20), cuts=st.lists(st.integers(1, 40), max_size=5))
def test_the_reply_is_found_in_any_cut_and_behind_any_noise(noise: bytes, cuts: list[int]) -> None:
    stream = noise + reply(addr=6) + noise + reply()
    ends = [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    asked = exchange(plan(5, LEVEL)[0])
    found, start = None, 0
    for end in ends:
        found = found or asked.feed(stream[start:end])
        start = end
    assert found is not None
    assert found.fields["addr"] == 5


@given(size=st.integers(0, 9))
def test_a_truncated_reply_is_none(size: int) -> None:
    asked = exchange(plan(5, LEVEL)[0])
    assert asked.feed(reply()[:size]) is None
    verdict = asked.verdict()
    assert isinstance(verdict, FrameError if size else NoAnswer)


@given(at=st.integers(0, 9), bit=st.integers(0, 7))
def test_no_single_flipped_bit_passes(at: int, bit: int) -> None:
    spoilt = bytearray(reply())
    spoilt[at] ^= 1 << bit
    assert exchange(plan(5, LEVEL)[0]).feed(bytes(spoilt)) is None


def test_a_cut_reply_does_not_spoil_the_next() -> None:
    asked = exchange(plan(5, LEVEL)[0])
    assert asked.feed(reply()[:6]) is None
    found = asked.feed(reply(level=7))
    assert found is not None
    assert found.fields["level"] == 7


def test_the_verdict_says_what_came_instead() -> None:
    cases = {
        Fault.WRONG_UNIT: reply(addr=6),
        Fault.ECHO: framed("aa0503") + bytes(9),
        Fault.SHORT: b"\xaa\x05",
        Fault.CRC: reply()[:-1] + b"\x00",
    }
    for fault, octets in cases.items():
        asked = exchange(plan(5, LEVEL)[0])
        assert asked.feed(octets) is None
        verdict = asked.verdict()
        assert isinstance(verdict, FrameError)
        assert (verdict.fault, verdict.received) == (fault, octets)


def test_a_declared_refusal_is_the_devices_own_no_and_only_its_own() -> None:
    asked = exchange(plan(5, LEVEL)[0])
    assert asked.feed(framed("aa06ff02")) is None
    with pytest.raises(DeviceRefused) as refused:
        asked.feed(framed("aa05ff02"))
    assert refused.value.code == 2


def test_writing_puts_the_value_in_its_field_and_wants_it_confirmed() -> None:
    target = point(write_request="set", field="level")
    job = DRIVE.plan_write(5, target, 300, QUIRKS)
    asked = exchange(job)
    assert asked.request == framed("aa0506012c")
    assert asked.feed(framed("aa0586012d")) is None
    assert asked.feed(framed("aa0586012c")) is not None
    assert job.keys == ()


def test_a_write_that_nobody_confirms_ends_when_it_is_sent() -> None:
    keys = {"requests": {"go": "01 <n:1>"}, "replies": {}}
    job = DRIVE.plan_write(1, point(keys, write_request="go", field="n"), 7, QUIRKS)
    assert job.reply_chars == 0
    assert list(run(job, b"")) == []


def test_a_frame_without_a_value_does_one_thing() -> None:
    target = point("uhppote", write_request="open", given={"door": 3})
    asked = exchange(DRIVE.plan_write(423187757, target, raw=True, quirks=QUIRKS))
    assert asked.request == bytes.fromhex("174000002d55391903") + bytes(55)
    with pytest.raises(ValueError, match="write true"):
        DRIVE.plan_write(423187757, target, raw=False, quirks=QUIRKS)
    with pytest.raises(DeviceRefused):
        asked.feed(bytes.fromhex("174000002d55391900") + bytes(55))


@pytest.mark.parametrize("raw", [70000, -1, 1.5, "x"])
def test_a_value_that_does_not_fit_is_refused(raw: float | str) -> None:
    with pytest.raises(ValueError, match="does not fit 2 bytes"):
        DRIVE.plan_write(5, point(write_request="set", field="level"), raw, QUIRKS)


def test_what_can_only_be_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="can only be read"):
        DRIVE.plan_write(5, LEVEL, 1, QUIRKS)


@pytest.mark.parametrize(
    ("unit", "part"),
    [
        (0, "means every device"),
        (255, "all ones"),
        (256, "does not fit 1 bytes"),
        ("5/1", "write <addr>"),
        ("abc", "does not fit 1 bytes"),
    ],
)
def test_nothing_is_ever_sent_to_everybody_or_to_nobody(unit: object, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        plan(unit, LEVEL)
    with pytest.raises(ValueError, match=part):
        DRIVE.plan_write(unit, point(write_request="set", field="level"), 1, QUIRKS)


def test_a_door_controller_is_never_asked_by_broadcast() -> None:
    status = point("uhppote", request="status", field="door_1")
    for unit in (0, 0xFFFFFFFF):
        with pytest.raises(ValueError, match="every device"):
            plan(unit, status)


def test_tied_points_must_be_in_one_frame() -> None:
    listened = point(request="read", given={"x": 1}, field="temp")
    with pytest.raises(ValueError, match="same frame"):
        DRIVE.plan(5, [Wanted(0, LEVEL, 1), Wanted(1, listened)], QUIRKS, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs `request`"):
        plan(5, point(reply="read", field="temp"))


def test_a_probe_is_the_same_question_without_points() -> None:
    (job,) = plan(5, LEVEL)
    probe = DRIVE.probe(5, job)
    assert exchange(probe).request == exchange(job).request
    assert probe.keys == ()
    assert probe.split() == ()
    assert "read" in job.describe()


def test_a_line_can_be_asked_for_too() -> None:
    keys = {**LINE, "requests": {"ask": "#<host:3>,<bay>"}}
    bay = point(keys, request="ask", reply="bay", field="state")
    asked = exchange(plan("1/17", bay)[0])
    assert asked.request == b"#001,17\r\n"
    lines = keys["replies"]["bay"], declare("l", keys).replies["bay"]
    other = lines[1].write({"host": 1, "bay": 18, "state": 0, "card": ""})
    mine = lines[1].write({"host": 1, "bay": 17, "state": 2, "card": ""})
    assert asked.feed(other) is None
    found = asked.feed(mine)
    assert found is not None
    assert found.fields["state"] == "2"


def test_a_request_that_passes_as_its_own_reply_says_so() -> None:
    status = plan(423187757, point("uhppote", request="status", field="door_1"))[0]
    assert exchange(status).reply_may_equal_request
    assert not exchange(plan(5, LEVEL)[0]).reply_may_equal_request


def test_addresses_are_numbers_or_parts_and_zeros_before_them_do_not_count() -> None:
    assert DRIVE.parse_unit("007") == DRIVE.parse_unit(7) == 7
    assert DRIVE.parse_unit("001/02/17") == DRIVE.parse_unit("1/2/17")
    for wrong in ("", "a b", "1//2", True, "/".join("123456789"), "x" * 40):
        with pytest.raises(ValueError, match="no address in declared frames"):
            DRIVE.parse_unit(wrong)


def test_the_secret_bytes_of_a_frame_are_named_behind_noise_too() -> None:
    noise = b"\x00\x01"
    decoded = DRIVE.decode(noise + reply(), "response", [Wanted(0, LEVEL)])
    assert decoded.ok
    assert decoded.raw == {0: 2500}
    assert decoded.spans_secret == (slice(10, 11),)
    assert decoded.frame["framing"] == "declared"


def test_a_reply_to_another_request_is_not_good() -> None:
    decoded = DRIVE.decode(reply(addr=6), "response", [Wanted(0, LEVEL)], framed("aa0503"))
    assert (decoded.ok, decoded.error) == (False, "addr is 6, the request says 5")
