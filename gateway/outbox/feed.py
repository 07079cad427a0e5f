"""What one sink gets, in which order, and what it has done with it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane
from gateway.outbox.batch import Handed, due_records
from gateway.outbox.progress import LaneProgress
from gateway.outbox.replay import MOST_WAITING, Replay, Retries
from gateway.outbox.rows import Page, Refusal
from gateway.outbox.walk import (
    NO_END,
    NO_PAGE,
    Cursor,
    FeedBatch,
    LaneFeed,
    Room,
    Source,
    Walk,
)

FEW_EVENTS = 200
"""Events that may wait before new ones overtake them."""


class SinkFeed:
    """One sink's own view. One task asks `next`; outcomes may come from anywhere in the loop."""

    def __init__(
        self, sink: SinkName, source: Source, progress: dict[Lane, LaneProgress], end: int
    ) -> None:
        """Begin after what was finished; `end` is the first seq that is not committed yet."""
        self.sink = sink
        self._source = source
        self._news = asyncio.Event()
        self._is_closed = False
        self._replays: deque[Replay] = deque()
        self._retries = Retries()
        self._lanes = {
            lane: LaneFeed(
                lane,
                at,
                Cursor(end, NO_END, at.link),
                Cursor(min(at.upto + 1, end), end, at.upto),
            )
            for lane, at in progress.items()
        }

    def progress(self, lane: Lane) -> LaneProgress:
        """Return the live progress of a lane; the outbox adds what is committed."""
        return self._lanes[lane].progress

    def in_flight(self, lane: Lane) -> int:
        """Return how many records are handed out and not settled."""
        return len(self._lanes[lane].in_flight)

    # --- handing out ---------------------------------------------------------------------------

    async def next(self, room: Callable[[], Room]) -> FeedBatch | None:
        """Return the next records for which there is room, waiting for them; None after close.

        `room` is asked again whenever something came or was settled. May be cancelled: nothing is
        handed out then.
        """
        while not self._is_closed:
            self._news.clear()
            batch = await self.take(room())
            if batch is not None:
                return batch
            if not self._news.is_set():
                await self._news.wait()
        return None

    async def take(self, room: Room) -> FeedBatch | None:
        """Return the next records for which there is room, None when there are none now.

        Events go first, then telemetry that is current, in order, then what waited, then what was
        asked for again.
        """
        events, telemetry = self._lanes[Lane.EVENT], self._lanes[Lane.TELEMETRY]
        if room.events > 0 and (batch := await self._next_of(events, room)) is not None:
            return batch
        return await self._next_of(telemetry, room) or await self._replay(room)

    async def _next_of(self, lane: LaneFeed, room: Room) -> FeedBatch | None:
        """Return what is next in a lane: in order while little waited, else the newest first."""
        if self._is_little(lane):
            return await self._arrears(lane, room) or self._live(lane, room)
        return self._live(lane, room) or await self._arrears(lane, room)

    def _is_little(self, lane: LaneFeed) -> bool:
        """Whether so little waited that nothing new is delayed by it.

        Events in their order: else an alarm that was cleared would be raised once more behind it.
        """
        if lane.lane is Lane.EVENT:
            return lane.progress.pending - len(lane.in_flight) <= FEW_EVENTS
        cursor = lane.arrears
        return cursor.at < cursor.below and not self._is_old(lane, cursor.at)

    def _live(self, lane: LaneFeed, room: Room) -> FeedBatch | None:
        recent = self._source.recent(lane.lane)
        fresh_from = recent.low
        if lane.lane is Lane.TELEMETRY:
            fresh_from = max(fresh_from, min(self._source.fresh_from(), recent.end))
        self._fall_behind(lane, fresh_from)
        limit = room.events if lane.lane is Lane.EVENT else room.live
        if limit <= 0:
            return None
        walk = Walk(self._source, self.sink, lane, limit, None)
        handed = walk.through(lane.live, recent.since(lane.live.at), recent.end)
        if handed:
            lane.overtaken = handed[-1].committed.seq
        return self._hand_out(lane, handed, is_backfill=False)

    def _fall_behind(self, lane: LaneFeed, fresh_from: int) -> None:
        """Give to the arrears what is no longer in memory, or no longer current."""
        live, arrears = lane.live, lane.arrears
        if live.at >= fresh_from:
            return
        if arrears.at >= arrears.below:
            arrears.at = live.at
            if live.link is not None:  # else nothing came since the arrears ended right there
                arrears.link = live.link
        arrears.below = fresh_from
        live.at, live.link = fresh_from, None

    async def _arrears(self, lane: LaneFeed, room: Room) -> FeedBatch | None:
        cursor = lane.arrears
        while cursor.at < cursor.below and not self._is_closed:
            is_old = self._is_old(lane, cursor.at)
            limit = _limit(lane.lane, room, is_old=is_old)
            if limit <= 0:
                return None
            boundary = self._current_from(lane) if is_old else None
            page = await self._page(lane)
            if page is None:
                return None
            walk = Walk(self._source, self.sink, lane, limit, boundary)
            handed = walk.through(cursor, page.batches, min(page.end, cursor.below))
            if cursor.at >= cursor.below:
                self._finish_arrears(lane)
            batch = self._hand_out(lane, handed, is_backfill=is_old)
            if batch is not None:
                return batch
        return None

    def _is_old(self, lane: LaneFeed, seq: int) -> bool:
        return lane.lane is Lane.TELEMETRY and seq < self._current_from(lane)

    def _current_from(self, lane: LaneFeed) -> int:
        return max(self._source.fresh_from(), lane.overtaken)

    def _finish_arrears(self, lane: LaneFeed) -> None:
        """Behind the last due record there is nothing more: what is missing there is lost."""
        cursor, progress = lane.arrears, lane.progress
        lane.page = NO_PAGE
        if cursor.link is not None and cursor.link < cursor.below - 1:
            progress.skip(cursor.link, cursor.below - 1)

    async def _page(self, lane: LaneFeed) -> Page | None:
        cursor = lane.arrears
        if lane.page_from <= cursor.at < lane.page.end:
            return lane.page
        lane.page = NO_PAGE
        recent = self._source.recent(lane.lane)
        if cursor.at >= recent.low:
            return Page(recent.since(cursor.at), max(recent.end, cursor.below))
        start = cursor.at
        page = await self._source.read(lane.lane, start, min(cursor.below, recent.low))
        if page is not None:
            if cursor.at != start:  # a disconnect moved it meanwhile: read again
                return NO_PAGE
            lane.page, lane.page_from = page, start
        return page

    async def _replay(self, room: Room) -> FeedBatch | None:
        while self._replays and room.backfill > 0 and not self._is_closed:
            replay = self._replays[0]
            lane, cursor = self._lanes[replay.lane], replay.cursor
            start = cursor.at
            page = await self._source.read(replay.lane, start, cursor.below)
            if page is None:
                return None
            if not self._replays or self._replays[0] is not replay or cursor.at != start:
                continue
            walk = Walk(self._source, self.sink, lane, room.backfill, None, replay.look_at)
            handed = walk.through(cursor, page.batches, min(page.end, cursor.below))
            if cursor.at >= cursor.below:
                self._replays.popleft()
                await self._end_replay(replay)
            lane.replayed.update(each.committed.seq for each in handed)
            batch = self._hand_out(lane, handed, is_backfill=replay.lane is Lane.TELEMETRY)
            if batch is not None:
                return batch
        return self._retry(room)

    async def _end_replay(self, replay: Replay) -> None:
        """Tell what was asked for and is no longer kept."""
        if not replay.is_told:
            return
        link = self._lanes[replay.lane].progress.link
        behind = await self._source.read(replay.lane, replay.last + 1, NO_END)
        for batch in () if behind is None else behind.batches:
            due = self._source.due(batch, self.sink)
            found = next(due_records(batch, due, replay.last + 1), None)
            if found is not None:
                link = found.link
                break
        replay.end(link, self._source.ep)
        if replay.holes:
            self._source.not_kept(self.sink, replay.lane, replay.ep, replay.holes)

    def _retry(self, room: Room) -> FeedBatch | None:
        if room.backfill <= 0:
            return None
        busy = [seq for lane in self._lanes.values() for seq in lane.in_flight]
        taken = self._retries.take(room.backfill, busy)
        if taken is None:
            return None
        lane = self._lanes[taken[0]]
        lane.replayed.update(each.seq for each in taken[1])
        handed = [Handed(each, 0) for each in taken[1]]
        return self._hand_out(lane, handed, is_backfill=lane.lane is Lane.TELEMETRY)

    def _hand_out(
        self, lane: LaneFeed, handed: Sequence[Handed], *, is_backfill: bool
    ) -> FeedBatch | None:
        if not handed:
            return None
        for each in handed:
            lane.in_flight[each.committed.seq] = each
        return FeedBatch(lane.lane, tuple(each.committed for each in handed), is_backfill)

    # --- outcomes ------------------------------------------------------------------------------

    def done(self, lane: Lane, seqs: Iterable[int]) -> None:
        """The platform has these records. Unknown and repeated seqs are no matter."""
        for seq in seqs:
            settled = self._settle(self._lanes[lane], seq)
            if settled is not None and self._retries.flying.pop(seq, None) is not None:
                self._source.accepted(self.sink, settled.committed)
        self._settled()

    def done_range(self, lane: Lane, first: int, last: int, ep: int) -> None:
        """The platform has all records of `ep` from `first` to `last` that were sent to it."""
        sent = self._lanes[lane].in_flight.items()
        found = [s for s, each in sent if first <= s <= last and each.committed.ep == ep]
        self.done(lane, found)

    def refused(self, lane: Lane, seqs: Iterable[int], reason: str) -> None:
        """The platform will never take these: they stop nothing, and stay to be seen."""
        settled = [self._settle(self._lanes[lane], seq) for seq in seqs]
        records = [each.committed for each in settled if each is not None]
        for each in records:
            self._retries.flying.pop(each.seq, None)
        if records:
            self._source.refuse(self.sink, records, reason)
        self._settled()

    def too_large(self, lane: Lane, seqs: Iterable[int]) -> None:
        """The platform's limit is below the size of these; kept like refused ones."""
        self.refused(lane, seqs, "too_large")

    def again(self, lane: Lane, seqs: Iterable[int]) -> None:
        """Hand these out once more: the platform was busy."""
        self._put_back(self._lanes[lane], list(seqs))

    def requeue(self) -> None:
        """The connection is gone: all that is not settled is handed out again."""
        for lane in self._lanes.values():
            lane.overtaken = 0
            self._put_back(lane, list(lane.in_flight))

    def replay(self, lane: Lane, first: int, last: int, ep: int | None = None) -> bool:
        """Hand out again what was delivered before and is still kept, when nothing else waits.

        What is no longer kept is told by a gap record. `ep` None asks for any; False when too many
        requests wait already.
        """
        if len(self._replays) >= MOST_WAITING:
            return False
        self._replays.append(Replay(lane, first, last, ep, is_told=True))
        self.notify()
        return True

    async def kept_refused(self, mark: str, most: int) -> Sequence[Refusal]:
        """Return the first that were refused with `mark` in the reason, in order of seq."""
        return await self._source.refused_of(self.sink, mark, most)

    def retry(self, records: Iterable[Committed]) -> int:
        """Put out again what was refused; return how many were not waiting for it already."""
        added = self._retries.add(records)
        self.notify()
        return added

    def _settled(self) -> None:
        self._source.progressed()
        self._news.set()  # there is room again

    def look_up(self) -> None:
        """Begin to watch for news, before looking with `take`."""
        self._news.clear()

    async def news(self) -> bool:
        """Wait until something came or was settled since `look_up`; False after close."""
        await self._news.wait()
        return not self._is_closed

    def notify(self) -> None:
        """Something may be there to hand out."""
        self._news.set()

    def close(self) -> None:
        """End `next`."""
        self._is_closed = True
        self._news.set()

    def adopt(self, stored: dict[Lane, LaneProgress], began: int) -> None:
        """Take up what waits in a store that could not be opened at first.

        This feed began at seq `began`, above all that is stored.
        """
        for name, older in stored.items():
            lane = self._lanes[name]
            progress = lane.progress
            upto, above = progress.upto, progress.above
            progress.pending += older.pending
            progress.pv = older.pv
            progress.upto, progress.above = older.upto, [*older.above]
            progress.skip(max(older.link, older.upto), began)
            progress.skip(began, upto)
            for after, to in above:
                progress.skip(after, to)
            lane.arrears.below = max(lane.arrears.below, began)
            lane.arrears.at, lane.arrears.link = older.upto + 1, older.upto
            lane.page = NO_PAGE
        self.notify()

    def _settle(self, lane: LaneFeed, seq: int) -> Handed | None:
        handed = lane.in_flight.pop(seq, None)
        if handed is None:
            return None
        if seq in lane.replayed:
            lane.replayed.discard(seq)
        else:
            lane.progress.finish(handed.link, seq)
        return handed

    def _put_back(self, lane: LaneFeed, seqs: Sequence[int]) -> None:
        again = sorted(seq for seq in seqs if seq in lane.in_flight and seq not in lane.replayed)
        retried = [seq for seq in seqs if seq in self._retries.flying]
        self._retries.put_back(retried)
        replays = sorted(seq for seq in seqs if seq in lane.replayed and seq not in retried)
        links = {seq: lane.in_flight[seq].link for seq in again[:1]}
        for seq in (*again, *replays, *retried):
            lane.in_flight.pop(seq, None)
            lane.replayed.discard(seq)
        if again:
            arrears, first = lane.arrears, again[0]
            is_empty = arrears.at >= arrears.below
            if is_empty or first < arrears.at:
                arrears.at, arrears.link = first, links[first]
                lane.page = NO_PAGE
            arrears.below = max(arrears.below, again[-1] + 1)
        if replays:
            span = (replays[0], replays[-1])
            self._replays.append(Replay(lane.lane, *span, ep=None, is_told=False))
        if again or replays or retried:
            self.notify()


def _limit(lane: Lane, room: Room, *, is_old: bool) -> int:
    if lane is Lane.EVENT:
        return room.events
    return room.backfill if is_old else room.live
