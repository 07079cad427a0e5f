"""What the loop knows about identity and delivery: pure bookkeeping, in step with the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from gateway.model.ids import SinkName
from gateway.model.record import Keep, Lane, Record, StateChange
from gateway.outbox.batch import Batch, Due, IsDue, Tail, due_of, due_records
from gateway.outbox.feed import SinkFeed
from gateway.outbox.held import Held
from gateway.outbox.losses import joined
from gateway.outbox.progress import LaneProgress
from gateway.outbox.recent import Recent
from gateway.outbox.rows import Lost, Noted, Opened, StateKey

FRESH_S = 30.0
"""Telemetry that waited longer is backfill (architecture, "The outbox")."""
_AGE_STEP_S = 0.25
"""Commits within this time get old together: bounds what has to be remembered."""
_ORDER = (Keep.ALARM, Keep.EVENT, Keep.DIAGNOSTIC, Keep.BILLING, Keep.TELEMETRY)
"""Of batches in one commit."""
TELL_BELOW = 500
"""Events that may wait for a sink when it is told of more losses."""
MOST_UNTOLD = 256
"""Losses known to memory only that are kept apart."""

LaneProgresses: TypeAlias = dict[Lane, LaneProgress]
NewFeed: TypeAlias = Callable[[SinkName, LaneProgresses, int], SinkFeed]
"""Makes a feed from its progress and the first seq that is not given yet."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the ledger is told at its start."""

    is_due: IsDue
    new_ep: Callable[[], int]
    recent_readings: int


class Ledger:
    """Seqs, chains, progress, memory. Changes only when the disk, or its refusal, said so."""

    def __init__(self, rules: Rules, new_feed: NewFeed) -> None:
        """Be empty until `begin`."""
        self._rules = rules
        self._new_feed = new_feed
        self.ep: int | None = None
        self.previous_ep: int | None = None
        self.last_seq = 0
        self.records = 0
        self.lost = 0
        self.feeds: dict[SinkName, SinkFeed] = {}
        self.recent: dict[Lane, Recent] = {}
        self.states: dict[StateKey, Any] = {}
        self.held = Held()
        self.untold: list[Lost] = []
        """Losses that no gap record has told yet."""
        self._began = 0
        self._spare_ep: int | None = None
        self._spare_pv: dict[tuple[SinkName, Lane], int] = {}
        self._ages: deque[tuple[float, int]] = deque()
        self._fresh_from = 0

    @property
    def has_begun(self) -> bool:
        """Whether `begin` or `opened` was called."""
        return bool(self.recent)

    def begin(self, last_seq: int, progress: Mapping[SinkName, LaneProgresses]) -> None:
        """Start after this seq. What came before is on disk or nowhere."""
        self.last_seq = self._began = last_seq
        self._fresh_from = last_seq + 1
        most = self._rules.recent_readings
        self.recent = {lane: Recent(last_seq + 1, most) for lane in Lane}
        self.feeds = {sink: self._new_feed(sink, at, last_seq + 1) for sink, at in progress.items()}

    def opened(self, opened: Opened) -> None:
        """Take over what an opened store says, at start, late, or after damage."""
        is_late = self.ep is None and self.has_begun
        self.ep, self.previous_ep = opened.ep, opened.previous_ep
        if not self.has_begun:
            self.begin(opened.last_seq, opened.progress)
        self.last_seq = max(self.last_seq, opened.last_seq)
        if is_late:
            for sink, feed in self.feeds.items():
                feed.adopt(opened.progress[sink], self._began)
        elif opened.damage is not None:
            for feed in self.feeds.values():
                for lane in Lane:
                    feed.progress(lane).pv = None
        self.states = {**opened.states, **self.states}
        known = {loss.id for loss in self.untold}
        self.untold += [loss for loss in opened.lost if loss.id not in known]

    def use_sinks(self, sinks: Sequence[SinkName]) -> None:
        """Forget missing sinks; let new ones begin with what comes now."""
        for gone in set(self.feeds) - set(sinks):
            self.feeds.pop(gone).close()
        for sink in sinks:
            if sink not in self.feeds:
                progress = beginning(self.last_seq)
                self.feeds[sink] = self._new_feed(sink, progress, self.last_seq + 1)

    # --- giving identity -----------------------------------------------------------------------

    def to_batches(self, records: Sequence[Record], at_ms: int) -> tuple[Batch, ...]:
        """Return the records as batches of one class each, with the next seqs.

        Events come first, and in each lane what must never be lost: while the disk takes no more
        than that, the rest is held behind it. Nothing changes yet.
        """
        first_seq = self.last_seq + 1
        batches: list[Batch] = []
        tails = {
            (sink, lane): Tail(feed.progress(lane).link, feed.progress(lane).pv)
            for sink, feed in self.feeds.items()
            for lane in Lane
        }
        by_keep: dict[Keep, list[Record]] = {}
        for record in records:
            by_keep.setdefault(record.keep, []).append(record)
        for keep in _ORDER:
            chosen = tuple(by_keep.get(keep, ()))
            if not chosen:
                continue
            dues: dict[SinkName, Due] = {}
            for sink in self.feeds:
                due = dues[sink] = self._due_now(sink, chosen, first_seq, tails[sink, keep.lane])
                if due.count:
                    tails[sink, keep.lane] = Tail(due.last, due.last)
            batches.append(Batch(keep.lane, self.ep or 0, first_seq, at_ms, chosen, dues))
            first_seq += len(chosen)
        return tuple(batches)

    def _due_now(
        self, sink: SinkName, records: Sequence[Record], first_seq: int, tail: Tail
    ) -> Due:
        is_due = self._rules.is_due
        return due_of(records, first_seq, tail, lambda record: is_due(sink, record))

    def due(self, batch: Batch, sink: SinkName) -> Due:
        """Return which records of the batch are due to the sink.

        That was decided at its commit; for a sink that came later, it is decided now.
        """
        known = batch.dues.get(sink)
        if known is not None:
            return known
        is_due = self._rules.is_due
        tail = Tail(0, None)
        return due_of(batch.records, batch.first_seq, tail, lambda record: is_due(sink, record))

    def progress_after(self, batches: Iterable[Batch]) -> dict[SinkName, LaneProgresses]:
        """Return copies of all progress as it will be when these are committed."""
        copies = {
            sink: {lane: feed.progress(lane).copy() for lane in Lane}
            for sink, feed in self.feeds.items()
        }
        for batch in batches:
            for sink, due in batch.dues.items():
                _advance(copies[sink][batch.lane], due, is_own_ep=True)
        return copies

    def remember(self, changes: Iterable[StateChange]) -> None:
        """Keep the newest state of rooms in memory too."""
        for change in changes:
            if change.value is None:
                self.states.pop((change.room, change.key), None)
            else:
                self.states[change.room, change.key] = change.value

    # --- what became of batches ----------------------------------------------------------------

    def written(self, batches: Sequence[Batch], now: float) -> None:
        """These are on disk: new ones, and those that were held."""
        held = {batch.first_seq for batch in self.held.batches}
        for batch in batches:
            if batch.first_seq in held:
                self.recent[batch.lane].let_go(batch.first_seq)
            else:
                self._take(batch, now, is_own_ep=True)
        self.held.remove(held & {batch.first_seq for batch in batches})

    def hold(self, batch: Batch, now: float) -> Batch:
        """Keep a batch that the disk refused; return it with the identity it has now."""
        if self._spare_ep is None:
            self._spare_ep = self._rules.new_ep()
        dues: dict[SinkName, Due] = {}
        for sink, due in batch.dues.items():
            dues[sink] = replace(due, pv=self._spare_pv.get((sink, batch.lane)))
            if due.count:
                self._spare_pv[sink, batch.lane] = due.last
        held = replace(batch, ep=self._spare_ep, dues=dues)
        self._take(held, now, is_own_ep=False)
        for given_up in self.held.add(held):
            self._give_up(given_up)
        return held

    def _take(self, batch: Batch, now: float, *, is_own_ep: bool) -> None:
        for sink, due in batch.dues.items():
            if sink in self.feeds:  # else a reload removed it while the disk worked
                _advance(self.feeds[sink].progress(batch.lane), due, is_own_ep=is_own_ep)
        self.recent[batch.lane].add(batch, is_held=not is_own_ep)
        self.last_seq = max(self.last_seq, batch.last_seq)
        self.records += len(batch.records)
        began = self._ages[-1][0] if self._ages else now - _AGE_STEP_S
        if now - began < _AGE_STEP_S:
            self._ages[-1] = (began, self.last_seq + 1)
        else:
            self._ages.append((now, self.last_seq + 1))
        self._notify()

    def fresh_from(self, now: float) -> int:
        """Return the first seq of telemetry that is still current."""
        while self._ages and self._ages[0][0] <= now - FRESH_S:
            self._fresh_from = self._ages.popleft()[1]
        return self._fresh_from

    # --- losses --------------------------------------------------------------------------------

    def _give_up(self, batch: Batch) -> None:
        span, times = (batch.first_seq, batch.last_seq), (batch.at_ms, batch.at_ms)
        lost: list[Lost] = []
        for sink, due in batch.dues.items():
            feed = self.feeds.get(sink)
            if feed is None:
                continue
            at = feed.progress(batch.lane)
            handed = due_records(batch, due, batch.first_seq)
            count = sum(not at.is_done(each.committed.seq) for each in handed)
            if count:
                lost.append(Lost(sink, batch.lane, batch.ep, *span, count, "memory", *times))
        self.recent[batch.lane].drop(batch.first_seq)
        self.note_lost(lost)
        self._notify()

    def note_lost(self, lost: Iterable[Lost]) -> None:
        """Count losses that only memory knows, and keep them until they are told."""
        fresh = list(lost)
        self._count_lost(fresh)
        self.untold += fresh
        in_memory = [loss for loss in self.untold if loss.id is None]
        # Those are joined: a long refusal must not fill memory with them.
        if len(in_memory) > MOST_UNTOLD or any(loss.cause == "memory" for loss in fresh):
            apart = [] if len(in_memory) > MOST_UNTOLD else _others(in_memory, "memory")
            joint = joined([loss for loss in in_memory if loss not in apart])
            self.untold = [*(loss for loss in self.untold if loss.id is not None), *apart, *joint]

    def noted(self, noted: Noted) -> None:
        """Count losses that are noted in the store; some took older ones into theirs."""
        self._count_lost(noted.fresh)
        gone = set(noted.gone)
        self.untold = [loss for loss in self.untold if loss.id not in gone] + list(noted.rows)

    def _count_lost(self, lost: Iterable[Lost]) -> None:
        for loss in lost:
            self.lost += loss.count
            feed = self.feeds.get(loss.sink)
            if feed is not None:
                at = feed.progress(loss.lane)
                at.pending = max(0, at.pending - loss.count)

    def to_tell(self) -> list[Lost]:
        """Return what is to be told now, which is then the caller's.

        A sink that has many events waiting does not take any: what it loses is joined meanwhile.
        """
        ready = [loss for loss in self.untold if self._takes(loss.sink)]
        self.untold = [loss for loss in self.untold if not self._takes(loss.sink)]
        return ready

    def _takes(self, sink: SinkName) -> bool:
        feed = self.feeds.get(sink)
        return feed is None or feed.progress(Lane.EVENT).pending < TELL_BELOW

    def _notify(self) -> None:
        for feed in self.feeds.values():
            feed.notify()


def beginning(last_seq: int) -> LaneProgresses:
    """Return the progress of a sink that gets what comes from now on."""
    return {lane: LaneProgress(link=last_seq, upto=last_seq) for lane in Lane}


def _advance(at: LaneProgress, due: Due, *, is_own_ep: bool) -> None:
    if due.count:
        at.link = due.last
        at.pending += due.count
        if is_own_ep:
            at.pv = due.last


def _others(losses: Sequence[Lost], cause: str) -> list[Lost]:
    return [loss for loss in losses if loss.cause != cause]
