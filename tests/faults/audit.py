"""Compares the three books and says what is wrong, each fault in exactly one place.

- `lost`: committed, due to the sink, never received, not told by a gap record, not refused.
- `told`: the same, but a gap record that itself arrived tells of it.
- `false_values`: a good value that the served book does not hold in its span; `unequal`: a record
  that says something else than what was committed under its identity, or than its first copy, or
  whose stored form changed. `false` counts both.
- `duplicates`: further copies of a record (normal: at least once). Retained copies do not count.
- `out_of_order`: where order is promised (first copies of live records, by device and lane) a
  record that came after one with a higher seq. Backfill (`hist`) may interleave, and what the
  gateway says of itself (`gap`, `log`) has no order of its own.
- `untold`: predecessors that a record names by `pv` and that neither came nor were told: what the
  subscriber can find out by itself. `broken`: links whose `pv` skips a record that was due.
- `unmatched`: received, but committed nowhere.
- `unchecked`: good values of points that the served book does not know.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from math import ceil, inf

from gateway.model.reading import Value
from tests.faults.books import (
    GOOD,
    Arrival,
    CommittedBook,
    Identity,
    ReceivedBook,
    Served,
    Shown,
    ToldGap,
)

SPAN_MS = 2000
"""How long before its `ts` a value may have been served: the longest exchange."""
KEPT_FALSE = 100
_UNORDERED = frozenset({"hist", "gap", "log"})


@dataclass(frozen=True, slots=True)
class FalseValue:
    """A good value that was not so."""

    identity: Identity
    device: str
    point: str
    value: Value
    at_ms: int


@dataclass(frozen=True, slots=True)
class Latency:
    """From the commit (from `ts` where its time is not known) to the arrival, in ms."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. Sets are complete; `false_values` keeps the first hundred."""

    committed: int
    received: int
    """Records, each counted once."""
    lost: frozenset[Identity]
    told: frozenset[Identity]
    refused: frozenset[Identity]
    unequal: frozenset[Identity]
    false_values: tuple[FalseValue, ...]
    false_value_count: int
    duplicates: int
    out_of_order: tuple[Identity, ...]
    untold: frozenset[Identity]
    broken: frozenset[Identity]
    unmatched: frozenset[Identity]
    told_gaps: int
    """Gap records received, each once."""
    checked: int
    unchecked: int
    unreadable: int
    latencies: Mapping[str, Latency]

    @property
    def false(self) -> int:
        """False values and unequal records together."""
        return self.false_value_count + len(self.unequal)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, false or silent; told gaps and duplicates are no fault."""
        return not (
            self.lost
            or self.false
            or self.untold
            or self.broken
            or self.unmatched
            or self.out_of_order
            or self.unreadable
        )

    def figures(self) -> dict[str, int]:
        """Return every count, for a verdict."""
        return {
            "committed": self.committed,
            "received": self.received,
            "lost": len(self.lost),
            "false": self.false,
            "false_values": self.false_value_count,
            "unequal": len(self.unequal),
            "duplicate": self.duplicates,
            "out_of_order": len(self.out_of_order),
            "told": len(self.told),
            "told_gaps": self.told_gaps,
            "untold": len(self.untold),
            "broken": len(self.broken),
            "unmatched": len(self.unmatched),
            "refused": len(self.refused),
            "checked": self.checked,
            "unchecked": self.unchecked,
            "unreadable": self.unreadable,
        }

    def sentence(self) -> str:
        """Return the counts that say something, in one line."""
        always = {"committed", "received", "lost", "false"}
        shown = (
            f"{count:,} {name.replace('_', ' ')}"
            for name, count in self.figures().items()
            if count or name in always
        )
        return ", ".join(shown)


def audit(
    served: Served | None,
    committed: CommittedBook | None,
    received: ReceivedBook,
    *,
    span_ms: int = SPAN_MS,
    slack_ms: int = 1,
) -> Audit:
    """Compare the books; a book that is None is not asked (no truth, or the chain alone).

    `span_ms` is how long before its `ts` a value may have been served, `slack_ms` how long after.
    """
    first = _first_copies(received)
    told = _Told(received.gaps)
    missing = _missing(committed, first)
    refused = frozenset(missing & (set() if committed is None else committed.refused))
    lanes = {i: e.lane for i, e in committed.entries.items()} if committed is not None else {}
    lost, explained = told.split(missing - refused, lanes)
    truth = _truth(served, received, first, (span_ms, slack_ms))
    return Audit(
        committed=len(lanes),
        received=len(first),
        lost=lost,
        told=explained,
        refused=refused,
        unequal=_unequal(committed, received, first),
        false_values=tuple(truth.false[:KEPT_FALSE]),
        false_value_count=len(truth.false),
        duplicates=_duplicates(received, first),
        out_of_order=tuple(_out_of_order(received, first)),
        untold=_untold(first, told, refused),
        broken=_broken(committed, first, explained | refused),
        unmatched=frozenset(first.keys() - lanes.keys()) if committed is not None else frozenset(),
        told_gaps=sum(arrival.kind == "gap" for arrival in first.values()),
        checked=truth.checked,
        unchecked=truth.unchecked,
        unreadable=received.unreadable,
        latencies=_latencies(committed, first),
    )


def _first_copies(received: ReceivedBook) -> dict[Identity, Arrival]:
    first: dict[Identity, Arrival] = {}
    for arrival in received.arrivals:
        first.setdefault(arrival.identity, arrival)
    return first


def _missing(committed: CommittedBook | None, first: Mapping[Identity, Arrival]) -> set[Identity]:
    return set() if committed is None else set(committed.entries.keys() - first.keys())


class _Told:
    """What gap records explain: a span explains no more records than it counts."""

    def __init__(self, gaps: Sequence[ToldGap]) -> None:
        self._by_lane: defaultdict[tuple[int, str], list[ToldGap]] = defaultdict(list)
        for gap in dict.fromkeys(gaps):
            self._by_lane[gap.ep, gap.lane].append(gap)

    def split(
        self, missing: set[Identity], lanes: Mapping[Identity, str]
    ) -> tuple[frozenset[Identity], frozenset[Identity]]:
        """Return what remains lost, and what is told."""
        by_lane: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for identity in sorted(missing):
            by_lane[identity.ep, lanes[identity]].append(identity.seq)
        told: set[Identity] = set()
        for key, seqs in by_lane.items():
            told |= {Identity(key[0], seq) for seq in _explained(seqs, self._by_lane.get(key, []))}
        return frozenset(missing - told), frozenset(told)

    def tells(self, identity: Identity, lane: str) -> bool:
        """Whether some gap of this lane covers it."""
        return any(gap.covers(identity) for gap in self._by_lane.get((identity.ep, lane), ()))


def _explained(seqs: Sequence[int], gaps: Sequence[ToldGap]) -> Iterator[int]:
    """Yield the seqs that are told, each by one span; spans may lie in each other.

    A seq goes to the span that ends first, so that as many as possible are explained.
    """
    coming = deque(sorted(gaps, key=lambda gap: gap.first or 0))
    active: list[tuple[float, int, int]] = []
    for seq in seqs:
        while coming and (coming[0].first or 0) <= seq:
            gap = coming.popleft()
            last = inf if gap.last is None else gap.last
            heappush(active, (last, len(coming), gap.most))
        while active and (active[0][0] < seq or active[0][2] <= 0):
            heappop(active)
        if active:
            last, number, left = active[0]
            heapreplace(active, (last, number, left - 1))
            yield seq


def _duplicates(received: ReceivedBook, first: Mapping[Identity, Arrival]) -> int:
    own = Counter(a.identity for a in received.arrivals if not a.is_retained)
    once = sum(not arrival.is_retained for arrival in first.values())
    return max(0, own.total() - once)


def _unequal(
    committed: CommittedBook | None, received: ReceivedBook, first: Mapping[Identity, Arrival]
) -> frozenset[Identity]:
    found: set[Identity] = set() if committed is None else set(committed.changed)
    entries = {} if committed is None else committed.entries
    for arrival in received.arrivals:
        truth = entries.get(arrival.identity, first[arrival.identity].entry)
        if arrival.entry.fingerprint != truth.fingerprint:
            found.add(arrival.identity)
    return frozenset(found)


@dataclass(slots=True)
class _Truth:
    false: list[FalseValue]
    checked: int = 0
    unchecked: int = 0


def _truth(
    served: Served | None,
    received: ReceivedBook,
    first: Mapping[Identity, Arrival],
    around: tuple[int, int],
) -> _Truth:
    truth = _Truth([])
    if served is None:
        return truth
    for arrival, shown in _good_values([*first.values(), *received.unrecorded]):
        device, point, value = arrival.entry.device, shown.point, shown.value
        if value is None or not served.knows(device, point):
            truth.unchecked += 1
            continue
        truth.checked += 1
        span = (shown.at_ms - around[0], shown.at_ms + around[1])
        if not served.holds(device, point, value, span):
            wrong = FalseValue(arrival.identity, device, point, value, shown.at_ms)
            truth.false.append(wrong)
    return truth


def _good_values(arrivals: Sequence[Arrival]) -> Iterator[tuple[Arrival, Shown]]:
    for arrival in arrivals:
        for shown in arrival.values:
            if shown.quality == GOOD:
                yield arrival, shown


def _out_of_order(received: ReceivedBook, first: Mapping[Identity, Arrival]) -> Iterator[Identity]:
    highest: dict[tuple[int, str, str], int] = {}
    for arrival in received.arrivals:
        if arrival is not first[arrival.identity] or arrival.is_retained:
            continue
        if arrival.kind in _UNORDERED:
            continue
        ep, seq = arrival.identity
        stream = (ep, arrival.entry.device, arrival.entry.lane)
        if seq < highest.get(stream, 0):
            yield arrival.identity
        highest[stream] = max(seq, highest.get(stream, 0))


def _untold(
    first: Mapping[Identity, Arrival], told: _Told, refused: frozenset[Identity]
) -> frozenset[Identity]:
    named = {
        (Identity(arrival.identity.ep, arrival.pv), arrival.entry.lane)
        for arrival in first.values()
        if arrival.pv
    }
    return frozenset(
        identity
        for identity, lane in named
        if identity not in first and identity not in refused and not told.tells(identity, lane)
    )


def _broken(
    committed: CommittedBook | None,
    first: Mapping[Identity, Arrival],
    explained: frozenset[Identity],
) -> frozenset[Identity]:
    """Return records whose `pv` skips one of their lane that was due and is not explained."""
    if committed is None:
        return frozenset()
    lanes: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for identity, entry in committed.entries.items():
        if identity not in explained:
            lanes[identity.ep, entry.lane].append(identity.seq)
    for seqs in lanes.values():
        seqs.sort()
    return frozenset(
        arrival.identity
        for arrival in first.values()
        if arrival.identity in committed.entries
        and _skips(lanes[arrival.identity.ep, arrival.entry.lane], arrival)
    )


def _skips(seqs: Sequence[int], arrival: Arrival) -> bool:
    before = bisect_left(seqs, arrival.identity.seq) - 1
    return before >= 0 and (arrival.pv or 0) < seqs[before]


def _latencies(
    committed: CommittedBook | None, first: Mapping[Identity, Arrival]
) -> dict[str, Latency]:
    times = {} if committed is None else committed.committed_ms
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for identity, arrival in first.items():
        if arrival.at_ms is not None and not arrival.is_retained:
            began_ms = times.get(identity, arrival.entry.ts_ms)
            by_kind[arrival.kind].append(arrival.at_ms - began_ms)
    return {kind: _latency(sorted(spans)) for kind, spans in by_kind.items()}


def _latency(spans: Sequence[float]) -> Latency:
    def at(share: float) -> float:
        return spans[max(0, ceil(share * len(spans)) - 1)]

    return Latency(len(spans), at(0.5), at(0.95), at(0.99), spans[-1])
