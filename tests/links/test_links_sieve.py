"""Heartbeats are taken out of the stream, in whatever pieces it comes."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.links.sieve import Sieve

REPLY = bytes.fromhex("01 03 04 00 E6 00 32 DB D4")


def _fed(sieve: Sieve, stream: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    return b"".join(sieve.feed(piece) for piece in pieces if piece) + sieve.release()


@given(
    frames=st.lists(st.binary(min_size=1, max_size=20), max_size=6),
    heartbeat=st.binary(min_size=4, max_size=12),
    counts=st.lists(st.integers(0, 3), min_size=7, max_size=7),
    cuts=st.lists(st.integers(0, 1000), max_size=12),
)
def test_heartbeats_between_frames_vanish_in_any_cut(
    frames: list[bytes], heartbeat: bytes, counts: list[int], cuts: list[int]
) -> None:
    stream = heartbeat * counts[-1]
    for frame, count in zip(frames, counts, strict=False):
        stream += frame + heartbeat * count
    # A frame that makes a heartbeat together with its neighbours belongs to nobody.
    assume(stream.replace(heartbeat, b"") == b"".join(frames))
    assert _fed(Sieve([heartbeat]), stream, cuts) == b"".join(frames)


@given(
    stream=st.lists(st.sampled_from([b"dtu1", b"dtu12", b"d", b"x", b"ping"]), max_size=12),
    cuts=st.lists(st.integers(0, 1000), max_size=12),
)
def test_the_cut_never_changes_what_passes(stream: list[bytes], cuts: list[int]) -> None:
    patterns = [b"dtu1", b"dtu12", b"ping"]
    whole = b"".join(stream)
    assert _fed(Sieve(patterns), whole, cuts) == _fed(Sieve(patterns), whole, [])


def test_an_end_that_may_become_a_heartbeat_is_held_until_released() -> None:
    sieve = Sieve([b"\xd4PING"])
    assert sieve.feed(REPLY) == REPLY[:-1]
    assert sieve.held == b"\xd4"
    assert sieve.release() == b"\xd4"
    assert sieve.feed(REPLY) == REPLY[:-1]
    assert sieve.feed(b"PING") == b""
    assert sieve.release() == b""


def test_a_short_heartbeat_is_taken_only_where_a_reply_begins() -> None:
    sieve = Sieve([b"\x00"])
    assert sieve.feed(b"\x00") == b""
    assert sieve.feed(b"\x00\x00" + REPLY) == REPLY
    assert sieve.feed(b"\x00") == b"\x00"
    sieve.begin_reply()
    assert sieve.feed(b"\x00" + REPLY[:4]) == REPLY[:4]
    assert sieve.feed(b"\x00") == b"\x00"


def test_a_sieve_without_patterns_lets_all_pass() -> None:
    assert Sieve([b""]).feed(REPLY) == REPLY
