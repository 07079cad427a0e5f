"""Births from the loaded site, and what a sink may see at all. Default deny.

A point above the sink's level is neither born nor sent. Of places, only those that hold many
people may be named below L3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from gateway.dialects.contract import Birth, BirthPoint
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.record import EventBody, PropBody, Record, StateBody
from gateway.settings.site import Device, Point, Sink, ValueType

ROOM_LEVEL = "L3"
"""From this level on a sink may know which flat a device belongs to."""
COARSE_PLACES = frozenset({"admin", "site", "area", "lot", "bldg", "unit", "floor", "zone"})
"""Parts of a location that name no single home."""
LIFE_SAFETY = 4
"""Severity of events that are told to every sink, without the value if that is withheld."""


def births_of(devices: Iterable[Device], max_level: str) -> tuple[Birth, ...]:
    """Return the births of a site's devices as a sink of that level may see them."""
    return tuple(_birth(device, max_level) for device in devices)


def births_for(devices: Mapping[DeviceId, Device], sink: Sink) -> tuple[Birth, ...]:
    """Return the births that a sink gets."""
    return births_of(devices.values(), sink.max_level)


def fingerprint(birth: Birth) -> str:
    """Return a short hash that changes when anything in a birth does."""
    return sha256(repr(birth).encode()).hexdigest()[:16]


class Visibility:
    """What may leave through one sink. Also the outbox's question whether a record is due."""

    def __init__(self, births: Sequence[Birth] = ()) -> None:
        """Take the births of that sink."""
        self._points: dict[DeviceId, frozenset[PointId]] = {}
        self.add(births)

    def add(self, births: Sequence[Birth]) -> None:
        """Take births anew; devices that went stay known for records that still wait."""
        for birth in births:
            self._points[birth.device] = frozenset(point.id for point in birth.points)

    def knows(self, device: DeviceId) -> bool:
        """Whether the device was ever born here."""
        return device == GATEWAY_ITSELF or device in self._points

    def sees(self, device: DeviceId, point: str) -> bool:
        """Whether values of that point may leave."""
        return point in self._points.get(device, frozenset())

    def is_due(self, record: Record) -> bool:
        """Whether anything of the record may leave."""
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


def _birth(device: Device, max_level: str) -> Birth:
    places = device.location.parts
    may_name_rooms = max_level >= ROOM_LEVEL
    return Birth(
        device.id,
        device.kind,
        device.vendor,
        device.model,
        tuple(
            _point(point)
            for point in device.points
            if point.is_published and point.level <= max_level
        ),
        device.title,
        {k: v for k, v in places.items() if may_name_rooms or k in COARSE_PLACES},
        device.is_verified,
    )


def _point(point: Point) -> BirthPoint:
    return BirthPoint(
        point.id,
        point.type.value,
        point.unit,
        point.resolution,
        point.personal,
        point.level,
        tuple(point.enum.values()) if point.type is ValueType.ENUM else (),
        point.write is not None,
        point.is_cumulative,
        point.title,
    )
