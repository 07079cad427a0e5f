"""What people and metrics may know of the outbox, and its records as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import Committed, Lane, PropBody
from gateway.outbox.rows import Refusal


@dataclass(frozen=True, slots=True)
class Depth:
    """How one sink stands in one lane."""

    sink: SinkName
    lane: Lane
    depth: int
    """Records due and not finished, those in flight included."""
    in_flight: int
    oldest_age_s: float | None
    """Age of the oldest that is not finished; None when there is none."""
    done_upto: int


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """The outbox at one moment."""

    ep: int
    last_seq: int
    depths: tuple[Depth, ...]
    used_bytes: int
    """Rows that wait and rows kept for replay."""
    quota_bytes: int
    commits: int
    """Since the start."""
    records: int
    refused: Mapping[SinkName, int]
    """Since the start."""
    lost: int
    """Records dropped by rule or damage and not delivered to some sink, since the start."""
    held: int
    """Records that only memory has, because the disk refuses."""
    refusing: str | None
    """Why the disk refuses, None when it does not."""
    is_reserve_whole: bool
    """Whether the room that is kept for alarms is untouched."""
    hours_left: float | None
    """How long the quota lasts with no delivery at all, at the rate of late; None only before the
    very first commit."""


def hours_left(room_bytes: float, bytes_per_s: float) -> float | None:
    """Return how long the room lasts at this rate."""
    return max(0.0, room_bytes) / bytes_per_s / 3600 if bytes_per_s > 0 else None


def committed_line(committed: Committed, lane: Lane) -> str:
    """Return one record as a line of JSON, for `linli outbox show` and `export`."""
    record = committed.record
    shown: dict[str, Any] = {
        "ep": committed.ep,
        "seq": committed.seq,
        "lane": lane,
        "dev": record.device,
        "ts": record.ts_ms,
        "tq": record.tq,
    }
    if record.sink is not None:
        shown["sink"] = record.sink
    shown["kind"] = type(record.body).__name__.removesuffix("Body").lower()
    if isinstance(record.body, PropBody):
        shown["pts"] = _points(record.body)
    else:
        shown |= {"body": {k: v for k, v in asdict(record.body).items() if v is not None}}
    return json.dumps(shown, ensure_ascii=False)


def refusal_line(refusal: Refusal) -> str:
    """Return one refused record as a line of JSON."""
    committed = Committed(refusal.record, refusal.ep, refusal.seq, None)
    shown: dict[str, Any] = json.loads(committed_line(committed, refusal.record.lane))
    head = {"sink": refusal.sink, "reason": refusal.reason, "at": refusal.at_ms}
    return json.dumps(head | shown, ensure_ascii=False)


def _points(body: PropBody) -> dict[str, Any]:
    points: dict[str, Any] = {}
    for index, point in enumerate(body.column.points):
        shown: dict[str, Any] = {"v": body.values[index]}
        if body.column.units[index] is not None:
            shown["u"] = body.column.units[index]
        if body.marks is not None:
            mark = body.marks[index]
            shown["q"] = int(mark.quality)
            if mark.reason is not None:
                shown["qr"] = mark.reason
        points[point] = shown
    return points
