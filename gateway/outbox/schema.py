"""The files of the outbox: opening, checking, setting aside what is damaged, the mark beside."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gateway.model.record import Lane
from gateway.outbox.quota import PAGE_BYTES, Quota

DB_NAME = "outbox.db"
VERSION = 1
_SIDE_FILES = ("-wal", "-shm", "-journal")

_TABLE = """
CREATE TABLE LANE (
    first_seq INTEGER PRIMARY KEY, ep INTEGER NOT NULL, count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, crc INTEGER NOT NULL, due BLOB NOT NULL, side BLOB,
    payload BLOB NOT NULL
)"""
_OTHER_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE state (
        room TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (room, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE refused (
        id INTEGER PRIMARY KEY, sink TEXT NOT NULL, ep INTEGER NOT NULL, seq INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL
    )""",
    "CREATE TABLE lost (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
)
_CORRUPT = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_ERROR,  # our statements are right: a table or column is not there any more
    None,  # text that is not UTF-8
}


class DiskRefused(Exception):
    """The disk takes nothing now: full, read-only, failing. Later it may."""


class StoreDamaged(Exception):
    """The database is not one, or contradicts itself: it must be set aside."""


class StoreInUse(Exception):
    """Another process has this store open."""


def lane_sql(sql: str, lane: Lane) -> str:
    """Return the statement for the table of this lane, written `LANE` in it."""
    return sql.replace("LANE", lane.value)


def translated(error: sqlite3.Error) -> Exception:
    """Return what an error of SQLite means to us."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return error  # ours to mend
    code: int | None = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in _CORRUPT or code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return StoreDamaged(str(error))
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreInUse(f"another process has the store open: {error}")
    return DiskRefused(str(error))


@contextmanager
def in_our_words() -> Generator[None]:
    """Raise what an error of SQLite means instead of it."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error


def connect(path: Path, quota: Quota) -> sqlite3.Connection:
    """Return the open and checked database, made when it was not there.

    Raises:
        StoreDamaged: it is no database, or not whole.
        StoreInUse: another process has it open.
        DiskRefused: the disk does not let us.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.0)
    except sqlite3.Error as error:
        raise translated(error) from error
    try:
        _prepare(connection, quota)
        _check(connection)
    except (sqlite3.Error, StoreDamaged) as error:
        connection.close()
        if isinstance(error, StoreDamaged):
            raise
        raise translated(error) from error
    return connection


def _prepare(connection: sqlite3.Connection, quota: Quota) -> None:
    for pragma in (
        f"page_size={PAGE_BYTES}",
        # One process and one thread: no shared-memory file, and a second gateway is refused.
        "locking_mode=EXCLUSIVE",
        "journal_mode=WAL",
        "synchronous=FULL",
        f"wal_autocheckpoint={quota.checkpoint_pages}",
        f"journal_size_limit={quota.wal_bytes}",
        # Not kept in the file: it has to be said at every open.
        f"max_page_count={quota.max_pages}",
        "temp_store=MEMORY",
        "cache_size=-1024",
        "cell_size_check=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN EXCLUSIVE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        _create(connection)
    connection.execute("COMMIT")


def _create(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreDamaged("tables without a version")
    for lane in Lane:
        connection.execute(lane_sql(_TABLE, lane))
    for statement in _OTHER_TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={VERSION}")


def _check(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise StoreDamaged(f"layout version {version}, not {VERSION}")
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreDamaged(str(verdict))


def set_aside(folder: Path, at_ms: int) -> Path:
    """Rename the damaged database out of the way and return its new path; keep only this one."""
    path = folder / DB_NAME
    aside = folder / f"{DB_NAME}.corrupt-{at_ms}"
    for old in folder.glob(f"{DB_NAME}.corrupt-*"):
        old.unlink()
    for suffix in ("", *_SIDE_FILES):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
