"""An exchange finds its reply, and only its reply, in whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from modbus_support import PROTOCOLS, UNIT, driver, wrap

from drivers.contract import DeviceRefused, Fault, FrameError, NoAnswer
from drivers.modbus.framing import KEPT
from drivers.modbus.pdu import (
    EXCEPTIONS,
    Request,
    identification_request,
    mask_write_request,
    read_request,
    server_id_request,
    write_coil_request,
    write_coils_request,
    write_register_request,
    write_registers_request,
)

SERIAL = ("modbus-rtu", "modbus-ascii")
READ = read_request(3, 0x10, 2)
REPLY = bytes.fromhex("0304 1234 5678")
PAYLOAD = bytes.fromhex("1234 5678")
IDENTITY = bytes.fromhex("2B0E01 01 00 00 02 00 03 414243 01 01 44")

KNOWN: list[tuple[Request, bytes]] = [
    (READ, REPLY),
    (read_request(4, 0, 1), bytes.fromhex("04020001")),
    (read_request(1, 3, 9), bytes.fromhex("0102FF01")),
    (read_request(2, 3, 8), bytes.fromhex("0201A5")),
    (write_coil_request(9, is_on=True), bytes.fromhex("050009FF00")),
    (write_register_request(9, b"\1\2"), bytes.fromhex("0600090102")),
    (write_coils_request(9, [True, False, True]), bytes.fromhex("0F00090003")),
    (write_registers_request(9, b"\1\2\3\4"), bytes.fromhex("1000090002")),
    (mask_write_request(4, 0xF2, 0x25), bytes.fromhex("16000400F20025")),
    (server_id_request(), bytes.fromhex("110341 42FF")),
    (identification_request(1, 0), IDENTITY),
]


def exchange_of(protocol: str, request: Request = READ, unit: int = UNIT) -> Any:
    return driver(protocol).framing.prepare(unit, request).exchange()


def feed_all(exchange: Any, pieces: Sequence[bytes]) -> bytes | None:
    for piece in pieces:
        payload = exchange.feed(piece)
        if payload is not None:
            return payload
    return None


def cut(octets: bytes, places: Sequence[int]) -> list[bytes]:
    marks = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
    return [octets[a:b] for a, b in pairwise(marks)]


def noise_for(protocol: str) -> st.SearchStrategy[bytes]:
    """Noise with beginnings of the reply in it, and of what else could look like one."""
    baits = [wrap(protocol, REPLY)[:n] for n in (1, 2, 3, 5, 7, 8)]
    baits += [wrap(protocol, b"\x83\2")[:-1], b"\0\0\0", b"\xff", b":", b"\r\n"]
    return st.lists(st.one_of(st.sampled_from(baits), st.binary(max_size=9)), max_size=6).map(
        b"".join
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("request_", "pdu"), KNOWN, ids=lambda v: getattr(v, "function", None))
def test_every_reply_is_known_whole_and_byte_by_byte(
    protocol: str, request_: Request, pdu: bytes
) -> None:
    for size in (1, 2, 300):
        exchange = exchange_of(protocol, request_)
        frame = wrap(protocol, pdu, exchange.request)
        pieces = [frame[i : i + size] for i in range(0, len(frame), size)]
        assert feed_all(exchange, pieces) == pdu[len(request_.reply_head) :]
        if request_.reply_length is not None:
            assert len(frame) == exchange.reply_chars


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_noise_is_skipped_in_any_cut(protocol: str, data: st.DataObject) -> None:
    exchange = exchange_of(protocol)
    noise = data.draw(noise_for(protocol))
    octets = noise + wrap(protocol, REPLY, exchange.request) + data.draw(st.binary(max_size=5))
    places = data.draw(st.lists(st.integers(0, 400), max_size=8))
    assert feed_all(exchange, cut(octets, places)) == PAYLOAD


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_a_refusal_is_found_in_noise_in_any_cut(protocol: str, data: st.DataObject) -> None:
    exchange = exchange_of(protocol)
    code = data.draw(st.integers(1, 255))
    frame = wrap(protocol, bytes((0x83, code)), exchange.request)
    octets = data.draw(noise_for(protocol)) + frame
    with pytest.raises(DeviceRefused) as refusal:
        feed_all(exchange, cut(octets, data.draw(st.lists(st.integers(0, 400), max_size=5))))
    assert refusal.value.code == code
    assert frame in refusal.value.received


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_anything_may_come_without_harm(protocol: str, data: st.DataObject) -> None:
    exchange = exchange_of(protocol, data.draw(st.sampled_from(KNOWN))[0])
    for piece in data.draw(st.lists(st.binary(max_size=300), max_size=6)):
        assert exchange.feed(piece) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, NoAnswer | FrameError)
    assert exchange.foreign >= 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_reply_cut_short_is_none(protocol: str) -> None:
    for length in range(1, len(wrap(protocol, REPLY))):
        exchange = exchange_of(protocol)
        frame = wrap(protocol, REPLY, exchange.request)[:length]
        assert exchange.feed(frame) is None
        verdict = exchange.verdict()
        assert isinstance(verdict, FrameError)
        assert verdict.fault is Fault.SHORT
        assert verdict.received == frame


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_silence_is_no_answer(protocol: str) -> None:
    verdict = exchange_of(protocol).verdict()
    assert isinstance(verdict, NoAnswer)
    assert verdict.received == b""


@pytest.mark.parametrize("protocol", SERIAL)
@given(bit=st.integers(0, 1000))
def test_one_wrong_bit_is_never_accepted(protocol: str, bit: int) -> None:
    frame = bytearray(wrap(protocol, REPLY))
    assume(protocol == "modbus-rtu" or 8 <= bit % (8 * len(frame)) < 8 * (len(frame) - 2))
    bit %= 8 * len(frame)
    frame[bit // 8] ^= 1 << bit % 8
    exchange = exchange_of(protocol)
    assert exchange.feed(bytes(frame)) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.CRC
    assert verdict.received == frame


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_repeated_reply_is_taken_once(protocol: str) -> None:
    exchange = exchange_of(protocol)
    assert exchange.feed(2 * wrap(protocol, REPLY, exchange.request)) == PAYLOAD


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_frames_of_other_units_are_skipped_and_counted(protocol: str) -> None:
    exchange = exchange_of(protocol)
    other = wrap(protocol, REPLY, exchange.request, unit=UNIT + 1)
    assert exchange.feed(other) is None
    assert exchange.foreign == 1
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.WRONG_UNIT
    assert "unit 18" in str(verdict)
    assert exchange.feed(wrap(protocol, REPLY, exchange.request)) == PAYLOAD


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("pdu", "fault"),
    [
        ("0404 1234 5678", Fault.WRONG_UNIT),  # another function
        ("0302 1234", Fault.SHORT),  # fewer registers than asked for
        ("0306 1234 5678 9ABC", Fault.SHORT),  # more
        ("8402", Fault.WRONG_UNIT),  # an exception to another function
    ],
)
def test_a_good_frame_that_is_not_the_reply_is_refused(
    protocol: str, pdu: str, fault: Fault
) -> None:
    exchange = exchange_of(protocol)
    assert exchange.feed(wrap(protocol, bytes.fromhex(pdu), exchange.request)) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is fault


@pytest.mark.parametrize("protocol", SERIAL)
def test_only_the_request_itself_is_an_echo(protocol: str) -> None:
    exchange = exchange_of(protocol)
    assert exchange.feed(exchange.request) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.ECHO


def test_a_request_whose_address_looks_like_the_byte_count_is_not_its_reply() -> None:
    exchange = exchange_of("modbus-rtu", read_request(3, 0x0400, 2))
    assert exchange.request[2] == 4
    assert exchange.feed(exchange.request) is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("code", EXCEPTIONS)
def test_a_refusal_keeps_the_device_code_and_says_its_name(protocol: str, code: int) -> None:
    exchange = exchange_of(protocol)
    with pytest.raises(DeviceRefused, match=EXCEPTIONS[code]) as refusal:
        exchange.feed(wrap(protocol, bytes((0x83, code)), exchange.request))
    assert refusal.value.code == code
    assert refusal.value.is_busy == (code in {5, 6})
    assert refusal.value.is_address == (code == 2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_kept_is_bounded(protocol: str) -> None:
    exchange = exchange_of(protocol)
    for _ in range(40):
        assert exchange.feed(b"\x55" * 100) is None
    assert KEPT <= len(exchange.verdict().received) <= 1100
    assert exchange.feed(b"\r\n" + wrap(protocol, REPLY, exchange.request)) == PAYLOAD


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_of_frames_of_others_that_never_end_only_the_last_are_kept(protocol: str) -> None:
    exchange = exchange_of(protocol)
    other = wrap(protocol, REPLY, exchange.request, unit=UNIT + 1)
    for _ in range(500):
        assert exchange.feed(other) is None
    assert 1 <= exchange.foreign <= KEPT // len(other)


@pytest.mark.parametrize("protocol", SERIAL)
def test_the_shape_is_unit_function_and_length(protocol: str) -> None:
    assert exchange_of(protocol).shape == exchange_of(protocol, read_request(3, 99, 2)).shape
    others = [read_request(3, 0x10, 3), read_request(4, 0x10, 2)]
    for other in others:
        assert exchange_of(protocol).shape != exchange_of(protocol, other).shape
    assert exchange_of(protocol).shape != exchange_of(protocol, unit=9).shape


def test_tcp_replies_have_no_shape_but_a_number() -> None:
    one, other = exchange_of("modbus-tcp"), exchange_of("modbus-tcp")
    assert one.shape is None
    assert one.request != other.request
    assert one.request[2:] == other.request[2:]
    late = wrap("modbus-tcp", REPLY, one.request)
    assert other.feed(late) is None
    assert other.foreign == 1
    assert isinstance(other.verdict(), NoAnswer)
    assert other.feed(wrap("modbus-tcp", REPLY, other.request)) == PAYLOAD


def test_a_tcp_reply_with_its_number_swapped_is_not_taken() -> None:
    exchange = exchange_of("modbus-tcp")
    exchange.transaction = b"\0\1"
    assert exchange.feed(bytes.fromhex("0100 0000 0007 11 03 04 12345678")) is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("request_", "pdu"), KNOWN, ids=lambda v: getattr(v, "function", None))
def test_only_single_writes_are_answered_by_their_own_bytes(
    protocol: str, request_: Request, pdu: bytes
) -> None:
    exchange = exchange_of(protocol, request_)
    is_same = wrap(protocol, pdu, exchange.request) == exchange.request
    assert exchange.reply_may_equal_request == is_same == (request_.function in {5, 6, 22})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_function_of_unknown_length_ends_where_its_checksum_says(protocol: str) -> None:
    request = Request(b"\x41\1", b"\x41", None)
    for size in (1, 300):
        exchange = exchange_of(protocol, request)
        frame = wrap(protocol, b"\x41\7\7\7", exchange.request)
        pieces = [frame[i : i + size] for i in range(0, len(frame), size)]
        assert feed_all(exchange, pieces) == b"\7\7\7"
