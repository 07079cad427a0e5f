"""The files of the outbox: opening, checking, setting aside what is damaged, the mark beside."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gateway.model.record import Keep, Lane
from gateway.outbox.migrate import migrate
from gateway.outbox.quota import PAGE_BYTES, Quota
from gateway.outbox.seal import Database, Seal

DB_NAME = "outbox.db"
VERSION = 2
ASIDE = f"{DB_NAME}.corrupt-"
CHECKED_BYTES = 256 * 1024 * 1024
"""A larger database is not read from end to end at a start, which would take seconds: every row
has its checksum, and a broken page that is met while running is set aside then."""
MOST_ASIDE = 3
"""Databases set aside that are kept, within the quota; the newest one always is."""
SIDE_FILES = ("-wal", "-shm", "-journal")
KEEPS: dict[Lane, tuple[Keep, ...]] = {
    lane: tuple(keep for keep in Keep if keep.lane is lane) for lane in Lane
}
"""The classes, and so the tables, of which each lane consists."""

_TABLE = """
CREATE TABLE ROWS (
    first_seq INTEGER PRIMARY KEY, ep INTEGER NOT NULL, count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, crc INTEGER NOT NULL, due BLOB NOT NULL, side BLOB,
    payload BLOB NOT NULL, places BLOB
)"""
_OTHER_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE state (
        room TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (room, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE refused (
        id INTEGER PRIMARY KEY, sink TEXT NOT NULL, ep INTEGER NOT NULL, seq INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL, pv INTEGER
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


def keep_sql(sql: str, keep: Keep) -> str:
    """Return the statement for the table of this class, written `ROWS` in it."""
    return sql.replace("ROWS", keep.name.lower())


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


def connect(path: Path, quota: Quota, seal: Seal | None = None) -> Database:
    """Return the open and checked database, made when it was not there.

    Raises:
        StoreDamaged: it is no database, or not whole.
        StoreInUse: another process has it open.
        DiskRefused: the disk does not let us.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.0, factory=Database)
        connection.seal = seal
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
        "temp_store=MEMORY",
        "cache_size=-1024",
        "cell_size_check=ON",
        # What is removed is overwritten where that costs no write more; a purge does it everywhere.
        "secure_delete=FAST",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN EXCLUSIVE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _create(connection)
    elif version < VERSION:
        migrate(connection, version)
    connection.execute("COMMIT")
    # Not kept in the file: it has to be said at every open. After a migration, which may need
    # a few pages more than a full store has.
    connection.execute(f"PRAGMA max_page_count={quota.most_pages}")


def _create(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreDamaged("tables without a version")
    for keep in Keep:
        connection.execute(keep_sql(_TABLE, keep))
    for statement in _OTHER_TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={VERSION}")


def _check(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise StoreDamaged(f"layout version {version}, not {VERSION}")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    if pages * PAGE_BYTES > CHECKED_BYTES:
        return
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreDamaged(str(verdict))


def set_aside(folder: Path, at_ms: int, most_bytes: int) -> Path:
    """Rename the damaged database out of the way and return its new path.

    Of those from before, the newest few are kept, as long as all of them fit in `most_bytes`.
    """
    path = folder / DB_NAME
    while (aside := folder / f"{ASIDE}{at_ms}").exists():
        at_ms += 1
    for suffix in ("", *SIDE_FILES):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    room = most_bytes
    for place, old in enumerate(databases_aside(folder)):
        parts = [part for part in folder.glob(f"{old.name}*") if part.is_file()]
        room -= sum(part.stat().st_size for part in parts)
        if place and (place >= MOST_ASIDE or room < 0):
            for part in parts:
                part.unlink()
    return aside


def databases_aside(folder: Path) -> list[Path]:
    """Return the databases that were set aside, newest first, without their side files."""
    found = [path for path in folder.glob(f"{ASIDE}*") if path.name[len(ASIDE) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(ASIDE) :]), reverse=True)
