"""Retention: what may not be kept any longer is taken out of the rows, delivered or not.

Rows mix devices and classes, as one row is one commit; a class of its own would cost a row more in
every commit. So a row is read once when it has the age of a retention span, and written again only
if something in it has expired: its record goes, or single values in it do. What a sink had not got
is told by a gap record with the cause `retention`. SQLite overwrites what is removed
(`secure_delete`), and the log is emptied at once.

Clocks are set: a row may say that it is younger than those behind it. So what was looked at is not
a row up to which all is done, but all rows up to one that were older than some moment. And what was
committed before the time of day was known has the date that it had then, by how much the clock
jumped when somebody told it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
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
SHIFTED = "purge_shifts"
LEAST_SHIFT_MS = 3_600_000
"""A jump of the clock that matters where ages are days."""
MOST_SHIFTS = 16
_NEWEST = "SELECT first_seq, at_ms FROM ROWS ORDER BY first_seq DESC LIMIT 1"
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


@dataclass(frozen=True, slots=True)
class _Shift:
    """Rows that were committed before the time of day was known, and by how much it was behind."""

    after: int
    upto: int
    behind_ms: int


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was looked at, of one class and for one span: rows up to `seq` from before `ms`.

    A look that was not done with goes on behind `at`, for rows from before `until_ms`. A new one
    begins behind `floor`, up to which all was looked at, and not before something that is left has
    expired: a store may hold much, and every look reads on to its end.
    """

    seq: int = -1
    ms: int = 0
    at: int = -1
    until_ms: int | None = None
    floor: int = -1
    next_ms: int = 0
    """No row that is left is from before."""


class Purger:
    """Looks for what has expired, within the commits of others: once in an hour is enough."""

    def __init__(self, retains: Retains | None) -> None:
        """Take the rules; None: everything is kept."""
        self._retains = retains
        self._last_ms: int | None = None
        self._done = Purged()
        self._unsure_after: int | None = None
        """The newest row when the time of day was lost; None while it is known."""

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
        if self._retains is None:
            return None
        self._note_clock(connection, now_ms)
        if now_ms is None or not self.is_due(now_ms):
            return None
        self._done = purge(connection, self._retains, progress, now_ms)
        self._last_ms = now_ms
        return list(self._done.lost)

    def _note_clock(self, connection: sqlite3.Connection, now_ms: int | None) -> None:
        """Remember by how much the clock jumped when the time of day came back in this run.

        The time since the last commit counts as part of the jump: it is some minutes at most where
        anything is read. A run that ended before anyone knew the time leaves its rows as they are.
        """
        if now_ms is None:
            if self._unsure_after is None:
                self._unsure_after = _newest(connection)[0]
            return
        after, self._unsure_after = self._unsure_after, None
        if after is None:
            return
        upto, at_ms = _newest(connection)
        if upto > after and abs(now_ms - at_ms) >= LEAST_SHIFT_MS:
            shifts = [*_shifts(connection), _Shift(after, upto, now_ms - at_ms)]
            stored = [list(astuple(one)) for one in shifts[-MOST_SHIFTS:]]
            tables.put_meta(connection, SHIFTED, stored)
            connection.execute("DELETE FROM meta WHERE key = ?", (META,))  # they are dated anew


def _newest(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return seq and wall clock of the newest row; of none, zeros."""
    rows = [connection.execute(keep_sql(_NEWEST, keep)).fetchone() for keep in Keep]
    return max((row for row in rows if row is not None), default=(0, 0))


def purge(
    connection: sqlite3.Connection, retains: Retains, progress: ProgressMap, now_ms: int
) -> Purged:
    """Take out what has expired, within the caller's transaction.

    The caller folds what rows carry beside their records, and tells the losses.
    """
    looked = _looked(connection, retains)
    shifts = _shifts(connection)
    lost: list[Lost] = []
    is_changed = is_more = False
    for span_s in retains.spans_s():
        before_ms = now_ms - round(span_s * 1000)
        for keep in Keep:
            at = f"{keep.name}:{span_s:g}"
            known = looked.get(at, _Looked())
            if known.until_ms is None and before_ms <= known.next_ms:
                continue
            if known.until_ms is None:
                known = replace(known, at=known.floor, until_ms=before_ms)
            rows = _next_rows(connection, keep, known, shifts)
            for row in rows:
                found = _purged_row(connection, keep, row, (retains, progress, now_ms, shifts))
                is_changed = is_changed or found is not None
                lost += found or []
            is_whole = len(rows) < MOST_ROWS
            is_more = is_more or not is_whole
            if is_whole:
                looked[at] = _done(connection, keep, known, shifts)
            else:
                looked[at] = replace(known, at=rows[-1][0])
    refused = _purge_refused(connection, retains, now_ms)
    is_changed = is_changed or refused is not None
    upto = {at: list(astuple(one)) for at, one in looked.items()}
    tables.put_meta(connection, META, {"policy": retains.fingerprint(), "looked": upto})
    return Purged([*lost, *(refused or [])], is_changed, is_more)


def _looked(connection: sqlite3.Connection, retains: Retains) -> dict[str, _Looked]:
    """Return what was looked at, for each class and span; nothing when the rules have changed."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (META,)).fetchone()
    known: dict[str, Any] = {} if row is None else json.loads(row[0])
    if known.get("policy") != retains.fingerprint():
        return {}
    return {at: _Looked(*stored) for at, stored in known.get("looked", {}).items()}


def _next_rows(
    connection: sqlite3.Connection, keep: Keep, looked: _Looked, shifts: Sequence[_Shift]
) -> list[Sequence[Any]]:
    """Return the next rows to look at, in their order, at most MOST_ROWS."""
    date = _date_sql(shifts)
    sql = (
        f"SELECT {COLUMNS} FROM ROWS WHERE first_seq > ? AND {date} < ?"  # noqa: S608 - our own words and numbers
        f" AND NOT (first_seq <= ? AND {date} < ?) ORDER BY first_seq LIMIT ?"
    )
    bounds = (looked.at, looked.until_ms, looked.seq, looked.ms, MOST_ROWS)
    return connection.execute(keep_sql(sql, keep), bounds).fetchall()


def _done(
    connection: sqlite3.Connection, keep: Keep, looked: _Looked, shifts: Sequence[_Shift]
) -> _Looked:
    """Return what is looked at when nothing is left of a look."""
    date, ms = _date_sql(shifts), looked.until_ms or 0
    seq = _newest(connection)[0]
    sql = (
        f"SELECT min(first_seq), min({date}) FROM ROWS"  # noqa: S608 - our own words and numbers
        f" WHERE first_seq > ? AND NOT (first_seq <= ? AND {date} < ?)"
    )
    first, next_ms = connection.execute(keep_sql(sql, keep), (looked.floor, seq, ms)).fetchone()
    if first is not None:
        return _Looked(seq, ms, floor=first - 1, next_ms=next_ms)
    last = connection.execute(keep_sql(_NEWEST, keep)).fetchone()  # others may come in below seq
    return _Looked(seq, ms, floor=looked.floor if last is None else last[0], next_ms=ms)


# --- dates from before the time was known --------------------------------------------------------


def _shifts(connection: sqlite3.Connection) -> list[_Shift]:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (SHIFTED,)).fetchone()
    stored: list[list[int]] = [] if row is None else json.loads(row[0])
    return [_Shift(*one) for one in stored]


def _date_sql(shifts: Sequence[_Shift]) -> str:
    """Return when a row was really committed, in words of SQL."""
    if not shifts:
        return "at_ms"
    cases = " ".join(
        f"WHEN first_seq > {one.after:d} AND first_seq <= {one.upto:d} THEN {one.behind_ms:d}"
        for one in shifts
    )
    return f"at_ms + CASE {cases} ELSE 0 END"


def _date_ms(batch: Batch, shifts: Sequence[_Shift]) -> int:
    """Return the same of a row that was read."""
    of = (one.behind_ms for one in shifts if one.after < batch.first_seq <= one.upto)
    return batch.at_ms + next(of, 0)


def _purged_row(
    connection: sqlite3.Connection,
    keep: Keep,
    row: Sequence[Any],
    by: tuple[Retains, ProgressMap, int, Sequence[_Shift]],
) -> list[Lost] | None:
    """Return who loses what with the expired part of a row, None when nothing in it has expired."""
    retains, progress, now_ms, shifts = by
    try:
        batch = batch_from_row(keep.lane, row, seal_of(connection))
    except Unreadable:
        return None  # told when a sink comes to it
    age_s = (now_ms - _date_ms(batch, shifts)) / 1000
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
