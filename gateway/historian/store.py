"""The local history: the last days of values in one SQLite file. Blocking, for one thread.

Fresh values lie in one row for each commit, which spares the disk; some commits later they are
sorted into one row for each hour and point, so that a question about one point of a week reads
some hundred short rows. The file never grows beyond its bound: the oldest hours go first.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import zlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gateway.historian.chunk import Column, Sample, from_json, packed, to_json, unpacked
from gateway.historian.point_name import PointName
from gateway.model.ids import DeviceId, PointId

FILE = "history.db"
DAMAGED = f"{FILE}.damaged"
HOUR_MS = 3_600_000
SORT_AFTER = 60
"""Commits, until they are sorted into hours: half an hour at the usual pace."""
SORT_SHARE = 0.125
"""Of the quota: so much of commits is sorted sooner, as for a moment both forms lie there."""
FULL = 0.75
"""Of the quota: then the oldest hours go."""
PAGE_BYTES = 4096
WAL_BYTES = 1 << 20
"""The write-ahead log beside the file stays about this small, within the quota."""
LEAST_FREE_BYTES = 4 << 20  # with less, a commit fails for want of disk, not by our own bound
VERSION = 1

_TABLES = (
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY, device TEXT NOT NULL, point TEXT NOT NULL, unit TEXT,
        UNIQUE (device, point))""",
    """CREATE TABLE fresh (
        id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
        payload BLOB NOT NULL)""",
    """CREATE TABLE hours (
        hour INTEGER NOT NULL, series INTEGER NOT NULL, payload BLOB NOT NULL,
        PRIMARY KEY (hour, series)) WITHOUT ROWID""",
)
_SPAN = """SELECT min(a), max(b) FROM (SELECT min(hour) * :h AS a, max(hour + 1) * :h AS b
    FROM hours UNION ALL SELECT min(from_ms), max(to_ms + 1) FROM fresh)"""
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


@dataclass(frozen=True, slots=True)
class Found:
    """What was kept of a point."""

    unit: str | None
    samples: Sequence[Sample]


Fresh: TypeAlias = Mapping[PointName, Column]


class HistoryDamaged(Exception):
    """The file is no history, or not whole: `set_aside` makes room for a new one."""


class HistoryStore:
    """The file, open. Not for two threads."""

    def __init__(self, folder: Path, quota_bytes: int) -> None:
        """Take the state folder and the bound; nothing is opened yet."""
        self._folder = folder
        self._most_pages = max(64, (quota_bytes - WAL_BYTES) // PAGE_BYTES)
        self._connection: sqlite3.Connection | None = None
        self._ids: dict[PointName, int] = {}
        self._units: dict[PointName, str | None] = {}
        self._fresh_rows = self._fresh_bytes = 0

    def open(self) -> None:
        """Open the file, and make it when it is new.

        Raises:
            HistoryDamaged: it is no history, or not whole.
            sqlite3.Error: the disk does not let us.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._folder / FILE, isolation_level=None, timeout=0.0)
        try:
            with _in_our_words():
                self._prepare(connection)
        except (HistoryDamaged, sqlite3.Error):
            connection.close()
            raise
        self._connection = connection

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def set_aside(self) -> Path:
        """Move a damaged file out of the way, over the one that was moved before."""
        self.close()
        for suffix in ("-wal", "-shm"):
            (self._folder / f"{FILE}{suffix}").unlink(missing_ok=True)
        return (self._folder / FILE).replace(self._folder / DAMAGED)

    # --- writing -------------------------------------------------------------------------------

    def add(self, fresh: Fresh, units: Mapping[PointName, str | None], keep_from_ms: int) -> None:
        """Commit these values in one transaction; what is older than `keep_from_ms` goes.

        Raises:
            HistoryDamaged, sqlite3.Error: nothing was committed.
        """
        with self._transaction() as connection:
            content: dict[int, list[Any]] = {}
            for name, column in fresh.items():
                kept = {ts_ms: one for ts_ms, one in column.items() if ts_ms >= keep_from_ms}
                if kept:
                    content[self._id(connection, name, units.get(name))] = to_json(kept)
            if content:
                spans = [(one[0], one[0] + sum(one[1])) for one in content.values()]
                payload = packed(content)
                connection.execute(
                    "INSERT INTO fresh (from_ms, to_ms, payload) VALUES (?, ?, ?)",
                    (min(a for a, _ in spans), max(b for _, b in spans), payload),
                )
                self._fresh_rows += 1
                self._fresh_bytes += len(payload)
            most_bytes = self._most_pages * PAGE_BYTES * SORT_SHARE
            if self._fresh_rows >= SORT_AFTER or self._fresh_bytes > most_bytes:
                self._sort(connection)
            self._drop_before(connection, keep_from_ms)
            self._make_room(connection)

    def purge(self, before_ms: int, points: Sequence[PointName] | None = None) -> int:
        """Delete what is older than `before_ms`, of these points or of all; return how many.

        What is freed is overwritten with zeros, in the file and in its log.
        """
        self._opened().execute("PRAGMA secure_delete=ON")
        with self._transaction() as connection:
            self._sort(connection)
            known = self._known(connection)
            wanted = known.values() if points is None else [known[p] for p in points if p in known]
            gone = sum(_cut_off(connection, series, before_ms) for series in wanted)
        self._opened().execute("PRAGMA secure_delete=FAST")
        self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def is_disk_full(self) -> bool:
        """Whether it is the disk that has no room, and not our own bound."""
        return shutil.disk_usage(self._folder).free < LEAST_FREE_BYTES

    def forget(self, before_ms: int) -> None:
        """Delete hours that are wholly older than `before_ms`."""
        with self._transaction() as connection:
            self._drop_before(connection, before_ms)

    def span(self) -> range:
        """Return the time of which anything is kept, to the hour; an empty one: nothing is."""
        with _in_our_words():
            first_ms, end_ms = self._opened().execute(_SPAN, {"h": HOUR_MS}).fetchone()
        return range(first_ms or 0, end_ms or 0)

    def relieve(self) -> None:
        """Delete the oldest quarter: the bound was reached within one commit."""
        with self._transaction() as connection:
            hours = [row[0] for row in connection.execute("SELECT DISTINCT hour FROM hours")]
            if not hours:
                self._halve_fresh(connection)
                return
            oldest = sorted(hours)[: len(hours) // 4 + 1]
            connection.execute("DELETE FROM hours WHERE hour <= ?", (oldest[-1],))

    def _id(self, connection: sqlite3.Connection, name: PointName, unit: str | None) -> int:
        if name in self._ids and self._units.get(name) == unit:
            return self._ids[name]
        connection.execute(
            "INSERT INTO series (device, point, unit) VALUES (?, ?, ?)"
            " ON CONFLICT (device, point) DO UPDATE SET unit = excluded.unit",
            (name.device, name.point, unit),
        )
        (number,) = connection.execute(
            "SELECT id FROM series WHERE device = ? AND point = ?", (name.device, name.point)
        ).fetchone()
        self._ids[name], self._units[name] = number, unit
        return int(number)

    def _sort(self, connection: sqlite3.Connection) -> None:
        """Put what lies in commits into hours, in the order in which they lie in the file."""
        hours: dict[tuple[int, int], Column] = {}
        for (payload,) in connection.execute("SELECT payload FROM fresh ORDER BY id"):
            for series, stored in _content(payload).items():
                for ts_ms, one in _column(stored).items():
                    hours.setdefault((ts_ms // HOUR_MS, int(series)), {})[ts_ms] = one
        connection.execute("DELETE FROM fresh")
        self._fresh_rows = self._fresh_bytes = 0
        at_hour = None
        for (hour, series), column in sorted(hours.items()):
            if hour != at_hour:
                at_hour = hour
                self._make_room(connection)
            before = _hour_of(connection, hour, series)
            _put(connection, hour, series, before | column)

    def _drop_before(self, connection: sqlite3.Connection, keep_from_ms: int) -> None:
        connection.execute("DELETE FROM hours WHERE hour < ?", (keep_from_ms // HOUR_MS,))
        connection.execute("DELETE FROM fresh WHERE to_ms < ?", (keep_from_ms,))

    def _make_room(self, connection: sqlite3.Connection) -> None:
        while _used_pages(connection) > self._most_pages * FULL:
            (oldest,) = connection.execute("SELECT min(hour) FROM hours").fetchone()
            if oldest is None:
                self._halve_fresh(connection)
                return
            connection.execute("DELETE FROM hours WHERE hour = ?", (oldest,))

    def _halve_fresh(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM fresh WHERE id <= (SELECT (min(id) + max(id)) / 2 FROM fresh)"
        )

    # --- asking --------------------------------------------------------------------------------

    def read(self, name: PointName, from_ms: int, to_ms: int) -> Found:
        """Return what was kept of a point from `from_ms` to before `to_ms`, in order of time.

        Raises:
            HistoryDamaged, sqlite3.Error: it cannot be read.
        """
        connection = self._opened()
        with _in_our_words():
            row = connection.execute(
                "SELECT id, unit FROM series WHERE device = ? AND point = ?",
                (name.device, name.point),
            ).fetchone()
            if row is None:
                return Found(None, ())
            column: Column = {}
            hours = (from_ms // HOUR_MS, to_ms // HOUR_MS)
            for (payload,) in connection.execute(
                "SELECT payload FROM hours WHERE hour BETWEEN ? AND ? AND series = ?",
                (*hours, row[0]),
            ):
                column |= _column_in(payload)
            for (payload,) in connection.execute(
                "SELECT payload FROM fresh WHERE to_ms >= ? AND from_ms < ? ORDER BY id",
                (from_ms, to_ms),
            ):
                stored = _content(payload).get(str(row[0]))
                column |= {} if stored is None else _column(stored)
        wanted = sorted(ts_ms for ts_ms in column if from_ms <= ts_ms < to_ms)
        return Found(row[1], [column[ts_ms] for ts_ms in wanted])

    def names(self) -> list[PointName]:
        """Return the points of which anything was ever kept."""
        with _in_our_words():
            return list(self._known(self._opened()))

    def used_bytes(self) -> int:
        """Return the bytes of the file that hold something."""
        with _in_our_words():
            return _used_pages(self._opened()) * PAGE_BYTES

    def _known(self, connection: sqlite3.Connection) -> dict[PointName, int]:
        rows = connection.execute("SELECT device, point, id FROM series")
        return {PointName(DeviceId(d), PointId(p)): int(number) for d, p, number in rows}

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.open()
        if self._connection is None:
            raise HistoryDamaged("it is not open")
        return self._connection

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        connection = self._opened()
        before = self._fresh_rows, self._fresh_bytes
        with _in_our_words():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                    self._fresh_rows, self._fresh_bytes = before
                    self._ids.clear()
                    self._units.clear()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in (
            f"page_size={PAGE_BYTES}",
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            # The outbox counts a value as kept when this commit returned.
            "synchronous=FULL",
            "secure_delete=FAST",
            f"wal_autocheckpoint={WAL_BYTES // PAGE_BYTES}",
            f"journal_size_limit={WAL_BYTES}",
            "temp_store=MEMORY",
            "cache_size=-1024",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN EXCLUSIVE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
        if version not in {0, VERSION}:
            raise HistoryDamaged(f"layout version {version}, not {VERSION}")
        connection.execute(f"PRAGMA max_page_count={self._most_pages}")
        self._fresh_rows, self._fresh_bytes = connection.execute(
            "SELECT count(*), coalesce(sum(length(payload)), 0) FROM fresh"
        ).fetchone()


def _used_pages(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages) - int(free)


def _hour_of(connection: sqlite3.Connection, hour: int, series: int) -> Column:
    row = connection.execute(
        "SELECT payload FROM hours WHERE hour = ? AND series = ?", (hour, series)
    ).fetchone()
    return {} if row is None else _column_in(row[0])


def _put(connection: sqlite3.Connection, hour: int, series: int, column: Column) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO hours (hour, series, payload) VALUES (?, ?, ?)",
        (hour, series, packed(to_json(column))),
    )


def _cut_off(connection: sqlite3.Connection, series: int, before_ms: int) -> int:
    """Delete of one point what is older; return how many values that were."""
    gone = 0
    rows = connection.execute(
        "SELECT hour, payload FROM hours WHERE series = ? AND hour <= ?",
        (series, before_ms // HOUR_MS),
    ).fetchall()
    for hour, payload in rows:
        column = _column_in(payload)
        kept = {ts_ms: one for ts_ms, one in column.items() if ts_ms >= before_ms}
        gone += len(column) - len(kept)
        if not kept:
            connection.execute("DELETE FROM hours WHERE hour = ? AND series = ?", (hour, series))
        elif len(kept) < len(column):
            _put(connection, hour, series, kept)
    return gone


@contextlib.contextmanager
def _in_our_words() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _DAMAGE:
            raise HistoryDamaged(str(error)) from error
        raise


def _content(payload: bytes) -> dict[str, list[Any]]:
    try:
        return unpacked(payload)
    except (ValueError, zlib.error) as error:
        raise HistoryDamaged(f"a row is damaged: {error}") from error


def _column(stored: list[Any]) -> Column:
    try:
        return from_json(stored)
    except (ValueError, TypeError) as error:
        raise HistoryDamaged(f"a row is damaged: {error}") from error


def _column_in(payload: bytes) -> Column:
    try:
        return from_json(unpacked(payload))
    except (ValueError, TypeError, zlib.error) as error:
        raise HistoryDamaged(f"a row is damaged: {error}") from error
