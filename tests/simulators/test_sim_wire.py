"""The line in virtual time: who talks when."""

from __future__ import annotations

import pytest

from simulators.units import Outgoing
from simulators.wire import LineTiming, Wire

REQUEST = bytes(8)
REPLY = bytes(range(25))
CHAR_S = 10 / 9600
SILENCE_S = 3.5 * CHAR_S
TURNAROUND_S = 0.02


def wire(timing: LineTiming | None = None, after_s: float = TURNAROUND_S) -> Wire:
    return Wire(timing or LineTiming(chunk_chars=1), lambda _: Outgoing(after_s, REPLY))


def run(line: Wire, until: float) -> list[tuple[float, bytes]]:
    """Let time pass; return what was heard and when."""
    heard: list[tuple[float, bytes]] = []
    while (due := line.wake_at) is not None and due <= until:
        piece = line.wake(due)
        if piece:
            heard.append((due, piece))
    return heard


def test_a_reply_comes_at_the_pace_of_the_line() -> None:
    line = wire()
    line.received(REQUEST, 1.0)
    heard = run(line, 9.0)
    begin = 1.0 + 8 * CHAR_S + TURNAROUND_S
    assert b"".join(piece for _, piece in heard) == REPLY
    assert [at for at, _ in heard] == pytest.approx([begin + (i + 1) * CHAR_S for i in range(25)])
    assert line.books.requests == line.books.replies == 1
    assert line.books.busy_s == pytest.approx(33 * CHAR_S)


def test_a_fifo_gives_its_bytes_in_pieces() -> None:
    line = wire(LineTiming(chunk_chars=10))
    line.received(REQUEST, 1.0)
    assert [len(piece) for _, piece in run(line, 9.0)] == [10, 10, 5]


def test_a_slave_is_never_faster_than_the_silence_that_ends_a_frame() -> None:
    line = wire(after_s=0.0)
    line.received(REQUEST, 1.0)
    assert run(line, 9.0)[0][0] == pytest.approx(1.0 + 9 * CHAR_S + SILENCE_S)


def test_above_19200_baud_the_silence_is_fixed() -> None:
    assert LineTiming(baud=115200).silence_s == 0.00175
    assert LineTiming(baud=9600, bits_per_char=11).silence_s == pytest.approx(0.00401, rel=1e-3)


def test_a_frame_may_come_in_parts() -> None:
    asked: list[bytes] = []

    def respond(frame: bytes) -> None:
        asked.append(frame)

    line = Wire(LineTiming(), respond)
    line.received(b"\x01\x03\x00", 1.0)
    line.received(b"\x00\x00\x01", 1.001)
    line.received(b"\x84\x0a", 1.0 + 6 * CHAR_S)
    run(line, 9.0)
    assert asked == [bytes.fromhex("010300000001840A")]


def test_an_early_request_is_counted_and_ignored() -> None:
    line = wire()
    line.received(REQUEST, 1.0)
    end = run(line, 9.0)[-1][0]
    line.received(REQUEST, end + 0.9 * SILENCE_S)
    assert run(line, 9.0) == []
    assert (line.books.early, line.books.damaged) == (1, 1)
    assert line.books.idle_least_s == pytest.approx(0.9 * SILENCE_S)


def test_a_request_after_the_silence_is_served() -> None:
    line = wire()
    line.received(REQUEST, 1.0)
    end = run(line, 9.0)[-1][0]
    line.received(REQUEST, end + SILENCE_S)
    assert len(run(line, 9.0)) == 25
    assert line.books.early == 0


def test_a_line_that_is_not_strict_only_counts() -> None:
    line = wire(LineTiming(chunk_chars=1, is_strict=False))
    line.received(REQUEST, 1.0)
    end = run(line, 9.0)[-1][0]
    line.received(REQUEST, end + 0.001)
    assert len(run(line, 9.0)) == 25
    assert line.books.early == 1


def test_talking_while_a_slave_talks_is_a_collision() -> None:
    line = wire()
    line.received(REQUEST, 1.0)
    heard = run(line, 1.0 + 13 * CHAR_S + TURNAROUND_S)
    assert b"".join(p for _, p in heard) == REPLY[:5]
    line.received(REQUEST, 1.0 + 13 * CHAR_S + TURNAROUND_S)
    rest = b"".join(p for _, p in run(line, 9.0))
    assert len(rest) == 20
    assert rest != REPLY[5:]
    assert line.books.collisions == 1
    assert line.books.damaged == 1


def test_a_late_reply_meets_the_next_request() -> None:
    line = wire(after_s=0.5)
    line.received(REQUEST, 1.0)
    run(line, 1.5)
    line.received(REQUEST, 1.0 + 0.5 + 4 * CHAR_S)
    heard = b"".join(p for _, p in run(line, 9.0))
    assert line.books.collisions == 1
    assert heard != REPLY
    assert line.books.damaged == 1


def test_an_echo_comes_back_when_the_request_has_left() -> None:
    line = wire(LineTiming(chunk_chars=25, has_echo=True))
    line.received(REQUEST, 1.0)
    heard = run(line, 9.0)
    assert [piece for _, piece in heard] == [REQUEST, REPLY]
    assert heard[0][0] == pytest.approx(1.0 + 8 * CHAR_S)


def test_a_frame_with_an_end_character_needs_no_silence() -> None:
    line = wire(LineTiming(chunk_chars=25, is_timed=False), after_s=0.0)
    line.received(b":0103000000", 1.0)
    line.received(b"01FB\r\n", 1.2)
    assert run(line, 9.0)[0][0] == pytest.approx(1.2 + 31 * CHAR_S)
