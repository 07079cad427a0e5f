"""Making room under the quota: first what everyone has, then the oldest telemetry; never events."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import Lane
from gateway.outbox.batch import Batch, due_records
from gateway.outbox.encoding import Unreadable
from gateway.outbox.progress import LaneProgress, Range, common
from gateway.outbox.quota import PAGE_BYTES, Quota
from gateway.outbox.rows import COLUMNS, Lost, ProgressMap, batch_from_row
from gateway.outbox.schema import lane_sql

CAUSE = "quota"
_ROWS = 64
"""Rows looked at in one go: bounds memory."""
_MOST_IN_ROW = 10_000
_SIZE = "length(payload) + length(due) + coalesce(length(side), 0)"


def free_pages(connection: sqlite3.Connection, quota: Quota) -> int:
    """Return how many pages may still be written."""
    used: int = connection.execute("PRAGMA page_count").fetchone()[0]
    unused: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return quota.max_pages - used + unused


def make_room(
    connection: sqlite3.Connection, quota: Quota, need_pages: int, progress: ProgressMap
) -> list[Lost] | None:
    """Free at least `need_pages` if it can be done; return what sinks lose, None if untouched."""
    free = free_pages(connection, quota)
    if free >= need_pages:
        return None
    want = max(need_pages, quota.chunk_pages)
    for lane in (Lane.TELEMETRY, Lane.EVENT):
        for passed in common([lanes[lane] for lanes in progress.values()]):
            _drop_passed(connection, lane, passed, (want, quota))
    lost: list[Lost] = []
    while free_pages(connection, quota) < want:
        oldest = _oldest_rows(connection)
        if not oldest:
            break
        for row in oldest:
            lost += _lost_with(connection, row, progress)
            connection.execute("DELETE FROM telemetry WHERE first_seq = ?", (row[0],))
            if free_pages(connection, quota) >= want:
                break
    return joined(lost)


def _drop_passed(
    connection: sqlite3.Connection, lane: Lane, passed: Range, goal: tuple[int, Quota]
) -> None:
    want, quota = goal
    span = "first_seq > ? AND first_seq <= ? AND first_seq + count - 1 <= ?"
    look = lane_sql(
        f"SELECT first_seq, {_SIZE} FROM LANE WHERE {span} ORDER BY first_seq LIMIT {_ROWS}",  # noqa: S608 - constants
        lane,
    )
    drop = lane_sql(f"DELETE FROM LANE WHERE {span}", lane)  # noqa: S608 - constants
    after, to = passed
    while (short := want - free_pages(connection, quota)) > 0:
        rows = connection.execute(look, (after, to, to)).fetchall()
        if not rows:
            return
        size, upto = 0, after
        for upto, row_bytes in rows:  # noqa: B007 - the last one looked at is wanted
            size += row_bytes
            if size > short * PAGE_BYTES:
                break
        connection.execute(drop, (after, upto, to))
        after = upto


def _oldest_rows(connection: sqlite3.Connection) -> list[Sequence[Any]]:
    return connection.execute(
        f"SELECT {COLUMNS} FROM telemetry ORDER BY first_seq LIMIT {_ROWS}"  # noqa: S608 - constants
    ).fetchall()


def _lost_with(
    connection: sqlite3.Connection, row: Sequence[Any], progress: ProgressMap
) -> list[Lost]:
    try:
        batch = batch_from_row(Lane.TELEMETRY, row)
    except Unreadable:
        return damaged_row(connection, Lane.TELEMETRY, row, progress)
    lost: list[Lost] = []
    for sink, lanes in progress.items():
        count = _unfinished(batch, lanes[Lane.TELEMETRY], sink)
        if count:
            span = (batch.first_seq, batch.last_seq)
            times = (batch.at_ms, batch.at_ms)
            lost.append(Lost(sink, Lane.TELEMETRY, batch.ep, *span, count, CAUSE, *times))
    return lost


def _unfinished(batch: Batch, at: LaneProgress, sink: SinkName) -> int:
    due = batch.dues.get(sink)
    if due is None or not due.count:
        return 0
    if not at.touches(due.link, due.last):
        return due.count
    return sum(
        not at.is_done(handed.committed.seq) for handed in due_records(batch, due, batch.first_seq)
    )


def damaged_row(
    connection: sqlite3.Connection, lane: Lane, row: Sequence[Any], progress: ProgressMap
) -> list[Lost]:
    """Return who loses what with a row that cannot be read: all of it, for who has not got it.

    Nothing in such a row is to be believed: it ends where the next one begins, and its `ep` counts
    only where a neighbour has it too.
    """
    first, ep, count, at_ms = (value if isinstance(value, int) else 0 for value in row[:4])
    before, after = _neighbours(connection, lane, first)
    eps = [each[1] for each in (before, after) if each is not None]
    if eps and ep not in eps:
        ep = eps[0]
    last = first + max(1, min(count, _MOST_IN_ROW)) - 1
    if after is not None:
        last = after[0] - 1
    return [
        Lost(sink, lane, ep, first, last, last - first + 1, "damaged", at_ms, at_ms)
        for sink, lanes in progress.items()
        if not lanes[lane].is_done(last)
    ]


def _neighbours(
    connection: sqlite3.Connection, lane: Lane, first: int
) -> tuple[Sequence[int] | None, Sequence[int] | None]:
    """Return seq and ep of the rows before and after this one."""
    sql = "SELECT first_seq, ep FROM LANE WHERE first_seq {} ? ORDER BY first_seq {} LIMIT 1"
    before = connection.execute(lane_sql(sql.format("<", "DESC"), lane), (first,)).fetchone()
    after = connection.execute(lane_sql(sql.format(">", "ASC"), lane), (first,)).fetchone()
    return before, after


def joined(losses: Sequence[Lost]) -> list[Lost]:
    """Return the same with neighbours of one sink, lane, ep and cause made one."""
    spans: dict[tuple[object, ...], Lost] = {}
    for loss in losses:
        key = (loss.sink, loss.lane, loss.ep, loss.cause)
        known = spans.get(key)
        spans[key] = loss if known is None else _merged(known, loss)
    return list(spans.values())


def _merged(one: Lost, other: Lost) -> Lost:
    return Lost(
        one.sink,
        one.lane,
        one.ep,
        _least(one.first, other.first),
        _most(one.last, other.last),
        one.count + other.count,
        one.cause,
        _least(one.from_ms, other.from_ms),
        _most(one.to_ms, other.to_ms),
    )


def _least(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)


def _most(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
