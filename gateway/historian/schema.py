"""What a record is in a time-series database: measurement, tags, fields. Pure, and stable.

| measurement | tags | fields |
|---|---|---|
| the device's kind (`meter.electricity`) | site, gateway, device, point, unit | see below |
| `event` | site, gateway, device, type, state, point | `severity`, `eid`, `value`, `detail` |
| `device_state` | site, gateway, device | `online`, `reason` |
| `gap` | site, gateway, device, lane | `count`, `cause` |

A value has the field `value` (a number), `flag` (true or false) or `text`, and `q`, `qr` as in the
payload standard; what is not good has only those two.

One series for each point, not one field: each value has its own time and quality, and a point that
is whole in one device and broken in another never meets a field of another type, for which a
server refuses the line. For the same reason every number is a float; a whole number that a float
cannot hold (beyond 2^53) is written as `whole`, 64 bits, beside it. No name is a keyword of
InfluxQL.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.historian.line_protocol import field, line, series
from gateway.model.ids import DeviceId
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import PointColumn, Value
from gateway.model.record import (
    Committed,
    EventBody,
    GapBody,
    Lane,
    PropBody,
    Record,
    StateBody,
)
from gateway.settings.site import Device, Gateway

UNKNOWN_KIND = "device"
"""Measurement of a device that left the site while its records waited."""
_EXACT = 1 << 53
"""Whole numbers up to here are exact as floats."""
_INT64 = 1 << 63
_MOST_PREFIXES = 20_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and the record from which it comes."""

    octets: bytes
    lane: Lane
    seq: int


class Schema:
    """Of one gateway; grows with reloads."""

    def __init__(self, gateway: Gateway, devices: Iterable[Device]) -> None:
        """Take who we are, and the kinds of devices."""
        self._tags = (("site", gateway.site), ("gateway", gateway.id))
        self._kinds: dict[DeviceId, str] = {}
        self._series: dict[tuple[DeviceId, PointColumn], tuple[str, ...]] = {}
        self.use(devices)

    def use(self, devices: Iterable[Device]) -> None:
        """Take a reloaded site; devices that went stay known for records that still wait."""
        self._series.clear()
        self._kinds.update((device.id, device.kind) for device in devices)

    def lines(self, committed: Committed) -> list[Line]:
        """Return the lines of a record: none for what is no time series (receipts, the audit).

        The timestamp is the value's own, in ms of true UTC.
        """
        record = committed.record
        return [Line(octets, record.lane, committed.seq) for octets in self._octets(record)]

    def _octets(self, record: Record) -> Iterator[bytes]:
        body, device = record.body, record.device
        match body:
            case PropBody():
                yield from self._values(record, body)
            case EventBody():
                tags = (("type", body.type), ("state", body.state), ("point", body.point or ""))
                key = series("event", (*self._of(device), *tags))
                yield line(key, _event_fields(body), record.ts_ms)
            case StateBody():
                key = series("device_state", self._of(device))
                said = (("online", field(body.is_online)), ("reason", field(body.reason)))
                yield line(key, said, record.ts_ms)
            case GapBody():
                key = series("gap", (*self._of(device), ("lane", body.lane)))
                said = (("count", field(body.count)), ("cause", field(body.cause)))
                yield line(key, said, record.ts_ms)
            case _:
                return

    def _values(self, record: Record, body: PropBody) -> Iterator[bytes]:
        if body.is_snapshot:
            return  # values that were written when they were new
        marks, offsets = body.marks, body.offsets_ms
        for place, key in enumerate(self._series_of(record.device, body.column)):
            mark = GOOD if marks is None else marks[place]
            ts_ms = record.ts_ms + (0 if offsets is None else offsets[place])
            yield line(key, value_fields(body.values[place], mark), ts_ms)

    def _series_of(self, device: DeviceId, column: PointColumn) -> tuple[str, ...]:
        known = self._series.get((device, column))
        if known is None:
            if len(self._series) >= _MOST_PREFIXES:
                self._series.clear()
            kind = self._kinds.get(device, UNKNOWN_KIND)
            known = self._series[device, column] = tuple(
                series(kind, (*self._of(device), ("point", point), ("unit", unit or "")))
                for point, unit in zip(column.points, column.units, strict=True)
            )
        return known

    def _of(self, device: DeviceId) -> tuple[tuple[str, str], ...]:
        return (*self._tags, ("device", device))


def value_fields(value: Value | None, mark: Mark) -> list[tuple[str, str]]:
    """Return the fields of one value: a value only when it is good, its quality always."""
    fields: list[tuple[str, str]] = []
    if mark.quality is Quality.GOOD and value is not None:
        fields += _good_fields(value)
    fields.append(("q", field(int(mark.quality))))
    if mark.reason is not None:
        fields.append(("qr", field(mark.reason)))
    return fields


def _good_fields(value: Value) -> list[tuple[str, str]]:
    match value:
        case bool():
            return [("flag", field(value))]
        case str():
            return [("text", field(value))]
        case int() if abs(value) > _EXACT:
            is_whole = -_INT64 <= value < _INT64
            fits = [("whole", field(value))] if is_whole else [("text", field(str(value)))]
            return [*_number(value), *fits]
        case _:
            return _number(value)


def _number(value: float) -> list[tuple[str, str]]:
    try:
        number = float(value)
    except OverflowError:
        return []
    return [("value", field(number))] if math.isfinite(number) else []


def _event_fields(body: EventBody) -> list[tuple[str, str]]:
    fields = [("severity", field(body.severity)), ("eid", field(body.eid))]
    if body.value is not None:
        fields += _good_fields(body.value)
    if body.detail is not None:
        fields.append(("detail", field(body.detail)))
    return fields
