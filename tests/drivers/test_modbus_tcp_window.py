"""Several requests in flight on one connection."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_support import driver, wrap

from drivers.contract import DeviceRefused, Exchange, FrameError
from drivers.modbus.pdu import read_request
from drivers.modbus.tcp import TcpWindow

FRAMING = driver("modbus-tcp").framing


def asked(window: TcpWindow, unit: int, count: int = 1) -> Exchange:
    exchange = FRAMING.prepare(unit, read_request(3, unit, count)).exchange()
    assert window.admit(exchange) == exchange.request
    return exchange


def reply_to(exchange: Any, count: int = 1) -> bytes:
    pdu = bytes((3, 2 * count)) + bytes((exchange.unit,)) * 2 * count
    return wrap("modbus-tcp", pdu, exchange.request, unit=exchange.unit)


@given(data=st.data())
def test_replies_in_any_order_and_any_cut_find_their_requests(data: st.DataObject) -> None:
    window = TcpWindow()
    pending = [asked(window, unit, unit) for unit in range(1, 9)]
    order = data.draw(st.permutations(pending))
    junk = st.sampled_from([b"", b"\0", b"hello", bytes.fromhex("FFFF00000003118301")])
    stream = b"".join(data.draw(junk) + reply_to(e, int(str(e.unit))) for e in order)
    marks = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=9))})
    done: list[tuple[Exchange, Any]] = []
    for a, b in pairwise(marks):
        done.extend(window.feed(stream[a:b]))
    assert [e for e, _ in done] == order
    assert all(reply == bytes((e.unit,)) * 2 * e.unit for e, reply in done)  # type: ignore[operator]


def test_a_refusal_is_handed_over_and_not_raised() -> None:
    window = TcpWindow()
    one, other = asked(window, 1), asked(window, 2)
    frames = wrap("modbus-tcp", b"\x83\x0b", one.request, unit=1) + reply_to(other)
    (first, refusal), (second, payload) = window.feed(frames)
    assert (first, second) == (one, other)
    assert isinstance(refusal, DeviceRefused)
    assert refusal.code == 11
    assert payload == b"\2\2"


def test_a_late_reply_is_skipped_and_counted() -> None:
    window = TcpWindow()
    silent, live = asked(window, 1), asked(window, 1)
    window.abandon(silent)
    assert window.feed(reply_to(silent)) == []
    assert window.late == 1
    assert window.feed(reply_to(live)) == [(live, b"\1\1")]
    assert window.foreign == 0


def test_frames_that_nobody_asked_for_are_counted() -> None:
    window = TcpWindow()
    mine = asked(window, 1)
    stranger = FRAMING.prepare(1, read_request(3, 0, 1)).exchange()
    assert window.feed(reply_to(stranger) + reply_to(mine)) == [(mine, b"\1\1")]
    assert window.foreign == 1


def test_a_reply_with_the_right_number_from_another_unit_is_not_taken() -> None:
    window = TcpWindow()
    mine = asked(window, 1)
    assert window.feed(wrap("modbus-tcp", b"\3\2\0\0", mine.request, unit=2)) == []
    assert isinstance(mine.verdict(), FrameError)
    assert window.feed(reply_to(mine)) == [(mine, b"\1\1")]


def test_noise_that_looks_like_a_long_frame_does_not_swallow_the_reply() -> None:
    window = TcpWindow()
    mine = asked(window, 1)
    header = bytes.fromhex("9999 0000 00FE 01")
    assert window.feed(header) == []
    assert window.feed(reply_to(mine)) == [(mine, b"\1\1")]


def test_numbers_in_use_are_not_given_again() -> None:
    window = TcpWindow()
    pending, abandoned = asked(window, 1), asked(window, 1)
    window.abandon(abandoned)
    for taken in (pending, abandoned):
        again: Any = FRAMING.prepare(1, read_request(3, 0, 1)).exchange()
        again.transaction = taken.request[:2]
        window.admit(again)
        assert again.request[:2] not in {pending.request[:2], abandoned.request[:2]}


def test_numbers_never_run_out() -> None:
    window = TcpWindow()
    for _ in range(0x8100):
        window.abandon(asked(window, 1))
    mine = asked(window, 1)
    assert window.feed(reply_to(mine)) == [(mine, b"\1\1")]


def test_exchanges_of_another_framing_are_refused() -> None:
    exchange = driver("modbus-rtu").framing.prepare(1, read_request(3, 0, 1)).exchange()
    with pytest.raises(TypeError):
        TcpWindow().admit(exchange)
