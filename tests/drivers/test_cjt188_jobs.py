"""Asking a meter: whose reply counts, in which order its identifier goes, and what is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cjt188 import DRIVER
from drivers.cjt188.address import WILDCARD, Field
from drivers.cjt188.exchange import Cjt188Exchange
from drivers.contract import DeviceRefused, Exchange, Fault, FrameError, Job, NoAnswer
from tests.drivers.cjt188_support import (
    METER,
    QUIRKS,
    WATER,
    address,
    driver,
    job_of,
    parsed,
    quirks,
    reply_to,
    run,
    vector,
)

LOW = bytes.fromhex("1f90")
HIGH = bytes.fromhex("901f")


def _begin(job: Job) -> Exchange:
    return next(job.steps())


def _water(**keys: Any) -> tuple[Exchange, bytes]:
    exchange = _begin(job_of(Field.VOLUME, **keys))
    return exchange, reply_to(exchange.request, WATER)


def test_the_request_is_that_of_the_captures() -> None:
    job = job_of(Field.VOLUME, unit="00201510270588", preambles=0)
    assert _begin(job).request == vector(10)
    assert job.request_chars == len(vector(10))


def test_the_reply_of_a_capture_is_read() -> None:
    job = job_of(Field.VOLUME, Field.CLOCK, unit="00201510270588", type="10")
    assert run(job, lambda _: vector(12)) == [0.0, "2017-01-09T17:20:06"]


@given(
    cuts=st.lists(st.integers(1, 12), max_size=12),
    noise=st.binary(max_size=12),
    preambles=st.integers(0, 13),
)
def test_the_reply_is_found_in_any_cut_and_behind_any_noise(
    cuts: list[int], noise: bytes, preambles: int
) -> None:
    exchange, reply = _water()
    octets = noise + b"\xfe" * preambles + reply
    found = None
    for size in [*cuts, len(octets)]:
        piece, octets = octets[:size], octets[size:]
        found = exchange.feed(piece)
        if found is not None:
            break
    assert found == parsed(reply)


@given(where=st.integers(0, 34), bit=st.integers(0, 7))
def test_one_wrong_bit_anywhere_makes_no_reply(where: int, bit: int) -> None:
    exchange, reply = _water()
    spoilt = bytearray(reply)
    spoilt[where % len(reply)] ^= 1 << bit
    assert exchange.feed(bytes(spoilt)) is None
    assert isinstance(exchange.verdict(), FrameError)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_end_in_more_or_in_an_error_of_the_driver(pieces: list[bytes]) -> None:
    exchange, _ = _water()
    for piece in pieces:
        assert exchange.feed(piece) is None
    assert isinstance(exchange.verdict(), NoAnswer | FrameError)


def test_an_echo_of_the_request_is_no_reply() -> None:
    exchange, reply = _water()
    assert exchange.feed(exchange.request) is None
    echoed = exchange.verdict()
    assert isinstance(echoed, FrameError)
    assert echoed.fault is Fault.ECHO
    assert exchange.feed(reply) is not None


def test_the_reply_of_another_meter_is_skipped_and_told() -> None:
    exchange, reply = _water()
    other = reply_to(exchange.request, WATER, address="11110123456789")
    assert exchange.feed(other) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert (verdict.fault, str(verdict)) == (
        Fault.WRONG_UNIT,
        "meter 11110123456789 answered in its place",
    )
    assert exchange.feed(reply) is not None


def test_a_request_to_type_20_may_be_answered_by_type_25() -> None:
    # Golden frame 022: request type 20 and SER 12, reply type 25 and SER 03.
    job = job_of(Field.T_SUPPLY, Field.T_RETURN, unit="00312718241912", type="20", ser="any")
    assert parsed(_begin(job).request).type == 0x20
    assert run(job, lambda _: vector(22)) == [26.79, 26.64]


def test_a_serial_number_that_does_not_come_back_needs_the_quirk() -> None:
    exchange, _ = _water()
    reply = reply_to(exchange.request, WATER, head=HIGH + b"\x55")
    assert exchange.feed(reply) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, NoAnswer)
    assert "90 1F 55 where 901F with SER 01 was asked" in str(verdict)
    lenient, _ = _water(ser="any")
    assert lenient.feed(reply) is not None


def test_a_repeated_read_is_the_same_request_of_the_same_shape() -> None:
    job, same = job_of(Field.VOLUME), job_of(Field.STATUS, Field.CLOCK)
    first, second = _begin(job), _begin(same)
    assert first.request == second.request
    assert first.shape == second.shape is not None
    month = _begin(job_of(address(field="volume", month=1)))
    assert month.shape != first.shape


def test_the_serial_number_tells_identifiers_and_orders_apart() -> None:
    points = [address(field="volume"), *(address(field="volume", month=m) for m in range(1, 13))]
    points += [address(field="day", di=di) for di in ("8103", "8104")]
    points += [address(field="price_1"), address(field="purchase")]
    numbers = [
        parsed(_begin(job_of(point, di_order=order)).request).content[2]
        for point in points
        for order in ("high_first", "low_first")
    ]
    assert len(set(numbers)) == len(numbers)


def test_a_late_reply_to_the_other_order_or_to_another_identifier_is_skipped() -> None:
    job = job_of(Field.VOLUME)
    first, second = _begin(job), _begin(job)
    assert second.feed(reply_to(first.request, WATER)) is None
    assert isinstance(second.verdict(), NoAnswer)
    month = _begin(job_of(address(field="volume", month=1)))
    late = reply_to(month.request, b"", control=0xC1, head=b"\x20\x00\x02")
    assert second.feed(late) is None
    assert second.feed(reply_to(second.request, WATER)) is not None


@pytest.mark.parametrize("order", [HIGH, LOW])
def test_with_auto_either_order_is_accepted_in_the_reply(order: bytes) -> None:
    exchange, _ = _water(di_order="auto")
    assert exchange.feed(reply_to(exchange.request, WATER, head=order + b"\x01")) is not None


def test_with_a_given_order_the_other_is_refused() -> None:
    exchange, _ = _water(di_order="low_first")
    assert parsed(exchange.request).content == LOW + b"\x81"
    assert exchange.feed(reply_to(exchange.request, WATER, head=HIGH + b"\x81")) is None
    assert exchange.feed(reply_to(exchange.request, WATER)) is not None


def test_after_no_answer_the_other_order_is_tried_and_what_worked_is_remembered() -> None:
    job = job_of(Field.VOLUME, di_order="auto")
    orders = [parsed(_begin(job).request).content[:2] for _ in range(3)]
    assert orders == [HIGH, LOW, HIGH]

    def stubborn(request: bytes) -> bytes:
        return reply_to(request, WATER) if parsed(request).content[:2] == LOW else b""

    with pytest.raises(AssertionError):  # no reply: what the bus calls NoAnswer
        run(job_of(Field.VOLUME), stubborn)
    assert run(job, stubborn) == [556677.0]  # the fourth run is LOW again
    silent = _begin(job)
    assert parsed(silent.request).content[:2] == LOW
    assert parsed(_begin(job).request).content[:2] == LOW  # a lost reply changes nothing


def test_the_order_that_worked_belongs_to_the_job_alone() -> None:
    job, other = job_of(Field.VOLUME), job_of(Field.VOLUME)
    _begin(job)
    _begin(job)
    assert parsed(_begin(other).request).content[:2] == HIGH


def test_a_probe_is_the_job_itself_so_that_it_learns() -> None:
    job = job_of(Field.VOLUME)
    assert driver().probe(METER, job) is job


def test_an_error_reply_refuses_with_serial_number_and_status() -> None:
    exchange, _ = _water()
    refusal = reply_to(exchange.request, b"", control=0xC1, head=bytes.fromhex("011122"))
    with pytest.raises(DeviceRefused, match="control C1, SER 01, status 1122") as caught:
        exchange.feed(refusal)
    assert caught.value.code == 0x1122
    assert not caught.value.is_busy


def test_an_error_reply_to_another_request_is_skipped() -> None:
    exchange, reply = _water()
    for control, head in ((0xC1, "021122"), (0xC4, "011122"), (0xC1, "01112233")):
        other = reply_to(exchange.request, b"", control=control, head=bytes.fromhex(head))
        assert exchange.feed(other) is None
    assert exchange.feed(reply) is not None


def test_a_reply_of_another_length_is_not_guessed_at() -> None:
    exchange, _ = _water()
    assert exchange.feed(reply_to(exchange.request, WATER + b"\0")) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert (verdict.fault, str(verdict)) == (
        Fault.SHORT,
        "its length is 23 where 22 or 46 is right",
    )


def test_the_verdict_says_what_came() -> None:
    exchange, reply = _water()
    assert isinstance(exchange.verdict(), NoAnswer)
    exchange.feed(reply[:20])
    short = exchange.verdict()
    assert isinstance(short, FrameError)
    assert (short.fault, short.received) == (Fault.SHORT, reply[:20])
    exchange, reply = _water()
    exchange.feed(reply[:-2] + b"\0\x16")
    spoilt = exchange.verdict()
    assert isinstance(spoilt, FrameError)
    assert spoilt.fault is Fault.CRC


def test_the_copied_example_with_the_wrong_checksum_gives_no_value() -> None:
    exchange = _begin(job_of(Field.VOLUME, unit="78330011223344", ser="any"))
    assert exchange.feed(vector(1)) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert str(verdict) == "checksum 08 is wrong, 13 would be right"
    assert exchange.feed(vector(2)) is not None


def test_an_address_is_read_by_wildcard_in_the_captured_exchange() -> None:
    job = job_of(Field.ADDRESS, unit=WILDCARD, type="10", preambles=3)
    assert _begin(job).request == vector(37)
    other = job_of(Field.ADDRESS, unit=WILDCARD, di_order="low_first", ser="any")
    assert run(other, lambda _: vector(7)) == ["78330123456789"]
    assert run(other, lambda _: vector(40)) == ["20260324152900"]


def test_an_address_reply_that_repeats_the_address_in_its_data_is_taken() -> None:
    job = job_of(Field.ADDRESS, unit=WILDCARD)
    answer = bytes.fromhex(METER)[::-1]
    assert run(job, lambda request: reply_to(request, answer, address=METER)) == [METER]


def test_a_scan_asks_every_type_by_wildcard_in_both_orders() -> None:
    jobs = list(DRIVER.conduct.scan())
    requests = [parsed(_begin(job).request) for job in jobs]
    assert {r.address for r in requests} == {WILDCARD}
    assert {f"{r.type:02X}" for r in requests} == {"AA", "10", "20", "30"}
    assert {r.content[:2].hex() for r in requests} == {"810a", "0a81"}
    assert run(jobs[0], lambda r: reply_to(r, b"", address=METER, type=0x10)) == [METER]


@pytest.mark.parametrize(("raw", "number"), [(0x55, 35), (0x99, 36)])
def test_the_valve_command_is_that_of_the_captures(raw: int, number: int) -> None:
    allowed = quirks(valve=True, di_order="high_first")
    job = driver().plan_write("00000019121301", address(field="valve"), raw, allowed)
    assert _begin(job).request == vector(number)
    assert job.describe() == f"write A017: {raw:02X}"
    assert (job.keys, job.split(), job.exchanges) == ((), (), 1)


def _valve(raw: Any = 0x99, field: str = "valve", unit: str = METER, **keys: Any) -> Job:
    said = {"valve": True, "di_order": "high_first", **keys}
    return driver().plan_write(unit, address(field=field), raw, quirks(**said))


def test_the_valve_is_off_by_default() -> None:
    assert QUIRKS.valve is False
    with pytest.raises(ValueError, match="the quirk valve is not true"):
        _valve(valve=False)


@pytest.mark.parametrize("raw", [0x66, 0x77, 0xAA, 0, 1, True, "open"])
def test_no_other_code_is_ever_sent_to_a_valve(raw: Any) -> None:
    with pytest.raises(ValueError, match="no valve command"):
        _valve(raw)


def test_a_valve_that_may_only_be_closed_cannot_be_opened() -> None:
    assert parsed(_begin(_valve(raw=True, field="valve_close")).request).content[3:] == b"\x99"
    with pytest.raises(ValueError, match="only closes"):
        _valve(raw=False, field="valve_close")


def test_a_write_needs_the_order_and_an_address_of_its_own() -> None:
    with pytest.raises(ValueError, match="di_order"):
        _valve(di_order="auto")
    with pytest.raises(ValueError, match="every meter of the line"):
        _valve(unit=WILDCARD)


@pytest.mark.parametrize("payload", [b"\x00\x00", b""])
def test_a_write_is_confirmed_with_status_or_without(payload: bytes) -> None:
    job = _valve()
    assert run(job, lambda request: reply_to(request, payload)) == ()


def test_the_valve_reply_of_one_maker_has_control_aa() -> None:
    job = _valve(unit="00000805000001", ser="any")
    assert run(job, lambda _: vector(5)) == ()
    clock = driver().plan_write(
        "00000805000001",
        address(field="clock", di="A015"),
        "2026-11-27T02:30:00",
        quirks(di_order="high_first"),
    )
    request = _begin(clock)
    assert request.feed(reply_to(request.request, b"\0\0", control=0xAA)) is None


def test_a_refused_write_is_told() -> None:
    with pytest.raises(DeviceRefused, match="control C4"):
        run(
            _valve(),
            lambda request: reply_to(request, b"", control=0xC4, head=bytes.fromhex("010020")),
        )


def test_writes_of_one_shape_guard_against_late_confirmations() -> None:
    opening, closing = _begin(_valve(0x55)), _begin(_valve(0x99))
    assert opening.shape == closing.shape is not None


def test_a_clock_with_a_zone_is_refused_as_the_meter_has_none() -> None:
    for text in ("2026-11-27T02:30:00Z", "2026-11-27T02:30:00+08:00"):
        with pytest.raises(ValueError, match="local time"):
            driver().plan_write(
                METER, address(field="clock", di="A015"), text, quirks(di_order="high_first")
            )


def test_the_clock_is_written_as_it_is_read() -> None:
    point = address(field="clock", di="A015")
    job = driver().plan_write(METER, point, "2015-05-11T22:01:31", quirks(di_order="low_first"))
    content = parsed(_begin(job).request).content
    assert content == bytes.fromhex("15a0 01") + WATER[10:17]
    with pytest.raises(ValueError, match="no time"):
        driver().plan_write(METER, point, "noon", quirks(di_order="low_first"))


def test_other_fields_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        driver().plan_write(METER, address(field="volume"), 1, quirks(valve=True))


def test_an_exchange_says_whom_it_asks_and_how_long_the_reply_is() -> None:
    exchange, reply = _water()
    assert isinstance(exchange, Cjt188Exchange)
    assert (exchange.unit, exchange.switch, exchange.reply_may_equal_request) == (
        METER,
        None,
        False,
    )
    assert exchange.reply_chars == len(reply) + 2
    assert job_of(Field.ENERGY, type="20").reply_chars == 2 + 13 + 46
