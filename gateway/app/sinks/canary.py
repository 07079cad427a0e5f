"""Whether the broker takes what we publish, where it does not say so (MQTT 3.1.1, QoS 0). Pure.

On MQTT 3.1.1 a denied publish is acknowledged like any other, and nothing is at QoS 0. So we
publish to a topic of our own and subscribe to it. What was acknowledged, or at QoS 0 was sent,
counts as delivered only when a canary that was sent after it has come back; when one does not, what
was sent since is sent again later. This shows a change of our rights as a whole, and what a broker
that died had not read; that a single topic is denied cannot be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.record import Lane

EVERY_S = 10.0
SILENT_S = 15.0
"""Without an echo for so long: it was denied."""
ENOUGH = 200
"""Acknowledged messages that are worth a canary before its time."""
MOST_UNPROVEN = 2000
"""Messages that may wait for their proof."""


class Proof(StrEnum):
    """What is known of this connection."""

    NOT_NEEDED = "not_needed"
    """MQTT 5 with QoS 1: the broker says it."""
    WAITING = "waiting"
    PROVEN = "proven"
    IMPOSSIBLE = "impossible"
    """The broker never gave us an echo: nobody can see a refusal."""
    DENIED = "denied"
    """It gave us echoes, and gives none any more."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """Records that the broker acknowledged, in one message."""

    lane: Lane
    covers: tuple[int, ...]


class Canary:
    """Of one sink, over its connections."""

    def __init__(self) -> None:
        """Know nothing."""
        self.proof = Proof.NOT_NEEDED
        self._was_proven = False
        self._waiting: list[Unproven] = []
        self._behind: list[Unproven] = []
        """Acknowledged before the canary that is on its way."""
        self._payload = b""
        self._sent_at: float | None = None
        self._last_at = float("-inf")

    def connected(self, *, is_needed: bool, is_possible: bool) -> None:
        """Begin a connection; what was not proven is handed out again by the feed."""
        self._waiting.clear()
        self._behind.clear()
        self._sent_at, self._last_at = None, float("-inf")
        wanted = Proof.WAITING if is_possible else Proof.IMPOSSIBLE
        self.proof = wanted if is_needed else Proof.NOT_NEEDED

    @property
    def holds_back(self) -> bool:
        """Whether sending records makes no sense now: denied, or enough waits for its proof."""
        is_full = len(self._waiting) + len(self._behind) >= MOST_UNPROVEN
        return is_full or self.proof is Proof.DENIED

    @property
    def is_worth_one(self) -> bool:
        """Whether so much waits for its proof that a canary is not to wait for its time."""
        return len(self._waiting) >= ENOUGH

    def acknowledged(self, lane: Lane, covers: tuple[int, ...]) -> bool:
        """Note an acknowledged message; return whether that alone means delivered."""
        if self.proof in {Proof.NOT_NEEDED, Proof.IMPOSSIBLE}:
            return True
        if covers:
            self._waiting.append(Unproven(lane, covers))
        return not covers

    def is_due(self, now: float, *, is_last: bool = False) -> bool:
        """Return whether a canary shall be published now."""
        if self.proof is Proof.NOT_NEEDED or self._sent_at is not None:
            return False
        is_early = self.is_worth_one or (is_last and bool(self._waiting))
        return is_early or now - self._last_at >= EVERY_S

    def sent(self, payload: bytes, now: float) -> None:
        """Note the canary that has left; it is to prove what was acknowledged before it."""
        self._payload = payload
        self._sent_at = self._last_at = now
        self._behind, self._waiting = self._waiting, []

    def heard(self, payload: bytes) -> Sequence[Unproven]:
        """Note an echo, which may have got a tail on its way; return what it proves delivered."""
        if self._sent_at is None or not payload.startswith(self._payload):
            return ()
        self._sent_at = None
        self.proof, self._was_proven = Proof.PROVEN, True
        proven, self._behind = self._behind, []
        return proven

    def late(self, now: float) -> Sequence[Unproven] | None:
        """Return what was acknowledged and not proven, when the echo is too late; else None.

        It is delivered as far as anyone can know (`IMPOSSIBLE`), or to be sent again (`DENIED`).
        """
        if self._sent_at is None or now - self._sent_at < SILENT_S:
            return None
        self._sent_at = None
        self.proof = Proof.DENIED if self._was_proven else Proof.IMPOSSIBLE
        unproven = [*self._behind, *self._waiting]
        self._behind, self._waiting = [], []
        return unproven
