"""Births from the loaded site: what a platform must know of a device before its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Protocol

from gateway.dialects.contract import Birth, BirthPoint
from gateway.settings.site import Device, Point, ValueType


class Shows(Protocol):
    """The door of a sink, as far as births need it."""

    def shows(self, device: Device, point: Point) -> bool:
        """Whether values of a point may leave."""
        ...

    def places(self, device: Device) -> Mapping[str, str]:
        """Return the parts of a device's location that may leave."""
        ...


def births_of(devices: Iterable[Device], door: Shows) -> tuple[Birth, ...]:
    """Return the births of a site's devices as a sink may see them."""
    return tuple(_birth(device, door) for device in devices)


def fingerprint(birth: Birth) -> str:
    """Return a short hash that changes when anything in a birth does."""
    return sha256(repr(birth).encode()).hexdigest()[:16]


def _birth(device: Device, door: Shows) -> Birth:
    return Birth(
        device.id,
        device.kind,
        device.vendor,
        device.model,
        tuple(_point(point) for point in device.points if door.shows(device, point)),
        device.title,
        door.places(device),
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
