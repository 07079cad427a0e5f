"""The statements that change tables; each runs inside a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import Keep, Lane
from gateway.outbox.encoding import Unreadable, decode_records, encode_records
from gateway.outbox.losses import damaged_row, joined, merged
from gateway.outbox.rows import (
    COLUMNS,
    Lost,
    Noted,
    ProgressMap,
    Refusal,
    Side,
    StateKey,
    Writing,
    lost_from_row,
    lost_to_bytes,
    side_to_bytes,
)
from gateway.outbox.schema import KEEPS, keep_sql
from gateway.outbox.seal import closed, opened, seal_of

STATE, SIDE, REFUSED = "state", "side", "refused"
"""What sealed bytes are about, beside those of rows."""
MOST_UNTOLD = 32
"""Losses of one sink that are kept apart until they are told; beyond it, alike ones are joined."""
KEPT_REFUSED = 10_000
"""Refused records kept per store: some megabytes. The oldest go first, and that is told."""
SELECT = f"SELECT {COLUMNS} FROM ROWS"  # noqa: S608 - constants
_INSERT = f"INSERT INTO ROWS ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_INSERT_REFUSED = (
    "INSERT INTO refused (sink, ep, seq, at_ms, reason, payload, pv) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Commit at the end, or change nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def insert_row(
    connection: sqlite3.Connection, keep: Keep, row: Sequence[int | bytes | None]
) -> None:
    """Add a batch."""
    connection.execute(keep_sql(_INSERT, keep), row)


def rows_from(
    connection: sqlite3.Connection, lane: Lane, span: tuple[int, int], most: int
) -> list[Sequence[Any]]:
    """Return rows of all classes of a lane in order of seq, that begin within `[first, below)`."""
    sql = SELECT + " WHERE first_seq >= ? AND first_seq < ? ORDER BY first_seq LIMIT ?"
    found: list[Sequence[Any]] = []
    for keep in KEEPS[lane]:
        found += connection.execute(keep_sql(sql, keep), (*span, most)).fetchall()
    return sorted(found, key=_first_seq)[:most]


def row_at(connection: sqlite3.Connection, lane: Lane, seq: int) -> int | None:
    """Return where the row of the lane begins that may hold this seq."""
    sql = "SELECT max(first_seq) FROM ROWS WHERE first_seq <= ?"
    firsts = [connection.execute(keep_sql(sql, keep), (seq,)).fetchone()[0] for keep in KEEPS[lane]]
    return max((first for first in firsts if first is not None), default=None)


def bury(
    connection: sqlite3.Connection, lane: Lane, row: Sequence[Any], progress: ProgressMap
) -> Noted:
    """Remove a row that cannot be read; return who loses what, noted until it is told."""
    noted = note_lost(connection, damaged_row(connection, lane, row, progress), ())
    for keep in KEEPS[lane]:
        connection.execute(keep_sql("DELETE FROM ROWS WHERE first_seq = ?", keep), (row[0],))
    return noted


def note_lost(
    connection: sqlite3.Connection, losses: Sequence[Lost], being_told: Sequence[int]
) -> Noted:
    """Note losses until they are told.

    When a sink has many that are not told yet (it takes nothing, so that nothing is told), alike
    ones become one. Those whose gap records are just being committed are left alone.
    """
    known = [
        lost_from_row(row_id, body)
        for row_id, body in connection.execute("SELECT id, body FROM lost ORDER BY id")
        if row_id not in being_told
    ]
    fresh = joined(losses)
    rows: list[Lost] = []
    gone: list[int] = []
    for loss in fresh:
        of_sink = [each for each in known if each.sink == loss.sink]
        alike = [each for each in of_sink if each.kind == loss.kind]
        kept = loss
        if len(of_sink) >= MOST_UNTOLD and alike:
            kept = merged(alike[-1], loss)
            known.remove(alike[-1])
            gone += [each.id for each in alike[-1:] if each.id is not None]
        kept = insert_lost(connection, kept)
        known.append(kept)
        rows.append(kept)
    delete_lost(connection, gone)
    return Noted(fresh, rows, gone)


def insert_lost(connection: sqlite3.Connection, loss: Lost) -> Lost:
    """Note a loss until it is told; return it with its id."""
    body = lost_to_bytes(loss)
    cursor = connection.execute("INSERT INTO lost (body) VALUES (?)", (body,))
    return replace(loss, id=cursor.lastrowid)


def delete_lost(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Forget losses that are told."""
    for row_id in ids:
        connection.execute("DELETE FROM lost WHERE id = ?", (row_id,))


def insert_refusal(connection: sqlite3.Connection, refusal: Refusal) -> None:
    """Keep a refused record, once."""
    delete_refusal(connection, refusal.sink, refusal.ep, refusal.seq)
    who = (refusal.sink, refusal.ep, refusal.seq, refusal.at_ms, refusal.reason)
    payload = closed(seal_of(connection), encode_records((refusal.record,)), REFUSED)
    connection.execute(_INSERT_REFUSED, (*who, payload, refusal.pv))


def settle_refusals(connection: sqlite3.Connection, writing: Writing, noted: Noted) -> Noted:
    """Keep what was refused and forget what was taken after all; return what is lost with that."""
    for refusal in writing.refusals:
        insert_refusal(connection, refusal)
    if writing.refusals and (dropped := trim_refused(connection)):
        told = note_lost(connection, dropped, writing.told)
        # Passed long ago: they are told, but nobody waits for them.
        noted = Noted(noted.fresh, [*noted.rows, *told.rows], [*noted.gone, *told.gone])
    for accepted in writing.accepted:
        delete_refusal(connection, *accepted)
    return noted


def trim_refused(connection: sqlite3.Connection) -> list[Lost]:
    """Drop the oldest refused records beyond what is kept; return who will never get which."""
    kept: int = connection.execute("SELECT count(*) FROM refused").fetchone()[0]
    sql = "SELECT id, sink, ep, seq, at_ms, payload FROM refused ORDER BY id LIMIT ?"
    lost: list[Lost] = []
    for row_id, sink, ep, seq, at_ms, payload in connection.execute(
        sql, (max(0, kept - KEPT_REFUSED),)
    ).fetchall():
        connection.execute("DELETE FROM refused WHERE id = ?", (row_id,))
        try:
            plain = opened(seal_of(connection), bytes(payload), REFUSED)
            lane = decode_records(plain)[0].lane
        except (Unreadable, TypeError):
            lane = Lane.TELEMETRY
        span = (seq, seq)
        lost.append(Lost(SinkName(sink), lane, ep, *span, 1, "refused", at_ms, at_ms))
    return lost


def delete_refusal(connection: sqlite3.Connection, sink: SinkName, ep: int, seq: int) -> None:
    """Forget a refused record."""
    who = (sink, ep, seq)
    connection.execute("DELETE FROM refused WHERE sink = ? AND ep = ? AND seq = ?", who)


def fold(
    connection: sqlite3.Connection,
    seq: int,
    progress: ProgressMap,
    states: Mapping[StateKey, Any],
) -> None:
    """Move what rows up to `seq` say beside their records to tables of its own."""
    for (room, key), value in states.items():
        if value is None:
            connection.execute("DELETE FROM state WHERE room = ? AND key = ?", (room, key))
        else:
            plain = json.dumps(value, allow_nan=False).encode()
            stored = closed(seal_of(connection), plain, STATE)
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (room, key, stored))
    side = json.loads(side_to_bytes(Side(progress)))
    put_meta(connection, "folded", {"seq": seq, "side": side})


def put_meta(connection: sqlite3.Connection, key: str, value: object) -> None:
    """Keep one fact about the store."""
    stored = json.dumps(value).encode()
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, stored))


def _first_seq(row: Sequence[Any]) -> int:
    return row[0]
