"""What the outbox has to say about itself: records like any other."""

from __future__ import annotations

from gateway.model.clock import Clock
from gateway.model.ids import GATEWAY_ITSELF, SinkName
from gateway.model.record import EventBody, GapBody, Record
from gateway.outbox.rows import Lost

SEVERITY = 3


class Teller:
    """Makes the records; events wait here until they are appended."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock that dates them."""
        self._clock = clock
        self._refusal_eid = ""
        self.events: list[Record] = []

    def refusal_begins(self, why: str) -> None:
        """The disk takes nothing; records carry another ep until it does."""
        self._refusal_eid = f"store-refused-{self._clock.now_ms()}"
        self._event(self._refusal_eid, "store_refused", "raised", why)

    def refusal_ends(self) -> None:
        """The disk takes records again."""
        self._event(self._refusal_eid, "store_refused", "cleared", None)

    def damage(self, what: str) -> None:
        """The store was not whole: there is a new ep, and the state of rooms may be older."""
        eid = f"store-damaged-{self._clock.now_ms()}"
        self._event(eid, "store_damaged", "raised", what)

    def take_events(self) -> list[Record]:
        """Return what waits, which is then the caller's."""
        events, self.events = self.events, []
        return events

    def gap(self, loss: Lost) -> Record:
        """Return the record that tells a sink what it will never get."""
        span, times = (loss.first, loss.last), (loss.from_ms, loss.to_ms)
        body = GapBody(loss.lane, *span, loss.count, loss.cause, *times, loss.ep)
        return self._record(body, loss.sink)

    def _event(self, eid: str, kind: str, state: str, detail: str | None) -> None:
        self.events.append(self._record(EventBody(eid, kind, SEVERITY, state, detail=detail)))

    def _record(self, body: EventBody | GapBody, sink: SinkName | None = None) -> Record:
        clock = self._clock
        return Record(GATEWAY_ITSELF, clock.now_ms(), clock.quality(), body, sink)
