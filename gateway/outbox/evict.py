"""Making room under the quota, in the order of docs/decisions/0011.

What everyone has; diagnostics; old telemetry thinned; the oldest telemetry; events. Alarms and
billing values are never dropped before every sink has them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.record import Keep
from gateway.outbox.batch import Batch
from gateway.outbox.encoding import Unreadable
from gateway.outbox.losses import damaged_row, joined, lost_with
from gateway.outbox.progress import Range, common
from gateway.outbox.quota import PAGE_BYTES, Quota
from gateway.outbox.rows import COLUMNS, Lost, ProgressMap, batch_from_row, batch_to_row
from gateway.outbox.schema import keep_sql
from gateway.outbox.seal import seal_of
from gateway.outbox.thin import Thinner, thinned

CAUSE = "quota"
THINNED = "thinned"
_ROWS = 64
"""Rows looked at in one go: bounds memory."""
STRETCH_ROWS = 1024
STRETCH_READINGS = 20_000
"""What is thinned in one go: some rounds of polls, so that whole rounds go."""
_SIZE = "length(payload) + length(due) + coalesce(length(side), 0)"
_OLDEST = f"SELECT {COLUMNS} FROM ROWS ORDER BY first_seq LIMIT {_ROWS}"  # noqa: S608 - constants
_STRETCH = (
    f"SELECT {COLUMNS} FROM ROWS WHERE first_seq > ? AND first_seq < ?"  # noqa: S608 - constants
    f" ORDER BY first_seq LIMIT {STRETCH_ROWS}"
)
_ENDS = "SELECT min(first_seq), max(first_seq) FROM ROWS"
_REPLACE = f"REPLACE INTO ROWS ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants


@dataclass(slots=True)
class Thinning:
    """How far thinning has come: not remembered over restarts, thinning twice only drops more."""

    thinner: Thinner
    upto: int = -1
    """First seq of the last row that was thinned."""


@dataclass(frozen=True, slots=True)
class _Room:
    """The database, and how many free pages are wanted."""

    connection: sqlite3.Connection
    quota: Quota
    want: int

    def short(self) -> int:
        """Return how many pages are still missing, 0 or less when none."""
        return self.want - free_pages(self.connection, self.quota)


def free_pages(connection: sqlite3.Connection, quota: Quota) -> int:
    """Return how many pages may still be written, the reserve left alone; negative within it."""
    used: int = connection.execute("PRAGMA page_count").fetchone()[0]
    unused: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return quota.max_pages - used + unused


def make_room(
    connection: sqlite3.Connection,
    quota: Quota,
    need_pages: int,
    progress: ProgressMap,
    *,
    thinning: Thinning,
) -> list[Lost] | None:
    """Free at least `need_pages` if it can be done; return what sinks lose, None if untouched."""
    if free_pages(connection, quota) >= need_pages:
        return None
    room = _Room(connection, quota, max(need_pages, quota.chunk_pages))
    for keep in Keep:
        for passed in common([lanes[keep.lane] for lanes in progress.values()]):
            _drop_passed(room, keep, passed)
    lost = _drop_oldest(room, Keep.DIAGNOSTIC, progress)
    lost += _thin(room, progress, thinning)
    lost += _drop_oldest(room, Keep.TELEMETRY, progress)
    lost += _drop_oldest(room, Keep.EVENT, progress)
    return joined(lost)


def _drop_passed(room: _Room, keep: Keep, passed: Range) -> None:
    span = "first_seq > ? AND first_seq <= ? AND first_seq + count - 1 <= ?"
    look = keep_sql(
        f"SELECT first_seq, {_SIZE} FROM ROWS WHERE {span} ORDER BY first_seq LIMIT {_ROWS}",  # noqa: S608 - constants
        keep,
    )
    drop = keep_sql(f"DELETE FROM ROWS WHERE {span}", keep)  # noqa: S608 - constants
    after, to = passed
    while (short := room.short()) > 0:
        rows = room.connection.execute(look, (after, to, to)).fetchall()
        if not rows:
            return
        size, upto = 0, after
        for upto, row_bytes in rows:  # noqa: B007 - the last one looked at is wanted
            size += row_bytes
            if size > short * PAGE_BYTES:
                break
        room.connection.execute(drop, (after, upto, to))
        after = upto


def _drop_oldest(room: _Room, keep: Keep, progress: ProgressMap) -> list[Lost]:
    lost: list[Lost] = []
    while room.short() > 0:
        oldest = room.connection.execute(keep_sql(_OLDEST, keep)).fetchall()
        if not oldest:
            break
        for row in oldest:
            lost += _lost_with_row(room, keep, row, progress)
            _delete(room, keep, row[0])
            if room.short() <= 0:
                break
    return lost


def _thin(room: _Room, progress: ProgressMap, thinning: Thinning) -> list[Lost]:
    """Thin the older half of telemetry, from where the last thinning ended."""
    lost: list[Lost] = []
    while room.short() > 0:
        oldest, newest = room.connection.execute(keep_sql(_ENDS, Keep.TELEMETRY)).fetchone()
        if oldest is None:
            break
        span = (thinning.upto, (oldest + newest) // 2)
        rows = room.connection.execute(keep_sql(_STRETCH, Keep.TELEMETRY), span).fetchall()
        stretch = _readable(room, rows, progress, lost)
        if not stretch:
            break
        kept = thinning.thinner.to_keep(stretch)
        for batch in stretch:
            lost += _rewrite(room, batch, kept, progress)
        thinning.upto = stretch[-1].first_seq
    return lost


def _readable(
    room: _Room, rows: Sequence[Sequence[Any]], progress: ProgressMap, lost: list[Lost]
) -> list[Batch]:
    """Return the rows of one stretch; damaged ones are dropped and told."""
    stretch: list[Batch] = []
    readings = 0
    for row in rows:
        try:
            stretch.append(batch_from_row(Keep.TELEMETRY.lane, row, seal_of(room.connection)))
        except Unreadable:
            lost += damaged_row(room.connection, Keep.TELEMETRY.lane, row, progress)
            _delete(room, Keep.TELEMETRY, row[0])
            continue
        readings += stretch[-1].readings
        if readings >= STRETCH_READINGS:
            break
    return stretch


def _rewrite(room: _Room, batch: Batch, kept: set[int], progress: ProgressMap) -> list[Lost]:
    gone = {seq for seq, _ in batch.placed()} - kept
    if not gone:
        return []
    lost = lost_with(batch, progress, THINNED, gone)
    left = thinned(batch, kept)
    if left is None:
        _delete(room, Keep.TELEMETRY, batch.first_seq)
    else:
        # What it carried beside its records is folded in this same transaction.
        row = batch_to_row(left, None, seal_of(room.connection))
        room.connection.execute(keep_sql(_REPLACE, Keep.TELEMETRY), row)
    return lost


def _lost_with_row(
    room: _Room, keep: Keep, row: Sequence[Any], progress: ProgressMap
) -> list[Lost]:
    try:
        batch = batch_from_row(keep.lane, row, seal_of(room.connection))
    except Unreadable:
        return damaged_row(room.connection, keep.lane, row, progress)
    return lost_with(batch, progress, CAUSE)


def _delete(room: _Room, keep: Keep, first_seq: int) -> None:
    room.connection.execute(keep_sql("DELETE FROM ROWS WHERE first_seq = ?", keep), (first_seq,))
