"""Retention: what may not be kept any longer is taken out of the rows, delivered or not.

Rows mix devices and classes, as one row is one commit; a class of its own would cost a row more in
every commit. So a row is read once when it has the age of a retention span, and written again only
if something in it has expired: its record goes, or single values in it do. What a sink had not got
is told by a gap record with the cause `retention`. SQLite overwrites what is removed
(`secure_delete`), and the log is emptied at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gateway.model.clock import Clock, TimeQuality
from gateway.model.ids import SinkName
from gateway.model.record import Keep, Record
from gateway.outbox import tables
from gateway.outbox.batch import Batch
from gateway.outbox.encoding import Unreadable, decode_records, encode_records
from gateway.outbox.losses import lost_with
from gateway.outbox.rows import COLUMNS, Lost, ProgressMap, batch_from_row, batch_to_row
from gateway.outbox.schema import keep_sql
from gateway.outbox.seal import closed, opened, seal_of
from gateway.outbox.thin import thinned

CAUSE = "retention"
EVERY_S = 3600.0
AGAIN_S = 10.0
"""After a run that had more to do."""
MOST_ROWS = 512
"""Rows of one class that one run looks at: bounds the time of a commit."""
META = "purged"
_NEXT = (
    f"SELECT {COLUMNS} FROM ROWS WHERE first_seq > ? AND at_ms < ?"  # noqa: S608 - constants
    f" ORDER BY first_seq LIMIT {MOST_ROWS}"
)
_REPLACE = f"REPLACE INTO ROWS ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants


class Retains(Protocol):
    """How long values may be kept."""

    def fingerprint(self) -> str:
        """Return a text that changes when the answers of `left` may."""
        ...

    def spans_s(self) -> Sequence[float]:
        """Return the ages, in seconds, at which anything expires; in rising order."""
        ...

    def left(self, record: Record, age_s: float) -> Record | None:
        """Return what of a record of this age may still be kept: itself, less, or nothing."""
        ...


def time_of_day(clock: Clock) -> int | None:
    """Return the wall clock, by which ages are reckoned; None while it is not to be believed."""
    return None if clock.quality() is TimeQuality.UNSYNC else clock.now_ms()


@dataclass(frozen=True, slots=True)
class Purged:
    """What one run did."""

    lost: Sequence[Lost] = ()
    is_changed: bool = False
    is_more: bool = False


class Purger:
    """Looks for what has expired, within the commits of others: once in an hour is enough."""

    def __init__(self, retains: Retains | None) -> None:
        """Take the rules; None: everything is kept."""
        self._retains = retains
        self._last_ms: int | None = None
        self._done = Purged()

    def is_due(self, now_ms: int | None) -> bool:
        """Whether to look now. None: the time of day is not known, and so no age is."""
        if self._retains is None or now_ms is None or not self._retains.spans_s():
            return False
        wait_s = AGAIN_S if self._done.is_more else EVERY_S
        return self._last_ms is None or not 0 <= now_ms - self._last_ms < wait_s * 1000

    @contextmanager
    def turn(self, connection: sqlite3.Connection, now_ms: int | None) -> Generator[None]:
        """Surround a transaction: what `run` removes in it is overwritten, and leaves the log."""
        if not self.is_due(now_ms):
            yield
            return
        connection.execute("PRAGMA secure_delete=ON")
        try:
            yield
            if self._done.is_changed:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.execute("PRAGMA secure_delete=FAST")

    def run(
        self, connection: sqlite3.Connection, progress: ProgressMap, now_ms: int | None
    ) -> list[Lost] | None:
        """Return what sinks lose, None when it was not time to look. Within a transaction."""
        if self._retains is None or now_ms is None or not self.is_due(now_ms):
            return None
        self._done = purge(connection, self._retains, progress, now_ms)
        self._last_ms = now_ms
        return list(self._done.lost)


def purge(
    connection: sqlite3.Connection, retains: Retains, progress: ProgressMap, now_ms: int
) -> Purged:
    """Take out what has expired, within the caller's transaction.

    The caller folds what rows carry beside their records, and tells the losses.
    """
    marks = _marks(connection, retains)
    lost: list[Lost] = []
    is_changed = is_more = False
    for span_s in retains.spans_s():
        before_ms = now_ms - round(span_s * 1000)
        for keep in Keep:
            at = f"{keep.name}:{span_s:g}"
            rows = connection.execute(
                keep_sql(_NEXT, keep), (marks.get(at, -1), before_ms)
            ).fetchall()
            for row in rows:
                found = _purged_row(connection, keep, row, (retains, progress, now_ms))
                is_changed = is_changed or found is not None
                lost += found or []
                marks[at] = row[0]
            is_more = is_more or len(rows) == MOST_ROWS
    refused = _purge_refused(connection, retains, now_ms)
    is_changed = is_changed or refused is not None
    stored = {"policy": retains.fingerprint(), "upto": marks}
    tables.put_meta(connection, META, stored)
    return Purged([*lost, *(refused or [])], is_changed, is_more)


def _marks(connection: sqlite3.Connection, retains: Retains) -> dict[str, int]:
    """Return up to which row was looked at, for each class and span.

    From the start again when the rules have changed.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (META,)).fetchone()
    known: dict[str, Any] = {} if row is None else json.loads(row[0])
    return known["upto"] if known.get("policy") == retains.fingerprint() else {}


def _purged_row(
    connection: sqlite3.Connection,
    keep: Keep,
    row: Sequence[Any],
    by: tuple[Retains, ProgressMap, int],
) -> list[Lost] | None:
    """Return who loses what with the expired part of a row, None when nothing in it has expired."""
    retains, progress, now_ms = by
    try:
        batch = batch_from_row(keep.lane, row, seal_of(connection))
    except Unreadable:
        return None  # told when a sink comes to it
    age_s = (now_ms - batch.at_ms) / 1000
    kept = {
        seq: left
        for seq, record in batch.placed()
        if (left := retains.left(record, age_s)) is not None
    }
    if all(kept.get(seq) is record for seq, record in batch.placed()):
        return None
    gone = {seq for seq, _ in batch.placed()} - kept.keys()
    _rewrite(connection, keep, thinned(batch, kept.keys()), (batch.first_seq, kept))
    return lost_with(batch, progress, CAUSE, gone) if gone else []


def _rewrite(
    connection: sqlite3.Connection,
    keep: Keep,
    left: Batch | None,
    by: tuple[int, dict[int, Record]],
) -> None:
    first_seq, kept = by
    if left is None:
        sql = keep_sql("DELETE FROM ROWS WHERE first_seq = ?", keep)
        connection.execute(sql, (first_seq,))
        return
    fresh = replace(left, records=tuple(kept[seq] for seq, _ in left.placed()))
    row = batch_to_row(fresh, None, seal_of(connection))
    connection.execute(keep_sql(_REPLACE, keep), row)


def _purge_refused(
    connection: sqlite3.Connection, retains: Retains, now_ms: int
) -> list[Lost] | None:
    """Do the same with what platforms have refused; None when nothing of it has expired."""
    spans = retains.spans_s()
    if not spans:
        return None
    seal = seal_of(connection)
    sql = "SELECT id, sink, ep, seq, at_ms, payload FROM refused WHERE at_ms < ? ORDER BY id"
    lost: list[Lost] = []
    is_changed = False
    for row_id, sink, ep, seq, at_ms, payload in connection.execute(
        sql, (now_ms - round(spans[0] * 1000),)
    ).fetchall():
        try:
            record = decode_records(opened(seal, payload, tables.REFUSED))[0]
        except Unreadable:
            continue
        left = retains.left(record, (now_ms - at_ms) / 1000)
        if left is record:
            continue
        is_changed = True
        if left is None:
            connection.execute("DELETE FROM refused WHERE id = ?", (row_id,))
            lost.append(Lost(SinkName(sink), record.lane, ep, seq, seq, 1, CAUSE, at_ms, at_ms))
        else:
            fresh = closed(seal, encode_records((left,)), tables.REFUSED)
            connection.execute("UPDATE refused SET payload = ? WHERE id = ?", (fresh, row_id))
    return lost if is_changed else None
