"""The byte limit of telemetry finds the pace of a link by itself: no wait in front of an alarm."""

from __future__ import annotations

from collections import deque

from gateway.uplink.pacing import FLOOR_BYTES, MOST_BYTES, START_BYTES, Pacing

MESSAGE = 500


def drained(pacing: Pacing, *, bytes_per_s: float, rtt_s: float, seconds: float) -> list[float]:
    """Send as much as the limit allows over a link; return how long its queue was, in seconds."""
    now, free_at, flying = 0.0, 0.0, 0
    answers: deque[tuple[float, float]] = deque()
    queues: list[float] = []
    while now < seconds:
        while flying + MESSAGE <= pacing.limit or not answers:
            free_at = max(free_at, now) + MESSAGE / bytes_per_s
            answers.append((free_at + rtt_s, now))
            flying += MESSAGE
        queues.append(free_at - now)
        now, sent_at = answers.popleft()
        pacing.answered(MESSAGE, now - sent_at, now, is_full=2 * flying > pacing.limit)
        flying -= MESSAGE
    return queues


def test_a_slow_link_is_kept_nearly_empty() -> None:
    queues = drained(Pacing(), bytes_per_s=2000, rtt_s=1.0, seconds=600)
    settled = queues[len(queues) // 4 :]
    assert max(queues) < START_BYTES / 2000 + 1.0
    assert max(settled) < 2.0
    assert sum(settled) / len(settled) < 1.0


def test_a_slow_link_is_still_used() -> None:
    queues = drained(Pacing(), bytes_per_s=2000, rtt_s=1.0, seconds=600)
    assert len(queues) * MESSAGE > 0.6 * 2000 * 600


def test_a_fast_network_gets_the_whole_limit_within_some_round_trips() -> None:
    pacing = Pacing()
    drained(pacing, bytes_per_s=10_000_000, rtt_s=0.002, seconds=0.1)
    assert pacing.limit == MOST_BYTES


def test_an_idle_connection_does_not_earn_a_limit() -> None:
    pacing = Pacing()
    for second in range(1000):
        pacing.answered(MESSAGE, 0.1, float(second), is_full=False)
    assert pacing.limit == START_BYTES


def test_the_limit_never_falls_below_its_floor() -> None:
    pacing = Pacing()
    pacing.answered(MESSAGE, 0.1, 0.0, is_full=True)
    for number in range(1, 50):
        pacing.answered(MESSAGE, 30.0, number * 31.0 % 59, is_full=True)
    assert pacing.limit >= FLOOR_BYTES


def test_a_route_that_became_longer_is_no_queue_for_ever() -> None:
    pacing = Pacing()
    drained(pacing, bytes_per_s=100_000, rtt_s=0.05, seconds=30)
    now = 30.0
    for _ in range(2000):
        now += 0.1
        pacing.answered(MESSAGE, 0.9, now, is_full=True)
    assert pacing.limit > START_BYTES
