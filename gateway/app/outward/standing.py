"""What stands against a sink, as events of the gateway: raised once, cleared once. Pure.

The ids are kept as state of a room, so that an event that stands over a restart is cleared by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.dialects.contract import Now
from gateway.model.ids import GATEWAY_ITSELF, SinkName
from gateway.model.record import EventBody, Record, StateChange

ROOM = "sink_events"
SEVERITY = 2
UNHEARD_S = 5.0
"""All that was delivered in this time went to nobody."""
SETTLED_S = 10.0
"""After a connect nothing is cleared for so long: what stood before shows again by then."""


@dataclass(frozen=True, slots=True)
class Told:
    """Records to be committed, with the state that belongs to them."""

    records: Sequence[Record]
    changes: Sequence[StateChange]


class Standing:
    """The events of one sink."""

    def __init__(self, sink: SinkName, known: Mapping[str, str]) -> None:
        """Take the ids of what stood when we were last here: type to id."""
        self._sink = sink
        self._eids = dict(known)

    def compare(self, true: Mapping[str, str], now: Now, *, may_clear: bool) -> Told | None:
        """Return what is new of the conditions that hold (type to detail), and what ended."""
        records: list[Record] = []
        changes: list[StateChange] = []
        for kind, detail in true.items():
            if kind not in self._eids:
                eid = f"{kind}-{self._sink}-{now.ms}"
                self._eids[kind] = eid
                records.append(self._record(EventBody(eid, kind, SEVERITY, "raised"), detail, now))
                changes.append(StateChange(ROOM, f"{self._sink}/{kind}", eid))
        for kind in [kind for kind in self._eids if may_clear and kind not in true]:
            body = EventBody(self._eids.pop(kind), kind, SEVERITY, "cleared")
            records.append(self._record(body, "", now))
            changes.append(StateChange(ROOM, f"{self._sink}/{kind}", None))
        return Told(records, changes) if records else None

    def _record(self, body: EventBody, detail: str, now: Now) -> Record:
        said = f"sink {self._sink}: {detail}" if detail else f"sink {self._sink}"
        return Record(GATEWAY_ITSELF, now.ms, now.tq, replace(body, detail=said))


def known_of(sink: SinkName, states: Mapping[str, str]) -> dict[str, str]:
    """Return the ids of one sink out of the states of the room."""
    prefix = f"{sink}/"
    return {key.removeprefix(prefix): eid for key, eid in states.items() if key.startswith(prefix)}


class Unheard:
    """Whether anybody listens to what is delivered."""

    def __init__(self) -> None:
        """Believe it."""
        self._since: float | None = None
        self._heard_at = float("-inf")
        self.is_so = False

    def delivered(self, now: float, *, to_nobody: bool) -> None:
        """Note what the broker said of one message."""
        if not to_nobody:
            self._since, self._heard_at, self.is_so = None, now, False
        elif self._since is None:
            self._since = now

    def look(self, now: float) -> None:
        """Judge, some time after."""
        if self._since is not None and now - self._since >= UNHEARD_S:
            self.is_so = True

    def someone_listens(self, now: float) -> bool:
        """Whether somebody took something a short while ago: then it is only this topic."""
        return now - self._heard_at < UNHEARD_S
