"""Births from the loaded site: what a platform must know of a device before its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from gateway.dialects.contract import Birth, BirthPoint
from gateway.settings.site import Device, Point, ValueType
from gateway.settings.site_place import Position


class Shows(Protocol):
    """The door of a sink, as far as births need it."""

    def shows(self, device: Device, point: Point) -> bool:
        """Whether values of a point may leave."""
        ...

    def places(self, device: Device) -> Mapping[str, str]:
        """Return the parts of a device's location that may leave."""
        ...

    def position(self, device: Device) -> Position | None:
        """Return its point on the map, if that may leave."""
        ...

    def title(self, device: Device) -> Mapping[str, str]:
        """Return its name for people, if that may leave."""
        ...

    def owner(self, device: Device) -> str | None:
        """Return whose it is, if that may leave."""
        ...

    def shown(self, device: Device, point: Point) -> Point:
        """Return a point that leaves as the platform gets it."""
        ...

    def retain_days(self, point: Point) -> int | None:
        """Return for how many days its values are kept at the site."""
        ...

    def transform(self, device: Device, point: Point) -> str | None:
        """Return what is done to a point's values before they leave."""
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
        tuple(
            replace(
                _point(door.shown(device, point)),
                retain_days=door.retain_days(point),
                transform=door.transform(device, point),
            )
            for point in device.points
            if door.shows(device, point) and (point.keep == "all" or point.write is not None)
        ),
        door.title(device),
        door.places(device),
        device.is_verified,
        door.position(device),
        device.operator,
        device.duty,
        door.owner(device),
    )


def _point(point: Point) -> BirthPoint:
    return BirthPoint(
        point.id,
        point.type.value,
        point.unit,
        point.resolution,
        point.personal,
        point.level,
        tuple(dict.fromkeys(point.enum.values())) if point.type is ValueType.ENUM else (),
        point.write is not None,
        point.is_cumulative,
        point.title,
        point.derived_from,
        point.basis,
    )
