"""One batch against servers that refuse lines, sizes, or everything: nothing good is lost."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.historian.answer import Fate, Verdict
from gateway.historian.delivery import MOST_HELD, Delivery, Limits, Settled, body_of
from gateway.historian.schema import Line
from gateway.model.record import Lane

MOST_REQUESTS = 4000


class Server:
    """Takes lines that are not poison, in requests up to a size; says so as InfluxDB does."""

    def __init__(self, *, most_bytes: int, words: Fate) -> None:
        self.most_bytes = most_bytes
        self.words = words
        self.taken: set[bytes] = set()
        self.requests = 0

    def answer(self, lines: Sequence[Line], poison_lines: frozenset[bytes]) -> Verdict:
        self.requests += 1
        if len(body_of(lines)) > self.most_bytes:
            return Verdict(Fate.TOO_LARGE, "HTTP 413")
        bad = [one for one in lines if one.octets in poison_lines]
        if self.words is Fate.BAD_LINES or not bad:  # partial write: the others are taken
            self.taken |= {one.octets for one in lines} - poison_lines
        if bad:
            return Verdict(self.words, "HTTP 400")
        return Verdict(Fate.WRITTEN)


def batch(sizes: Sequence[int]) -> list[Line]:
    """Return records of so many lines."""
    return [
        Line(f"m,n={seq}.{number} value=1.0 {seq}".encode(), Lane.TELEMETRY, seq)
        for seq, size in enumerate(sizes, 1)
        for number in range(size)
    ]


def run(
    lines: Sequence[Line], server: Server, limits: Limits, poison: frozenset[bytes]
) -> set[Settled]:
    delivery = Delivery(lines, limits)
    while (chunk := delivery.next()) is not None:
        delivery.take(server.answer(chunk, poison))
        assert server.requests < MOST_REQUESTS
    settled = list(delivery.settled())
    assert len({(one.lane, one.seq) for one in settled}) == len(settled)
    return set(settled)


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    poison_at=st.sets(st.integers(0, 100), max_size=6),
    most_bytes=st.integers(60, 4000),
    most_lines=st.integers(1, 60),
    words=st.sampled_from([Fate.BAD_LINES, Fate.DOUBTFUL]),
)
def test_every_good_line_is_written_and_only_records_with_poison_are_refused(
    sizes: list[int], poison_at: set[int], most_bytes: int, most_lines: int, words: Fate
) -> None:
    lines = batch(sizes)
    bad = {place % len(lines) for place in poison_at}
    if words is Fate.DOUBTFUL and len(bad) == len(lines):
        bad.pop()  # words that do not blame the lines are believed only beside a line that is taken
    poison = frozenset(lines[place].octets for place in bad)
    server = Server(most_bytes=most_bytes, words=words)
    settled = run(lines, server, Limits(most_lines), poison)
    assert server.taken == {one.octets for one in lines} - poison
    refused = {one.seq for one in settled if one.refused is not None}
    assert refused == {lines[place].seq for place in bad}
    assert {one.seq for one in settled} == {one.seq for one in lines}


def test_one_poison_line_in_a_thousand_costs_few_requests() -> None:
    lines = batch([1] * 1000)
    poison = frozenset({lines[617].octets})
    server = Server(most_bytes=10**9, words=Fate.BAD_LINES)
    run(lines, server, Limits(1000), poison)
    assert server.requests <= 2 * 10 + 1


def test_when_all_lines_are_dropped_they_are_not_searched_one_by_one() -> None:
    lines = batch([2] * 100)
    delivery = Delivery(lines, Limits(1000))
    chunk = delivery.next()
    assert chunk is not None
    delivery.take(Verdict(Fate.BAD_LINES, "HTTP 400: retention", dropped=len(chunk)))
    assert delivery.next() is None
    assert all(one.refused == "HTTP 400: retention" for one in delivery.settled())


def test_a_size_is_learned_once() -> None:
    limits = Limits(1000)
    lines = batch([1] * 500)
    server = Server(most_bytes=3000, words=Fate.BAD_LINES)
    run(lines, server, limits, frozenset())
    first, server.requests = server.requests, 0
    run(lines, server, limits, frozenset())
    assert server.requests < first
    assert server.requests == len(body_of(lines)) // limits.octets + 1
    assert limits.octets <= 3000


def test_a_line_that_alone_is_too_large_is_refused_as_such() -> None:
    delivery = Delivery(batch([1]), Limits(10))
    delivery.next()
    delivery.take(Verdict(Fate.TOO_LARGE, "HTTP 413"))
    assert delivery.next() is None
    assert [one.is_too_large for one in delivery.settled()] == [True]


def test_a_request_that_is_refused_in_vague_words_for_every_line_is_held_and_not_dropped() -> None:
    lines = batch([1] * 8)
    delivery = Delivery(lines, Limits(10))
    requests, waits = 0, 0
    while waits < 3:
        chunk = delivery.next()
        assert chunk is not None
        requests += 1
        waits += delivery.take(Verdict(Fate.DOUBTFUL, "HTTP 400"))
    assert requests == 15 + 2, "searched once, then asked as a whole"
    assert delivery.next() == tuple(lines)
    delivery.take(Verdict(Fate.WRITTEN))
    assert delivery.next() is None
    assert all(one.refused is None for one in delivery.settled())


def test_a_line_that_is_stuck_alone_is_judged_beside_others_that_come() -> None:
    poison, *others = batch([1] * 4)
    delivery = Delivery([poison], Limits(10))

    def answer(lines: Sequence[Line] | None) -> bool:
        assert lines is not None
        is_bad = poison in lines
        return delivery.take(Verdict(Fate.DOUBTFUL if is_bad else Fate.WRITTEN, "HTTP 400"))

    assert answer(delivery.next())
    assert not delivery.is_stuck, "it was not even searched"
    assert answer(delivery.next())
    assert delivery.is_stuck
    delivery.join(others)
    assert delivery.next() == tuple(others), "those first"
    while (lines := delivery.next()) is not None:
        answer(lines)
    assert [(one.seq, one.refused) for one in delivery.settled()] == [
        (poison.seq, "HTTP 400"),
        *((one.seq, None) for one in others),
    ]


def test_a_batch_that_is_stuck_takes_no_more_than_a_bound() -> None:
    delivery = Delivery(batch([1]), Limits(10))
    for _ in range(2):
        delivery.next()
        delivery.take(Verdict(Fate.DOUBTFUL, "HTTP 400"))
    joined = 1
    while delivery.is_stuck:
        delivery.join(batch([1] * 1000))
        joined += 1000
    assert MOST_HELD <= joined < MOST_HELD + 1000
