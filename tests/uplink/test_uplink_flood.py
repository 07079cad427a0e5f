"""A flood falls through the sieve, and reading rests; what must come still does."""

from __future__ import annotations

import asyncio
import socket
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.uplink.intake import BURST, MESSAGES_AT_ONCE, Intake
from gateway.uplink.pipe import Pipe
from gateway.uplink.sieve import BURST as SIEVE_BURST
from gateway.uplink.sieve import PER_S, Sieve
from tests.bench.flood_sender import packet

TOPIC = b"\x00\x05topic"
ACKNOWLEDGED = packet(0x40, b"\x00\x07")
AT_LEAST_ONCE = packet(0x32, TOPIC + b"\x00\x01hello")
AT_MOST_ONCE = packet(0x30, TOPIC + b"x" * 300)
ECHO = packet(0x30, b"\x00\x04echo" + b"online")


class _Hour:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = 0.0
        self.fell = 0

    def time(self) -> float:
        return self.now

    def dropped(self, count: int) -> None:
        self.fell += count

    def sieve(self, *, spent: bool = True) -> Sieve:
        sieve = Sieve(self.time, self.dropped, b"echo")
        if spent:
            assert sieve.through(AT_MOST_ONCE * SIEVE_BURST) == AT_MOST_ONCE * SIEVE_BURST
        return sieve


@given(
    st.lists(st.sampled_from((ACKNOWLEDGED, AT_LEAST_ONCE, AT_MOST_ONCE, ECHO)), max_size=10),
    st.lists(st.integers(1, 400), max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_in_any_cut_only_messages_that_promise_nothing_fall(
    packets: list[bytes], cuts: list[int]
) -> None:
    hour, rest = _Hour(), b"".join(packets)
    sieve = hour.sieve()
    passed = b""
    for cut in (*cuts, len(rest)):
        passed, rest = passed + sieve.through(rest[:cut]), rest[cut:]
    kept = [one for one in packets if one != AT_MOST_ONCE]
    assert hour.fell >= len(packets) - len(kept) - len(cuts)
    if hour.fell == len(packets) - len(kept):
        assert passed == b"".join(kept)
    assert passed.count(ACKNOWLEDGED) == packets.count(ACKNOWLEDGED)
    assert passed.count(AT_LEAST_ONCE) == packets.count(AT_LEAST_ONCE)


def test_a_platform_that_asks_as_often_as_platforms_do_loses_nothing() -> None:
    hour = _Hour()
    sieve = hour.sieve(spent=False)
    for _ in range(20):
        burst = AT_MOST_ONCE * int(PER_S / 10)
        assert sieve.through(burst) == burst
        hour.now += 0.1
    assert hour.fell == 0


def test_after_a_flood_messages_pass_again() -> None:
    hour = _Hour()
    sieve = hour.sieve()
    assert sieve.through(AT_MOST_ONCE * 1000) == b""
    hour.now += 1.0
    assert sieve.through(AT_MOST_ONCE * 1000) == AT_MOST_ONCE * int(PER_S)


def test_what_is_no_mqtt_passes_as_it_is() -> None:
    sieve = _Hour().sieve()
    noise = b"\x30\xff\xff\xff\xff\x7f" + Random(1).randbytes(100)  # noqa: S311 - only noise
    assert sieve.through(ACKNOWLEDGED + noise) == ACKNOWLEDGED + noise
    assert sieve.through(AT_MOST_ONCE) == AT_MOST_ONCE


def test_a_pipe_of_which_all_fell_is_not_a_closed_one() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        pipe = Pipe(ours)
        pipe.sieve = _Hour().sieve()
        theirs.sendall(AT_MOST_ONCE * 50)
        with pytest.raises(BlockingIOError):
            pipe.recv(1)
        theirs.sendall(AT_MOST_ONCE + ACKNOWLEDGED)
        assert pipe.recv(100) == ACKNOWLEDGED
        theirs.close()
        assert pipe.recv(1) == b""


# --- reading with rests


class _Stream:
    """Messages without end, on a socket that is always readable."""

    def __init__(self) -> None:
        self.read = 0
        self.turns: list[int] = []
        self._of_turn = 0
        self.intake = Intake(asyncio.get_running_loop(), self._one, self._ended)

    def _one(self) -> bool:
        self.intake.message(1)
        self.read += 1
        self._of_turn += 1
        return True

    def _ended(self) -> None:
        self.turns.append(self._of_turn)
        self._of_turn = 0


async def test_a_stream_without_end_leaves_the_loop_to_others() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        stream = _Stream()
        stream.intake.open(ours.fileno())
        others = 0
        while stream.read < BURST + 3 * MESSAGES_AT_ONCE:
            await asyncio.sleep(0)
            others += 1
        stream.intake.close()
    assert max(stream.turns) == MESSAGES_AT_ONCE
    assert stream.intake.rests >= len(stream.turns) - 1
    assert others > len(stream.turns)


async def test_reading_that_was_closed_in_its_rest_does_not_begin_again() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        stream = _Stream()
        stream.intake.open(ours.fileno())
        while not stream.turns:
            await asyncio.sleep(0)
        stream.intake.close()
        seen = stream.read
        for _ in range(100):
            await asyncio.sleep(0)
        assert stream.read == seen
