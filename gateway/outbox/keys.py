"""The keys of an opened database: which it needs, and taking a new one into use."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.record import Keep
from gateway.outbox import tables
from gateway.outbox.schema import DiskRefused, keep_sql
from gateway.outbox.seal import SEALED, closed, opened, seal_of

META = "seal"
_USED = (
    *(
        keep_sql(f"SELECT 1 FROM ROWS WHERE substr({column}, 1, 5) = ? LIMIT 1", keep)  # noqa: S608 - constants
        for keep in Keep
        for column in ("payload", "side")
    ),
    "SELECT 1 FROM refused WHERE substr(payload, 1, 5) = ? LIMIT 1",
    "SELECT 1 FROM state WHERE substr(value, 1, 5) = ? LIMIT 1",
)


def settle_keys(connection: sqlite3.Connection) -> None:
    """Note the key in use, and seal with it what rooms have remembered.

    Rows keep the key that they were sealed with. A key that nothing in the database needs any more
    is forgotten.

    Raises:
        DiskRefused: something is sealed with a key that is not here. Nothing was changed.
    """
    seal = seal_of(connection)
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (META,)).fetchone()
    known: list[str] = [] if row is None else json.loads(row[0])
    kept: list[str] = []
    for name in known:
        if seal is not None and seal.has(bytes.fromhex(name)):
            kept.append(name)
        elif _is_used(connection, name):
            raise DiskRefused(
                f"the store is sealed with key {name}, which is not here: give it back as the key "
                "of the store, below a newer one where there is one"
            )
    if seal is not None and seal.key_id.hex() not in kept:
        kept.append(seal.key_id.hex())
    if kept != known:
        with tables.transaction(connection):
            _seal_states(connection)
            tables.put_meta(connection, META, kept)


def _is_used(connection: sqlite3.Connection, name: str) -> bool:
    head = SEALED + bytes.fromhex(name)
    return any(connection.execute(sql, (head,)).fetchone() for sql in _USED)


def _seal_states(connection: sqlite3.Connection) -> None:
    seal = seal_of(connection)
    for room, key, value in connection.execute("SELECT room, key, value FROM state").fetchall():
        sealed = closed(seal, opened(seal, value, tables.STATE), tables.STATE)
        connection.execute("REPLACE INTO state VALUES (?, ?, ?)", (room, key, sealed))
