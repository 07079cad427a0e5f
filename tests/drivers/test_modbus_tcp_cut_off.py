"""MBAP has no checksum: a reply that is cut off must not be made up with the bytes of the next."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_support import driver, wrap

from drivers.contract import Fault, FrameError
from drivers.modbus import mbap
from drivers.modbus.pdu import read_request
from drivers.modbus.tcp import TcpWindow

FRAMING = driver("modbus-tcp").framing
COUNT = 8
WHOLE = 9 + 2 * COUNT


@pytest.fixture(autouse=True)
def nothing_unanswered() -> None:
    """Forget the requests of other tests whose replies might still come."""
    mbap.unanswered.clear()


def exchange_of(unit: int, number: int | None = None) -> Any:
    exchange = FRAMING.prepare(unit, read_request(3, 0, COUNT)).exchange()
    assert isinstance(exchange, mbap.TcpExchange)
    if number is not None:
        exchange.transaction = number.to_bytes(2, "big")
    return exchange


def reply_to(exchange: Any) -> bytes:
    pdu = bytes((3, 2 * COUNT)) + bytes((0x40 + exchange.unit,)) * 2 * COUNT
    return wrap("modbus-tcp", pdu, exchange.request, unit=exchange.unit)


@pytest.mark.parametrize("came", range(1, WHOLE))
def test_a_late_reply_does_not_complete_the_one_that_was_cut_off(came: int) -> None:
    late = exchange_of(2)
    late.verdict()
    current = exchange_of(3)
    assert current.feed(reply_to(current)[:came]) is None
    assert current.feed(reply_to(late)) is None
    assert current.verdict()


def test_what_was_cut_off_is_called_short() -> None:
    late = exchange_of(2)
    late.verdict()
    current = exchange_of(3)
    assert current.feed(reply_to(current)[:12] + reply_to(late)) is None
    verdict = current.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.SHORT


@pytest.mark.parametrize("came", range(9, WHOLE))
def test_a_window_gives_the_next_reply_its_bytes_back(came: int) -> None:
    window = TcpWindow()
    cut, following = exchange_of(2), exchange_of(3)
    for exchange in (cut, following):
        window.admit(exchange)
    done = window.feed(reply_to(cut)[:came] + reply_to(following))
    assert [(one, payload[0]) for one, payload in done] == [(following, 0x43)]


def test_a_reply_that_ends_in_an_unanswered_number_and_zeros_is_whole() -> None:
    silent = exchange_of(2, number=1)
    silent.verdict()
    current = exchange_of(3)
    octets = bytes(2 * COUNT - 6) + bytes((0, 1, 0, 0, 0, 7))
    frame = wrap("modbus-tcp", bytes((3, len(octets))) + octets, current.request, unit=3)
    assert current.feed(frame[:11]) is None
    assert current.feed(frame[11:]) == octets


@pytest.mark.parametrize("number", [1, 0x00FE, 0x0100, 0x01FF, 0x0210, 0x4444, 0xFDFE, 0xFFFD])
def test_two_that_are_cut_off_do_not_make_one(number: int) -> None:
    window = TcpWindow()
    first, second, third = (exchange_of(2 + n, number=number + n) for n in range(3))
    for exchange in (first, second, third):
        window.admit(exchange)
    head = reply_to(second)[:5]
    done = window.feed(reply_to(first)[: WHOLE - 5] + head + reply_to(third))
    assert [(one, payload[0]) for one, payload in done] == [(third, 0x44)]


@given(words=st.lists(st.integers(0, 0xFFFF), min_size=COUNT, max_size=COUNT))
def test_values_are_values_whatever_they_are(words: list[int]) -> None:
    exchange = exchange_of(1)
    octets = b"".join(word.to_bytes(2, "big") for word in words)
    frame = wrap("modbus-tcp", bytes((3, len(octets))) + octets, exchange.request, unit=1)
    assert exchange.feed(frame[:5]) is None
    assert exchange.feed(frame[5:]) == octets
