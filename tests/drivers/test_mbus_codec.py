"""Frames of M-Bus: one form each, found in any stream, refused when damaged."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import DeviceRefused, DriverError, Fault, FrameError, NoAnswer
from drivers.mbus.codec import Frame, encode, find_ack, find_frames, long_frame, parse, short_frame
from drivers.mbus.exchange import KEPT, AckExchange, ReadExchange
from drivers.mbus.unit import MbusUnit
from tests.drivers.mbus_support import GOOD, MBUS, telegram

UNIT = MbusUnit(primary=5)
REPLY = telegram("0C1345230100")
OTHER = telegram("0C1399999999", a=6)
NOISE = st.lists(st.sampled_from([0x00, 0x10, 0x16, 0x68, 0xFF, 0x05]), max_size=12).map(bytes)


def read() -> ReadExchange:
    return ReadExchange(UNIT, short_frame(0x7B, 5), 261)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_good_frame_has_one_form(name: str) -> None:
    assert encode(parse(GOOD[name])) == GOOD[name]


@given(
    c=st.integers(0, 255),
    a=st.integers(0, 255),
    ci=st.none() | st.integers(0, 255),
    body=st.binary(max_size=252),
)
def test_what_is_encoded_is_parsed_again(c: int, a: int, ci: int | None, body: bytes) -> None:
    frame = Frame(c, a, ci, b"" if ci is None else body)
    assert parse(encode(frame)) == frame


def test_a_body_that_does_not_fit_is_not_framed() -> None:
    with pytest.raises(ValueError, match="252"):
        long_frame(8, 5, 0x72, bytes(253))


@given(place=st.integers(0, len(REPLY) - 1), bit=st.integers(0, 7))
def test_a_single_wrong_bit_is_refused(place: int, bit: int) -> None:
    damaged = bytearray(REPLY)
    damaged[place] ^= 1 << bit
    assert not MBUS.decode(bytes(damaged), "response").ok


@given(count=st.integers(0, len(REPLY) - 1))
def test_a_frame_that_is_cut_off_is_refused(count: int) -> None:
    assert not MBUS.decode(REPLY[:count], "response").ok


@given(cuts=st.lists(st.integers(0, 200), max_size=8), before=NOISE, between=NOISE)
@settings(max_examples=150)
def test_the_reply_is_found_in_any_cut_after_noise_and_foreign_frames(
    cuts: list[int], before: bytes, between: bytes
) -> None:
    stream = before + OTHER + between + REPLY
    edges = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    exchange = read()
    replies = [exchange.feed(stream[start:end]) for start, end in itertools.pairwise(edges)]
    assert replies[-1] is not None
    assert replies[-1].telegram.records[0].value == 12.345
    assert all(reply is None for reply in replies[:-1])


@given(pieces=st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_give_a_reply_more_or_an_error_of_drivers(pieces: list[bytes]) -> None:
    for exchange in (read(), AckExchange(UNIT, short_frame(0x40, 5))):
        try:
            for piece in pieces:
                exchange.feed(piece)
        except DriverError:
            continue
        assert isinstance(exchange.verdict(), DriverError)


def test_the_buffer_is_bounded() -> None:
    exchange = read()
    for _ in range(50):
        assert exchange.feed(b"\x68\xff\xff\x68" * 20) is None
    assert len(exchange.verdict().received) <= KEPT


@given(received=st.binary(max_size=64))
def test_frames_of_a_stream_come_in_order_of_their_ends(received: bytes) -> None:
    ends = [found.end for found in find_frames(received + REPLY + received + OTHER)]
    assert ends == sorted(ends)
    assert {len(received + REPLY), len(received + REPLY + received + OTHER)} <= set(ends)


def test_a_confirmation_counts_after_noise_but_not_inside_a_frame() -> None:
    assert find_ack(b"\x00\x10\xff\xe5") == 3
    inside = telegram("0C13E5E50100")
    assert find_ack(inside) is None
    assert find_ack(inside + b"\xe5") == len(inside)
    assert AckExchange(UNIT, b"").feed(b"\xe5") is True


def test_a_request_that_nobody_confirms_is_done_at_once() -> None:
    exchange = AckExchange(UNIT, b"", has_reply=False)
    assert exchange.reply_chars == 0
    assert exchange.feed(b"") is True


def test_the_verdict_says_what_was_wrong() -> None:
    assert isinstance(read().verdict(), NoAnswer)
    for received, fault in (
        (REPLY[:9], Fault.SHORT),
        (REPLY[:-2] + b"\x00\x16", Fault.CRC),
        (OTHER, Fault.WRONG_UNIT),
    ):
        exchange = read()
        assert exchange.feed(received) is None
        verdict = exchange.verdict()
        assert isinstance(verdict, FrameError)
        assert verdict.fault is fault


def test_an_own_request_that_comes_back_is_no_reply() -> None:
    exchange = read()
    assert exchange.feed(exchange.request) is None
    assert exchange.feed(REPLY) is not None


def test_an_application_error_is_a_refusal_with_its_code() -> None:
    with pytest.raises(DeviceRefused, match="too busy") as refusal:
        read().feed(long_frame(8, 5, 0x70, b"\x08"))
    assert refusal.value.code == 8
    assert refusal.value.is_busy
    with pytest.raises(DeviceRefused, match="alarm"):
        read().feed(long_frame(8, 5, 0x71, b"\x04"))


def test_an_application_error_of_another_meter_is_not_ours() -> None:
    assert read().feed(long_frame(8, 6, 0x70, b"\x08")) is None


def test_a_secondary_reply_must_be_of_the_meter_that_was_selected() -> None:
    right, wrong = MBUS.parse_unit("12345678.KAM.08.04"), MBUS.parse_unit("12345679")
    assert isinstance(right, MbusUnit)
    assert isinstance(wrong, MbusUnit)
    assert ReadExchange(right, b"", 261).feed(telegram("0C1345230100", a=0)) is not None
    assert ReadExchange(wrong, b"", 261).feed(telegram("0C1345230100", a=0)) is None


def test_decode_refuses_the_reply_of_another_unit() -> None:
    assert "answers for" in (MBUS.decode(REPLY, "response", (), short_frame(0x7B, 7)).error or "")
    assert MBUS.decode(REPLY, "response", (), short_frame(0x7B, 5)).ok
