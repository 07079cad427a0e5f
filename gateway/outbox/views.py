"""Gathers figures and listings from the ledger and the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gateway.model.clock import Clock
from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane, Record
from gateway.outbox.ledger import Ledger
from gateway.outbox.progress import LaneProgress
from gateway.outbox.rate import Rate, rate_of
from gateway.outbox.rows import Refusal
from gateway.outbox.schema import DiskRefused, StoreDamaged
from gateway.outbox.stats import Depth, OutboxStats, committed_line, hours_left, refusal_line
from gateway.outbox.store import Store
from gateway.outbox.thread import StoreThread

_LEAST_S = 1.0
"""The first commits of a life do not stand for less time than this."""
PAGE_OVERHEAD = 1.2
"""Of pages against the rows in them: tests/outbox/test_outbox_wear.py holds it."""

Show: TypeAlias = Callable[[Record], Record]
"""What of a record people are shown."""


def as_it_is(record: Record) -> Record:
    """Return all of it."""
    return record


@dataclass(slots=True)
class Counts:
    """What the outbox counts beside its ledger."""

    opened_at: float = 0.0
    commits: int = 0
    refused: dict[SinkName, int] = field(default_factory=dict[SinkName, int])
    refusing: str | None = None
    """Why the disk refuses, None when it does not."""
    before: Rate | None = None
    """The rate that the lives before this one had."""


class Views:
    """Looks and changes nothing."""

    def __init__(self, ledger: Ledger, store: Store, thread: StoreThread, clock: Clock) -> None:
        """Take what is looked at."""
        self._ledger, self._store, self._thread, self._clock = ledger, store, thread, clock

    async def stats(self, counts: Counts) -> OutboxStats:
        """Return where all sinks stand and how full the quota is."""
        ledger = self._ledger
        depths: list[Depth] = []
        for sink, feed in list(ledger.feeds.items()):
            for lane in Lane:
                at = feed.progress(lane)
                age_s = await self._oldest_age_s(lane, at) if at.pending else None
                depth = Depth(sink, lane, at.pending, feed.in_flight(lane), age_s, at.upto)
                depths.append(depth)
        quota = self._store.quota.max_bytes
        waiting: dict[SinkName, int] = {}
        for each in depths:
            waiting[each.sink] = waiting.get(each.sink, 0) + each.depth
        return OutboxStats(
            ep=ledger.ep or 0,
            last_seq=ledger.last_seq,
            depths=tuple(depths),
            used_bytes=await self._used_bytes(),
            quota_bytes=quota,
            commits=counts.commits,
            records=ledger.records,
            refused=dict(counts.refused),
            lost=ledger.lost,
            held=len(ledger.held),
            refusing=counts.refusing,
            is_reserve_whole=self._store.is_reserve_whole,
            hours_left=self._hours_left(quota, max(waiting.values(), default=0), counts),
        )

    async def export(self, lane: Lane, first: int, most: int, show: Show) -> list[str]:
        """Return stored records as JSON lines, whole rows of them."""
        lines: list[str] = []
        start = first
        while len(lines) < most and start <= self._ledger.last_seq:
            end = self._ledger.last_seq + 1
            at = start
            page = await self._thread.run(lambda at=at, end=end: self._store.look(lane, at, end))
            lines += [
                committed_line(Committed(show(record), batch.ep, seq, None), lane)
                for batch in page.batches
                for seq, record in batch.placed()
                if seq >= start
            ]
            start = max(start + 1, page.end)
        return lines

    async def refused(self, unsaved: Sequence[Refusal]) -> list[Refusal]:
        """Return the refused records, oldest first."""
        try:
            saved = await self._thread.run(self._store.refused)
        except (DiskRefused, StoreDamaged):
            saved = []
        return [*saved, *unsaved]

    async def refused_lines(
        self, sink: SinkName | None, show: Show, unsaved: Sequence[Refusal]
    ) -> list[str]:
        """Return the refused records as JSON lines, oldest first."""
        kept = [one for one in await self.refused(unsaved) if sink in {None, one.sink}]
        return [refusal_line(replace(one, record=show(one.record))) for one in kept]

    async def refused_of(
        self, sink: SinkName, mark: str, most: int, unsaved: Sequence[Refusal]
    ) -> list[Refusal]:
        """Return the first that a sink refused with `mark` in the reason, in order of seq."""
        try:
            saved = await self._thread.run(lambda: self._store.refused_of(sink, mark, most))
        except (DiskRefused, StoreDamaged):
            saved = []
        return [*saved, *(one for one in unsaved if one.sink == sink and mark in one.reason)]

    async def _used_bytes(self) -> int:
        try:
            return await self._thread.run(self._store.used_bytes)
        except (DiskRefused, StoreDamaged):
            return 0

    async def _oldest_age_s(self, lane: Lane, at: LaneProgress) -> float | None:
        seq = at.upto + 1
        recent = self._ledger.recent[lane]
        if seq >= recent.low:
            found = recent.since(seq)
            at_ms = found[0].at_ms if found else None
        else:
            try:
                at_ms = await self._thread.run(lambda: self._store.oldest_ms(lane, seq))
            except (DiskRefused, StoreDamaged):
                return None
        return None if at_ms is None else max(0.0, (self._clock.now_ms() - at_ms) / 1000)

    def rate(self, counts: Counts) -> Rate | None:
        """Return what is written in a second and for a record, by this life and the ones before."""
        elapsed_s = max(_LEAST_S, self._clock.monotonic() - counts.opened_at)
        return rate_of(self._store.row_bytes, self._ledger.records, elapsed_s, counts.before)

    def _hours_left(self, quota_bytes: int, waiting: int, counts: Counts) -> float | None:
        rate = self.rate(counts)
        if rate is None:
            return None
        taken = waiting * rate.bytes_per_record * PAGE_OVERHEAD
        return hours_left(quota_bytes - taken, rate.bytes_per_s * PAGE_OVERHEAD)
