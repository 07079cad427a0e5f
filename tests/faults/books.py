"""The three books of an audit: what was served, what was committed, what was received.

    committed = CommittedBook(sink="platform")
    committed.take_stored(stored_records(state))      # after every kill, from a copy of the store
    received = ReceivedBook.of(platform.so_far())     # or .take(topic, payload) message by message
    found = audit(ledger, committed, received)        # see tests/faults/audit.py
    assert found.is_clean, found.sentence()

SERVED says what a point really was, and when: a `simulators.ledger.Ledger` (values that hold until
the next one) or `Counters` (numbers that were given out once each). COMMITTED holds records by
their identity `(ep, seq)`, read from copies of the store or from what `append` returned; a record
must be the same whenever it is seen. RECEIVED holds every record that a subscriber got, the items
of `hist` one by one, copies and all, in the order in which they came, and what gap records told.

A record is compared by its fingerprint: device, lane, time, and what it says, in a form that is
the same in the export of the store and on the wire. The time is left out where the clock was not
synchronised at the commit (it may be corrected later), and so is what privacy may hide.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any, NamedTuple, Protocol, TypeAlias

from gateway.model.reading import Value
from gateway.model.record import Committed
from gateway.outbox.stats import committed_line

GOOD = 192
TOPIC_WORDS = 7
TELEMETRY = "telemetry"
EVENT = "event"
_OF_TELEMETRY = frozenset({"prop", "hist"})


class Identity(NamedTuple):
    """`(ep, seq)`: what one record of a gateway is known by; equal to a plain pair."""

    ep: int
    seq: int


class Served(Protocol):
    """What is asked of a book of served values; `Ledger` and `Counters` have it."""

    def knows(self, device: str, point: str) -> bool:
        """Whether it says anything of this point."""
        ...

    def holds(self, device: str, point: str, value: Value, span: tuple[int, int]) -> bool:
        """Whether the point was that value at some moment of (begun_ms, taken_ms)."""
        ...


class Counters:
    """A book for simulators that serve a new number at every read: `(device, point, counter, ms)`.

    A number that was served before the span is an old reply in a new reading's place: false.
    """

    def __init__(self) -> None:
        self._served: dict[tuple[str, str], dict[Value, list[int]]] = {}

    def put(self, device: str, point: str, counter: Value, served_at_ms: int) -> None:
        """Note that this number was given out; times go up."""
        times = self._served.setdefault((device, point), {})
        times.setdefault(counter, []).append(served_at_ms)

    def knows(self, device: str, point: str) -> bool:
        """Whether anything was ever served of this point."""
        return (device, point) in self._served

    def holds(self, device: str, point: str, value: Value, span: tuple[int, int]) -> bool:
        """Whether that number was given out in the span, both ends included."""
        times = self._served.get((device, point), {}).get(value, [])
        at = bisect_left(times, span[0])
        return at < len(times) and times[at] <= span[1]


class Shown(NamedTuple):
    """One value of a received record."""

    point: str
    value: Value | None
    quality: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in a book."""

    lane: str
    device: str
    ts_ms: int
    fingerprint: int


@dataclass(frozen=True, slots=True)
class ToldGap:
    """What a gap record says: up to `count` records of this span will never come."""

    lane: str
    ep: int
    first: int | None
    """None: from the beginning."""
    last: int | None
    """None: to the end."""
    count: int
    cause: str

    @property
    def most(self) -> int:
        """How many records it explains; a store that vanished whole cannot count them."""
        return 1 << 62 if self.first is None and not self.count else self.count

    def covers(self, identity: Identity) -> bool:
        """Whether a record of its lane lies in its span."""
        return (
            identity.ep == self.ep
            and (self.first is None or self.first <= identity.seq)
            and (self.last is None or identity.seq <= self.last)
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record as it came, whether for the first time or not."""

    identity: Identity
    entry: Entry
    kind: str
    """Its class on the wire: prop, hist, event, state, reply, gap, log."""
    pv: int | None
    values: tuple[Shown, ...]
    at_ms: int | None
    is_retained: bool


class CommittedBook:
    """What the store promised, for one sink. Content that changes between two looks is noted."""

    def __init__(
        self,
        *,
        sink: str = "platform",
        is_due: Callable[[Mapping[str, Any]], bool] = lambda _: True,
        sees: Callable[[str, str], bool] = lambda _device, _point: True,
    ) -> None:
        """Take what the sink may have: whole records, and points of them."""
        self._sink, self._is_due, self._sees = sink, is_due, sees
        self.entries: dict[Identity, Entry] = {}
        self.committed_ms: dict[Identity, int] = {}
        """When `append` returned, where that is known."""
        self.refused: set[Identity] = set()
        """What the sink refused and the store shows as refused."""
        self.changed: set[Identity] = set()
        """Records that were not the same in two copies of the store."""

    def take_stored(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take records as `linli outbox export` and `stored_records` show them."""
        for shown in records:
            if shown.get("sink") in (None, self._sink) and self._is_due(shown):
                identity = Identity(shown["ep"], shown["seq"])
                entry = _stored_entry(shown, self._sees)
                if self.entries.setdefault(identity, entry) != entry:
                    self.changed.add(identity)

    def take_appended(self, records: Iterable[Committed], at_ms: int | None = None) -> None:
        """Take what `append` returned."""
        for each in records:
            self.take_stored([json.loads(committed_line(each, each.record.lane))])
            if at_ms is not None:
                self.committed_ms[Identity(each.ep, each.seq)] = at_ms

    def take_refused(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take what `linli outbox refused` shows."""
        self.refused |= {
            Identity(shown["ep"], shown["seq"])
            for shown in records
            if shown.get("sink") == self._sink
        }


@dataclass(slots=True)
class ReceivedBook:
    """What one subscriber got. `keeps_values=False` saves memory where no truth is asked for."""

    keeps_values: bool = True
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    gaps: list[ToldGap] = field(default_factory=list[ToldGap])
    unreadable: int = 0
    unrecorded: list[Arrival] = field(default_factory=list[Arrival])
    """Messages with no seq (snapshots after a connect): their values must be true as well."""

    @classmethod
    def of(cls, messages: Iterable[Any], *, keeps_values: bool = True) -> ReceivedBook:
        """Return the book of these messages, which have `topic`, `payload` and `is_retained`."""
        book = cls(keeps_values=keeps_values)
        for message in messages:
            book.take(message.topic, message.payload, is_retained=message.is_retained)
        return book

    def take(
        self,
        topic: str,
        payload: bytes,
        at_ms: int | None = None,
        *,
        is_retained: bool = False,
    ) -> None:
        """Take one message of the native dialect; what is not `up`, a birth or empty is passed."""
        words = topic.split("/")
        if len(words) != TOPIC_WORDS or words[4] != "up" or words[5] == "birth" or not payload:
            return
        try:
            body = json.loads(payload)
        except ValueError:
            self.unreadable += 1
            return
        for record in _records(body):
            self.take_record(words[5], record, at_ms, is_retained=is_retained)

    def take_record(
        self,
        kind: str,
        record: Mapping[str, Any],
        at_ms: int | None = None,
        *,
        is_retained: bool = False,
    ) -> None:
        """Take one record as it is on the wire, with its `dev`."""
        seq = record.get("seq")
        identity = Identity(int(record.get("ep") or 0), seq if isinstance(seq, int) else 0)
        values = tuple(_shown(record)) if self.keeps_values or seq is None else ()
        pv = record.get("pv")
        arrival = Arrival(identity, _wire_entry(kind, record), kind, pv, values, at_ms, is_retained)
        if seq is None:
            self.unrecorded.append(arrival)
            return
        if kind == "gap":
            self.gaps.append(_told(record))
        self.arrivals.append(arrival)

    def identities(self) -> set[Identity]:
        """Return what has come, each once."""
        return {arrival.identity for arrival in self.arrivals}


def _records(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shared = {name: value for name, value in body.items() if name != "items"}
    if "items" not in body:
        yield shared
    for item in body.get("items", ()):
        yield {**shared, **item}


def _shown(record: Mapping[str, Any]) -> Iterator[Shown]:
    ts_ms = int(record.get("ts") or 0)
    for entry in record.get("pts", ()):
        quality = entry.get("q", GOOD)
        at_ms = ts_ms + int(entry.get("t", 0))
        yield Shown(intern(str(entry["p"])), entry.get("v"), quality, at_ms)


def _told(record: Mapping[str, Any]) -> ToldGap:
    return ToldGap(
        lane=record["lane"],
        ep=record["of_ep"],
        first=record.get("from"),
        last=record.get("to"),
        count=record["count"],
        cause=record["cause"],
    )


# --- fingerprints: what both forms of a record have in common

_Said: TypeAlias = list[Any]


def _entry(lane: str, record: Mapping[str, Any], said: _Said) -> Entry:
    device, ts_ms = intern(str(record["dev"])), int(record["ts"])
    time = ts_ms if record.get("tq") == "sync" else None  # others may be traced back later
    if time is None and said and said[0] == "state":
        said = said[:-1]  # and so may `since`
    written = json.dumps([time, said], ensure_ascii=False)
    return Entry(lane, device, ts_ms, hash((device, lane, written)))


def _stored_entry(shown: Mapping[str, Any], sees: Callable[[str, str], bool]) -> Entry:
    if "pts" in shown:
        points: dict[str, dict[str, Any]] = shown["pts"]
        said: _Said = [
            _value(point, entry) for point, entry in points.items() if sees(shown["dev"], point)
        ]
    else:
        said = _said(shown["kind"], shown["body"], _STORED_FIELDS)
    return _entry(shown["lane"], shown, said)


def _wire_entry(kind: str, record: Mapping[str, Any]) -> Entry:
    if kind in _OF_TELEMETRY:
        return _entry(TELEMETRY, record, [_value(e["p"], e) for e in record.get("pts", ())])
    return _entry(EVENT, record, _said(kind, record, _WIRE_FIELDS))


def _value(point: str, entry: Mapping[str, Any]) -> _Said:
    if entry.get("qr") == "clock":  # marked on its way out: its time is not known
        return [point, entry.get("v"), GOOD, None]
    quality = entry.get("q", GOOD)
    return [point, entry.get("v") if quality == GOOD else None, quality, entry.get("qr")]


def _said(kind: str, body: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> _Said:
    return [kind, *(body.get(name) for name in names.get(kind, ()))]


_STORED_FIELDS = {
    "event": ("eid", "type", "severity", "state"),
    "state": ("is_online", "reason", "since_ms"),
    "reply": ("rid", "status", "code"),
    "gap": ("lane", "from_seq", "to_seq", "count", "cause"),
    "log": ("topic",),
}
_WIRE_FIELDS = {
    "event": ("eid", "type", "sev", "st"),
    "state": ("online", "reason", "since"),
    "reply": ("rid", "st", "code"),
    "gap": ("lane", "from", "to", "count", "cause"),
    "log": ("topic",),
}
