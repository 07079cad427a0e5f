"""What only an echo proves: at QoS 0 nothing else does, and not too much may wait for it."""

from __future__ import annotations

from gateway.app.sinks.canary import ENOUGH, MOST_UNPROVEN, SILENT_S, Canary, Proof
from gateway.model.record import Lane


def asking() -> Canary:
    """Return a canary of a connection that has had an echo."""
    canary = Canary()
    canary.connected(is_needed=True, is_possible=True)
    canary.sent(b"first", 0.0)
    canary.heard(b"first")
    return canary


def test_an_echo_may_have_got_a_tail_on_its_way() -> None:
    canary = asking()
    canary.acknowledged(Lane.TELEMETRY, (1,))
    canary.sent(b"heartbeat-2", 10.0)
    assert not canary.heard(b"heartbeat-1\x18\x07")
    assert [one.covers for one in canary.heard(b"heartbeat-2\x18\x07")] == [(1,)]


def test_many_unproven_messages_are_worth_a_canary_before_its_time() -> None:
    canary = asking()
    for seq in range(ENOUGH):
        assert not canary.is_worth_one
        assert not canary.is_due(1.0)
        canary.acknowledged(Lane.TELEMETRY, (seq,))
    assert canary.is_worth_one
    assert canary.is_due(1.0)


def test_beyond_a_bound_nothing_is_sent_before_an_echo() -> None:
    canary = asking()
    for seq in range(MOST_UNPROVEN):
        assert not canary.holds_back
        canary.acknowledged(Lane.TELEMETRY, (seq,))
        if seq == MOST_UNPROVEN // 2:
            canary.sent(b"second", 1.0)
    assert canary.holds_back
    assert canary.proof is Proof.PROVEN, "nobody denies us anything"
    assert len(canary.heard(b"second")) == MOST_UNPROVEN // 2 + 1
    assert not canary.holds_back


def test_an_echo_that_stays_away_gives_all_back() -> None:
    canary = asking()
    canary.acknowledged(Lane.TELEMETRY, (1,))
    canary.sent(b"second", 1.0)
    canary.acknowledged(Lane.TELEMETRY, (2,))
    late = canary.late(1.0 + SILENT_S)
    assert late is not None
    assert [one.covers for one in late] == [(1,), (2,)]
    assert canary.proof is Proof.DENIED
