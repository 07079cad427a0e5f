"""The database of the outbox. Everything here runs in the store's own thread, and blocks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from gateway.model.ids import SinkName
from gateway.model.record import Keep, Lane
from gateway.outbox import rows, tables
from gateway.outbox.batch import Batch
from gateway.outbox.birth import Before, begin_life
from gateway.outbox.encoding import Unreadable, decode_records
from gateway.outbox.evict import Thinning, free_pages, make_room
from gateway.outbox.keys import settle_keys
from gateway.outbox.mark import LatestMark, Mark, read_mark, write_mark
from gateway.outbox.purge import Purger, Retains
from gateway.outbox.quota import PAGE_BYTES, Quota, pages_for, plan_quota
from gateway.outbox.reserve import Reserve
from gateway.outbox.rows import (
    Lost,
    Noted,
    Opened,
    Page,
    ProgressMap,
    Refusal,
    StateKey,
    Writing,
)
from gateway.outbox.schema import (
    ASIDE,
    DB_NAME,
    DiskRefused,
    StoreDamaged,
    connect,
    in_our_words,
    set_aside,
)
from gateway.outbox.seal import KeyMissing, Seal, closed, opened
from gateway.outbox.thin import Thinner

FOLD_ROWS = 256
"""Rows after which progress and states move from the rows to tables of their own: bounds what a
start has to read."""
_SHORT_LOG_PAGES = 16
"""Pages after which the log is emptied while the disk is full."""
PAGE_ROWS = 64
PAGE_READINGS = 4000
_EVERYTHING = 1 << 60
_REFUSED = "SELECT sink, ep, seq, at_ms, reason, payload, pv FROM refused ORDER BY id"
_REFUSED_OF = (
    "SELECT sink, ep, seq, at_ms, reason, payload, pv FROM refused "
    "WHERE sink = ? AND instr(reason, ?) ORDER BY seq LIMIT ?"
)
EncodedRow: TypeAlias = tuple[Keep, Sequence[int | bytes | None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store lives and what it may take; `new_ep` makes the random number of a store."""

    folder: Path
    quota_bytes: int
    new_ep: Callable[[], int]
    seal: Seal | None = None
    retains: Retains | None = None


class Store:
    """One open database. `open` may be called again after it failed or after damage."""

    def __init__(self, place: Place) -> None:
        """Take the place; nothing is touched yet."""
        self._place = place
        self._quota = plan_quota(place.quota_bytes, _EVERYTHING)
        self._connection: sqlite3.Connection | None = None
        self._ep = 0
        self._latest: LatestMark | None = None
        self._unfolded: dict[StateKey, Any] = {}
        self._rows_unfolded = 0
        self._top_seq = 0
        """First seq of the highest row written since `open`."""
        self._thinning = Thinning(Thinner())
        self._reserve = Reserve(place.folder)
        self._purger = Purger(place.retains)
        self.row_bytes = 0
        """Bytes of rows written since the start, for the estimate of what still fits."""

    @property
    def quota(self) -> Quota:
        """The bounds in force since `open`."""
        return self._quota

    @property
    def is_reserve_whole(self) -> bool:
        """Whether the room for alarms is there; if not, nothing but alarms is written."""
        return self._reserve.is_whole

    def open(
        self, sinks: Sequence[SinkName], floor_seq: int, at_ms: int, damage: str | None = None
    ) -> Opened:
        """Open or make the database; set it aside first when it is damaged, or known to be.

        `floor_seq` is the highest seq that this process has given away.

        Raises:
            DiskRefused: the disk does not let us.
            StoreInUse: another process has it open.
        """
        self._drop_connection()
        folder = self._place.folder
        aside = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mark = read_mark(folder)
            if damage is not None and mark is not None:  # found while running: we know more
                mark = replace(mark, seq=max(mark.seq, floor_seq))
            self._quota = self._plan()
            opened: Opened | None = None
            if damage is None:
                try:
                    opened = self._load(sinks, floor_seq, mark)
                except StoreDamaged as error:
                    damage = str(error)
            if opened is None:
                self._drop_connection()
                aside = set_aside(folder, at_ms, self._place.quota_bytes)
                opened = self._load(sinks, floor_seq, mark)
            self._is_reserve_there()
            self.mark(opened.last_seq)
        except OSError as error:
            raise DiskRefused(str(error)) from error
        except StoreDamaged as error:
            raise DiskRefused(f"a fresh database is damaged at once: {error}") from error
        return replace(opened, set_aside=aside, damage=damage or opened.damage)

    def _plan(self) -> Quota:
        folder = self._place.folder
        disk = os.statvfs(folder)
        ours = [path for path in folder.glob("outbox.*") if not path.name.startswith(ASIDE)]
        own = sum(path.stat().st_size for path in ours)
        return plan_quota(self._place.quota_bytes, disk.f_bavail * disk.f_frsize + own)

    def _load(self, sinks: Sequence[SinkName], floor_seq: int, mark: Mark | None) -> Opened:
        place = self._place
        self._connection = connection = connect(place.folder / DB_NAME, self._quota, place.seal)
        try:
            with in_our_words():
                settle_keys(connection)
                opened = begin_life(connection, Before(sinks, floor_seq, mark, self._place.new_ep))
        except (ValueError, TypeError, LookupError) as error:
            raise StoreDamaged(f"stored tables do not parse: {error}") from error
        self._ep = opened.ep
        return opened

    # --- writing -------------------------------------------------------------------------------

    def write(self, writing: Writing) -> Noted:
        """Commit all of it or nothing; return what had to be dropped for it, not yet told.

        Raises:
            ValueError, TypeError: a value cannot be stored.
            DiskRefused: the disk takes nothing, or no more than alarms.
            StoreDamaged: the database must be set aside.
        """
        last = len(writing.batches) - 1
        seal = self._place.seal
        side = closed(seal, rows.side_to_bytes(writing.side), tables.SIDE)
        encoded = [
            (batch.keep, rows.batch_to_row(batch, side if position == last else None, seal))
            for position, batch in enumerate(writing.batches)
        ]
        with in_our_words():
            if not writing.is_urgent and not self._is_reserve_there():
                raise DiskRefused("the disk is full, what is left of it is for alarms")
            try:
                noted = self._write_once(writing, encoded, 0)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                noted = self._write_on_full_disk(writing, encoded)
        if writing.is_mark_due:
            self.mark(writing.last_seq)
        elif writing.batches:
            self._mark_latest(writing.last_seq)
        return noted

    def _write_on_full_disk(self, writing: Writing, encoded: Sequence[EncodedRow]) -> Noted:
        """Try again with more room: made of old rows, or, for alarms, of the reserve."""
        if writing.is_urgent:
            self._reserve.release()
            self._keep_log_short()
            return self._write_once(writing, encoded, 0)
        need = free_pages(self._open_connection(), self._quota) + self._quota.chunk_pages
        return self._write_once(writing, encoded, need)

    def _keep_log_short(self) -> None:
        """Let the room of the reserve go into the database: the log is emptied in short turns."""
        connection = self._open_connection()
        connection.execute(f"PRAGMA wal_autocheckpoint={_SHORT_LOG_PAGES}")
        connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def _is_reserve_there(self) -> bool:
        """Return whether the reserve is whole, made anew where there is room again."""
        if self._reserve.is_whole:
            return True
        connection = self._open_connection()
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
        is_made = self._reserve.make(self._quota.reserve_bytes(pages))
        if is_made:
            connection.execute(f"PRAGMA wal_autocheckpoint={self._quota.checkpoint_pages}")
        return is_made

    def _write_once(
        self, writing: Writing, encoded: Sequence[EncodedRow], need_pages: int
    ) -> Noted:
        connection = self._open_connection()
        sizes = [sum(len(part) for part in row if isinstance(part, bytes)) for _, row in encoded]
        unfolded = {**self._unfolded, **writing.side.states}
        progress, noted, at_ms = writing.side.progress, Noted(), writing.purge_at_ms
        with self._purger.turn(connection, at_ms), tables.transaction(connection):
            lost = self._make_room(writing, sizes, need_pages)
            expired = self._purger.run(connection, progress, at_ms)
            lost = lost if expired is None else [*(lost or ()), *expired]
            if lost:
                noted = tables.note_lost(connection, lost, writing.told)
                progress = _without(progress, noted.fresh)
            for keep, row in encoded:
                tables.insert_row(connection, keep, row)
            noted = tables.settle_refusals(connection, writing, noted)
            tables.delete_lost(connection, writing.told)
            firsts = [batch.first_seq for batch in writing.batches]
            # Rows that were dropped may have carried states: then the tables must have them. So
            # they must when a row comes in below one that says what was before it.
            is_fold = (
                lost is not None
                or not encoded
                or self._rows_unfolded >= FOLD_ROWS
                or min(firsts) < self._top_seq
            )
            if is_fold:
                tables.fold(connection, writing.last_seq, progress, unfolded)
                if writing.rate is not None:
                    tables.put_meta(connection, "rate", asdict(writing.rate))
        self._unfolded = {} if is_fold else unfolded
        self._rows_unfolded = 0 if is_fold else self._rows_unfolded + len(encoded)
        self._top_seq = max(self._top_seq, *firsts, 0)
        self.row_bytes += sum(sizes)
        return noted

    def _make_room(self, writing: Writing, sizes: list[int], least: int) -> list[Lost] | None:
        """Make room under the quota; alarms may go into the reserve where there is none."""
        connection, quota = self._open_connection(), self._quota
        need_pages = max(least, pages_for(sizes))
        progress = writing.side.progress
        lost = make_room(connection, quota, need_pages, progress, thinning=self._thinning)
        if lost is not None and free_pages(connection, quota) < need_pages:
            if not writing.is_urgent:
                is_ours = least == 0
                raise DiskRefused(
                    "the quota is full of what must not be dropped" if is_ours else "disk is full"
                )
            self._reserve.release()  # the database takes its place
        return lost

    def mark(self, seq: int) -> None:
        """Note the highest seq beside the database. That it fails is no reason to stop."""
        try:
            write_mark(self._place.folder, Mark(self._ep, seq))
        except OSError:
            return  # the mark only serves to notice damage later; the records are safe

    def _mark_latest(self, seq: int) -> None:
        try:
            if self._latest is None:
                self._latest = LatestMark(self._place.folder)
            self._latest.write(Mark(self._ep, seq))
        except OSError:
            return  # see `mark`

    # --- reading -------------------------------------------------------------------------------

    def read(self, lane: Lane, start: int, below: int, progress: ProgressMap) -> Page:
        """Return the rows with seqs from `start`, as many as memory should hold at once."""
        with in_our_words():
            return self._read(lane, start, below, progress)

    def look(self, lane: Lane, start: int, below: int) -> Page:
        """Return rows for people: damaged ones stay where they are, for a sink to come to."""
        with in_our_words():
            return self._read(lane, start, below, None)

    def _read(self, lane: Lane, start: int, below: int, progress: ProgressMap | None) -> Page:
        connection = self._open_connection()
        first = tables.row_at(connection, lane, start)
        begin = start if first is None else first
        found = tables.rows_from(connection, lane, (begin, below), PAGE_ROWS)
        batches: list[Batch] = []
        fresh: list[Lost] = []
        kept: list[Lost] = []
        gone: list[int] = []
        readings, end = 0, start
        for row in found:
            try:
                batches.append(rows.batch_from_row(lane, row, self._place.seal))
            except KeyMissing as error:
                raise DiskRefused(str(error)) from error
            except Unreadable:
                if progress is not None:
                    with tables.transaction(connection):
                        noted = tables.bury(connection, lane, row, progress)
                    fresh += noted.fresh
                    kept += noted.rows
                    gone += noted.gone
                end = row[0] + 1
                continue
            end = batches[-1].last_seq + 1
            readings += batches[-1].readings
            if readings >= PAGE_READINGS:
                return Page(batches, end, Noted(fresh, kept, gone))
        is_complete = len(found) < PAGE_ROWS
        return Page(batches, below if is_complete else end, Noted(fresh, kept, gone))

    def oldest_ms(self, lane: Lane, seq: int) -> int | None:
        """Return when the row that holds `seq`, or the next one, was committed."""
        connection = self._open_connection()
        with in_our_words():
            first = tables.row_at(connection, lane, seq) or 0
            rows_there = tables.rows_from(connection, lane, (first, _EVERYTHING), 2)
        found = [(row[3], row[0] + row[2]) for row in rows_there]
        return next((at_ms for at_ms, end in found if end > seq), None)

    def used_bytes(self) -> int:
        """Return how much of the quota holds something, the ring of delivered rows included."""
        with in_our_words():
            free = free_pages(self._open_connection(), self._quota)
        return (self._quota.max_pages - free) * PAGE_BYTES

    def refused(self) -> list[Refusal]:
        """Return the refused records, oldest first; those that cannot be read are left out."""
        return self._refusals(_REFUSED, ())

    def refused_of(self, sink: SinkName, mark: str, most: int) -> list[Refusal]:
        """Return the first that this sink refused with `mark` in the reason, in order of seq."""
        return self._refusals(_REFUSED_OF, (sink, mark, most))

    def _refusals(self, sql: str, which: tuple[object, ...]) -> list[Refusal]:
        with in_our_words():
            found = self._open_connection().execute(sql, which).fetchall()
        kept: list[Refusal] = []
        for sink, ep, seq, at_ms, reason, payload, pv in found:
            try:
                plain = opened(self._place.seal, bytes(payload), tables.REFUSED)
                record = decode_records(plain)[0]
            except (Unreadable, TypeError):
                continue
            kept.append(Refusal(SinkName(sink), ep, seq, at_ms, reason, record, pv))
        return kept

    def close(self, seq: int) -> None:
        """Leave one tidy file and the mark."""
        connection = self._connection
        if connection is None:
            return
        self.mark(seq)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            return  # what is in the log stays there, as safe as before
        finally:
            self._drop_connection()

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise DiskRefused("the store is not open")
        return self._connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        self._unfolded, self._rows_unfolded, self._top_seq = {}, 0, 0
        latest, self._latest = self._latest, None
        if latest is not None:
            latest.close()
        if connection is not None:
            connection.close()


def _without(progress: ProgressMap, lost: Sequence[Lost]) -> ProgressMap:
    """Return the progress with lost records no longer waited for."""
    copies = {
        sink: {lane: at.copy() for lane, at in lanes.items()} for sink, lanes in progress.items()
    }
    for loss in lost:
        at = copies[loss.sink][loss.lane]
        at.pending = max(0, at.pending - loss.count)
    return copies
