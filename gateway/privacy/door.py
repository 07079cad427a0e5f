"""The outer door of one sink: what of a record may leave through it. Default deny.

A dialect never sees what its platform may not know: records pass here first, and births are made
of what the door shows. A point leaves when its level is not above the sink's and the sink's allow
list lets it out; personal points (P2, P3) are let out by name only. A hash or a mask may lower the
level of a point to what its rule states. Of places, only those that hold many people may be named
below L3; the others have pseudonyms, or are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Committed, EventBody, PropBody, Record, ReplyBody, StateBody
from gateway.privacy.keyed_hash import HashKey
from gateway.privacy.retention import retain_days
from gateway.privacy.transform import Change, change_of, is_let_out, shown_level, transform_of
from gateway.settings.site import Device, Point, ValueType
from gateway.settings.site_place import Position
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
    changes: tuple[tuple[int, Change], ...] = ()
    """What is done to values, by their index in the cut column."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a door hashes with."""

    values: HashKey
    places: HashKey | None
    """None: places of one home are left out instead."""


class Door:
    """What may leave through one sink; grows with reloads."""

    def __init__(
        self, sink: Sink, devices: Iterable[Device] = (), keys: Keys | None = None
    ) -> None:
        """Take the sink, the devices of the site, and the keys; without any, nothing is hashed."""
        self.sink = sink
        self._keys = keys
        self._known: dict[DeviceId, Device] = {}
        self._points: dict[DeviceId, frozenset[PointId]] = {}
        self._changes: dict[DeviceId, Mapping[str, Change]] = {}
        self._plain: dict[DeviceId, frozenset[PointId]] = {}
        """Points whose values leave as they are: a column of them is not even looked into."""
        self._cuts: dict[tuple[DeviceId, PointColumn], _Cut] = {}
        self.use(sink, devices, keys)

    def use(self, sink: Sink, devices: Iterable[Device], keys: Keys | None = None) -> None:
        """Take a reloaded site; devices that went stay known for records that still wait."""
        self.sink = sink
        self._keys = keys
        self._cuts.clear()
        self._known |= {device.id: device for device in devices}
        for device in self._known.values():
            shown = [point for point in device.points if self.shows(device, point)]
            changes = {point.id: self._change(device, point) for point in shown}
            self._points[device.id] = frozenset(changes)
            self._plain[device.id] = frozenset(id_ for id_, how in changes.items() if how is None)
            self._changes[device.id] = {id_: how for id_, how in changes.items() if how is not None}

    def shows(self, device: Device, point: Point) -> bool:
        """Whether values of a point of the site may leave, changed or not."""
        transform = transform_of(self.sink, device, point)
        if transform is not None and transform.by == "drop":
            return False
        is_low_enough = shown_level(transform, point) <= self.sink.max_level
        return point.is_published and is_low_enough and is_let_out(self.sink, device, point)

    def shown(self, device: Device, point: Point) -> Point:
        """Return a point as the platform gets it: what is hashed or masked is a text."""
        transform = transform_of(self.sink, device, point)
        if transform is None:
            return point
        level = transform.level or point.level
        return replace(
            point,
            type=ValueType.TEXT,
            unit=None,
            resolution=None,
            enum={},
            is_cumulative=False,
            level=level,
        )

    def places(self, device: Device) -> Mapping[str, str]:
        """Return the parts of a location that may leave, pseudonyms of homes among them."""
        parts = device.location.parts
        if self.sink.max_level >= ROOM_LEVEL:
            return parts
        key = None if self._keys is None else self._keys.places
        coarse = {k: v for k, v in parts.items() if k in COARSE_PLACES}
        if key is None:
            return coarse
        return {k: coarse.get(k) or key.place(k, v) for k, v in parts.items()}

    def title(self, device: Device) -> Mapping[str, str]:
        """Return its name for people; below L3 none of a device whose place names one home.

        Such names are free text, and people write the names of others into them.
        """
        names_home = not COARSE_PLACES.issuperset(device.location.parts)
        return {} if names_home and self.sink.max_level < ROOM_LEVEL else device.title

    def owner(self, device: Device) -> str | None:
        """Return whose it is, from L3 on."""
        return device.owner if self.sink.max_level >= ROOM_LEVEL else None

    def retain_days(self, point: Point) -> int | None:
        """Return for how many days its values are kept at the site; None: nobody said."""
        return retain_days(point)

    def transform(self, device: Device, point: Point) -> str | None:
        """Return what is done to a point's values: `hash` or `mask`; None: nothing."""
        transform = transform_of(self.sink, device, point)
        return None if transform is None else transform.by

    def position(self, device: Device) -> Position | None:
        """Return its point on the map; below L3 none of a device whose place names one home."""
        location = device.location
        is_coarse = COARSE_PLACES.issuperset(location.parts)
        return location.position if is_coarse or self.sink.max_level >= ROOM_LEVEL else None

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
                seen = self._seen(record, body)
            case EventBody():
                seen = self._event(record, body)
            case ReplyBody():
                seen = self._reply(record, body)
            case _:
                seen = body
        if seen is body:
            return committed
        return replace(committed, record=replace(record, body=seen))

    def _change(self, device: Device, point: Point) -> Change | None:
        key = None if self._keys is None else self._keys.values
        return change_of(transform_of(self.sink, device, point), point, key)

    def _seen(self, record: Record, body: PropBody) -> PropBody:
        column, device = body.column, record.device
        if self._plain.get(device, frozenset()).issuperset(column.points):
            return body
        cut = self._cuts.get((device, column))
        if cut is None:
            cut = self._cut(device, column)
        at = cut.places
        values = [body.values[i] for i in at]
        for i, change in cut.changes:
            values[i] = _changed(change, values[i], record)
        return replace(
            body,
            column=cut.column,
            values=tuple(values),
            marks=None if body.marks is None else tuple(body.marks[i] for i in at),
            offsets_ms=None if body.offsets_ms is None else tuple(body.offsets_ms[i] for i in at),
        )

    def _cut(self, device: DeviceId, column: PointColumn) -> _Cut:
        if len(self._cuts) >= _MOST_CUTS:
            self._cuts.clear()
        at = tuple(i for i, point in enumerate(column.points) if self.sees(device, point))
        points = tuple(column.points[i] for i in at)
        changes = self._changes.get(device, {})
        units = tuple(None if column.points[i] in changes else column.units[i] for i in at)
        done = tuple((i, changes[point]) for i, point in enumerate(points) if point in changes)
        cut = self._cuts[device, column] = _Cut(at, PointColumn(points, units), done)
        return cut

    def _event(self, record: Record, body: EventBody) -> EventBody:
        if body.point is None:
            return body
        if not self.sees(record.device, body.point):
            # A fire is told to everyone, but not which value of whose sensor rose above what.
            return replace(body, point=None, value=None, threshold=None, detail=None)
        change = self._changes.get(record.device, {}).get(body.point)
        if change is None:
            return body
        return replace(
            body,
            value=_changed(change, body.value, record),
            threshold=_changed(change, body.threshold, record),
            detail=None,  # words for people, in which the value may stand
        )

    def _reply(self, record: Record, body: ReplyBody) -> ReplyBody:
        readback = None if body.readback is None else self._seen(record, body.readback)
        device, point = record.device, body.point
        is_shown = point is None or self.sees(device, point)
        change = None if point is None else self._changes.get(device, {}).get(point)
        if is_shown and change is None:
            return body if readback is body.readback else replace(body, readback=readback)
        value = None if change is None else _changed(change, body.value, record)
        return replace(body, value=value, message=None, readback=readback)


def _changed(change: Change, value: Value | None, record: Record) -> Value | None:
    return None if value is None else change(value, record.ts_ms, record.tq)
