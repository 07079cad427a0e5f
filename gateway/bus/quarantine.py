"""The rule against late replies: no reply is ever taken for that of another request.

A serial frame carries no number of its request. When a request of some shape timed out, its reply
may still come, and it would pass every check as the reply of another request of the same shape to
the same unit. So that shape belongs to the timed-out request alone until its reply has been seen,
or until no device would still send it. Repeating it is allowed: whatever comes then is a value of
the right registers. It may have been sampled for the first try, therefore such a reading counts
as begun when the first try was sent, for as long as any is open.

The order of replies is not relied upon: an answer to a repetition leaves the first try open, and
a gateway that reorders cannot fool us. Every open try waits for one frame; each late frame that is
heard closes one. A frame that is heard during another exchange closes its try only when that
exchange then gets its own reply: else it may have been that device's answer with a wrong unit or
length in it, and the true late reply is still to come.
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


@dataclass(slots=True, eq=False)
class _Try:
    exchange: Exchange
    sent_at: float
    heard: int = 0
    is_deaf: bool = False
    """It listens no longer: it heard what may have been its reply, or too much else."""


@dataclass(slots=True)
class _Held:
    request: bytes
    tries: list[_Try]
    since: float
    """When the first try was sent: a gateway that reorders may answer it last of all."""
    until: float


@dataclass(frozen=True, slots=True)
class _Heard:
    key: tuple[Hashable, Hashable]
    by: _Try
    late: LateReply


class Quarantine:
    """Shapes that are taken, per unit, on one line."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self._held: dict[tuple[Hashable, Hashable], _Held] = {}
        self._maybe: list[_Heard] = []
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
        return sent_at if held is None else min(held.since, sent_at)

    def gave_up(self, exchange: Exchange, sent_at: float, now: float) -> None:
        """Hold the shape of a request whose reply did not come in time."""
        if exchange.shape is None:
            return
        until = now + max(HOLD_S, 2 * self.slowest_s)
        key = (exchange.unit, exchange.shape)
        held = self._held.get(key)
        if held is None:
            self._held[key] = _Held(exchange.request, [_Try(exchange, sent_at)], sent_at, until)
        else:
            held.tries.append(_Try(exchange, sent_at))
            held.until = until

    def was_refused(self, exchange: Exchange, sent_at: float, now: float) -> None:
        """Note a refusal: while tries of its unit are open, it may have been a late one of theirs.

        Then the reply to this exchange is still to come, and its shape is held too.
        """
        if any(unit == exchange.unit for unit, _ in self._held):
            self.gave_up(exchange, sent_at, now)

    def hear(self, received: bytes, now: float, current: Exchange | None = None) -> None:
        """Listen for late replies in bytes that came; `settle` returns those that were found.

        While a request of a held shape is on the wire itself (`current`), a frame of that shape is
        its reply and closes no older try.
        """
        for key, held in list(self._held.items()):
            if now >= held.until:
                del self._held[key]
            elif current is None or key != (current.unit, current.shape):
                self._listen(key, held, received, now)

    def settle(self, *, is_believed: bool) -> tuple[LateReply, ...]:
        """Close the tries whose late replies were heard, and return those.

        When they are not believed, their tries stay open until their time is over.
        """
        if not self._maybe:
            return ()
        heard, self._maybe = self._maybe, []
        if not is_believed:
            return ()
        for each in heard:
            self.slowest_s = max(self.slowest_s, each.late.after_s)
            held = self._held.get(each.key)
            if held is not None and each.by in held.tries:
                held.tries.remove(each.by)
                if not held.tries:
                    del self._held[each.key]
        return tuple(each.late for each in heard)

    def _listen(
        self, key: tuple[Hashable, Hashable], held: _Held, received: bytes, now: float
    ) -> None:
        """Let the oldest try that still listens hear the bytes."""
        listening = next((each for each in held.tries if not each.is_deaf), None)
        if listening is None:
            return
        listening.heard += len(received)
        try:
            found = listening.exchange.feed(received) is not None
        except DriverError:
            # A refusal does not say of which request: it may be the answer to the present one.
            listening.is_deaf = True
            return
        listening.is_deaf = found or listening.heard > MAX_HEARD
        if found:
            late = LateReply(key[0], now - listening.sent_at)
            self._maybe.append(_Heard(key, listening, late))

    def _find(self, exchange: Exchange, now: float) -> _Held | None:
        if not self._held or exchange.shape is None:
            return None
        key = (exchange.unit, exchange.shape)
        held = self._held.get(key)
        if held is not None and now >= held.until:
            del self._held[key]
            return None
        return held
