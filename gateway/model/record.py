"""Records: what is committed to the outbox, once, and delivered to every sink it is due to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, SinkName
from gateway.model.quality import Mark
from gateway.model.reading import PointColumn, Value


class Lane(StrEnum):
    """Stored lanes; events overtake telemetry."""

    EVENT = "event"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True)
class PropBody:
    """Values of points.

    `offsets_ms` gives the age of single values against the record's `ts` (<= 0), None when all
    were taken at `ts`.
    """

    column: PointColumn
    values: tuple[Value | None, ...]
    marks: tuple[Mark, ...] | None
    offsets_ms: tuple[int, ...] | None = None
    is_snapshot: bool = False
    """Current values repeated after a connect, not newly taken ones."""


@dataclass(frozen=True, slots=True)
class EventBody:
    """One step in the life of an event; `eid` is the same from raised to cleared."""

    eid: str
    type: str
    severity: int
    """0 informational .. 4 critical (life safety)."""
    state: str
    """raised, updated, cleared."""
    point: str | None = None
    value: Value | None = None
    threshold: Value | None = None
    duty: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class StateBody:
    """A device went online or offline."""

    is_online: bool
    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class ReplyBody:
    """The receipt of a command."""

    rid: str
    status: str
    """accepted, done, rejected, failed, expired."""
    code: str | None = None
    message: str | None = None
    point: str | None = None
    value: Value | None = None
    readback: PropBody | None = None


@dataclass(frozen=True, slots=True)
class GapBody:
    """Records that will never come: what was dropped by rule or lost, and why."""

    lane: Lane
    from_seq: int | None
    to_seq: int | None
    count: int
    cause: str
    from_ms: int | None = None
    to_ms: int | None = None
    ep: int | None = None
    """The ep of those records, when it is not that of this one."""


@dataclass(frozen=True, slots=True)
class LogBody:
    """An audit entry: who did what."""

    topic: str
    fields: tuple[tuple[str, str], ...]


Body: TypeAlias = PropBody | EventBody | StateBody | ReplyBody | GapBody | LogBody


@dataclass(frozen=True, slots=True)
class Record:
    """A neutral record, before it has an identity."""

    device: DeviceId
    ts_ms: int
    tq: TimeQuality
    body: Body
    sink: SinkName | None = None
    """Only for this sink; None for all."""

    @property
    def lane(self) -> Lane:
        """The lane it waits in: values in telemetry, everything else before them."""
        return Lane.TELEMETRY if isinstance(self.body, PropBody) else Lane.EVENT


@dataclass(frozen=True, slots=True)
class Committed:
    """A record that is safe on disk, with its identity `(gateway, ep, seq)`."""

    record: Record
    ep: int
    seq: int
    pv: int | None
    """Seq of the previous record of this lane that was due to the sink that this copy is for."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A small keyed value that a room wants back after a restart, saved with its records."""

    room: str
    key: str
    value: Any
    """JSON-able; None deletes the key."""
