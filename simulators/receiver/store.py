"""The receiver's memory: records once each, the gap ledger, births and gateways.

One batch is one transaction. Only when it is on the disk may its messages be acknowledged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NewType, Self

from simulators.receiver.known import integer, note, wants_confirmation
from simulators.receiver.message import Message, Record, Source, same_content
from simulators.receiver.schema import open_store
from simulators.tree import leaves

StreamId = NewType("StreamId", int)
"""The row of one gateway's store."""
KEPT_UNREADABLE = KEPT_CONFLICTS = 1000
KNOWN_STREAMS = 100_000
"""Rows of sources that a copy holds in memory."""
_UNREADABLE_BYTES = 4096
_PUT = """INSERT OR IGNORE INTO record (stream, seq, pv, lane, class, dev, ts, copy, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_MISS = """INSERT OR IGNORE INTO missing (stream, seq, lane, since_ms)
SELECT ?1, ?2, ?3, ?4
WHERE NOT EXISTS (SELECT 1 FROM record WHERE stream = ?1 AND seq = ?2)
AND NOT EXISTS (SELECT 1 FROM told WHERE stream = ?1 AND lane = ?3 AND ?2 BETWEEN first AND last)
AND ?2 > (SELECT floor FROM stream WHERE id = ?1)"""
_TALLY = """INSERT INTO copy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET messages = messages + excluded.messages,
records = records + excluded.records, readings = readings + excluded.readings,
duplicates = duplicates + excluded.duplicates, conflicts = conflicts + excluded.conflicts,
unreadable = unreadable + excluded.unreadable, late = late + excluded.late,
requests = requests + excluded.requests"""


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A message that could not be read."""

    topic: str
    payload: bytes
    reason: str


@dataclass(slots=True)
class Tally:
    """What was done, in numbers."""

    messages: int = 0
    records: int = 0
    """New ones."""
    readings: int = 0
    """Values of points in new `prop` and `hist` records."""
    duplicates: int = 0
    conflicts: int = 0
    """Duplicates whose content differs: a fault of somebody."""
    unreadable: int = 0
    late: int = 0
    """Records that came behind a newer one of their store: no fault."""
    requests: int = 0

    def row(self) -> tuple[int, ...]:
        """Return the numbers in the order of the table."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(slots=True)
class Taken:
    """What a batch was."""

    fresh: list[Record] = field(default_factory=list[Record])
    """Records that were not there before."""
    tally: Tally = field(default_factory=Tally)


class Store:
    """One copy's hold on the store. A context manager."""

    def __init__(self, path: Path, copy: str, *, begins_now: bool = False) -> None:
        """Take the file and the name of this copy.

        With `begins_now` nothing is missing that lies before the first record of a gateway.
        """
        self._path = path
        self._copy = copy
        self._begins_now = begins_now
        self._streams: dict[Source, StreamId] = {}
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file."""
        self._db = open_store(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close it."""
        self.db.close()
        self._db = None

    @property
    def db(self) -> sqlite3.Connection:
        """The open database."""
        assert self._db is not None, "the store is not open"  # noqa: S101 - a bug of ours
        return self._db

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing, and on the disk behind the block."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:  # a full disk has ended it already
                self.db.execute("ROLLBACK")
            self._streams.clear()  # rows that were made in it are gone
            raise

    def take(self, messages: Sequence[Message | Spoilt], now_ms: int) -> Taken:
        """Keep a batch; what it was is safe on the disk when this returns.

        Raises sqlite3.Error when it could not be kept; then nothing of it was.
        """
        taken = Taken()
        taken.tally.messages = len(messages)
        if len(self._streams) > KNOWN_STREAMS:
            self._streams.clear()
        with self.transaction():
            for message in messages:
                if isinstance(message, Spoilt):
                    self._set_aside(message, now_ms, taken)
                else:
                    note(self.db, message, now_ms)
            readable = [m for m in messages if not isinstance(m, Spoilt)]
            self._keep([record for m in readable for record in m.records], now_ms, taken)
            self._count(taken.tally)
        return taken

    def wants_confirmation(self, site: str, gateway: str) -> bool:
        """Whether a gateway's birth says that it waits for `dn/ack` (`ack: app`)."""
        return wants_confirmation(self.db, site, gateway)

    def note_requests(self, count: int) -> None:
        """Count requests to resend; inside a transaction."""
        self._count(Tally(requests=count))

    def _count(self, tally: Tally) -> None:
        self.db.execute(_TALLY, (self._copy, *tally.row()))

    def _set_aside(self, spoilt: Spoilt, now_ms: int, taken: Taken) -> None:
        taken.tally.unreadable += 1
        self.db.execute(
            "INSERT INTO unreadable VALUES (?, ?, ?, ?)",
            (now_ms, spoilt.topic, spoilt.reason, spoilt.payload[:_UNREADABLE_BYTES]),
        )
        self.db.execute(
            "DELETE FROM unreadable WHERE rowid <= (SELECT max(rowid) FROM unreadable) - ?",
            (KEPT_UNREADABLE,),
        )

    def _contradict(self, stream: StreamId, record: Record) -> None:
        self.db.execute(
            "INSERT INTO conflict VALUES (?, ?, ?, ?)",
            (stream, record.seq, record.ts_ms, record.text),
        )
        self.db.execute(
            "DELETE FROM conflict WHERE rowid <= (SELECT max(rowid) FROM conflict) - ?",
            (KEPT_CONFLICTS,),
        )

    # --- records

    def _keep(self, records: Sequence[Record], now_ms: int, taken: Taken) -> None:
        for record in records:
            self._put(record, taken)
        for record in taken.fresh:
            if record.kind == "gap":
                self._settle(record)
        self._follow(taken.fresh, now_ms)
        self._advance(taken, now_ms)

    def _put(self, record: Record, taken: Taken) -> None:
        stream = self._stream(record.source, floor=record.seq - 1)
        row = (stream, record.seq, record.pv, record.lane, record.kind, record.device)
        put = self.db.execute(_PUT, (*row, record.ts_ms, self._copy, record.text))
        if put.rowcount:
            taken.fresh.append(record)
            taken.tally.records += 1
            taken.tally.readings += _readings(record)
            return
        taken.tally.duplicates += 1
        (kept,) = self.db.execute(
            "SELECT body FROM record WHERE stream = ? AND seq = ?", (stream, record.seq)
        ).fetchone()
        if kept and not same_content(kept, record.text):
            taken.tally.conflicts += 1
            self._contradict(stream, record)

    def _settle(self, record: Record) -> None:
        """Take away from the ledger what a gateway tells to be gone for good."""
        fields = record.fields
        of_ep, first, last = (integer(fields, name) for name in ("of_ep", "from", "to"))
        stream = self._stream(record.source._replace(ep=of_ep), floor=last)
        lane = str(fields.get("lane"))
        told = (integer(fields, "count"), str(fields.get("cause")))
        self.db.execute(
            "INSERT INTO told VALUES (?, ?, ?, ?, ?, ?)", (stream, lane, first, last, *told)
        )
        self.db.execute(
            "DELETE FROM missing WHERE stream = ? AND lane = ? AND seq BETWEEN ? AND ?",
            (stream, lane, first, last),
        )

    def _follow(self, fresh: Sequence[Record], now_ms: int) -> None:
        """Note the predecessors that are not there, and strike out those that came."""
        here = {(record.source, record.seq) for record in fresh}
        self.db.executemany(
            _MISS,
            (
                (self._streams[record.source], record.pv, record.lane, now_ms)
                for record in fresh
                if record.pv and (record.source, record.pv) not in here
            ),
        )
        if self.db.execute("SELECT EXISTS (SELECT 1 FROM missing)").fetchone()[0]:
            self.db.executemany(
                "DELETE FROM missing WHERE stream = ? AND seq = ?",
                ((self._streams[record.source], record.seq) for record in fresh),
            )

    def _advance(self, taken: Taken, now_ms: int) -> None:
        """Bring the newest seq of each store up to date; count what came behind a newer one."""
        tops: dict[StreamId, int] = {}
        late: set[StreamId] = set()
        for record in taken.fresh:
            stream = self._streams[record.source]
            if stream not in tops:
                (tops[stream],) = self.db.execute(
                    "SELECT top FROM stream WHERE id = ?", (stream,)
                ).fetchone()
            if record.seq < tops[stream]:
                taken.tally.late += 1
                if record.kind == "hist":  # live ones overtake each other all the time
                    late.add(stream)
            tops[stream] = max(tops[stream], record.seq)
        self.db.executemany(
            "UPDATE stream SET top = ? WHERE id = ?", ((top, one) for one, top in tops.items())
        )
        self.db.executemany(
            "UPDATE stream SET late_ms = ? WHERE id = ?", ((now_ms, one) for one in late)
        )

    def _stream(self, source: Source, *, floor: int) -> StreamId:
        """Return the row of a source; `floor` is what lies before all, for who begins now."""
        known = self._streams.get(source)
        if known is None:
            self.db.execute(
                "INSERT OR IGNORE INTO stream (site, gw, ep, floor) VALUES (?, ?, ?, ?)",
                (*source, floor if self._begins_now else 0),
            )
            (found,) = self.db.execute(
                "SELECT id FROM stream WHERE site = ? AND gw = ? AND ep = ?", source
            ).fetchone()
            known = self._streams[source] = StreamId(found)
        return known


def ranges(seqs: Iterable[int]) -> list[list[int]]:
    """Return numbers as pairs [first, last], in order."""
    found: list[list[int]] = []
    for seq in sorted(seqs):
        if found and seq <= found[-1][1] + 1:
            found[-1][1] = max(found[-1][1], seq)
        else:
            found.append([seq, seq])
    return found


def _readings(record: Record) -> int:
    return len(leaves(record.fields.get("pts"))) if record.lane == "telemetry" else 0
