"""Who loses what: with a row that is dropped, thinned or damaged, and how losses are joined."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import Lane
from gateway.outbox.batch import Batch, due_records
from gateway.outbox.progress import LaneProgress
from gateway.outbox.rows import Lost, ProgressMap
from gateway.outbox.schema import KEEPS, keep_sql

_MOST_IN_ROW = 1_000_000


def lost_with(
    batch: Batch, progress: ProgressMap, cause: str, only: Collection[int] | None = None
) -> list[Lost]:
    """Return who has not got all of this row; `only` counts just these seqs of it."""
    lost: list[Lost] = []
    for sink, lanes in progress.items():
        count = _unfinished(batch, lanes[batch.lane], sink, only)
        if count:
            span = (batch.first_seq, batch.last_seq)
            times = (batch.at_ms, batch.at_ms)
            lost.append(Lost(sink, batch.lane, batch.ep, *span, count, cause, *times))
    return lost


def _unfinished(
    batch: Batch, at: LaneProgress, sink: SinkName, only: Collection[int] | None
) -> int:
    due = batch.dues.get(sink)
    if due is None or not due.count:
        return 0
    if only is None and not at.touches(due.link, due.last):
        return due.count
    return sum(
        not at.is_done(handed.committed.seq)
        for handed in due_records(batch, due, batch.first_seq)
        if only is None or handed.committed.seq in only
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
    """Return seq and ep of the rows of the lane before and after this one."""
    sql = "SELECT first_seq, ep FROM ROWS WHERE first_seq {} ? ORDER BY first_seq {} LIMIT 1"
    found: list[Sequence[int]] = []
    for keep in KEEPS[lane]:
        for statement in (sql.format("<", "DESC"), sql.format(">", "ASC")):
            found += connection.execute(keep_sql(statement, keep), (first,)).fetchall()
    found.sort(key=lambda row: row[0])
    before = [row for row in found if row[0] < first]
    after = [row for row in found if row[0] > first]
    return before[-1] if before else None, after[0] if after else None


def joined(losses: Sequence[Lost]) -> list[Lost]:
    """Return the same with neighbours of one sink, lane, ep and cause made one."""
    spans: dict[tuple[object, ...], Lost] = {}
    for loss in losses:
        known = spans.get(loss.kind)
        spans[loss.kind] = loss if known is None else merged(known, loss)
    return list(spans.values())


def merged(one: Lost, other: Lost) -> Lost:
    """Return one loss that says both; it has no row of its own yet."""
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
