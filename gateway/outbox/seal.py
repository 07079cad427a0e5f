"""What is sealed in the database: payloads of rows, states of rooms, refused records.

The outbox knows no cipher; it is handed one (`gateway.app.keys.sealing`). A sealed blob begins
with a byte that no plain one begins with, then the id of its key, so that an old key reads old
rows. The checksum of a row is over the sealed bytes: damage shows without the key.
"""

from __future__ import annotations

import sqlite3
from typing import Protocol

from gateway.outbox.encoding import Unreadable

SEALED = b"\x03"
KEY_ID_BYTES = 4


class Seal(Protocol):
    """A cipher with its keys: seals with the newest, opens with any."""

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key in use."""
        ...

    def has(self, key_id: bytes) -> bool:
        """Whether it can open what that key sealed."""
        ...

    def close(self, plain: bytes, about: bytes) -> bytes:
        """Return what stands for these bytes; `about` must be the same at `open`."""
        ...

    def open(self, key_id: bytes, closed: bytes, about: bytes) -> bytes:
        """Return the bytes that were sealed.

        Raises:
            ValueError: they were changed, or belong to something else.
        """
        ...


class KeyMissing(Unreadable):
    """The bytes are whole, and the key that opens them is not here: nothing is lost."""


class Database(sqlite3.Connection):
    """A connection that knows what seals its blobs."""

    seal: Seal | None = None


def seal_of(connection: sqlite3.Connection) -> Seal | None:
    """Return the seal of a connection, None where nothing is sealed."""
    return connection.seal if isinstance(connection, Database) else None


def is_sealed(stored: bytes) -> bool:
    """Whether these bytes need a key."""
    return stored[:1] == SEALED


def closed(seal: Seal | None, plain: bytes, about: str) -> bytes:
    """Return the bytes as they are stored."""
    if seal is None:
        return plain
    return SEALED + seal.key_id + seal.close(plain, about.encode())


def opened(seal: Seal | None, stored: bytes, about: str) -> bytes:
    """Return the bytes as they were before `closed`; plain ones as they are.

    Raises:
        KeyMissing: no key here opens them.
        Unreadable: they were changed.
    """
    if not is_sealed(stored):
        return stored
    key_id = stored[1 : 1 + KEY_ID_BYTES]
    if seal is None or not seal.has(key_id):
        raise KeyMissing(f"sealed with key {key_id.hex()}, which is not here")
    try:
        return seal.open(key_id, stored[1 + KEY_ID_BYTES :], about.encode())
    except ValueError as exc:
        raise Unreadable("the seal is broken") from exc
