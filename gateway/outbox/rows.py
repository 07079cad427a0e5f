"""What the store's thread and the event loop hand each other, and its form in the tables."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from gateway.model.ids import SinkName
from gateway.model.record import Keep, Lane, Record
from gateway.outbox.batch import Batch, Due
from gateway.outbox.encoding import Unreadable, decode_records, encode_records
from gateway.outbox.progress import LaneProgress
from gateway.outbox.rate import Rate
from gateway.outbox.seal import Seal, closed, opened

StateKey: TypeAlias = tuple[str, str]
ProgressMap: TypeAlias = Mapping[SinkName, Mapping[Lane, LaneProgress]]
COLUMNS = "first_seq, ep, count, at_ms, crc, due, side, payload, places"
_write = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Lost:
    """Records that a sink will not get. Kept in the store until a gap record has told it."""

    sink: SinkName
    lane: Lane
    ep: int
    first: int | None
    last: int | None
    count: int
    cause: str
    from_ms: int | None = None
    to_ms: int | None = None
    id: int | None = None
    """Its row in the store; None while only memory knows it."""

    @property
    def kind(self) -> tuple[SinkName, Lane, int, str]:
        """What two losses must share to be told as one."""
        return (self.sink, self.lane, self.ep, self.cause)


@dataclass(frozen=True, slots=True)
class Noted:
    """Losses that were noted in the store."""

    fresh: Sequence[Lost] = ()
    """What is lost anew."""
    rows: Sequence[Lost] = ()
    """As it is to be told, with ids; some may hold older losses too."""
    gone: Sequence[int] = ()
    """Ids of older rows that are part of `rows` now."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that a sink does not want: out of the way, but kept to be seen."""

    sink: SinkName
    ep: int
    seq: int
    at_ms: int
    reason: str
    record: Record
    pv: int | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """What travels in a row beside its records, so that an ordinary commit touches one page."""

    progress: ProgressMap
    states: Mapping[StateKey, Any] = field(default_factory=dict[StateKey, Any])


@dataclass(frozen=True, slots=True)
class Writing:
    """One transaction. Nothing in it changes once it is handed to the thread."""

    batches: Sequence[Batch]
    side: Side
    last_seq: int
    refusals: Sequence[Refusal] = ()
    told: Sequence[int] = ()
    """Ids of `Lost` whose gap records are among the batches."""
    is_mark_due: bool = False
    purge_at_ms: int | None = None
    """The wall clock, by which values expire; None: it is not to be believed now."""
    accepted: Sequence[tuple[SinkName, int, int]] = ()
    """Sink, ep and seq of refused records that were put out again, and taken."""
    rate: Rate | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether it may take of the reserve: alarms, billing values, or progress alone."""
        return all(batch.keep >= Keep.BILLING for batch in self.batches)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a lane, complete for all seqs below `end`."""

    batches: Sequence[Batch]
    end: int
    noted: Noted = Noted()


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found at start. `set_aside` and `vanished` are for people and events."""

    ep: int
    previous_ep: int | None
    last_seq: int
    progress: dict[SinkName, dict[Lane, LaneProgress]]
    states: dict[StateKey, Any]
    lost: tuple[Lost, ...]
    set_aside: Path | None
    damage: str | None
    """Why it was set aside, or how its end vanished; None when all was well."""
    rate: Rate | None = None


def side_to_bytes(side: Side) -> bytes:
    """Return the stored form of progress and states."""
    progress = {
        sink: {lane: at.to_json() for lane, at in lanes.items()}
        for sink, lanes in side.progress.items()
    }
    states = [(room, key, value) for (room, key), value in side.states.items()]
    return _write({"p": progress, "s": states}).encode()


def side_from_bytes(stored: bytes) -> Side:
    """Return what `side_to_bytes` was given."""
    document: dict[str, Any] = json.loads(stored)
    progress = {
        SinkName(sink): {Lane(lane): LaneProgress.from_json(at) for lane, at in lanes.items()}
        for sink, lanes in document["p"].items()
    }
    return Side(progress, {(room, key): value for room, key, value in document["s"]})


def batch_to_row(
    batch: Batch, side: bytes | None, seal: Seal | None = None
) -> tuple[int | bytes | None, ...]:
    """Return the columns of a batch's row, its records sealed where there is a seal.

    Raises:
        ValueError: a value is NaN or infinite.
        TypeError: a value is none that JSON has.
    """
    about = _about(batch.lane, batch.ep, batch.first_seq)
    payload = closed(seal, encode_records(batch.records), about)
    due = _write(
        {
            sink: [due.link, due.pv, due.count, due.last, _runs(due.skipped)]
            for sink, due in batch.dues.items()
        }
    ).encode()
    places = None if batch.places is None else _write(batch.places).encode()
    head = (batch.first_seq, batch.ep, batch.last_seq - batch.first_seq + 1, batch.at_ms)
    crc = _crc(batch.lane, head, (due, side or b"", payload, places or b""))
    return (*head, crc, due, side, payload, places)


def batch_from_row(lane: Lane, row: Sequence[Any], seal: Seal | None = None) -> Batch:
    """Return the batch of a row.

    Raises:
        KeyMissing: it is whole, and sealed with a key that is not here.
        Unreadable: the checksum or the layout says that it is not what was written.
    """
    first_seq, ep, count, at_ms, crc, due, side, payload, places = row
    if not isinstance(due, bytes) or not isinstance(payload, bytes):
        raise Unreadable("columns changed their type")
    thinned = places if isinstance(places, bytes) else b""
    parts = (due, side if isinstance(side, bytes) else b"", payload, thinned)
    if crc != _crc(lane, (first_seq, ep, count, at_ms), parts):
        raise Unreadable("checksum is wrong")
    stored: dict[str, Any] = json.loads(due)
    dues = {
        SinkName(sink): Due(link, pv, due_count, last, _positions(runs))
        for sink, (link, pv, due_count, last, runs) in stored.items()
    }
    left: list[int] | None = json.loads(thinned) if thinned else None
    records = decode_records(opened(seal, payload, _about(lane, ep, first_seq)))
    return Batch(lane, ep, first_seq, at_ms, records, dues, None if left is None else tuple(left))


def lost_to_bytes(lost: Lost) -> bytes:
    """Return the stored form of a loss that is not told yet."""
    return _write({name: value for name, value in asdict(lost).items() if name != "id"}).encode()


def lost_from_row(row_id: int, body: bytes) -> Lost:
    """Return the loss in a row."""
    stored: dict[str, Any] = json.loads(body)
    stored["lane"] = Lane(stored["lane"])
    return Lost(**stored, id=row_id)


def _about(lane: Lane, ep: int, first_seq: int) -> str:
    """Return what binds sealed records to their row."""
    return f"row:{lane}:{ep}:{first_seq}"


def _crc(lane: Lane, head: Sequence[object], parts: Sequence[bytes]) -> int:
    crc = zlib.crc32(f"{lane}:{head!r}".encode())
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _runs(skipped: frozenset[int]) -> list[int]:
    """Return first and last of each run of positions: a filtered sink skips many in a row."""
    runs: list[int] = []
    for position in sorted(skipped):
        if runs and runs[-1] == position - 1:
            runs[-1] = position
        else:
            runs += (position, position)
    return runs


def _positions(runs: Sequence[int]) -> frozenset[int]:
    return frozenset(
        position
        for first, last in zip(runs[::2], runs[1::2], strict=True)
        for position in range(first, last + 1)
    )
