"""Gathers figures and listings from the ledger and the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.model.clock import Clock
from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane
from gateway.outbox.ledger import Ledger
from gateway.outbox.progress import LaneProgress
from gateway.outbox.rows import Refusal
from gateway.outbox.schema import DiskRefused, StoreDamaged
from gateway.outbox.stats import Depth, OutboxStats, committed_line, hours_left, refusal_line
from gateway.outbox.store import Store
from gateway.outbox.thread import StoreThread

MEASURED_S = 60.0
"""Rates are told only after this time."""


@dataclass(slots=True)
class Counts:
    """What the outbox counts beside its ledger."""

    opened_at: float = 0.0
    commits: int = 0
    refused: dict[SinkName, int] = field(default_factory=dict[SinkName, int])
    refusing: str | None = None
    """Why the disk refuses, None when it does not."""


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
        deepest = max((each.depth for each in depths), default=0)
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
            hours_left=self._hours_left(quota, deepest, counts.opened_at),
        )

    async def export(self, lane: Lane, first: int, most: int) -> list[str]:
        """Return stored records as JSON lines, whole rows of them."""
        lines: list[str] = []
        start = first
        while len(lines) < most and start <= self._ledger.last_seq:
            end = self._ledger.last_seq + 1
            at = start
            page = await self._thread.run(lambda at=at, end=end: self._store.look(lane, at, end))
            lines += [
                committed_line(Committed(record, batch.ep, batch.first_seq + place, None), lane)
                for batch in page.batches
                for place, record in enumerate(batch.records)
                if batch.first_seq + place >= start
            ]
            start = max(start + 1, page.end)
        return lines

    async def refused_lines(self, unsaved: Sequence[Refusal]) -> list[str]:
        """Return the refused records as JSON lines, oldest first."""
        try:
            saved = await self._thread.run(self._store.refused)
        except DiskRefused:
            saved = []
        return [refusal_line(refusal) for refusal in [*saved, *unsaved]]

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

    def _hours_left(self, quota_bytes: int, depth: int, opened_at: float) -> float | None:
        elapsed_s = self._clock.monotonic() - opened_at
        records, row_bytes = self._ledger.records, self._store.row_bytes
        if elapsed_s < MEASURED_S or not records:
            return None
        return hours_left(quota_bytes - depth * row_bytes / records, row_bytes / elapsed_s)
