"""The database of the outbox. Everything here runs in the store's own thread, and blocks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from gateway.model.ids import SinkName
from gateway.model.record import Lane
from gateway.outbox import rows, tables
from gateway.outbox.batch import Batch
from gateway.outbox.birth import Before, begin_life
from gateway.outbox.encoding import Unreadable, decode_records
from gateway.outbox.evict import free_pages, make_room
from gateway.outbox.mark import LatestMark, Mark, read_mark, write_mark
from gateway.outbox.quota import PAGE_BYTES, Quota, pages_for, plan_quota
from gateway.outbox.rows import Lost, Opened, Page, ProgressMap, Refusal, StateKey, Writing
from gateway.outbox.schema import (
    DB_NAME,
    DiskRefused,
    StoreDamaged,
    connect,
    in_our_words,
    lane_sql,
    set_aside,
)

FOLD_ROWS = 256
"""Rows after which progress and states move from the rows to tables of their own: bounds what a
start has to read."""
PAGE_ROWS = 64
PAGE_READINGS = 4000
_EVERYTHING = 1 << 60
_START = "SELECT max(first_seq) FROM LANE WHERE first_seq <= ?"
_REFUSED = "SELECT sink, ep, seq, at_ms, reason, payload FROM refused ORDER BY id"
EncodedRow: TypeAlias = tuple[Lane, Sequence[int | bytes | None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store lives and what it may take; `new_ep` makes the random number of a store."""

    folder: Path
    quota_bytes: int
    new_ep: Callable[[], int]


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
        self.row_bytes = 0
        """Bytes of rows written since the start, for the estimate of what still fits."""

    @property
    def quota(self) -> Quota:
        """The bounds in force since `open`."""
        return self._quota

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
                aside = set_aside(folder, at_ms)
                opened = self._load(sinks, floor_seq, mark)
            self.mark(opened.last_seq)
        except OSError as error:
            raise DiskRefused(str(error)) from error
        except StoreDamaged as error:
            raise DiskRefused(f"a fresh database is damaged at once: {error}") from error
        return replace(opened, set_aside=aside, damage=damage or opened.damage)

    def _plan(self) -> Quota:
        folder = self._place.folder
        disk = os.statvfs(folder)
        own = sum(path.stat().st_size for path in folder.glob(f"{DB_NAME}*"))
        return plan_quota(self._place.quota_bytes, disk.f_bavail * disk.f_frsize + own)

    def _load(self, sinks: Sequence[SinkName], floor_seq: int, mark: Mark | None) -> Opened:
        self._connection = connection = connect(self._place.folder / DB_NAME, self._quota)
        try:
            with in_our_words():
                opened = begin_life(connection, Before(sinks, floor_seq, mark, self._place.new_ep))
        except (ValueError, TypeError, LookupError) as error:
            raise StoreDamaged(f"stored tables do not parse: {error}") from error
        self._ep = opened.ep
        return opened

    # --- writing -------------------------------------------------------------------------------

    def write(self, writing: Writing) -> list[Lost]:
        """Commit all of it or nothing; return what had to be dropped for it, not yet told.

        Raises:
            ValueError, TypeError: a value cannot be stored.
            DiskRefused: the disk takes nothing.
            StoreDamaged: the database must be set aside.
        """
        connection = self._open_connection()
        last = len(writing.batches) - 1
        side = rows.side_to_bytes(writing.side)
        encoded = [
            (batch.lane, rows.batch_to_row(batch, side if position == last else None))
            for position, batch in enumerate(writing.batches)
        ]
        with in_our_words():
            try:
                lost = self._write_once(writing, encoded, 0)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                # Our bound or the disk's: if it is ours, more room can be made.
                need = free_pages(connection, self._quota) + self._quota.chunk_pages
                lost = self._write_once(writing, encoded, need)
        if writing.is_mark_due:
            self.mark(writing.last_seq)
        elif writing.batches:
            self._mark_latest(writing.last_seq)
        return lost

    def _write_once(
        self, writing: Writing, encoded: Sequence[EncodedRow], need_pages: int
    ) -> list[Lost]:
        connection = self._open_connection()
        sizes = [sum(len(part) for part in row if isinstance(part, bytes)) for _, row in encoded]
        unfolded = {**self._unfolded, **writing.side.states}
        progress, told = writing.side.progress, list[Lost]()
        with tables.transaction(connection):
            need_pages = max(need_pages, pages_for(sizes))
            lost = make_room(connection, self._quota, need_pages, progress)
            if lost:
                told = [tables.insert_lost(connection, loss) for loss in lost]
                progress = _without(progress, told)
            for lane, row in encoded:
                tables.insert_row(connection, lane, row)
            for refusal in writing.refusals:
                tables.insert_refusal(connection, refusal)
            tables.delete_lost(connection, writing.told)
            # Rows that were dropped may have carried states: then the tables must have them.
            is_fold = lost is not None or not encoded or self._rows_unfolded >= FOLD_ROWS
            if is_fold:
                tables.fold(connection, writing.last_seq, progress, unfolded)
        self._unfolded = {} if is_fold else unfolded
        self._rows_unfolded = 0 if is_fold else self._rows_unfolded + len(encoded)
        self.row_bytes += sum(sizes)
        return told

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
        first = connection.execute(lane_sql(_START, lane), (start,)).fetchone()[0]
        sql = (
            tables.SELECT
            + f" WHERE first_seq >= ? AND first_seq < ? ORDER BY first_seq LIMIT {PAGE_ROWS}"
        )
        found = connection.execute(lane_sql(sql, lane), (first or start, below)).fetchall()
        batches: list[Batch] = []
        lost: list[Lost] = []
        readings, end = 0, start
        for row in found:
            try:
                batches.append(rows.batch_from_row(lane, row))
            except Unreadable:
                if progress is not None:
                    with tables.transaction(connection):
                        lost += tables.bury(connection, lane, row, progress)
                end = row[0] + 1
                continue
            end = batches[-1].last_seq + 1
            readings += batches[-1].readings
            if readings >= PAGE_READINGS:
                return Page(batches, end, lost)
        is_complete = len(found) < PAGE_ROWS
        return Page(batches, below if is_complete else end, lost)

    def oldest_ms(self, lane: Lane, seq: int) -> int | None:
        """Return when the row that holds `seq`, or the next one, was committed."""
        connection = self._open_connection()
        with in_our_words():
            first = connection.execute(lane_sql(_START, lane), (seq,)).fetchone()[0]
            sql = "SELECT at_ms, first_seq + count FROM LANE WHERE first_seq >= ? LIMIT 2"
            found = connection.execute(lane_sql(sql, lane), (first or 0,)).fetchall()
        return next((at_ms for at_ms, end in found if end > seq), None)

    def used_bytes(self) -> int:
        """Return how much of the quota holds something, the ring of delivered rows included."""
        with in_our_words():
            free = free_pages(self._open_connection(), self._quota)
        return (self._quota.max_pages - free) * PAGE_BYTES

    def refused(self) -> list[Refusal]:
        """Return the refused records, oldest first; those that cannot be read are left out."""
        with in_our_words():
            found = self._open_connection().execute(_REFUSED).fetchall()
        kept: list[Refusal] = []
        for sink, ep, seq, at_ms, reason, payload in found:
            try:
                record = decode_records(bytes(payload))[0]
            except (Unreadable, TypeError):
                continue
            kept.append(Refusal(SinkName(sink), ep, seq, at_ms, reason, record))
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
        self._unfolded, self._rows_unfolded = {}, 0
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
