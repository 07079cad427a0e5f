"""The statements that change tables; each runs inside a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from gateway.model.record import Lane
from gateway.outbox.encoding import encode_records
from gateway.outbox.evict import damaged_row
from gateway.outbox.rows import (
    COLUMNS,
    Lost,
    ProgressMap,
    Refusal,
    Side,
    StateKey,
    lost_to_bytes,
    side_to_bytes,
)
from gateway.outbox.schema import lane_sql

KEPT_REFUSED = 1000
"""Refused records kept per store; the oldest go first."""
SELECT = f"SELECT {COLUMNS} FROM LANE"  # noqa: S608 - constants
_INSERT = f"INSERT INTO LANE ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_INSERT_REFUSED = (
    "INSERT INTO refused (sink, ep, seq, at_ms, reason, payload) VALUES (?, ?, ?, ?, ?, ?)"
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
    connection: sqlite3.Connection, lane: Lane, row: Sequence[int | bytes | None]
) -> None:
    """Add a batch."""
    connection.execute(lane_sql(_INSERT, lane), row)


def bury(
    connection: sqlite3.Connection, lane: Lane, row: Sequence[Any], progress: ProgressMap
) -> list[Lost]:
    """Remove a row that cannot be read; return who loses what, noted until it is told."""
    told = [insert_lost(connection, loss) for loss in damaged_row(connection, lane, row, progress)]
    connection.execute(lane_sql("DELETE FROM LANE WHERE first_seq = ?", lane), (row[0],))
    return told


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
    """Keep a refused record, and only so many of them."""
    who = (refusal.sink, refusal.ep, refusal.seq, refusal.at_ms, refusal.reason)
    cursor = connection.execute(_INSERT_REFUSED, (*who, encode_records((refusal.record,))))
    oldest = (cursor.lastrowid or 0) - KEPT_REFUSED
    connection.execute("DELETE FROM refused WHERE id <= ?", (oldest,))


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
            stored = json.dumps(value, allow_nan=False).encode()
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (room, key, stored))
    side = json.loads(side_to_bytes(Side(progress)))
    put_meta(connection, "folded", {"seq": seq, "side": side})


def put_meta(connection: sqlite3.Connection, key: str, value: object) -> None:
    """Keep one fact about the store."""
    stored = json.dumps(value).encode()
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, stored))
