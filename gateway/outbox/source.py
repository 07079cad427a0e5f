"""The outbox as its feeds see it (`walk.Source`), and what the next transaction carries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model.clock import Clock
from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane
from gateway.outbox.batch import Batch, Due
from gateway.outbox.ledger import Ledger
from gateway.outbox.recent import Recent
from gateway.outbox.rows import Lost, Page, Refusal, StateKey
from gateway.outbox.schema import DiskRefused, StoreDamaged
from gateway.outbox.store import Store
from gateway.outbox.thread import StoreThread
from gateway.outbox.views import Counts, Views


@dataclass(slots=True)
class Unsaved:
    """What the next transaction carries beside records and progress."""

    states: dict[StateKey, Any] = field(default_factory=dict[StateKey, Any])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    accepted: list[tuple[SinkName, int, int]] = field(
        default_factory=list[tuple[SinkName, int, int]]
    )
    damage: str | None = None
    """Set when the open store proved damaged: it is set aside before the next write."""
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is progress to save."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the outbox is made of, as far as its feeds need it."""

    ledger: Ledger
    store: Store
    thread: StoreThread
    views: Views
    counts: Counts


class FeedSource:
    """One for all feeds."""

    def __init__(self, rooms: Rooms, unsaved: Unsaved, clock: Clock) -> None:
        """Take the parts of the outbox."""
        self._ledger, self._store, self._thread = rooms.ledger, rooms.store, rooms.thread
        self._views, self._counts = rooms.views, rooms.counts
        self._unsaved, self._clock = unsaved, clock

    @property
    def ep(self) -> int:
        """The number of the store; 0 while it could not be opened yet."""
        return self._ledger.ep or 0

    def recent(self, lane: Lane) -> Recent:
        """Return what is in memory."""
        return self._ledger.recent[lane]

    def due(self, batch: Batch, sink: SinkName) -> Due:
        """Return which records of the batch are due to the sink."""
        return self._ledger.due(batch, sink)

    def fresh_from(self) -> int:
        """Return the first seq of telemetry that is still current."""
        return self._ledger.fresh_from(self._clock.monotonic())

    async def read(self, lane: Lane, start: int, below: int) -> Page | None:
        """Return rows from the disk, None when it cannot be read now."""
        progress = self._ledger.progress_after(())
        try:
            page = await self._thread.run(lambda: self._store.read(lane, start, below, progress))
        except DiskRefused:
            return None
        except StoreDamaged as damage:
            self._unsaved.damage = str(damage)
            self.progressed()
            return None
        if page.noted.fresh:
            self._ledger.noted(page.noted)
            self.progressed()
        return page

    def refuse(self, sink: SinkName, records: Sequence[Committed], reason: str) -> None:
        """Keep these records where people can see them; saved together with the progress."""
        at_ms = self._clock.now_ms()
        self._unsaved.refusals += [
            Refusal(sink, each.ep, each.seq, at_ms, reason, each.record, each.pv)
            for each in records
        ]
        self._counts.refused[sink] = self._counts.refused.get(sink, 0) + len(records)

    def accepted(self, sink: SinkName, record: Committed) -> None:
        """Forget that this record was refused; saved together with the progress."""
        self._unsaved.refusals = [
            each
            for each in self._unsaved.refusals
            if (each.sink, each.ep, each.seq) != (sink, record.ep, record.seq)
        ]
        self._unsaved.accepted.append((sink, record.ep, record.seq))

    def not_kept(
        self, sink: SinkName, lane: Lane, ep: int | None, holes: Sequence[tuple[int, int]]
    ) -> None:
        """Tell that these ranges were asked for again and are no longer kept."""
        of_ep = self.ep if ep is None else ep
        self._ledger.untold += [
            Lost(sink, lane, of_ep, first, last, last - first + 1, "not_kept")
            for first, last in holes
        ]
        self.progressed()

    def progressed(self) -> None:
        """Save progress soon."""
        self._unsaved.dirty.set()

    async def refused_of(self, sink: SinkName, mark: str, most: int) -> Sequence[Refusal]:
        """Return the first that a sink refused with `mark` in the reason, in order of seq."""
        taken = set(self._unsaved.accepted)  # the disk does not know it yet
        kept = await self._views.refused_of(sink, mark, most, self._unsaved.refusals)
        return [one for one in kept if (one.sink, one.ep, one.seq) not in taken]
