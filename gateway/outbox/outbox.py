"""The outbox as its users see it: `append`, feeds, states, figures.

`append` returns when the records are safe, or, while the disk refuses, kept in memory under an
`ep` of their own. One transaction holds records, the state of rooms and the progress of sinks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.model.clock import Clock
from gateway.model.ids import SinkName
from gateway.model.record import Committed, Keep, Lane, Record, StateChange
from gateway.outbox.batch import Appended, Batch
from gateway.outbox.feed import SinkFeed
from gateway.outbox.ledger import Ledger, Rules, beginning
from gateway.outbox.mark import read_mark
from gateway.outbox.purge import time_of_day
from gateway.outbox.rows import Lost, Noted, Opened, Side, StateKey, Writing
from gateway.outbox.schema import DiskRefused, StoreDamaged
from gateway.outbox.seams import USUAL, Seams
from gateway.outbox.source import FeedSource, Rooms, Unsaved
from gateway.outbox.stats import OutboxStats
from gateway.outbox.store import Place, Store
from gateway.outbox.telling import Teller
from gateway.outbox.thread import StoreThread
from gateway.outbox.views import Counts, Show, Views, as_it_is
from gateway.settings.site import Store as StoreSettings

FLUSH_S = 1.0
"""Progress without new records is saved at most this often."""
RETRY_S = 5.0
MARK_S = 60.0
CLOSE_S = 2.0
UNKNOWN_GAP = 1_000_000
"""Seqs left free when the store cannot be read at start: more than a mark can be behind."""

_log = logging.getLogger("linli.outbox")


class Outbox:
    """Durable store-and-forward; an async context manager. All methods belong to the loop."""

    def __init__(self, place: Place, clock: Clock, sinks: Sequence[SinkName], seams: Seams) -> None:
        """Take everything; nothing is opened before `async with`."""
        self._place, self._clock = place, clock
        self._sinks = tuple(sinks)
        self._store = Store(place)
        self._thread = StoreThread(seams.executor)
        self._ledger = Ledger(
            Rules(seams.is_due, seams.new_ep, seams.recent_readings),
            lambda sink, progress, end: SinkFeed(sink, self._source, progress, end),
        )
        self._teller = Teller(clock)
        self._unsaved = Unsaved()
        self._lock = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()
        self._closing, self._dirty = asyncio.Event(), self._unsaved.dirty
        self._retry_at = self._urgent_at = self._mark_at = 0.0
        self._counts = Counts()
        self._views = Views(self._ledger, self._store, self._thread, clock)
        parts = Rooms(self._ledger, self._store, self._thread, self._views, self._counts)
        self._source = FeedSource(parts, self._unsaved, clock)

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: StoreSettings,
        clock: Clock,
        sinks: Sequence[SinkName],
        *,
        seams: Seams = USUAL,
    ) -> Self:
        """Return the outbox of this folder, to be entered with `async with`."""
        place = Place(folder, settings.quota_bytes, seams.new_ep, seams.seal, seams.retains)
        return cls(place, clock, sinks, seams)

    async def __aenter__(self) -> Self:
        """Open the store. A damaged one is set aside; one that refuses is tried again later.

        Raises:
            StoreInUse: another process has it.
        """
        self._counts.opened_at = self._clock.monotonic()
        try:
            try:
                await self._open_store()
            except DiskRefused as refusal:
                self._begin_without_store(str(refusal))
            async with self._lock:
                await self._tell()
        except BaseException:
            self._thread.stop()
            raise
        await self._tasks.__aenter__()
        self._tasks.create_task(self._keep_flushing(), name="outbox:flush")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Save what is not saved, end the thread. Feeds hand out nothing more."""
        for feed in self._ledger.feeds.values():
            feed.close()
        self._closing.set()
        self._dirty.set()
        try:
            # An error of our user is not one of the group's, and stays as it is.
            is_ours = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, trace) if is_ours else (None, None, None)))
        finally:
            await self._finish()

    # --- what rooms and sinks use --------------------------------------------------------------

    @property
    def ep(self) -> int:
        """The number of this store; 0 while it could not be opened yet."""
        return self._ledger.ep or 0

    @property
    def previous_ep(self) -> int | None:
        """The number of the store before this one, for the birth; None when there was none."""
        return self._ledger.previous_ep

    @property
    def last_seq(self) -> int:
        """The newest seq that was given."""
        return self._ledger.last_seq

    def heartbeat(self) -> float:
        """Return when the store's thread last finished all it was given, for the watchdog."""
        return self._thread.heartbeat(self._clock.monotonic())

    @property
    def is_refusing(self) -> bool:
        """Whether the disk takes nothing now."""
        return self._counts.refusing is not None

    def states(self, room: str) -> dict[str, Any]:
        """Return the small state of a room, as it was last appended."""
        known = self._ledger.states.items()
        return {key: value for (owner, key), value in known if owner == room}

    def feed(self, sink: SinkName) -> SinkFeed:
        """Return the feed of a sink that was named at `open` or by `use_sinks`."""
        return self._ledger.feeds[sink]

    def use_sinks(self, sinks: Sequence[SinkName]) -> None:
        """Take the sinks of a reloaded site: new ones begin now, missing ones are forgotten."""
        self._sinks = tuple(sinks)
        self._ledger.use_sinks(sinks)
        self._dirty.set()

    def replay(
        self, sink: SinkName, lane: Lane, first: int, last: int, *, ep: int | None = None
    ) -> bool:
        """Send again what this sink had already and the store still keeps; the rest is told.

        False when too many requests wait already.
        """
        return self._ledger.feeds[sink].replay(lane, first, last, ep)

    async def retry_refused(self, sink: SinkName) -> int:
        """Put out again what this sink refused; return how many records that are."""
        kept = await self._views.refused(self._unsaved.refusals)
        chosen = [Committed(r.record, r.ep, r.seq, r.pv) for r in kept if r.sink == sink]
        return self._ledger.feeds[sink].retry(chosen)

    async def append(
        self, records: Sequence[Record], states: Sequence[StateChange] = ()
    ) -> Appended:
        """Commit these in one transaction; events get seqs before telemetry.

        Raises:
            ValueError, TypeError: a value is NaN or not storable; nothing was committed.
        """
        if not records and not states:
            return Appended((), is_durable=True)
        async with self._lock:
            appended = await self._commit(records, states)
            await self._tell()
        return appended

    async def flush(self) -> None:
        """Save progress now, if there is any that is not saved."""
        async with self._lock:
            await self._flush()

    # --- committing; the lock is held ----------------------------------------------------------

    async def _commit(
        self,
        records: Sequence[Record],
        states: Sequence[StateChange] = (),
        told: Sequence[Lost] = (),
    ) -> Appended:
        changes: dict[StateKey, Any] = {(each.room, each.key): each.value for each in states}
        written = await self._try_to_write(records, changes, told)
        self._ledger.remember(states)
        if written is not None:
            return Appended(written, is_durable=True)
        now, at_ms = self._clock.monotonic(), self._clock.now_ms()
        batches = self._ledger.to_batches(records, at_ms)
        safe = await self._try_urgent(batches, changes)
        if not safe:
            self._unsaved.states.update(changes)
        self._dirty.set()
        held = tuple(self._ledger.hold(batch, now) for batch in batches if batch not in safe)
        return Appended((*safe, *held), is_durable=not held)

    async def _try_urgent(
        self, batches: Sequence[Batch], changes: dict[StateKey, Any]
    ) -> tuple[Batch, ...]:
        """Return what of this went into the reserve: alarms and billing values, or nothing."""
        urgent = tuple(batch for batch in batches if batch.keep >= Keep.BILLING)
        is_closed = self._unsaved.damage is not None or self._ledger.ep is None
        if not urgent or is_closed or self._clock.monotonic() < self._urgent_at:
            return ()
        held = [batch for batch in self._ledger.held.batches if batch.keep >= Keep.BILLING]
        try:
            await self._put((*held, *urgent), urgent, changes, ())
        except StoreDamaged as damage:
            self._unsaved.damage = str(damage)
            return ()
        except DiskRefused:
            self._urgent_at = self._clock.monotonic() + RETRY_S
            return ()
        return urgent

    async def _try_to_write(
        self, records: Sequence[Record], changes: dict[StateKey, Any], told: Sequence[Lost]
    ) -> tuple[Batch, ...] | None:
        """Return what was committed, None when the disk refused it."""
        if self._counts.refusing is not None and self._clock.monotonic() < self._retry_at:
            return None
        for _ in range(2):  # a damaged store is set aside, then the fresh one is tried
            try:
                if self._unsaved.damage is not None or self._ledger.ep is None:
                    await self._open_store()
                return await self._write(records, changes, told)
            except StoreDamaged as damage:
                self._unsaved.damage = str(damage)
            except DiskRefused as refusal:
                self._refuse_from_now(str(refusal))
                return None
        self._refuse_from_now(f"damaged again at once: {self._unsaved.damage}")
        return None

    async def _write(
        self, records: Sequence[Record], changes: dict[StateKey, Any], told: Sequence[Lost]
    ) -> tuple[Batch, ...]:
        batches = self._ledger.to_batches(records, self._clock.now_ms())
        await self._put((*self._ledger.held.batches, *batches), batches, changes, told)
        self._accept_from_now()
        return batches

    async def _put(
        self,
        whole: tuple[Batch, ...],
        fresh: tuple[Batch, ...],
        changes: dict[StateKey, Any],
        told: Sequence[Lost],
    ) -> None:
        """Write `whole`, of which `fresh` has never been held, in one transaction."""
        now = self._clock.monotonic()
        refusals, accepted = tuple(self._unsaved.refusals), tuple(self._unsaved.accepted)
        writing = Writing(
            whole,
            Side(self._ledger.progress_after(fresh), {**self._unsaved.states, **changes}),
            max(self._ledger.last_seq, fresh[-1].last_seq if fresh else 0),
            refusals,
            tuple(loss.id for loss in told if loss.id is not None),
            is_mark_due=now >= self._mark_at,
            purge_at_ms=time_of_day(self._clock),
            accepted=accepted,
            rate=self._views.rate(self._counts),
        )
        self._dirty.clear()

        def take_over(noted: Noted) -> None:
            self._ledger.written(writing.batches, now)
            self._ledger.noted(noted)
            saved = set(map(id, refusals))
            self._unsaved.refusals = [r for r in self._unsaved.refusals if id(r) not in saved]
            del self._unsaved.accepted[: len(accepted)]
            self._unsaved.states.clear()
            self._counts.commits += 1
            if writing.is_mark_due:
                self._mark_at = now + MARK_S

        await self._thread.run(lambda: self._store.write(writing), take_over)

    def _refuse_from_now(self, why: str) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_S
        self._dirty.set()
        if self._counts.refusing is None:
            _log.error("the disk refuses records, they are kept in memory: %s", why)
            self._teller.refusal_begins(why)
        self._counts.refusing = why

    def _accept_from_now(self) -> None:
        if self._counts.refusing is not None:
            _log.warning("the disk takes records again")
            self._teller.refusal_ends()
        self._counts.refusing = None

    async def _tell(self) -> None:
        """Append what the outbox itself has to say; losses only once the disk takes them."""
        ledger = self._ledger
        while True:
            told = [] if self._counts.refusing is not None else ledger.to_tell()
            if not told and not self._teller.events:
                return
            events = self._teller.take_events()
            gaps = [self._teller.gap(loss) for loss in told if loss.sink in ledger.feeds]
            appended = await self._commit([*events, *gaps], (), told)
            if (
                told and not appended.is_durable
            ):  # the disk remembers these losses: tell them again then
                ledger.untold += [loss for loss in told if loss.id is not None]

    # --- opening, flushing, closing ------------------------------------------------------------

    async def _open_store(self) -> None:
        damage, sinks, at_ms = self._unsaved.damage, self._sinks, self._clock.now_ms()
        floor_seq = self._ledger.last_seq

        def take_over(opened: Opened) -> None:
            self._unsaved.damage = None
            self._mark_at = self._clock.monotonic() + MARK_S
            self._counts.before = opened.rate or self._counts.before
            self._ledger.opened(opened)
            if damage is not None:  # the fresh store has no states, but we have them still
                self._unsaved.states = {**self._ledger.states, **self._unsaved.states}
            if opened.damage is not None:
                _log.error("store damaged: %s; set aside: %s", opened.damage, opened.set_aside)
                self._teller.damage(opened.damage)

        await self._thread.run(lambda: self._store.open(sinks, floor_seq, at_ms, damage), take_over)

    def _begin_without_store(self, why: str) -> None:
        mark = read_mark(self._place.folder)
        last_seq = UNKNOWN_GAP + (0 if mark is None else mark.seq)
        self._ledger.begin(last_seq, {sink: beginning(last_seq) for sink in self._sinks})
        self._refuse_from_now(why)

    async def _keep_flushing(self) -> None:
        while not self._closing.is_set():
            await self._dirty.wait()
            try:
                async with asyncio.timeout(FLUSH_S):
                    await self._closing.wait()
            except TimeoutError:
                await self.flush()

    async def _flush(self) -> None:
        if self._dirty.is_set():
            await self._commit(())
            await self._tell()

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_S), self._lock:
                self._retry_at = 0.0
                await self._flush()
                last_seq = self._ledger.last_seq
                await self._thread.run(lambda: self._store.close(last_seq))
        except TimeoutError:
            _log.error("the disk did not answer in %s s, progress may be lost", CLOSE_S)
        finally:
            self._thread.stop()

    # --- figures and listings ------------------------------------------------------------------

    async def stats(self) -> OutboxStats:
        """Return where all sinks stand and how full the quota is."""
        return await self._views.stats(self._counts)

    async def export(
        self, lane: Lane, first: int = 0, most: int = 1000, show: Show = as_it_is
    ) -> list[str]:
        """Return stored records from seq `first` on as JSON lines, as `show` has them.

        Whole rows, so that somewhat more than `most` may come.
        """
        return await self._views.export(lane, first, most, show)

    async def refused_lines(self, sink: SinkName | None = None, show: Show = as_it_is) -> list[str]:
        """Return the refused records as JSON lines, with sink and reason, oldest first."""
        return await self._views.refused_lines(sink, show, self._unsaved.refusals)
