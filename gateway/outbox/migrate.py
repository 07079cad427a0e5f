"""Older layouts of the database to the present one, inside the one transaction of the caller.

A cut at any point leaves the old layout whole: `user_version` changes with the tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from gateway.model.record import Keep
from gateway.outbox.encoding import Unreadable, decode_records

_NEW = ("alarm", "billing", "diagnostic")
_TABLE = """
CREATE TABLE {name} (
    first_seq INTEGER PRIMARY KEY, ep INTEGER NOT NULL, count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, crc INTEGER NOT NULL, due BLOB NOT NULL, side BLOB,
    payload BLOB NOT NULL, places BLOB
)"""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a database of this version to the present layout."""
    for step in _STEPS[version - 1 :]:
        step(connection)


def _to_classes(connection: sqlite3.Connection) -> None:
    """1 to 2: a table for each class, rows that may have lost records, `pv` of refused ones.

    An old row of events may hold several classes: it is kept as long as the best of them.
    """
    for name in _NEW:
        connection.execute(_TABLE.format(name=name))
    for name in ("event", "telemetry"):
        connection.execute(f"ALTER TABLE {name} ADD COLUMN places BLOB")
    connection.execute("ALTER TABLE refused ADD COLUMN pv INTEGER")
    after = -1
    while True:
        row = connection.execute(
            "SELECT first_seq, payload FROM event WHERE first_seq > ? ORDER BY first_seq LIMIT 1",
            (after,),
        ).fetchone()
        if row is None:
            break
        after = row[0]
        keep = _best(row[1])
        if keep is not Keep.EVENT:
            table = keep.name.lower()
            connection.execute(
                f"INSERT INTO {table} SELECT * FROM event WHERE first_seq = ?",  # noqa: S608 - constants
                (after,),
            )
            connection.execute("DELETE FROM event WHERE first_seq = ?", (after,))
    connection.execute("PRAGMA user_version=2")


def _best(payload: object) -> Keep:
    if not isinstance(payload, bytes):
        return Keep.ALARM  # damaged: told when a sink comes to it, so it must not be given up
    try:
        return max(record.keep for record in decode_records(payload))
    except Unreadable:
        return Keep.ALARM


_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_to_classes,)
