"""The rule against late replies: no reply is ever taken for that of another request.

A serial frame carries no number of its request. When a request of some shape timed out, its reply
may still come, and it would pass every check as the reply of another request of the same shape to
the same unit. So that shape belongs to the timed-out request alone until its reply has been seen,
or until no device would still send it. Repeating it is allowed: whatever comes then is a value of
the right registers. It may have been sampled for the first try, therefore such a reading counts
as begun when the oldest open try was sent.

The order of replies is not relied upon: an answer to a repetition leaves the first try open, and
a gateway that reorders cannot fool us. Every open try waits for one frame; each late frame that is
heard between or during other exchanges closes one.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from drivers.contract import DriverError, Exchange

HOLD_S = 10.0
"""How long a reply may stay away and still come; the slowest gateways give up after 5 s."""
MAX_HEARD = 4096
"""Bytes of foreign traffic that a try listens through before it stops listening."""


@dataclass(frozen=True, slots=True)
class LateReply:
    """A reply that came after its request was given up."""

    unit: Hashable
    after_s: float


@dataclass(slots=True)
class _Try:
    exchange: Exchange
    sent_at: float
    heard: int = 0


@dataclass(slots=True)
class _Held:
    request: bytes
    tries: list[_Try]
    until: float


class Quarantine:
    """Shapes that are taken, per unit, on one line."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self._held: dict[tuple[Hashable, Hashable], _Held] = {}
        self.slowest_s = 0.0
        """The latest reply that this line has seen."""

    def __len__(self) -> int:
        """Return the number of shapes that are held."""
        return len(self._held)

    def blocks(self, exchange: Exchange, now: float) -> bool:
        """Whether this request must not be sent now: its shape waits for another one's reply."""
        held = self._find(exchange, now)
        return held is not None and held.request != exchange.request

    def begun_at(self, exchange: Exchange, sent_at: float) -> float:
        """Return since when the value may have been sampled, for a reply that came just now."""
        held = self._find(exchange, sent_at)
        return sent_at if held is None else min(held.tries[0].sent_at, sent_at)

    def gave_up(self, exchange: Exchange, sent_at: float, now: float) -> None:
        """Hold the shape of a request whose reply did not come in time."""
        if exchange.shape is None:
            return
        until = now + max(HOLD_S, 2 * self.slowest_s)
        key = (exchange.unit, exchange.shape)
        held = self._held.get(key)
        if held is None:
            self._held[key] = _Held(exchange.request, [_Try(exchange, sent_at)], until)
        else:
            held.tries.append(_Try(exchange, sent_at))
            held.until = until

    def hear(
        self, received: bytes, now: float, current: Exchange | None = None
    ) -> tuple[LateReply, ...]:
        """Listen for late replies in bytes that came; return those that were found.

        While a request of a held shape is on the wire itself (`current`), a frame of that shape is
        its reply and closes no older try.
        """
        if not self._held:
            return ()
        found: list[LateReply] = []
        for key, held in list(self._held.items()):
            if now >= held.until:
                del self._held[key]
            elif current is None or key != (current.unit, current.shape):
                late = self._listen(key, received, now)
                if late is not None:
                    found.append(late)
        return tuple(found)

    def _listen(
        self, key: tuple[Hashable, Hashable], received: bytes, now: float
    ) -> LateReply | None:
        """Return the late reply that the bytes complete, if they do, and close its try."""
        tries = self._held[key].tries
        oldest = tries[0]
        oldest.heard += len(received)
        if oldest.heard > MAX_HEARD or not _recognises(oldest.exchange, received):
            return None
        late_s = now - oldest.sent_at
        self.slowest_s = max(self.slowest_s, late_s)
        del tries[0]
        if not tries:
            del self._held[key]
        return LateReply(key[0], late_s)

    def _find(self, exchange: Exchange, now: float) -> _Held | None:
        if not self._held or exchange.shape is None:
            return None
        key = (exchange.unit, exchange.shape)
        held = self._held.get(key)
        if held is not None and now >= held.until:
            del self._held[key]
            return None
        return held


def _recognises(exchange: Exchange, received: bytes) -> bool:
    """Whether the bytes complete the reply of that exchange; a late refusal is one too."""
    try:
        return exchange.feed(received) is not None
    except DriverError:
        return True
