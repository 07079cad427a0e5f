"""Records: what is committed to the outbox, once, and delivered to every sink it is due to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, SinkName
from gateway.model.quality import Mark
from gateway.model.reading import PointColumn, Value


class Lane(StrEnum):
    """Stored lanes; events overtake telemetry."""

    EVENT = "event"
    TELEMETRY = "telemetry"


class Keep(IntEnum):
    """What is given up first when the store is full; the last two are never given up."""

    DIAGNOSTIC = 0
    """Only for whoever looks for a fault: a line went down or came up."""
    TELEMETRY = 1
    EVENT = 2
    """States of devices, and events of severity 0 and 1."""
    BILLING = 3
    """Registers read at fixed wall-clock marks: what people are billed on."""
    ALARM = 4
    """Events from severity 2 on, results of commands, gaps, and audit entries."""

    @property
    def lane(self) -> Lane:
        """The lane in which records of this class wait."""
        is_value = self in {Keep.TELEMETRY, Keep.BILLING}
        return Lane.TELEMETRY if is_value else Lane.EVENT


ALARM_SEVERITY = 2
"""Events from this severity on are never given up."""
DIAGNOSTIC_TOPICS = frozenset({"line", "log", "bundle"})
"""Log entries that audit nothing."""


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
    is_billing: bool = False
    """Cumulative registers, read at fixed marks of the wall clock."""


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

    @property
    def keep(self) -> Keep:
        """How long it is kept when the store is full."""
        match self.body:
            case PropBody(is_billing=is_billing):
                return Keep.BILLING if is_billing else Keep.TELEMETRY
            case EventBody(severity=severity):
                return Keep.ALARM if severity >= ALARM_SEVERITY else Keep.EVENT
            case StateBody():
                return Keep.EVENT
            case LogBody(topic=topic):
                return Keep.DIAGNOSTIC if topic in DIAGNOSTIC_TOPICS else Keep.ALARM
            case ReplyBody() | GapBody():
                return Keep.ALARM


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
