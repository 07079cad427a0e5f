"""How a feed walks through a lane: cursors, and picking what a sink should get now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane
from gateway.outbox.batch import Batch, Due, Handed, due_records
from gateway.outbox.progress import LaneProgress
from gateway.outbox.recent import Recent
from gateway.outbox.rows import Page, Refusal

NO_END = 1 << 62
NO_PAGE = Page((), 0)


@dataclass(frozen=True, slots=True)
class Room:
    """How many records the sink can take now.

    `backfill` is the throttle of old telemetry: what is given there cannot delay live data, which
    has a count of its own.
    """

    events: int = 100
    live: int = 100
    backfill: int = 100


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """Records of one lane to send now.

    `is_backfill`: telemetry that waited too long, that newer values have overtaken, or that was
    asked for again; it must not pass for current values.
    """

    lane: Lane
    items: tuple[Committed, ...]
    is_backfill: bool = False


class Source(Protocol):
    """The outbox as a feed sees it."""

    @property
    def ep(self) -> int:
        """The number of the store."""
        ...

    def recent(self, lane: Lane) -> Recent:
        """Return what is in memory."""
        ...

    def due(self, batch: Batch, sink: SinkName) -> Due:
        """Return which records of the batch are due to the sink."""
        ...

    def fresh_from(self) -> int:
        """Return the first seq of telemetry that is still current."""
        ...

    async def read(self, lane: Lane, start: int, below: int) -> Page | None:
        """Return rows from the disk, None when it cannot be read now."""
        ...

    def refuse(self, sink: SinkName, records: Sequence[Committed], reason: str) -> None:
        """Keep these records where people can see them."""
        ...

    async def refused_of(self, sink: SinkName, mark: str, most: int) -> Sequence[Refusal]:
        """Return the first that a sink refused with `mark` in the reason, in order of seq."""
        ...

    def accepted(self, sink: SinkName, record: Committed) -> None:
        """Forget that this record was refused: it was put out again, and taken."""
        ...

    def not_kept(
        self, sink: SinkName, lane: Lane, ep: int | None, holes: Sequence[tuple[int, int]]
    ) -> None:
        """Tell that these ranges were asked for again and are no longer kept."""
        ...

    def progressed(self) -> None:
        """Save progress soon."""
        ...


@dataclass(slots=True)
class Cursor:
    """A walk through a lane, from `at`, below `below`.

    `link` is the last due record passed, None when that is not known.
    """

    at: int
    below: int
    link: int | None


@dataclass(slots=True)
class LaneFeed:
    """One lane of one sink. What is below `live.at` is arrears, done, or in flight.

    `overtaken`: telemetry below this seq stands behind newer values of this connection.
    """

    lane: Lane
    progress: LaneProgress
    live: Cursor
    arrears: Cursor
    in_flight: dict[int, Handed] = field(default_factory=dict[int, Handed])
    replayed: set[int] = field(default_factory=set[int])
    page: Page = NO_PAGE
    page_from: int = 0
    overtaken: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """Picks the records that a sink should get now out of batches, moving a cursor over them."""

    source: Source
    sink: SinkName
    lane: LaneFeed
    limit: int
    stop_at: int | None
    """First seq that is of another kind (current, not waiting): it begins a batch of its own."""
    is_meant: Callable[[Handed], bool] | None = None
    """For a replay: whether a record was asked for; it is shown every one that is due."""

    def through(self, cursor: Cursor, batches: Iterable[Batch], end: int) -> list[Handed]:
        """Return at most `limit` records; the cursor stands behind them, or at `end`."""
        picked: list[Handed] = []
        for batch in batches:
            if batch.first_seq >= end:
                break
            due = self.source.due(batch, self.sink)
            if not self._pick(cursor, due_records(batch, due, cursor.at), end, picked):
                return picked
        cursor.at = max(cursor.at, end)
        return picked

    def _pick(
        self, cursor: Cursor, handed: Iterable[Handed], end: int, picked: list[Handed]
    ) -> bool:
        """Add from one batch; False when it must go on later."""
        for each in handed:
            seq = each.committed.seq
            if seq >= end:
                break
            if self.is_meant is not None:
                is_wanted = self.is_meant(each) and self._is_wanted(seq)
            else:
                is_wanted = self._is_wanted(seq)
                if cursor.link is not None and each.link > cursor.link:
                    self.lane.progress.skip(cursor.link, each.link)  # lost in between, and told
            if is_wanted:
                is_other = self.stop_at is not None and seq >= self.stop_at
                if is_other or len(picked) >= self.limit:
                    cursor.at = seq
                    return False
                picked.append(each)
            cursor.link, cursor.at = seq, seq + 1
        return True

    def _is_wanted(self, seq: int) -> bool:
        if seq in self.lane.in_flight:
            return False
        return self.lane.progress.is_done(seq) is (self.is_meant is not None)
