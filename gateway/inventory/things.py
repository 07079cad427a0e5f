"""From the loaded site to what the reader of one sink may know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from gateway.inventory.contract import Inventory, Thing
from gateway.settings.site import Device, Gateway, Point
from gateway.settings.site_place import Position
from gateway.settings.site_sinks import Sink


class Shows(Protocol):
    """The door of a sink, as far as an inventory needs it."""

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


def inventory_of(gateway: Gateway, sink: Sink, devices: Iterable[Device], door: Shows) -> Inventory:
    """Return the inventory as that sink's platform may have it."""
    return Inventory(gateway, sink, tuple(_thing(device, door) for device in devices))


def _thing(device: Device, door: Shows) -> Thing:
    return Thing(
        replace(device, title=door.title(device), owner=door.owner(device)),
        tuple(door.shown(device, point) for point in device.points if door.shows(device, point)),
        door.places(device),
        door.position(device),
    )
