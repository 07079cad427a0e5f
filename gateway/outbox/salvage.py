"""Reading what is left of a damaged database, row by row. Nothing is changed in it.

A row is believed when its checksum is right. Where pages are broken, the rows behind them are
looked for in ever smaller ranges of seqs; where even the tables cannot be found, there is nothing
to read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.model.record import Committed, Keep, Lane
from gateway.outbox.batch import Batch
from gateway.outbox.encoding import Unreadable
from gateway.outbox.rows import batch_from_row
from gateway.outbox.schema import ASIDE, DB_NAME, SIDE_FILES
from gateway.outbox.seal import KeyMissing, Seal

_FIRST_LAYOUT = "first_seq, ep, count, at_ms, crc, due, side, payload"
_HIGHEST = (1 << 53) - 1
MOST_PROBES = 20_000
"""Ranges that are tried in one table: a bound on time for a file that is garbage throughout."""


@dataclass(slots=True)
class Salvage:
    """What was found in one file."""

    file: Path
    rows: int = 0
    records: int = 0
    damaged_rows: int = 0
    """Rows that could be read but whose checksum is wrong."""
    sealed_rows: int = 0
    """Rows that are whole and sealed with a key that was not given."""
    broken: list[str] = field(default_factory=list[str])
    """What the database said where pages could not be read."""
    _spans: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict[int, list[tuple[int, int]]]
    )

    def note(self, batch: Batch) -> None:
        """Count a row that was saved."""
        self.rows += 1
        self.records += len(batch.records)
        self._spans.setdefault(batch.ep, []).extend((seq, seq) for seq, _ in batch.placed())

    def missing(self) -> dict[int, list[tuple[int, int]]]:
        """Return, for each `ep`, the seqs between its first and last one that were not found.

        They were dropped after delivery or for room, or they are lost.
        """
        found: dict[int, list[tuple[int, int]]] = {}
        for ep, spans in self._spans.items():
            spans.sort()
            pairs = pairwise(spans)
            found[ep] = [(a[1] + 1, b[0] - 1) for a, b in pairs if b[0] > a[1] + 1]
        return found

    def note_broken(self, what: object) -> None:
        """Keep what the database said, each thing once."""
        if str(what) not in self.broken:
            self.broken.append(str(what))


def databases_in(place: Path) -> list[Path]:
    """Return the databases of a folder, those set aside first, or the one file that is named."""
    if not place.is_dir():
        return [place]
    aside = [path for path in place.glob(f"{ASIDE}*") if not path.name.endswith(SIDE_FILES)]
    return [*sorted(aside), *(path for path in [place / DB_NAME] if path.exists())]


def salvage(found: Salvage, seal: Seal | None = None) -> Iterator[tuple[Lane, Committed]]:
    """Yield the records of the file that are whole, class by class in order of seq.

    Sealed rows whose key is not here are counted, and stay as they are.
    """
    connection = _connect(found.file)
    try:
        for keep in Keep:
            for row in _rows(connection, keep, found):
                yield from _records(keep, row, found, seal)
    finally:
        connection.close()


def _connect(file: Path) -> sqlite3.Connection:
    """Open it for reading, with the log beside it; without, where the folder is not writable."""
    path = file.resolve().as_uri()
    connection = sqlite3.connect(f"{path}?mode=ro", uri=True, timeout=5.0)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        connection = sqlite3.connect(f"{path}?mode=ro&immutable=1", uri=True)
    except sqlite3.DatabaseError:
        pass  # each table says what is wrong
    return connection


def _records(
    keep: Keep, row: Sequence[Any], found: Salvage, seal: Seal | None
) -> Iterator[tuple[Lane, Committed]]:
    try:
        batch = batch_from_row(keep.lane, row, seal)
    except KeyMissing:
        found.sealed_rows += 1
        return
    except Unreadable:
        found.damaged_rows += 1
        return
    found.note(batch)
    for seq, record in batch.placed():
        yield keep.lane, Committed(record, batch.ep, seq, None)


def _rows(connection: sqlite3.Connection, keep: Keep, found: Salvage) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table in order, stepping over what cannot be read."""
    table = keep.name.lower()
    columns = _columns(connection, table, found)
    if columns is None:
        return
    sql = f"SELECT {columns} FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"  # noqa: S608 - constants
    waiting = [(0, _HIGHEST)]
    probes = 0
    while waiting and probes < MOST_PROBES:
        probes += 1
        low, high = waiting.pop()
        at = low
        try:
            for row in connection.execute(sql, (low, high)):
                at = row[0] + 1
                yield row
        except sqlite3.Error as error:
            found.note_broken(error)
            if at < high:
                middle = (at + high) // 2
                waiting += [(middle + 1, high), (at, middle)]
    if waiting:
        found.note_broken(f"{table}: given up after {MOST_PROBES} ranges")


def _columns(connection: sqlite3.Connection, table: str, found: Salvage) -> str | None:
    """Return the columns to ask for, None when there is no such table."""
    try:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    except sqlite3.Error as error:
        found.note_broken(error)
        return None
    if "payload" not in names:
        return None
    return f"{_FIRST_LAYOUT}, {'places' if 'places' in names else 'NULL'}"
