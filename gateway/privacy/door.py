"""The outer door of one sink: what of a record may leave through it. Default deny.

A dialect never sees what its platform may not know: records pass here first, and births are made
of what the door shows. A point above the sink's level does not leave. Of places, only those that
hold many people may be named below L3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.reading import PointColumn
from gateway.model.record import Committed, EventBody, PropBody, Record, ReplyBody, StateBody
from gateway.settings.site import Device, Point
from gateway.settings.site_sinks import Sink

ROOM_LEVEL = "L3"
"""From this level on a sink may know which flat a device belongs to."""
COARSE_PLACES = frozenset({"admin", "site", "area", "lot", "bldg", "unit", "floor", "zone"})
"""Parts of a location that name no single home."""
LIFE_SAFETY = 4
"""Severity of events that are told to every sink, without the value if that is withheld."""
_MOST_CUTS = 20_000


@dataclass(frozen=True, slots=True)
class _Cut:
    """What of a column may be seen: its places, and the column that they make."""

    places: tuple[int, ...]
    column: PointColumn


class Door:
    """What may leave through one sink; grows with reloads."""

    def __init__(self, sink: Sink, devices: Iterable[Device] = ()) -> None:
        """Take the sink, and the devices of the site."""
        self.sink = sink
        self._points: dict[DeviceId, frozenset[PointId]] = {}
        self._cuts: dict[tuple[DeviceId, PointColumn], _Cut] = {}
        self.use(sink, devices)

    def use(self, sink: Sink, devices: Iterable[Device]) -> None:
        """Take a reloaded site; devices that went stay known for records that still wait."""
        self.sink = sink
        self._cuts.clear()
        for device in devices:
            self._points[device.id] = frozenset(
                point.id for point in device.points if self.shows(device, point)
            )

    def shows(self, device: Device, point: Point) -> bool:  # noqa: ARG002 - rules by device follow
        """Whether values of a point of the site may leave."""
        return point.is_published and point.level <= self.sink.max_level

    def places(self, device: Device) -> Mapping[str, str]:
        """Return the parts of a device's location that may leave."""
        may_name_rooms = self.sink.max_level >= ROOM_LEVEL
        parts = device.location.parts
        return {k: v for k, v in parts.items() if may_name_rooms or k in COARSE_PLACES}

    def knows(self, device: DeviceId) -> bool:
        """Whether the device was ever born here."""
        return device == GATEWAY_ITSELF or device in self._points

    def sees(self, device: DeviceId, point: str) -> bool:
        """Whether values of that point may leave."""
        return point in self._points.get(device, frozenset())

    def is_due(self, record: Record) -> bool:
        """Whether anything of the record may leave: asked by the outbox when it is committed."""
        body = record.body
        match body:
            case PropBody():
                points = self._points.get(record.device)
                return points is not None and not points.isdisjoint(body.column.points)
            case EventBody(point=None):
                return True
            case EventBody():
                return body.severity >= LIFE_SAFETY or self.sees(record.device, str(body.point))
            case StateBody():
                return self.knows(record.device)
            case _:
                return True

    def through(self, committed: Committed) -> Committed | None:
        """Return what of the record may leave, None when nothing may."""
        record = committed.record
        if not self.is_due(record):
            return None
        body = record.body
        match body:
            case PropBody():
                seen = self._seen(record.device, body)
            case EventBody():
                seen = self._event(record.device, body)
            case ReplyBody():
                seen = self._reply(record.device, body)
            case _:
                seen = body
        if seen is body:
            return committed
        return replace(committed, record=replace(record, body=seen))

    def _seen(self, device: DeviceId, body: PropBody) -> PropBody:
        column = body.column
        if self._points.get(device, frozenset()).issuperset(column.points):
            return body
        cut = self._cuts.get((device, column))
        if cut is None:
            cut = self._cut(device, column)
        at = cut.places
        return replace(
            body,
            column=cut.column,
            values=tuple(body.values[i] for i in at),
            marks=None if body.marks is None else tuple(body.marks[i] for i in at),
            offsets_ms=None if body.offsets_ms is None else tuple(body.offsets_ms[i] for i in at),
        )

    def _cut(self, device: DeviceId, column: PointColumn) -> _Cut:
        if len(self._cuts) >= _MOST_CUTS:
            self._cuts.clear()
        at = tuple(i for i, point in enumerate(column.points) if self.sees(device, point))
        shown = PointColumn(tuple(column.points[i] for i in at), tuple(column.units[i] for i in at))
        cut = self._cuts[device, column] = _Cut(at, shown)
        return cut

    def _event(self, device: DeviceId, body: EventBody) -> EventBody:
        if body.point is None or self.sees(device, body.point):
            return body
        # A fire is told to everyone, but not which value of whose sensor rose above what.
        return replace(body, point=None, value=None, threshold=None, detail=None)

    def _reply(self, device: DeviceId, body: ReplyBody) -> ReplyBody:
        readback = None if body.readback is None else self._seen(device, body.readback)
        is_shown = body.point is None or self.sees(device, body.point)
        if is_shown and readback is body.readback:
            return body
        return replace(body, value=body.value if is_shown else None, readback=readback)
